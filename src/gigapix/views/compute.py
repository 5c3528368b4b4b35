"""Chunks of levels that the file lacks: means of the samples under them, or of a mask whether any is valid.

All samples under a chunk of a coarse level may be more than fits the memory, so they are read part by part: each part
is whole windows, or where one window is too large already, some of its rows. What is kept of a part are sums and
counts (`gigapix.pyramids.reducers`), so that every sample weighs the same, whatever the parts are.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import MemoryBudgetError
from gigapix.pyramids.reducers import reducer_of
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.windows import reduced_shape
from gigapix.views.model import Array

PART_BYTES: Final = 16 << 20
"""Samples that are read and reduced at once, at most; a sixteenth of the memory where that is less."""

Box = tuple[slice, ...]
Read = Callable[[Box], Awaitable[NDArray[Any]]]


async def computed(array: Array, stored: Array, box: Box, samples: Samples, read: Read, memory: int) -> NDArray[Any]:
    """The samples of a box of a level that is not stored.

    stored: the array that it is computed of. read: gives a box of that. memory: of which a sixteenth is for a part.
    """
    reducer = reducer_of("mean" if array.kind == "pixels" else "max")
    factor = array.factor
    layout = reducer.layout(samples, factor * factor)
    *front, rows, columns = (
        slice(part.start * step, min(part.stop * step, size))
        for part, step, size in zip(box, (*(1 for _ in box[2:]), factor, factor), stored.shape, strict=True)
    )
    high, wide = _part(stored, box, factor, min(PART_BYTES, memory // 16))
    ones = (1,) * len(front)
    few = min(high, factor)
    shape = (*(part.stop - part.start for part in front), rows.stop - rows.start, columns.stop - columns.start)
    reduced = reduced_shape(shape, (*ones, few, factor))
    need = math.prod(reduced) * sum(dtype.itemsize for dtype in layout)
    if need > memory:
        raise MemoryBudgetError(f"a chunk of {array.path} is computed in {need} bytes; {memory} were named")
    states = tuple(np.empty(reduced, dtype) for dtype in layout)

    def add(values: NDArray[Any], top: int, left: int) -> None:
        found = reducer.first(samples.working(values), (*ones, few, factor), samples, layout)
        for state, part in zip(states, found, strict=True):
            y, x = top // few, left // factor
            state[..., y : y + part.shape[-2], x : x + part.shape[-1]] = part

    def finish() -> NDArray[Any]:
        whole = states if few == factor else reducer.further(states, (*ones, factor // few, 1), samples, layout, [])
        weights = [np.ones(part.stop - part.start, np.int64) for part in front]
        for part in (rows, columns):
            starts = np.arange(part.start, part.stop, factor)
            weights.append(np.minimum(starts + factor, part.stop) - starts)
        return reducer.finish(whole, weights, samples, array.dtype)

    for top in range(rows.start, rows.stop, high):
        for left in range(columns.start, columns.stop, wide):
            part = (slice(top, min(top + high, rows.stop)), slice(left, min(left + wide, columns.stop)))
            await asyncio.to_thread(add, await read((*front, *part)), top - rows.start, left - columns.start)
    return await asyncio.to_thread(finish)


def _part(stored: Array, box: Box, factor: int, most: int) -> tuple[int, int]:
    """Rows and columns of a part: multiples of the factor, or rows that divide it. Strips are read in their whole
    width, so that each is decoded once."""
    deep = math.prod(part.stop - part.start for part in box[:-2]) * stored.dtype.itemsize
    height, width = (factor * (part.stop - part.start) for part in box[-2:])
    high, wide = factor, factor if stored.chunks[-1] < stored.shape[-1] else width
    while high > 1 and high % 2 == 0 and high * wide * deep > most:
        high //= 2
    while wide < width and high * wide * 2 * deep <= most:
        wide *= 2
    while high < height and high * 2 * wide * deep <= most:
        high *= 2
    return high, wide
