"""A level as numpy would have it: ``image[0, 100:200, ::2]``, ``np.asarray(image)``, ``np.from_dlpack(image)``.

numpy's basic indexing: integers, slices of any step, an ellipsis. Only what an index names is read: positions of the
axes in front, and the segments that its rows and columns lie in. Where a step leaves pixels out, their window is read
in bands, so that no more than a band of it is held beside the result.

The result of an index is as large as its author made it. `__array__` is different: it is called by functions that were
handed an image in place of an array, perhaps by mistake, so it refuses what is larger than `Settings.memory`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gigapix.errors import IndexingError, MemoryBudgetError, RequestError
from gigapix.image.window import Window

if TYPE_CHECKING:
    from gigapix.formats.model import LevelSpec
    from gigapix.image.image import Image

BAND_BYTES: Final = 16 << 20
"""About so much of a window is read at once where only some of its pixels are wanted."""

SKIP_BYTES: Final = 1 << 20
"""Of a window's rows between two that are wanted: from here on those two are better read apart."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A read that an index takes."""

    window: Window
    select: Mapping[str, slice]


def pixels(image: Image, level: int, key: Any, *, masked: bool = False) -> NDArray[Any]:
    """``image.levels[level][key]``. Raises IndexingError for what is no index of it, and what `Image.read` raises.

    masked: as floats of `masked_dtype`, which are NaN where `Image.read` would mask them.
    """
    steps = _reads(image.levels[level].spec, key, masked)
    try:
        part = next(steps)
        while True:
            found = image.read(part.window, level=level, select=part.select, boundless=False, masked=masked)
            part = steps.send(found)
    except StopIteration as stop:
        return _result(stop)
    except IndexingError as error:
        raise error.located(image.path) from None


async def pixels_async(image: Image, level: int, key: Any, *, masked: bool = False) -> NDArray[Any]:
    """`pixels` without blocking."""
    steps = _reads(image.levels[level].spec, key, masked)
    try:
        part = next(steps)
        while True:
            part = steps.send(
                await image.read_async(part.window, level=level, select=part.select, boundless=False, masked=masked)
            )
    except StopIteration as stop:
        return _result(stop)
    except IndexingError as error:
        raise error.located(image.path) from None


def _result(stop: StopIteration) -> NDArray[Any]:
    result: NDArray[Any] = stop.value
    return result


def as_array(image: Image, level: int, dtype: DTypeLike | None, copy: bool | None) -> NDArray[Any]:
    """All of a level as ``np.asarray`` wants it. Raises MemoryBudgetError where it takes more than `Settings.memory`,
    RequestError where it may not be a copy."""
    if copy is False:
        raise RequestError("the pixels of an image are in no memory that an array could share", path=image.path)
    own, memory = image.levels[level], image.settings.memory
    wanted = own.dtype if dtype is None else np.dtype(dtype)
    need = own.nbytes + (own.size * wanted.itemsize if wanted != own.dtype else 0)
    if need > memory:
        raise MemoryBudgetError(
            f"level {level} as an array takes {need} bytes, more than the memory of {memory}: read a part of it, a "
            "coarser level, or open it with more memory",
            path=image.path,
        )
    return image.read(level=level, boundless=False).astype(wanted, copy=False)


def masked_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The float that holds all values of a type (but 64-bit integers), and NaN."""
    return np.result_type(dtype, np.float32)


def _reads(spec: LevelSpec, key: Any, masked: bool) -> Generator[Part, NDArray[Any], NDArray[Any]]:
    """The reads of an index. Is sent their pixels, and returns the result."""
    dtype = masked_dtype(spec.dtype) if masked else spec.dtype
    wanted, kept = positions(spec.shape, key)
    result: NDArray[Any]
    shape = tuple(map(len, wanted))
    if 0 in shape:
        result = np.empty(shape, dtype)[kept]
        return result
    *front, rows, columns = wanted
    # The depth of a volume lies within its segments: what is left out of it is cut out of what was read.
    whole = [axis == spec.depth_axis and spec.volume[0] > 1 for axis in spec.axes[:-2]]
    select = {
        axis: _slice(_hull(places) if deep else places)
        for axis, places, deep in zip(spec.axes, front, whole, strict=False)
    }
    cut = [slice(None, None, places.step if deep else None) for places, deep in zip(front, whole, strict=True)]
    inner = (slice(None, None, rows.step), slice(None, None, columns.step))
    if abs(rows.step) == abs(columns.step) == 1:
        found = yield Part(window=_window(rows, columns), select=select)
        result = _filled(found[(*cut, *inner)], dtype)[kept]
        return result
    result = np.empty(shape, dtype)
    down, across = _bands(spec, front, rows, columns)
    for y in _runs(rows, down):
        for x in _runs(columns, across):
            found = yield Part(window=_window(rows[y], columns[x]), select=select)
            result[..., y, x] = _filled(found[(*cut, *inner)], dtype)
    result = result[kept]
    return result


def _filled(found: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Pixels of that type, NaN where they are masked."""
    if not isinstance(found, np.ma.MaskedArray):
        return found
    return np.where(np.ma.getmaskarray(found), dtype.type(np.nan), found.data.astype(dtype))


def positions(shape: tuple[int, ...], key: Any) -> tuple[list[range], tuple[Any, ...]]:
    """What an index names along each axis, and the index that then drops the axes of its integers.

    Raises IndexingError for anything but integers, slices and an ellipsis, and for integers out of range.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    dots = [n for n, each in enumerate(keys) if each is Ellipsis]
    if len(dots) > 1 or len(keys) - len(dots) > len(shape):
        raise IndexingError(f"{len(keys)} indices, of which {len(dots)} are ellipses, for {len(shape)} axes")
    at = dots[0] if dots else len(keys)
    keys[at : at + 1] = [slice(None)] * (len(shape) - len(keys) + len(dots))
    wanted = [_range(size, each) for size, each in zip(shape, keys, strict=True)]
    return wanted, tuple(slice(None) if isinstance(each, slice) else 0 for each in keys)


def _range(size: int, key: Any) -> range:
    try:
        if isinstance(key, slice):
            return range(size)[key]
        if isinstance(key, bool | np.bool_):
            raise TypeError
        place = index(key)
    except (TypeError, ValueError):
        raise IndexingError(
            f"{key!r:.60} is no index; there are integers, slices and an ellipsis (`Image.read` takes lists of bands)"
        ) from None
    if not -size <= place < size:
        raise IndexingError(f"index {place} of an axis of {size}")
    return range(place % size, place % size + 1)


def _hull(places: range) -> range:
    first, last = sorted((places[0], places[-1]))
    return range(first, last + 1)


def _slice(places: range) -> slice:
    return slice(places.start, places.stop if places.stop >= 0 else None, places.step)


def _window(rows: range, columns: range) -> Window:
    y, x = _hull(rows), _hull(columns)
    return Window(x.start, y.start, len(x), len(y))


def _bands(spec: LevelSpec, front: list[range], rows: range, columns: range) -> tuple[int, int]:
    """(rows, columns) of a band, in whole segments where these are tiles."""
    _, height, width = spec.segment
    pixel = spec.dtype.itemsize
    for places in front:
        pixel *= len(_hull(places))
    row = pixel * len(_hull(columns))
    if not spec.tiled:
        height = 1
    elif row * height > BAND_BYTES:
        return height, max(BAND_BYTES // (pixel * height * width), 1) * width
    if abs(rows.step) > spec.segment[1] and abs(rows.step) * row > SKIP_BYTES:
        return height, spec.shape[-1]
    return max(BAND_BYTES // (row * height), 1) * height, spec.shape[-1]


def _runs(places: range, step: int) -> Iterator[slice]:
    """Places cut at the multiples of `step`: slices of `places`."""
    at = 0
    while at < len(places):
        edge = places[at] - places[at] % step
        distance = edge + step - 1 - places[at] if places.step > 0 else places[at] - edge
        end = min(at + distance // abs(places.step) + 1, len(places))
        yield slice(at, end)
        at = end
