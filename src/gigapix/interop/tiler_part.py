"""A part of an image in any CRS and any size, for rio-tiler: what to read for it, and what is made of the pixels.

Where the part's grid is parallel to the image's, gigapix reads it as it is wanted. Else the level that is as fine as
the part is read where they meet (`tiler_warp`), and GDAL warps it: rio-tiler needs rasterio in any case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from rasterio.crs import CRS  # type: ignore[import-untyped]
from rasterio.features import bounds as feature_bounds  # type: ignore[import-untyped]
from rasterio.features import geometry_mask
from rasterio.transform import array_bounds, from_bounds  # type: ignore[import-untyped]
from rasterio.warp import calculate_default_transform, transform_bounds, transform_geom  # type: ignore[import-untyped]
from rio_tiler.errors import InvalidBufferSize, PointOutsideBounds
from rio_tiler.models import ImageData, PointData

from gigapix.image.resample import METHODS
from gigapix.image.window import Window
from gigapix.interop.tiler_view import Bounds, Choice, Planned, View, image_data
from gigapix.interop.tiler_warp import Grid, source_of, warped

Size = tuple[int | None, int | None, int | None]
"""(height, width, max_size) as rio-tiler has them: one or both of the sides, else the longer one's limit, else none."""


def plan_part(choice: Choice, bounds: Bounds, crs: CRS, size: Size, options: Mapping[str, Any]) -> Planned:
    """The part within bounds in any CRS; of the image's own resolution where no size is given."""
    view, resampling = choice.view, options.get("resampling_method") or "nearest"
    height, width = _shape(size, view, bounds, crs)
    if buffer := float(options.get("buffer") or 0):
        bounds, height, width = _buffered(buffer, bounds, height, width)
    if crs == view.crs and _is_upright(view) and resampling in METHODS:

        def finish(pixels: NDArray[Any] | None) -> ImageData:
            return image_data(choice, pixels, height, width, bounds=bounds, crs=crs)

        fill = 0 if choice.nodata is None else choice.nodata
        own = {"bounds": bounds, "shape": (height, width), "boundless": True, "fill_value": fill}
        return Planned(arguments={**choice.read, **own, "resampling": resampling}, finish=finish)
    grid = Grid(transform=from_bounds(*bounds, width, height), crs=crs, height=height, width=width)
    source = source_of(view, grid)
    kernel = resampling if crs == view.crs else options.get("reproject_method") or "nearest"

    def finish_warped(pixels: NDArray[Any] | None) -> ImageData:
        part = None if pixels is None or source is None else warped(choice, pixels, source.transform, grid, kernel)
        return image_data(choice, part, height, width, bounds=bounds, crs=crs)

    if source is None:
        return Planned(arguments=None, finish=finish_warped)
    arguments = {**choice.read, "level": source.level, "window": source.window}
    if source.shape != (source.window.height, source.window.width):
        arguments |= {"shape": source.shape, "resampling": resampling if resampling in METHODS else "average"}
    return Planned(arguments=arguments, finish=finish_warped)


def plan_preview(choice: Choice, crs: CRS, size: Size, options: Mapping[str, Any]) -> Planned:
    """The whole image."""
    view = choice.view
    left, bottom, right, top = view.image.bounds
    bounds = (left, min(bottom, top), right, max(bottom, top))
    height, width = view.image.height, view.image.width
    if crs != view.crs:
        transform, width, height = calculate_default_transform(view.crs, crs, width, height, *bounds)
        bounds = array_bounds(height, width, transform)
    return plan_part(choice, bounds, crs, (*_size(size, height, width), None), options)


def plan_point(choice: Choice, lon: float, lat: float, crs: CRS) -> Planned:
    """The pixel at a place. Raises rio-tiler's PointOutsideBounds."""
    from pyproj import Transformer

    view = choice.view
    x, y = Transformer.from_crs(crs, view.image.crs, always_xy=True).transform(lon, lat)
    column, row = ~view.image.transform @ (x, y) if math.isfinite(x + y) else (math.inf, math.inf)
    if not (0 <= column < view.image.width and 0 <= row < view.image.height):
        raise PointOutsideBounds("Point is outside dataset bounds")
    window = Window(int(column), int(row), 1, 1)

    def finish(pixels: NDArray[Any] | None) -> PointData:
        image = image_data(choice, pixels, 1, 1)
        return PointData(
            image.array[:, 0, 0],
            assets=image.assets,
            band_names=image.band_names,
            band_descriptions=image.band_descriptions,
            coordinates=(lon, lat),
            crs=crs,
            pixel_location=(window.col_off, window.row_off),
            nodata=image.nodata,
            scales=image.scales,
            offsets=image.offsets,
            metadata=image.metadata,
        )

    return Planned(arguments={**choice.read, "window": window}, finish=finish)


def plan_feature(
    choice: Choice, shape: Mapping[str, Any], shape_crs: CRS, crs: CRS, size: Size, options: Mapping[str, Any]
) -> Planned:
    """The part in the envelope of a GeoJSON feature or geometry, with all that no pixel of it touches masked out."""
    geometry = shape.get("geometry", shape)
    bounds = feature_bounds(geometry)
    if shape_crs != crs:
        bounds, geometry = (
            transform_bounds(shape_crs, crs, *bounds, densify_pts=21),
            transform_geom(shape_crs, crs, geometry),
        )
    planned = plan_part(choice, bounds, crs, size, options)

    def finish(pixels: NDArray[Any] | None) -> ImageData:
        image: ImageData = planned.finish(pixels)
        outside = geometry_mask([geometry], (image.height, image.width), image.transform, all_touched=True)
        image.cutline_mask = outside
        image.array.mask |= outside
        return image

    return Planned(arguments=planned.arguments, finish=finish)


def _is_upright(view: View) -> bool:
    a, b, _, d, e, _ = view.image.transform[:6]
    return bool(a > 0 > e and not b and not d)


def _shape(size: Size, view: View, bounds: Bounds, crs: CRS) -> tuple[int, int]:
    height, width, _ = size
    if height and width:
        return height, width
    own, image = view.image.transform, view.image
    x, y = math.hypot(own.a, own.d), math.hypot(own.b, own.e)
    if crs != view.crs:
        there, _, _ = calculate_default_transform(view.crs, crs, image.width, image.height, *image.bounds)
        x, y = there.a, -there.e
    rows, columns = max((bounds[3] - bounds[1]) / y, 1), max((bounds[2] - bounds[0]) / x, 1)
    if crs != view.crs:
        rows, columns = round(rows), round(columns)
    return _size(size, rows, columns)


def _size(size: Size, rows: float, columns: float) -> tuple[int, int]:
    """rio-tiler's rule: what is missing follows the proportions of the image."""
    height, width, most = size
    if most and not height and not width:
        rows, columns = round(rows), round(columns)
        if max(rows, columns) >= most:
            height, width = (most, None) if rows > columns else (None, most)
    if width and not height:
        height = _whole(width * rows / columns)
    elif height and not width:
        width = _whole(height * columns / rows)
    return max(height or round(rows), 1), max(width or round(columns), 1)


def _whole(pixels: float) -> int:
    """Rounded up, but for the noise of coordinates."""
    return math.ceil(round(pixels, 6))


def _buffered(buffer: float, bounds: Bounds, height: int, width: int) -> tuple[Bounds, int, int]:
    """The part with so many pixels more on each side; halves make one more in all."""
    if buffer % 0.5:
        raise InvalidBufferSize("`buffer` must be a multiple of `0.5` (e.g: 0.5, 1, 1.5, ...).")
    left, bottom, right, top = bounds
    x, y = (right - left) / width * buffer, (top - bottom) / height * buffer
    return (left - x, bottom - y, right + x, top + y), height + int(2 * buffer), width + int(2 * buffer)
