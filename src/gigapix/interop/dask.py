"""An image as a dask array, whose chunks are whole segments, so that no segment is decoded by two tasks."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigapix.errors import MissingExtraError, RequestError
from gigapix.image.memory import budget_of
from gigapix.interop.arrays import CHUNK_BYTES, chunks_of, level_array

if TYPE_CHECKING:
    from dask.array import Array

    from gigapix.image.image import Image

MOST_CHUNKS: Final = 1 << 20
"""Each costs dask a task: some microseconds, and a kilobyte of memory."""


def to_dask(image: Image, level: int = 0, *, chunk_bytes: int | str = CHUNK_BYTES) -> Array:
    """A level as a dask array with the axes of `Level.axes`.

    chunk_bytes: as many segments as fit make a chunk, and at least one; also as ``"16MB"``. Where the rows of a large
        strip can be read alone, a chunk is as many of them as fit.

    The array reads from this image, which must stay open; workers of a cluster open it for themselves, as it was
    opened here. The name of the array is made of path, version (size and ETag or time of change) and level: an array
    of the same pixels has the same name, where versions can be told from each other.

    Raises RequestError for a level that is not there and for over a million chunks, MissingExtraError without the
    extra ``dask``; computing raises what `Image.read` raises, and ChangedError in a worker that finds another image in
    its place.
    """
    try:
        import dask.array
    except ImportError as error:
        raise MissingExtraError("a dask array needs dask: pip install 'gigapix[dask]'") from error
    array = level_array(image, level)
    chunks = chunks_of(image, level, budget_of(chunk_bytes))
    count = math.prod(-(-size // step) for size, step in zip(array.shape, chunks, strict=True))
    if count > MOST_CHUNKS:
        raise RequestError(
            f"{count} chunks of {budget_of(chunk_bytes)} bytes are more than dask can plan: name more chunk_bytes",
            path=image.path,
        )
    from_array: Any = dask.array.from_array  # has no types
    made: Array = from_array(
        array,
        chunks=chunks,
        name=f"gigapix-{array.token or uuid.uuid4().hex}-{budget_of(chunk_bytes)}",
        lock=False,
        asarray=False,
        fancy=False,
        meta=np.empty((0,) * array.ndim, array.dtype),
    )
    return made
