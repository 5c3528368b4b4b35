"""HTJ2K: a codestream that holds all resolutions of a chunk, of which the first bytes are enough for the coarse ones.

A codestream (ISO 15444-1, annex A; 15444-15 for the coder) is a main header and tile-parts. Where there is a tile-part
for each resolution, the coarsest first, a resolution is the bytes up to the end of its tile-part, a *prefix*, which the
codec takes as it is. Sent less than it needs, the codec says nothing and makes pixels of what there is. So the
tile-parts are walked before it is called, and a prefix that ends anywhere else is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import isolate
from gigapix.decode.headers import unpack
from gigapix.decode.jpeg2000 import COD, SOC_SIZ, SOT, jpeg2000_size
from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer, Encoding

RESOLUTION_ORDERS: Final = (1, 2)
"""RLCP and RPCL (A.6.1): all of a resolution before the next."""

MAX_DECOMPOSITIONS: Final = 32
EOC: Final = b"\xff\xd9"


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What the markers of a codestream of one tile say."""

    height: int
    width: int
    samples: int
    decompositions: int
    """Resolutions beyond the coarsest."""
    ends: tuple[int, ...]
    """Where each tile-part ends, as far as they are there."""
    whole: bool
    """Whether nothing is missing."""
    by_resolution: bool
    """Whether each tile-part is a resolution."""

    def prefix(self, reduce: int) -> int:
        """Bytes that hold the pixels at 1/2**reduce of the size. Raises DecodeError where they are not there, or the
        codestream has no such resolution."""
        if not 0 <= reduce <= self.decompositions:
            raise DecodeError(f"the codestream has {self.decompositions} coarser resolutions, and {reduce} are wanted")
        needed = self.decompositions - reduce
        if self.by_resolution and needed < len(self.ends):
            return self.ends[needed]
        if not self.whole:
            raise DecodeError("the codestream ends before the resolution that is wanted does")
        return self.ends[-1]


def outline(data: Buffer) -> Outline:
    """Walk the markers of a codestream, or of a prefix of one. Raises DecodeError where they make no sense."""
    size = jpeg2000_size(data)
    if bytes(data[:4]) != SOC_SIZ:
        raise DecodeError("not a bare JPEG 2000 codestream")
    tile = unpack(">8I", data, 24)  # XTsiz, YTsiz, XTOsiz, YTOsiz, then of the components (A.5.1)
    right, bottom = unpack(">2I", data, 8)
    if tile[0] + tile[2] < right or tile[1] + tile[3] < bottom:
        raise DecodeError("a codestream of several tiles")
    at, progression, decompositions = 2, 0, MAX_DECOMPOSITIONS + 1
    while (marker := unpack(">H", data, at)[0]) != SOT:
        (length,) = unpack(">H", data, at + 2)
        if marker < 0xFF00 or length < 2:
            raise DecodeError("the codestream's header makes no sense")
        if marker == COD:
            progression, decompositions = unpack(">BxxxB", data, at + 5)
        at += 2 + length
    ends: list[int] = []
    parts = 0
    while bytes(data[at : at + 2]) not in (EOC, b""):
        marker, length, tile_index, part, index, parts_here = unpack(">HHHIBB", data, at)
        if (marker, length, tile_index, index) != (SOT, 10, 0, len(ends)) or part < 14:
            raise DecodeError("the codestream's tile-parts make no sense")
        at += part
        if at > len(data):
            break
        ends.append(at)
        parts = max(parts, parts_here)
    whole = bytes(data[at : at + 2]) == EOC and len(ends) >= max(parts, 1)
    if decompositions > MAX_DECOMPOSITIONS or not ends:
        raise DecodeError("the codestream's header makes no sense")
    return Outline(
        height=size.height,
        width=size.width,
        samples=size.samples,
        decompositions=decompositions,
        ends=tuple(ends),
        whole=whole,
        by_resolution=parts == decompositions + 1 and progression in RESOLUTION_ORDERS,
    )


def segment(data: Buffer, encoding: Encoding, shape: tuple[int, int, int]) -> NDArray[Any]:
    """A segment as (rows, columns, 1). Samples of a type with room beyond the segment's own, which is where a coarse
    resolution goes beyond the extremes, are brought back to these.

    Raises DecodeError.
    """
    pixels = htj2k_plane(data, (shape[0] * shape[1], shape[2]), encoding.reduce)[..., np.newaxis]
    if pixels.dtype == encoding.dtype:
        return pixels
    if encoding.dtype.kind not in "iu" or pixels.dtype != np.dtype(f"i{2 * encoding.dtype.itemsize}"):
        raise DecodeError(f"HTJ2K: samples of {pixels.dtype} in a chunk of {encoding.dtype}")
    extremes = np.iinfo(encoding.dtype)
    clipped: NDArray[Any] = np.clip(pixels, extremes.min, extremes.max).astype(encoding.dtype)
    return clipped


def htj2k_plane(data: Buffer, shape: tuple[int, int], reduce: int = 0) -> NDArray[Any]:
    """The pixels (height, width) of a codestream of one component, or of a prefix of it, at 1/2**reduce of its size.

    shape: (height, width) of what comes out: each is that of the codestream divided by 2**reduce and rounded up.

    Raises DecodeError where the codestream is another, or ends before that resolution does.
    """
    found = outline(data)
    there = tuple(-(-side >> reduce) for side in (found.height, found.width))
    if there != shape or found.samples != 1:
        raise DecodeError(f"a codestream of {found.samples} x {there} pixels in a chunk of {shape}")
    end = found.prefix(reduce)
    pixels = isolate.htj2k(bytes(data[:end]), reduce)
    if pixels.size != shape[0] * shape[1]:
        raise DecodeError(f"HTJ2K: {pixels.shape} pixels in a chunk of {shape}")
    return pixels.reshape(shape)
