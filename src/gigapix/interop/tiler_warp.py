"""Which pixels of an image a grid in another CRS needs, and their warp onto it.

The need is found by sending points both ways: a net over the grid into the image, and one over the image onto the grid;
either alone fails where one of the two is tiny beside the other. The level is the one whose pixels are as large as the
grid's in the middle of what they share. A level that is much finer still, for lack of overviews, is made smaller while
it is read, so that never more is in memory than `OVERSAMPLING` times the grid's resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS  # type: ignore[import-untyped]
from rasterio.enums import Resampling  # type: ignore[import-untyped]
from rasterio.warp import SUPPORTED_RESAMPLING, reproject  # type: ignore[import-untyped]

from gigapix.errors import RequestError
from gigapix.image.window import Window
from gigapix.image.zoom import level_for
from gigapix.interop.tiler_view import Choice, View, opaque

NET: Final = 21
"""Points along either side of a net."""

MARGIN: Final = 4
"""Pixels of a level that are read beyond what is needed: kernels reach over edges, and edges are curves."""

OVERSAMPLING: Final = 2

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The pixels that are wanted."""

    transform: Affine
    crs: CRS
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is read for a grid: a window of a level, made smaller to `shape` = (height, width)."""

    level: int
    window: Window
    shape: tuple[int, int]
    transform: Affine
    """From (column, row) of the pixels read to the image's CRS."""


def source_of(view: View, grid: Grid) -> Source | None:
    """What is to be read of an image for a grid; None where they don't meet."""
    from pyproj import Transformer

    image = view.image
    transformer = Transformer.from_crs(grid.crs, image.crs, always_xy=True)

    def into_image(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> Points:
        place = transformer.transform(*_applied(grid.transform, columns, rows))
        return _applied(~image.transform, *place)

    def onto_grid(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> Points:
        place = transformer.transform(*_applied(image.transform, columns, rows), direction="INVERSE")
        return _applied(~grid.transform, *place)

    box = _needed(into_image, onto_grid, (grid.height, grid.width), (image.height, image.width))
    if box is None:
        return None
    size = _pixel_size(onto_grid, box)
    settings = image.settings
    level = level_for(size, [image.width / each.width for each in image.levels], settings.zoom_level)
    chosen = image.levels[level]
    y, x = chosen.scale
    left, right = max(math.floor(box[0] / x) - MARGIN, 0), min(math.ceil(box[2] / x) + MARGIN, chosen.width)
    top, bottom = max(math.floor(box[1] / y) - MARGIN, 0), min(math.ceil(box[3] / y) + MARGIN, chosen.height)
    window = Window(left, top, right - left, bottom - top)
    factor = max(size / x / OVERSAMPLING, 1.0) if size / x > OVERSAMPLING else 1.0
    shape = math.ceil(window.height / factor), math.ceil(window.width / factor)
    return Source(
        level=level,
        window=window,
        shape=shape,
        transform=chosen.transform
        @ Affine.translation(left, top)
        @ Affine.scale(window.width / shape[1], window.height / shape[0]),
    )


def _applied(transform: Affine, x: Any, y: Any) -> Points:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    a, b, c, d, e, f = transform[:6]
    with np.errstate(invalid="ignore"):  # a place that has none is infinite
        return a * x + b * y + c, d * x + e * y + f


def _net(height: float, width: float) -> Points:
    x, y = np.meshgrid(np.linspace(0, width, NET), np.linspace(0, height, NET))
    return x.ravel(), y.ravel()


def _needed(
    into_image: Any, onto_grid: Any, grid: tuple[int, int], image: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """(left, top, right, bottom) in pixels of the image's full resolution; None where there is nothing."""
    height, width = image
    columns, rows = into_image(*_net(*grid))
    finite = np.isfinite(columns) & np.isfinite(rows)
    if not finite.all():
        return 0.0, 0.0, float(width), float(height)  # the grid leaves the CRS's domain: anything may be on it
    own = _net(*image)
    there = onto_grid(*own)
    with np.errstate(invalid="ignore"):
        seen = (there[0] >= 0) & (there[0] <= grid[1]) & (there[1] >= 0) & (there[1] <= grid[0])
    x, y = np.concatenate([columns, own[0][seen]]), np.concatenate([rows, own[1][seen]])
    left, right = max(float(x.min()), 0.0), min(float(x.max()), float(width))
    top, bottom = max(float(y.min()), 0.0), min(float(y.max()), float(height))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _pixel_size(onto_grid: Any, box: tuple[float, float, float, float]) -> float:
    """Of a pixel of the grid in pixels of the image, along its shorter side, in the middle of the box."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    step = max(min(right - left, bottom - top) / 100, 1e-3)
    columns, rows = onto_grid(np.array([x, x + step, x]), np.array([y, y, y + step]))
    by_x, by_y = (np.array([columns[n] - columns[0], rows[n] - rows[0]]) / step for n in (1, 2))
    area = abs(by_x[0] * by_y[1] - by_x[1] * by_y[0])  # pixels of the grid in a pixel of the image
    if not np.isfinite(area) or not area:
        return 1.0
    return float(min(np.hypot(by_x[1], by_y[1]), np.hypot(by_x[0], by_y[0])) / area)


def warped(choice: Choice, pixels: NDArray[Any], transform: Affine, grid: Grid, kernel: str) -> NDArray[Any]:
    """The pixels on the grid, in the form in which they were read. Pixels that don't count weigh nothing.

    transform: of the pixels, to the image's CRS. kernel: one of GDAL's that warps.

    Raises RequestError for a kernel that doesn't exist.
    """
    if kernel not in Resampling.__members__ or Resampling[kernel] not in SUPPORTED_RESAMPLING:
        raise RequestError(f"there is no resampling {kernel!r} that warps")
    data = np.ma.getdata(pixels)
    if data.dtype == np.float16:  # GDAL has none of old
        data = data.astype(np.float32)
    if choice.masked:
        counts = ~np.ma.getmaskarray(pixels).any(axis=0, keepdims=True)
        data = np.concatenate([data, counts.astype(data.dtype)])
    out = np.zeros((len(data), grid.height, grid.width), data.dtype)
    if choice.nodata is not None:
        weights: dict[str, Any] = {"src_nodata": choice.nodata, "dst_nodata": choice.nodata}
    else:
        # The last band says how much a pixel counts.
        most = f"{1 if choice.masked else opaque(data.dtype):.0f}"
        weights = {"src_alpha": len(data), "dst_alpha": len(data), "SRC_ALPHA_MAX": most, "DST_ALPHA_MAX": most}
    reproject(
        data,
        out,
        src_transform=transform,
        src_crs=choice.view.crs,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        resampling=Resampling[kernel],
        **weights,
    )
    if not choice.masked:
        return out
    return np.ma.MaskedArray(out[:-1], mask=np.broadcast_to(out[-1:] == 0, out[:-1].shape))
