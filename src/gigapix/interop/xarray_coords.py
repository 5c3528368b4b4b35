"""Dimensions and coordinates of a level: the middle of each pixel, in the units of the CRS or of the microscope.

Where rasterix is installed, ``x`` and ``y`` on the Earth are computed from the transform when they are looked at, and
two images are aligned by it exactly; else they are arrays, and a rotated image has none: its place is in
``spatial_ref`` alone. Of a microscope's images they are arrays always, since rasterix has no place for their units.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine

if TYPE_CHECKING:
    from gigapix.image.image import Image
    from gigapix.pyramids.images import About


def dims_of(image: Image, facts: About) -> tuple[str, ...]:
    """``band, y, x``, or OME's axes in lower case for what a microscope made."""
    micro = facts.transform is None and (len(image.axes) > 3 or any(facts.units) or image.metadata.get("stack"))
    return tuple(axis.lower() for axis in image.axes) if micro or image.axes != "CYX" else ("band", "y", "x")


def coordinates(image: Image, level: int, dims: tuple[str, ...], facts: About) -> xr.Coordinates:
    """All coordinates of a level."""
    own = image.levels[level]
    place = own.transform
    if dims[0] != "band" and facts.transform is None:
        # The first pixel of level 0 has its middle at 0, as in OME.
        height, width = facts.scale[-2:]
        place = Affine.translation(-width / 2, -height / 2) @ Affine.scale(width, height) @ place
    found = _raster(place, own.width, own.height, facts, banded=dims[0] == "band")
    for axis, (dim, size) in enumerate(zip(dims[:-2], own.shape, strict=False)):
        attributes = {"units": facts.units[axis]} if facts.units[axis] else {}
        found = found.merge({dim: (dim, _along(dim, size, axis, facts), attributes)}).coords
    if facts.transform is not None or facts.crs is not None:
        found = found.merge({"spatial_ref": ((), 0, _spatial_ref(facts.crs, place))}).coords
    return found


def _along(dim: str, size: int, axis: int, facts: About) -> np.ndarray[Any, Any]:
    if dim == "band":
        return np.arange(1, size + 1)
    if dim != "c":
        return np.arange(size) * facts.scale[axis] + facts.origin[axis]
    names = [channel.get("label") or "" for channel in facts.channels]
    return np.array(names) if len(names) == len({*names} - {""}) == size else np.arange(size)


def _raster(place: Affine, width: int, height: int, facts: About, *, banded: bool) -> xr.Coordinates:
    if not all(map(math.isfinite, place[:6])) or place.determinant == 0:
        return xr.Coordinates()  # of a damaged file: its pixels are nowhere
    if banded:
        try:
            from rasterix import RasterIndex
        except ImportError:
            pass
        else:
            index = RasterIndex.from_transform(place, width=width, height=height, crs=facts.crs)
            return xr.Coordinates.from_xindex(index)
    if place.b or place.d:
        return xr.Coordinates()
    x = place.c + (np.arange(width) + 0.5) * place.a
    y = place.f + (np.arange(height) + 0.5) * place.e
    return xr.Coordinates({"y": ("y", y, _axis("y", facts)), "x": ("x", x, _axis("x", facts))})


def _axis(name: str, facts: About) -> dict[str, Any]:
    if facts.crs is not None:
        return next((dict(axis) for axis in facts.crs.cs_to_cf() if axis.get("axis") == name.upper()), {})
    unit = facts.units["yx".index(name) - 2]
    return {"units": unit} if unit else {}


def _spatial_ref(crs: Any, place: Affine) -> dict[str, Any]:
    """CF's grid mapping, and what GDAL and rioxarray look for beside it."""
    found = {} if crs is None else crs.to_cf()
    if crs is not None:
        found |= {"crs_wkt": found.get("crs_wkt") or crs.to_wkt(), "spatial_ref": crs.to_wkt()}
    return found | {"GeoTransform": " ".join(map(str, place.to_gdal()))}
