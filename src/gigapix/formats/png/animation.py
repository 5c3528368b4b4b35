"""APNG: acTL counts the frames, fcTL stands in front of each one's pixels (PNG sections 11.3.6 and 4.9).

The first frame is the default image if an fcTL stands in front of its IDAT. The others lie behind it in fdAT chunks,
and are found by walking over all chunks before them. fcTL and fdAT are numbered through, and a number that is out of
its order means that frames were shuffled or lost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from gigapix import limits
from gigapix.errors import FormatError, LimitError, RequestError, TruncatedError
from gigapix.formats.model import Steps
from gigapix.formats.png.chunks import Chunk, chunk_at, read_chunk
from gigapix.formats.png.header import Header

_FRAME: Final = struct.Struct(">IIIIIHHBB")
_DISPOSE: Final = ("none", "background", "previous")
_BLEND: Final = ("source", "over")


@dataclass(frozen=True, kw_only=True)
class Animation:
    """The values of acTL."""

    frames: int
    plays: int
    """How often; 0 for ever."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The values of fcTL: where a frame lies on the canvas, and for how long."""

    x: int
    y: int
    width: int
    height: int
    delay: float
    """Seconds until the next frame."""
    dispose: str
    """What becomes of its place then: ``none`` (it stays), ``background`` or ``previous``."""
    blend: str
    """``source`` (it replaces what is there) or ``over`` (its alpha counts)."""


def parse_animation(data: bytes) -> Animation:
    """Read acTL's data."""
    if len(data) != 8:
        raise FormatError(f"acTL of {len(data)} bytes")
    frames, plays = struct.unpack(">II", data)
    if not 0 < frames <= limits.MAX_PNG_WALK:
        raise FormatError(f"acTL counts {frames} frames")
    return Animation(frames=frames, plays=plays)


def parse_frame(data: bytes, header: Header, number: int) -> Frame:
    """Read the data of the fcTL that should be chunk `number` of the animation. A frame lies within the image."""
    if len(data) != _FRAME.size:
        raise FormatError(f"fcTL of {len(data)} bytes")
    found, width, height, x, y, numerator, denominator, dispose, blend = _FRAME.unpack(data)
    _check_number("fcTL", found, number)
    if not width or not height or x + width > header.width or y + height > header.height:
        raise FormatError(f"a frame of {width} x {height} at ({x}, {y}) leaves the {header.width} x {header.height}")
    if dispose >= len(_DISPOSE) or blend >= len(_BLEND):
        raise FormatError(f"fcTL with dispose {dispose} and blend {blend}")
    return Frame(
        x=x, y=y, width=width, height=height, delay=numerator / (denominator or 100),
        dispose=_DISPOSE[dispose], blend=_BLEND[blend],
    )  # fmt: skip


def _check_number(kind: str, found: int, number: int) -> None:
    if found != number:
        raise FormatError(f"{kind} number {found} of the animation stands where number {number} belongs")


def frame_behind(header: Header, pixels: Chunk, index: int, number: int, verify: bool) -> Steps[tuple[Frame, Chunk]]:
    """Walk to frame `index` of those behind the chunk `pixels`, from 1: its values and its first fdAT.

    number: of the next fcTL. Raises RequestError where there are fewer frames.
    """
    chunk, frame, seen = pixels, None, 0
    for _ in range(limits.MAX_PNG_WALK):
        chunk = yield from chunk_at(chunk.end)
        try:
            if chunk.type == "IEND":
                break
            if chunk.type == "fcTL":
                if seen == index:
                    raise FormatError(f"frame {index} has no pixels")
                frame = parse_frame((yield from read_chunk(chunk, verify)), header, number)
                seen += 1
            elif chunk.type == "fdAT":
                (data,) = yield [(chunk.offset + 8, 4)]
                if len(data) < 4 or chunk.length < 4:
                    raise TruncatedError("an fdAT without its number")
                _check_number("fdAT", int.from_bytes(data, "big"), number)
                if frame is not None and seen == index:
                    return frame, chunk
            else:
                continue
        except FormatError as error:
            raise error.located(offset=chunk.offset) from None
        number += 1
    else:
        raise LimitError(f"frame {index} lies behind more than {limits.MAX_PNG_WALK} chunks")
    raise RequestError(f"no frame {index} behind the default image: there are {seen}")
