"""Arrays as the `Pixels` of a pyramid: Zarr, xarray, dask, numpy, and whatever has a shape, a dtype and slices.

A Zarr hierarchy is a file like any other: it can name any codec, pickles too, which run code when they are decoded.
Those are refused, and what zarr-python raises becomes a DecodeError.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import DecodeError, GigapixError, MissingExtraError, RequestError, UnsupportedError
from gigapix.pyramids.array_version import version_of_array
from gigapix.pyramids.folders import folder_of
from gigapix.pyramids.pixels import Box, Pixels, check_axes
from gigapix.pyramids.samples import hiding, samples_of

AXES: Final = {2: ("y", "x"), 3: ("z", "y", "x"), 4: ("c", "z", "y", "x"), 5: ("t", "c", "z", "y", "x")}
"""Names of axes that have none, as OME orders them."""


def open_zarr(path: str) -> Any:
    """A Zarr array or group, by path or URL."""
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError("Zarr is read by the package zarr: pip install 'gigapix[zarr]'") from error
    folder = folder_of(path)
    try:
        if folder.path is not None:
            return zarr.open(folder.path, mode="r")
        store = zarr.storage.ObjectStore(folder.store, read_only=True)
        return zarr.open(store, path=folder.prefix, mode="r")
    except GigapixError:
        raise
    except Exception as error:  # metadata can be anything, and so can zarr-python's errors
        raise RequestError(f"{path} is no Zarr array or group: {error}") from error


def _check_codecs(array: Any) -> None:
    """Raise UnsupportedError for codecs that run code."""
    names = json.dumps(array.metadata.to_dict(), default=str)
    if '"pickle"' in names or '"numcodecs.pickle"' in names:
        raise UnsupportedError("the Zarr array has the codec pickle, which runs code")


def _read_zarr(array: Any, box: Box) -> NDArray[Any]:
    try:
        return np.asarray(array[box])
    except GigapixError:
        raise
    except Exception as error:  # codecs and stores raise what they like
        raise DecodeError(f"a chunk can't be read: {error}", path=str(array.store_path)) from error


def first_array(group: Any) -> Any:
    """The finest array of a Zarr group: that of its metadata, else its only one."""
    attributes = dict(group.attrs)
    attributes |= attributes.get("ome", {}) if isinstance(attributes.get("ome"), dict) else {}
    try:
        try:
            return group[attributes["multiscales"][0]["datasets"][0]["path"]]
        except (KeyError, IndexError, TypeError):
            arrays = [array for _, array in group.arrays()]
    except Exception as error:  # as above
        raise RequestError(f"the arrays of the Zarr group can't be opened: {error}") from error
    if len(arrays) != 1:
        raise RequestError(f"the Zarr group has {len(arrays)} arrays, and doesn't say which is level 0")
    return arrays[0]


def array_pixels(array: Any, axes: tuple[str, ...] | None, nodata: float | None) -> Pixels:
    """Whatever has a shape, a dtype and slices."""
    shape = tuple(int(size) for size in array.shape)
    dims = axes or _names(array) or AXES.get(len(shape)) or tuple(f"axis{n}" for n in range(len(shape)))
    check_axes(dims, shape)
    attributes = getattr(array, "attrs", {})
    if nodata is None:
        nodata = attributes.get("_FillValue", attributes.get("missing_value"))
    chunks = getattr(array, "chunks", None)
    if chunks and not isinstance(chunks[0], int):  # dask's: sizes of each chunk
        chunks = tuple(max(sizes) for sizes in chunks)
    is_zarr = hasattr(array, "store_path")
    if is_zarr:
        _check_codecs(array)
    read = (lambda box: _read_zarr(array, box)) if is_zarr else (lambda box: np.asarray(array[box]))
    samples = samples_of(array.dtype, nodata)
    if isinstance(array, np.ma.MaskedArray):
        samples, hidden = hiding(samples), np.ma.getmaskarray(array)
        read = lambda box: np.ma.MaskedArray(array.data[box], mask=hidden[box])  # noqa: E731
    scale, origin = _coordinates(array, dims)
    return Pixels(
        name=type(array).__name__,
        title=str(getattr(array, "name", None) or "").strip("/") if hasattr(array, "dims") else "",
        dims=dims,
        shape=shape,
        samples=samples,
        chunks=tuple(chunks) if chunks else (1,) * len(shape),
        access="chunks" if chunks else "free",
        read=read,
        version=version_of_array(array),
        scale=scale,
        origin=origin,
        units=(None,) * len(shape),
        channels=(),
    )


def _names(array: Any) -> tuple[str, ...] | None:
    """The names that an array gives its axes: xarray's `dims`, Zarr's `dimension_names`."""
    names = getattr(array, "dims", None) or getattr(getattr(array, "metadata", None), "dimension_names", None)
    names = names or getattr(array, "attrs", {}).get("_ARRAY_DIMENSIONS")
    return tuple(map(str, names)) if names and all(names) and len(names) == len(array.shape) else None


def _coordinates(array: Any, dims: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and origin of the axes whose coordinates (xarray's) are evenly spaced numbers."""
    scale, origin = [1.0] * len(dims), [0.0] * len(dims)
    found = getattr(array, "coords", {})
    for n, name in enumerate(dims):
        values = np.asarray(found[name]) if name in found else np.empty(0)
        if len(values) > 1 and values.ndim == 1 and values.dtype.kind in "iuf":
            step = float(values[-1] - values[0]) / (len(values) - 1)
            if step and np.allclose(np.diff(values.astype(float)), step, rtol=1e-6):
                scale[n], origin[n] = step, float(values[0])
    return tuple(scale), tuple(origin)
