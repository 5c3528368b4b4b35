"""A PNG as a file: its header, and the chunks in front of its pixels.

What the pixels mean is read at once (IHDR, PLTE, tRNS, and of an animation acTL and its first fcTL). Of all other
chunks only the place is noted. What is wrong with a chunk that the pixels don't need is a sentence in `problems`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gigapix import limits
from gigapix.errors import FormatError, LimitError, UnsupportedError
from gigapix.formats.model import Steps
from gigapix.formats.png import header as kinds
from gigapix.formats.png.animation import Animation, Frame, parse_animation, parse_frame
from gigapix.formats.png.chunks import SIGNATURE, Chunk, chunk_at, read_chunk
from gigapix.formats.png.header import Header, parse_header

RELATIVES: Final = {b"\x8aMNG": "MNG, an animation format", b"\x8bJNG": "JNG, a JPEG in chunks"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Png:
    """What stands in front of the pixels."""

    header: Header
    chunks: tuple[Chunk, ...]
    """From IHDR to the last one in front of the pixels."""
    pixels: Chunk
    """The first IDAT."""
    palette: bytes = b""
    """Red, green and blue of each entry."""
    transparency: bytes = b""
    """tRNS: the alpha of palette entries, else the samples (two bytes each) of the colour that is transparent."""
    animation: Animation | None = None
    frame: Frame | None = None
    """The default image's, where it is part of the animation."""
    verify: bool = True
    """Whether CRCs are checked."""
    problems: tuple[str, ...] = ()


def is_png(data: bytes) -> bool:
    """Whether a file that begins so is a PNG, maybe a damaged one, or a relative of it."""
    return data[1:4].upper() in (b"PNG", b"MNG", b"JNG") or data[4:8] == SIGNATURE[4:]


def read_png(verify: bool = True) -> Steps[Png]:
    """Read the chunks in front of the pixels. Raises FormatError, UnsupportedError or LimitError."""
    (signature,) = yield [(0, len(SIGNATURE))]
    _check_signature(bytes(signature))
    first = yield from chunk_at(len(SIGNATURE))
    if first.type == "CgBI":
        raise UnsupportedError("a PNG in Apple's own variant for iOS (CgBI), which only iOS reads", offset=first.offset)
    if first.type != "IHDR":
        raise FormatError(f"the first chunk is {first.type} instead of IHDR", offset=first.offset)
    try:
        header = parse_header((yield from read_chunk(first, verify)))
    except (FormatError, UnsupportedError) as error:
        raise error.located(offset=first.offset) from None
    chunks = [first]
    while (chunk := (yield from chunk_at(chunks[-1].end))).type != "IDAT":
        _check_order(chunk)
        if len(chunks) >= limits.MAX_PNG_CHUNKS:
            raise LimitError(f"more than {limits.MAX_PNG_CHUNKS} chunks in front of the pixels", offset=chunk.offset)
        chunks.append(chunk)
    return (yield from _described(header, tuple(chunks), chunk, verify))


def _check_signature(found: bytes) -> None:
    if found == SIGNATURE:
        return
    if found[:4] in RELATIVES:
        raise FormatError(f"not a PNG but {RELATIVES[found[:4]]}", offset=0)
    raise FormatError(f"a damaged PNG: it begins with {found!r} instead of {SIGNATURE!r}", offset=0)


def _check_order(chunk: Chunk) -> None:
    if chunk.type == "IEND":
        raise FormatError("a PNG without pixels: no IDAT before its IEND", offset=chunk.offset)
    if chunk.type == "IHDR":
        raise FormatError("a second IHDR", offset=chunk.offset)
    if chunk.is_critical and chunk.type != "PLTE":
        raise UnsupportedError(f"the unknown critical chunk {chunk.type}", offset=chunk.offset)


def _described(header: Header, chunks: tuple[Chunk, ...], pixels: Chunk, verify: bool) -> Steps[Png]:
    first: dict[str, Chunk] = {}
    for chunk in chunks:
        first.setdefault(chunk.type, chunk)
    problems: list[str] = []
    palette = transparency = b""
    animation = frame = None
    if header.color_type == kinds.PALETTE:
        if "PLTE" not in first:
            raise FormatError("a palette image without PLTE", offset=pixels.offset)
        palette = yield from _palette(first["PLTE"], header.depth, verify)
    if "tRNS" in first:
        try:
            transparency = yield from _transparency(first["tRNS"], header, len(palette) // 3, verify)
        except FormatError as error:
            problems.append(f"tRNS is passed over: {error.message}")
    if "acTL" in first:
        try:
            counted = parse_animation((yield from read_chunk(first["acTL"], verify)))
            if "fcTL" in first:
                frame = parse_frame((yield from read_chunk(first["fcTL"], verify)), header, 0)
                if (frame.width, frame.height) != (header.width, header.height):
                    raise FormatError("the first frame is not of the image's size")
            animation = counted
        except FormatError as error:
            frame = None
            problems.append(f"the animation is passed over: {error.message}")
    return Png(
        header=header, chunks=chunks, pixels=pixels, palette=palette, transparency=transparency, animation=animation,
        frame=frame, verify=verify, problems=tuple(problems),
    )  # fmt: skip


def _palette(chunk: Chunk, depth: int, verify: bool) -> Steps[bytes]:
    """PLTE's entries, as far as indices of that depth reach."""
    data = yield from read_chunk(chunk, verify)
    if not data or len(data) % 3 or len(data) > 3 * 256:
        raise FormatError(f"PLTE of {len(data)} bytes", offset=chunk.offset)
    return data[: 3 << depth]


def _transparency(chunk: Chunk, header: Header, entries: int, verify: bool) -> Steps[bytes]:
    data = yield from read_chunk(chunk, verify)
    sizes = {kinds.GREY: (2,), kinds.RGB: (6,), kinds.PALETTE: range(1, entries + 1)}.get(header.color_type, ())
    if len(data) not in sizes:
        raise FormatError(f"{len(data)} bytes for colour type {header.color_type}")
    return data
