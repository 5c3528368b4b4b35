"""A level as an `xarray.Dataset` of one variable, lazily, with the names that its users know.

What lies on the Earth, or is a plain picture, looks as rioxarray makes it: dimensions ``band, y, x``, bands counted
from 1, the CRS and the transform on a scalar coordinate ``spatial_ref`` (CF-1.11 section 5.6 and GDAL's GeoTransform),
nodata as ``_FillValue``. What comes from a microscope keeps OME's axes, ``t, c, z, y, x``, channels by name, and
physical units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from gigapix.errors import UnsupportedError
from gigapix.interop.arrays import LevelArray, chunks_of
from gigapix.interop.xarray_coords import coordinates, dims_of
from gigapix.pyramids.images import about

if TYPE_CHECKING:
    from gigapix.image.image import Image

NAME: Final = "image"
"""Of the variable that holds the pixels."""

RESERVED: Final = frozenset({
    "_FillValue", "_Unsigned", "add_offset", "calendar", "coordinates", "dtype", "grid_mapping", "missing_value",
    "scale_factor", "units",
})  # fmt: skip
"""Attributes that xarray takes for instructions: a file's own item of that name is none, and is left out."""


class LazyArray(BackendArray):
    """A level that xarray indexes when its values are wanted, blocking or not."""

    def __init__(self, array: LevelArray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        way = self.array.points if isinstance(key, indexing.VectorizedIndexer) else self.array.outer
        return way(key.tuple)

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        """For ``await dataset.load_async()``."""
        way = self.array.points_async if isinstance(key, indexing.VectorizedIndexer) else self.array.outer_async
        return await way(key.tuple)


def dataset_of(array: LevelArray, *, mask_and_scale: bool) -> xr.Dataset:
    """The dataset of one level. It does not close the image."""
    image, level = array.image, array.level
    facts = about(image)
    dims = dims_of(image, facts)
    pixels = xr.Variable(
        dims,
        indexing.LazilyIndexedArray(LazyArray(array)),
        _attributes(image, banded=dims[0] == "band"),
        {"preferred_chunks": dict(zip(dims, chunks_of(image, level), strict=True)), "source": image.path},
    )
    coords = coordinates(image, level, dims, facts)
    if "spatial_ref" in coords:
        pixels.encoding["grid_mapping"] = "spatial_ref"
    if mask_and_scale:
        if "scales" in pixels.attrs or "offsets" in pixels.attrs:
            raise UnsupportedError("bands differ in scale or offset, which CF can't express", path=image.path)
        fill = pixels.attrs.pop("_FillValue", None) if array.masked else None
        pixels = xr.conventions.decode_cf_variable(NAME, pixels, decode_times=False, decode_timedelta=False)
        if fill is not None:
            pixels.encoding["_FillValue"] = fill
    return xr.Dataset({NAME: pixels}, coords)


def _attributes(image: Image, *, banded: bool) -> dict[str, Any]:
    gdal = image.gdal_metadata
    found = {name: text for name, text in gdal.items.get("", {}).items() if name not in RESERVED} if gdal else {}
    if image.geokeys is not None:
        found["AREA_OR_POINT"] = image.geokeys.raster_type.capitalize()
    if image.nodata is not None:
        fill = np.asarray(image.nodata).astype(image.dtype)[()]
        if fill == image.nodata or np.isnan(image.nodata):  # what no pixel can be is no fill value
            found["_FillValue"] = fill
    if not gdal or not banded:
        return found
    bands = [gdal.band(number) for number in range(image.bands)]
    for name, values, none in (
        ("scale_factor", [band.scale for band in bands], 1.0),
        ("add_offset", [band.offset for band in bands], 0.0),
    ):
        if len(set(values)) > 1:
            found["scales" if none else "offsets"] = values
        elif values[0] != none:
            found[name] = values[0]
    for name, texts in (
        ("long_name", [band.description or "" for band in bands]),
        ("units", [band.unit or "" for band in bands]),
    ):
        if any(texts):
            found[name] = texts[0] if len(texts) == 1 else tuple(texts)
    return found
