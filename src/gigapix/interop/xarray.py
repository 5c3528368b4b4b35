"""`Image.to_xarray`. What it is made of stands in `interop.xarray_dataset`, which can only be imported with xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gigapix.errors import MissingExtraError

if TYPE_CHECKING:
    from xarray import DataArray

    from gigapix.image.image import Image


def to_xarray(image: Image, level: int = 0, *, mask_and_scale: bool = False) -> DataArray:
    """A level as a lazy `xarray.DataArray`: pixels are read when they are asked for, and no more of them.

    It has the dimensions, coordinates and attributes of ``xarray.open_dataset(path, engine="gigapix")``, and reads from
    this image, which must stay open. ``.chunk()`` makes a dask array of it, whose chunks are whole segments.

    mask_and_scale: what is nodata or masked becomes NaN, and scale and offset are applied. Raises UnsupportedError
        where these differ from band to band.

    Raises RequestError for a level that is not there, MissingExtraError without the extra ``xarray``.
    """
    try:
        from gigapix.interop.arrays import level_array
        from gigapix.interop.xarray_dataset import NAME, dataset_of
    except ImportError as error:
        raise MissingExtraError("a DataArray needs xarray: pip install 'gigapix[xarray]'") from error
    return dataset_of(level_array(image, level, masked=mask_and_scale), mask_and_scale=mask_and_scale)[NAME]
