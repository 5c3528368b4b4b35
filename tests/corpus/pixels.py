"""Pixels of other readers in gigapix's order of axes, and how far apart two arrays are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]


def gdal(path: str) -> Pixels:
    """The image as GDAL reads it, (band, y, x); empty where it does not."""
    import rasterio

    try:
        with rasterio.open(path) as dataset:
            return np.asarray(dataset.read())
    except rasterio.errors.RasterioError:
        return np.empty(0)


def band_first(pixels: Pixels, axes: str, wanted: str) -> Pixels:
    """tifffile's array in the order of `wanted` (``TCZYX`` or a part of it), native, bool as uint8.

    Samples (S) are the innermost channels; axes that `wanted` lacks must have size 1.
    """
    names = list(axes)
    stacked = [axis for axis in names if axis in "IQRH" and axis not in wanted]
    for axis, size in zip(names[:], pixels.shape, strict=True):
        if axis in stacked and size > 1:  # pages without a meaning, which gigapix may call T or Z
            free = [letter for letter in wanted if letter not in names and letter in "TZ"]
            if free:
                names[names.index(axis)] = free[0]
    keep = [n for n, axis in enumerate(names) if axis in "TCZSYX" or pixels.shape[n] > 1]
    pixels = pixels.reshape([pixels.shape[n] for n in keep])
    names = [names[n] for n in keep]
    if any(axis not in "TCZSYX" for axis in names):
        return pixels  # of another shape, and so reported
    order = sorted(range(len(names)), key=lambda n: "TCSZYX".index(names[n]))
    pixels = pixels.transpose(order)
    sizes = dict.fromkeys("TCZYX", 1)
    for n, size in zip(order, pixels.shape, strict=True):
        sizes["C" if names[n] == "S" else names[n]] *= size
    shape = [sizes[axis] for axis in "TCZYX" if axis in wanted or sizes[axis] > 1]
    pixels = pixels.reshape(shape)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def difference(found: Pixels, expected: Pixels) -> float:
    """The largest difference between two arrays of one shape and type; 0 only where they are the same bit by bit."""
    apart = unlike(found, expected)
    if not apart.any():
        return 0.0
    a, b = found[apart], expected[apart]
    if a.dtype.kind in "ui":
        # Unsigned differences wrap: the larger less the smaller never does.
        return float((np.maximum(a, b).astype(np.float64) - np.minimum(a, b)).max())
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.abs(a.astype(np.complex128) - b), nan=np.inf).max()) or np.inf


def unlike(found: Pixels, expected: Pixels) -> npt.NDArray[np.bool_]:
    if found.dtype.kind in "uib":
        return np.asarray(found != expected)
    size = found.dtype.itemsize
    a, b = (np.ascontiguousarray(each).view(np.uint8).reshape(*each.shape, size) for each in (found, expected))
    return np.asarray((a != b).any(axis=-1))
