"""Files that are huge, or look it, with few bytes of pixels in them."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.hostile.build import DATA, LONG, LONG8, SHORT, Directory, amended, baseline, build, tag, tiled

Pixels = npt.NDArray[Any]


def million_tiles(path: Path, *, side: int = 1000, tile: int = 256, ifd_first: bool = True) -> Pixels:
    """A BigTIFF of `side` x `side` deflated tiles that share three places, every 7th absent; returns the three.

    The tables take 12 MB, the pixels a few hundred bytes. Tile n holds number n % 3, or is sparse where n % 7 == 6.
    The IFD stands before the tables and the pixels as writers put it, or behind both.
    """
    shapes = np.stack([np.full((tile, tile), 50 + n, np.uint8) for n in range(3)])
    shapes[:, 3, 5] = 255
    coded = [zlib.compress(each.tobytes()) for each in shapes]
    number = np.arange(side * side)

    def directory(tables: int) -> Directory:
        return amended(
            tiled(side * tile, side * tile, tile, offsets=[0], counts=[0], t259=tag(259, SHORT, 8)),
            t324=tag(324, LONG8, count=len(number), offset=tables),
            t325=tag(325, LONG, count=len(number), offset=tables + 8 * len(number)),
        )

    tables = len(build(directory(0), big=True)) if ifd_first else DATA
    first = tables + 12 * len(number)
    starts = list(itertools.accumulate((len(each) for each in coded), initial=first))[:-1]
    stored = number % 7 != 6
    offsets = np.where(stored, np.take(starts, number % 3), 0).astype("<u8")
    counts = np.where(stored, np.take([len(each) for each in coded], number % 3), 0).astype("<u4")
    blob = offsets.tobytes() + counts.tobytes() + b"".join(coded)
    if ifd_first:
        path.write_bytes(build(directory(tables), big=True) + blob)
    else:
        path.write_bytes(build(directory(tables), data=blob, big=True))
    return shapes


def ifd_at_end(path: Path, *, gap: int) -> Pixels:
    """A BigTIFF whose only IFD lies behind `gap` bytes of hole; returns its pixels, (y, x)."""
    data = np.arange(256, dtype=np.uint8).reshape(16, 16)
    whole = build(baseline(), data=data.tobytes(), big=True)
    start = struct.unpack_from("<Q", whole, 8)[0]
    with path.open("wb") as file:
        file.write(whole[:8] + struct.pack("<Q", start + gap) + whole[16:start])
        file.seek(start + gap)
        file.write(_moved(gap))
    return data


def _moved(gap: int) -> bytes:
    """The IFD of `ifd_at_end`. All its values are inline but none, so moving it changes nothing."""
    whole = build(baseline(), data=bytes(256), big=True)
    return whole[struct.unpack_from("<Q", whole, 8)[0] :]
