"""A level as an array of its own, which dask, xarray and napari keep for later or send to another process.

It holds the open image. Pickled, it is the way to open it again: who unpickles it opens the image at the first read,
and finds out whether it still is the same.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import ChangedError, UnsupportedError
from gigapix.image.access import is_surely_streamable
from gigapix.image.indexing import masked_dtype, pixels, pixels_async
from gigapix.image.outlook import outlook
from gigapix.image.version import version_of
from gigapix.interop.array_parts import Part, Parts, outer_parts, point_parts

if TYPE_CHECKING:
    from gigapix.image.image import Image
    from gigapix.image.origin import Origin

CHUNK_BYTES: Final = 64 << 20
"""Of a chunk that dask and xarray are told: large enough that a task is worth its while, and some of them fit any
machine."""

NEAR_BYTES: Final = 4 << 20
"""Positions that lie within a chunk of this size are read together, with what is between them."""

AT_ONCE: Final = 16
"""Parts of an index that are read side by side, of an image on a server."""


class LevelArray:
    """One level with numpy's basic indexing, and outer indexing by a method. Safe to share between threads."""

    def __init__(
        self, image: Image | None, level: int, shape: tuple[int, ...], dtype: np.dtype[Any], origin: Origin | None,
        token: str | None, masked: bool,
    ) -> None:  # fmt: skip
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self.token = token
        """Another one if the pixels are others; None where that can't be told."""
        self._image, self.level, self._origin, self.masked = image, level, origin, masked
        self._lock = threading.Lock()

    @property
    def image(self) -> Image:
        """Open. Raises ChangedError where it had to be opened again and is another one by now."""
        with self._lock:
            if self._image is None:
                image = self._named().open()
                levels = image.levels
                same = token_of(image, self.level) == self.token and self.level < len(levels)
                if not same or levels[self.level].shape != self.shape:
                    image.close()
                    raise ChangedError("it is not what it was when this array was made of it", path=image.path)
                self._image = image
            return self._image

    def close(self) -> None:
        """Close the image where it is open."""
        if self._image is not None:
            self._image.close()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return pixels(self.image, self.level, key, masked=self.masked)

    def outer(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Indexing by integers, slices and arrays of positions, each array along its own axis."""
        return self._together(self._parts(key, outer_parts))

    def points(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Indexing by arrays, which together name points, and slices, whose axes come last in the result."""
        return self._together(self._parts(key, point_parts))

    async def outer_async(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """`outer` without blocking."""
        return await self._together_async(key, outer_parts)

    async def points_async(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """`points` without blocking."""
        return await self._together_async(key, point_parts)

    def _parts(self, key: tuple[Any, ...], way: Callable[..., Parts]) -> Parts | tuple[Any, ...]:
        """The parts of an index, or itself where it is basic."""
        if not any(isinstance(each, np.ndarray) for each in key):
            return key
        return way(key, self.shape, chunks_of(self.image, self.level, NEAR_BYTES))

    def _together(self, parts: Parts | tuple[Any, ...]) -> NDArray[Any]:
        if isinstance(parts, tuple):
            return self[parts]
        result = np.empty(parts.shape, self.dtype)

        def read(part: Part) -> None:
            result[part.target] = part.take(self[part.key])

        if self.image.cache.source.local:
            for part in parts.parts:
                read(part)
            return result.reshape(parts.final)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(AT_ONCE) as pool:
            while batch := list(islice(parts.parts, AT_ONCE)):
                list(pool.map(read, batch))  # raises what a part raised
        return result.reshape(parts.final)

    async def _together_async(self, key: tuple[Any, ...], way: Callable[..., Parts]) -> NDArray[Any]:
        import asyncio

        image = await asyncio.to_thread(getattr, self, "image")
        parts = self._parts(key, way)
        if isinstance(parts, tuple):
            return await pixels_async(image, self.level, parts, masked=self.masked)
        result = np.empty(parts.shape, self.dtype)

        async def read(part: Part) -> None:
            result[part.target] = part.take(await pixels_async(image, self.level, part.key, masked=self.masked))

        while batch := [asyncio.ensure_future(read(part)) for part in islice(parts.parts, AT_ONCE)]:
            try:
                await asyncio.gather(*batch)
            finally:
                for task in batch:
                    task.cancel()
                await asyncio.gather(*batch, return_exceptions=True)
        return result.reshape(parts.final)

    def _named(self) -> Origin:
        if self._origin is None:
            raise UnsupportedError("it was not opened by gigapix.open, so that no other process can open it")
        return self._origin.named()

    def __reduce__(self) -> tuple[Any, ...]:
        return LevelArray, (None, self.level, self.shape, self.dtype, self._named(), self.token, self.masked)


def level_array(image: Image, level: int = 0, *, masked: bool = False) -> LevelArray:
    """The array of a level. Raises RequestError where there is no such level.

    masked: where a mask is stored, as floats, NaN where a pixel does not count.
    """
    spec = image.plan(level=level).level
    masked = masked and spec.mask is not None
    dtype = masked_dtype(spec.dtype) if masked else spec.dtype
    return LevelArray(image, level, spec.shape, dtype, image.origin, token_of(image, level), masked)


def token_of(image: Image, level: int) -> str | None:
    """Of path, version and level: the same for the same pixels. None where no version can be told."""
    source, version = image.cache.source, version_of(image.cache.source)
    if version is None or image.origin is None:
        return None
    origin = image.origin.named()
    known = (str(origin.path), source.store.identity, version, origin.index, level)
    return hashlib.sha256(repr(known).encode()).hexdigest()[:32]


def chunks_of(image: Image, level: int, nbytes: int = CHUNK_BYTES) -> tuple[int, ...]:
    """Pixels along each axis of chunks of up to `nbytes` that are whole segments, one at least; of segments whose rows
    can be read alone, as many rows as fit."""
    own, plan = image.levels[level], image.plan(level=level)
    chunk, shape, itemsize = list(own.chunks), own.shape, own.dtype.itemsize
    rows = chunk[-2]
    by_row = not own.tiled and (
        outlook(plan).access.kind in ("addressable", "stream")
        or is_surely_streamable(own.spec.encoding, own.spec.segment)
    )
    if math.prod(chunk) * itemsize > nbytes and by_row:
        chunk[-2] = max(nbytes * rows // (math.prod(chunk) * itemsize), 1)
    while True:
        longer = [axis for axis in (-2, -1) if chunk[axis] < shape[axis] and 2 * math.prod(chunk) * itemsize <= nbytes]
        if not longer:
            break
        axis = min(longer, key=lambda axis: chunk[axis])
        chunk[axis] = min(2 * chunk[axis], shape[axis])
    for axis in reversed(range(len(shape) - 2)):
        if any(size < whole for size, whole in zip(chunk[axis + 1 :], shape[axis + 1 :], strict=True)):
            break
        chunk[axis] = min(max(nbytes // (math.prod(chunk) * itemsize), 1) * chunk[axis], shape[axis])
    return tuple(min(size, whole) for size, whole in zip(chunk, shape, strict=True))
