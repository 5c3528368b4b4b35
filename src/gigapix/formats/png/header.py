"""IHDR: size, depth and colour type, and how their rows are stored (PNG sections 11.2.1, 7 and 8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from gigapix import limits
from gigapix.errors import FormatError, LimitError, UnsupportedError
from gigapix.formats.model import PNG_FILTERS, Encoding, Framing

GREY: Final = 0
RGB: Final = 2
PALETTE: Final = 3
GREY_ALPHA: Final = 4
RGB_ALPHA: Final = 6

IHDR_BYTES: Final = 13

_SAMPLES: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_DEPTHS: Final = {
    GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)
}  # fmt: skip
_PHOTOMETRIC: Final = {GREY: 1, RGB: 2, PALETTE: 3, GREY_ALPHA: 1, RGB_ALPHA: 2}
_DEFLATE: Final = 8
_UNASSOCIATED_ALPHA: Final = 2


@dataclass(frozen=True, kw_only=True)
class Header:
    """The values of IHDR."""

    width: int
    height: int
    depth: int
    """Bits of a sample."""
    color_type: int
    interlaced: bool

    @property
    def samples(self) -> int:
        """Of a pixel; a palette's index is one."""
        return _SAMPLES[self.color_type]

    @property
    def has_alpha(self) -> bool:
        """Whether the last sample is alpha."""
        return self.color_type in (GREY_ALPHA, RGB_ALPHA)


def parse_header(data: bytes) -> Header:
    """Read IHDR's data. Raises FormatError for values that PNG does not have."""
    if len(data) != IHDR_BYTES:
        raise FormatError(f"IHDR has {len(data)} bytes instead of {IHDR_BYTES}")
    width, height, depth, color_type, compression, method, interlace = struct.unpack(">IIBBBBB", data)
    if width == 0 or height == 0:
        raise FormatError(f"an image of {width} x {height} pixels")
    if max(width, height) >= limits.MAX_DIMENSION:
        raise LimitError(f"an image of {width} x {height} pixels; a side has fewer than {limits.MAX_DIMENSION}")
    if color_type not in _DEPTHS:
        raise FormatError(f"colour type {color_type}, which PNG does not have")
    if depth not in _DEPTHS[color_type]:
        raise FormatError(f"{depth} bits a sample, which PNG's colour type {color_type} does not have")
    if compression != 0 or interlace > 1:
        raise FormatError(f"compression method {compression}, interlace method {interlace}: PNG has none such")
    if method != 0:
        raise UnsupportedError(f"filter method {method} (MNG's, or unknown)")
    return Header(width=width, height=height, depth=depth, color_type=color_type, interlaced=bool(interlace))


def encoding_of(header: Header, framing: Framing) -> Encoding:
    """How the stream of an image's rows is stored."""
    return Encoding(
        compression=_DEFLATE,
        dtype=np.dtype(np.uint16 if header.depth > 8 else np.uint8),
        samples=header.samples,
        bits=(header.depth,) * header.samples,
        byteorder=">",
        predictor=PNG_FILTERS,
        photometric=_PHOTOMETRIC[header.color_type],
        extra_samples=(_UNASSOCIATED_ALPHA,) if header.has_alpha else (),
        framing=framing,
        interlaced=header.interlaced,
    )
