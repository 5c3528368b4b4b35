"""Where an image lies in its coordinate system: the transform, ground control points, bounds.

GeoTIFF 1.1 has three ways: a pixel's size and one tiepoint, a matrix, or tiepoints alone, which fix a few pixels and
leave the rest to be warped. All are brought to rasterio's convention, where pixel (0, 0) begins at its upper left
corner: files whose tiepoints name the middle of a pixel (raster type ``point``) are half a pixel off it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affine import Affine


@dataclass(frozen=True, kw_only=True)
class GroundControlPoint:
    """A pixel whose place is known. The names are rasterio's."""

    row: float
    """In pixels from the upper edge of the image: 0.5 is the middle of the first row."""
    col: float
    x: float
    """In the units of the CRS, as `y` and `z`."""
    y: float
    z: float = 0.0
    id: str = ""


def transform_of(
    scale: Sequence[float] | None,
    tiepoints: Sequence[float] | None,
    matrix: Sequence[float] | None,
    raster_type: str,
) -> Affine | None:
    """From ``(col, row)`` to ``(x, y)``, by the tags ModelPixelScale, ModelTiepoint and ModelTransformation.

    None where the tags give none; the image's transform is then the identity, as in rasterio. A scale with a 0 is none.
    A negative scale in y is read as a positive one, as in GDAL: the files that have it mean north up.
    """
    if scale is not None and len(scale) >= 2 and scale[0] and scale[1]:
        width, height = float(scale[0]), -abs(float(scale[1]))
        if tiepoints is None or len(tiepoints) < 6:
            return Affine(width, 0.0, 0.0, 0.0, height, 0.0)
        col, row, _, x, y = (float(value) for value in tiepoints[:5])
        return _to_corner(Affine(width, 0.0, x - col * width, 0.0, height, y - row * height), raster_type)
    if matrix is not None and len(matrix) == 16:
        a, b, _, c, d, e, _, f = (float(value) for value in matrix[:8])
        return _to_corner(Affine(a, b, c, d, e, f), raster_type)
    return None


def _to_corner(transform: Affine, raster_type: str) -> Affine:
    if raster_type != "point":
        return transform
    a, b, c, d, e, f = transform[:6]
    return Affine(a, b, c - (a * 0.5 + b * 0.5), d, e, f - (d * 0.5 + e * 0.5))


def gcps_of(tiepoints: Sequence[float] | None, raster_type: str) -> tuple[GroundControlPoint, ...]:
    """The ground control points of an image that has tiepoints and no transform: six numbers of ModelTiepoint each."""
    if tiepoints is None:
        return ()
    shift = 0.5 if raster_type == "point" else 0.0
    points = (tiepoints[start : start + 6] for start in range(0, len(tiepoints) - 5, 6))
    return tuple(
        GroundControlPoint(
            row=float(row) + shift, col=float(col) + shift, x=float(x), y=float(y), z=float(z), id=str(number)
        )
        for number, (col, row, _, x, y, z) in enumerate(points, 1)
    )


def bounds_of(transform: Affine | tuple[float, ...], width: int, height: int) -> tuple[float, float, float, float]:
    """``(left, bottom, right, top)`` of an image of that size.

    Unrotated, these are its edges as they are: bottom is above top where it is stored south up. Rotated or sheared, it
    is the envelope of its four corners: a larger rectangle, which holds the image.
    """
    a, b, c, d, e, f = transform[:6]
    if b == d == 0:
        return (c, f + e * height, c + a * width, f)
    corners = ((0, 0), (0, height), (width, height), (width, 0))
    xs = [col * a + row * b + c for col, row in corners]
    ys = [col * d + row * e + f for col, row in corners]
    return (min(xs), min(ys), max(xs), max(ys))
