"""Whether an array is still what it was: a run that was stopped may only go on with the same samples.

An array in memory is known by its samples, a Zarr array by names, sizes and times of its objects, a dask array by its
name, another by its `__dask_tokenize__`. What can't be known is never the same: a run of it begins anew, but for the
same plan in the same process.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import numpy as np

MOST_BYTES: Final = 1 << 30
"""Of an array in memory whose samples are looked at: half a second."""

MOST_OBJECTS: Final = 50_000
"""Of a Zarr array that are listed: on an object store that takes some seconds."""

_PIECE: Final = 1 << 24


def version_of_array(array: Any) -> str:
    """Another text where the samples may be others."""
    about = f"{type(array).__name__} {tuple(array.shape)} {array.dtype}"
    return f"{about} {_token(array) or uuid.uuid4().hex}"


def _token(array: Any) -> str | None:
    if hasattr(array, "variable"):  # xarray's
        inner = array.variable
        array = inner.data if getattr(inner, "_in_memory", False) or inner.chunks is not None else None
    if type(array) is np.ndarray:
        return _of_samples(array) if array.nbytes <= MOST_BYTES else None
    if type(array) is np.ma.MaskedArray:
        parts = (_token(array.data), _token(np.ma.getmaskarray(array)))
        return repr(parts) if all(parts) else None
    if hasattr(array, "store_path"):
        return _of_objects(array.store_path)
    if hasattr(array, "dask"):
        return str(array.name)
    tokenize = getattr(array, "__dask_tokenize__", None)
    return repr(tokenize()) if tokenize is not None else None


def _of_samples(array: np.ndarray[Any, Any]) -> str:
    digest = hashlib.sha256()
    flat = array.reshape(-1) if array.flags.c_contiguous else None
    if flat is None:
        for part in array if array.ndim > 1 else [array]:
            digest.update(np.ascontiguousarray(part).data)
    else:
        for start in range(0, flat.size, _PIECE):
            digest.update(flat[start : start + _PIECE].data)
    return digest.hexdigest()


def _of_objects(place: Any) -> str | None:
    """Of a Zarr array on disk or in an obstore store; None of other stores, and of very many objects."""
    found = sorted(islice(_objects(place), MOST_OBJECTS + 1))
    return hashlib.sha256(repr(found).encode()).hexdigest() if 0 < len(found) <= MOST_OBJECTS else None


def _objects(place: Any) -> Iterator[tuple[str, int, str]]:
    root: Any = getattr(place.store, "root", None)
    store: Any = getattr(place.store, "store", None)
    if hasattr(root, "rglob"):
        for path in (root / place.path).rglob("*"):
            status = path.stat()
            yield str(path), status.st_size, str(status.st_mtime_ns)
    elif hasattr(store, "list"):
        for batch in store.list(place.path or None):
            for entry in batch:
                yield entry["path"], entry["size"], f"{entry['e_tag']} {entry['last_modified']}"
