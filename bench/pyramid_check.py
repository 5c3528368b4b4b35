"""Whether the levels that a peer has written are those of the direct reduction: the means of level 0, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[Any]]
Rows = Callable[[int, int, int], Pixels]
"""(level, first row, last) to (planes, rows, columns)."""

BAND = 2048
"""Rows of level 0 that are compared at once."""


def zarr_rows(target: str, path: str) -> tuple[Rows, int]:
    """The levels of a group, and the rows of level 0."""
    import zarr

    arrays: dict[int, Any] = {}

    def rows(level: int, start: int, stop: int) -> Pixels:
        if level not in arrays:
            arrays[level] = zarr.open_array(str(Path(target) / path.format(level)), mode="r")
        found = np.asarray(arrays[level][..., start:stop, :])
        return found.reshape(-1, *found.shape[-2:])

    rows(0, 0, 1)
    return rows, int(arrays[0].shape[-2])


def tiff_rows(target: str) -> tuple[Rows, int]:
    """The images of a TIFF, from the finest on."""
    import tifffile
    import zarr

    arrays = [zarr.open(page.aszarr(), mode="r") for page in tifffile.TiffFile(target).pages]

    def rows(level: int, start: int, stop: int) -> Pixels:
        return np.asarray(arrays[level][start:stop])[None]

    return rows, int(arrays[0].shape[0])


def off_by(rows: Rows, height: int, levels: int, *, deep: bool) -> int:
    """The largest difference of any sample of any level to the mean of what lies under it.

    deep: planes are reduced too. Only windows that all peers have are compared: some leave out those at odd edges.
    """
    worst = 0
    for start in range(0, height, BAND):
        stop = min(start + BAND, height)
        total: Pixels = rows(0, start, stop).astype(np.uint32)
        for level in range(1, levels + 1):
            total = _halved(total, deep)
            if not total.size:
                break
            count = (8 if deep else 4) ** level
            half, rest = total // count, total % count
            mean = half + ((2 * rest > count) | ((2 * rest == count) & (half & 1 == 1)))
            found = rows(level, start >> level, stop >> level)
            shared = tuple(slice(0, min(a, b)) for a, b in zip(found.shape, mean.shape, strict=True))
            apart = np.subtract(found[shared], mean[shared], dtype=np.int64)
            worst = max(worst, int(np.abs(apart).max()))
    return worst


def _halved(values: Pixels, deep: bool) -> Pixels:
    z, y, x = (size // 2 * 2 for size in values.shape)
    values = values[:, 0:y:2, :x] + values[:, 1:y:2, :x]
    values = values[..., 0::2] + values[..., 1::2]
    return values[0:z:2] + values[1:z:2] if deep else values
