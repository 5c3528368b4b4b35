"""The layout of a Cloud Optimized GeoTIFF as bytes, sans-I/O (OGC 21-026; GDAL's COG driver, "header ghost area").

Header, ghost area, directories, the tables of their tiles; then the tiles, those of the smallest overview first and
those of the full image last. Within a level tiles lie in row-major order, each between its size and its last four
bytes once more, and the tile of a mask directly behind that of its image: a `block`.

All that stands before the tiles depends on their sizes and on nothing else. So whoever makes them keeps the blocks
anywhere, in any order, with their sizes; `Cog` then says what to write first, and the blocks follow in their order.

Tables stand behind all directories, that of the smallest overview first: a reader gets every tag, and what a first
view of the image needs, with its first request, however many tiles there are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gigapix.formats.tiff.write import TiffFile, directory_parts, header

FRAME: Final = 8
"""Bytes around a tile: its size before it, its last four bytes again behind it."""

_GHOST: Final = (
    "LAYOUT=IFDS_BEFORE_DATA\n"
    "BLOCK_ORDER=ROW_MAJOR\n"
    "BLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
    "KNOWN_INCOMPATIBLE_EDITION=NO\n "  # the blank is where YES takes one more character
)
_GHOST_MASK: Final = "MASK_INTERLEAVED_WITH_IMAGERY=YES\n"

Sizes = NDArray[np.uint64]
"""``(1, rows, columns)``, bytes of each tile, or with a mask ``(2, rows, columns)``, those of the masks' tiles last."""


@dataclass(frozen=True, kw_only=True)
class CogLevel:
    """The image, or an overview."""

    image: TiffFile
    mask: TiffFile | None = None


def block(*tiles: bytes) -> bytes:
    """A tile, and that of its mask where there is one, as they lie in the file."""
    return b"".join(part for tile in tiles for part in (struct.pack("<I", len(tile)), tile, tile[-4:]))


def cog_head(levels: Sequence[CogLevel], sizes: Sequence[Sizes], *, big: bool | None = None) -> bytes:
    """Everything before the first block.

    levels: from the full image to the smallest overview.
    big: BigTIFF or not; where the file needs it, if None.
    """
    if big is None:
        classic = cog_head(levels, sizes, big=False)
        big = len(classic) + sum(int(each.sum()) + FRAME * each.size for each in sizes) >= 1 << 32
        if not big:
            return classic
    # GDAL's order: the image and its mask, the overviews, their masks.
    places = [(level, kind) for level in (0,) for kind in range(len(sizes[0]))]
    places += [(level, kind) for kind in (0, 1) for level in range(1, len(levels)) if kind < len(sizes[level])]
    images = [replace(file, big=big) for file in (_file(levels[level], kind) for level, kind in places)]
    text = _GHOST + (_GHOST_MASK if levels[0].mask is not None else "")
    ghost = f"GDAL_STRUCTURAL_METADATA_SIZE={len(text):06d} bytes\n{text}".encode()
    start = len(header(images[0])) + len(ghost)
    start += start % 2
    lengths = [
        tuple(map(len, directory_parts(image, start, sizes[level][kind].ravel(), sizes[level][kind].ravel(), tables=0)))
        for image, (level, kind) in zip(images, places, strict=True)
    ]
    ifds = [start + sum(length for length, _ in lengths[:n]) for n in range(len(images) + 1)]
    tables, end = [0] * len(images), ifds[-1]
    for n in reversed(range(len(images))):
        tables[n], end = end, end + lengths[n][1]
    offsets = _offsets(sizes, end)
    parts = [
        directory_parts(
            image, ifds[n], offsets[level][kind].ravel(), sizes[level][kind].ravel(), tables=tables[n],
            following=ifds[n + 1] if n + 1 < len(images) else 0,
        )
        for n, (image, (level, kind)) in enumerate(zip(images, places, strict=True))
    ]  # fmt: skip
    first = (header(images[0], start) + ghost).ljust(start, b"\0")
    return b"".join([first, *(ifd for ifd, _ in parts), *(table for _, table in reversed(parts))])


def _file(level: CogLevel, kind: int) -> TiffFile:
    return level.mask if kind and level.mask is not None else level.image


def _offsets(sizes: Sequence[Sizes], start: int) -> list[Sizes]:
    """Where each tile begins."""
    found: list[Sizes] = []
    for each in reversed(sizes):
        framed = np.moveaxis(each, 0, -1) + np.uint64(FRAME)
        ends = np.cumsum(framed, dtype=np.uint64).reshape(framed.shape) + np.uint64(start)
        found.insert(0, np.moveaxis(ends - framed + np.uint64(FRAME // 2), -1, 0))
        start = int(ends.ravel()[-1])
    return found
