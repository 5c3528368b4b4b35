"""Windows of arrays: sums, exact means, and windows laid out for a function.

At the far edges of an array windows hold fewer samples. How many is a product of one figure an axis, so an array of
windows falls into a few boxes in which all have equally many: `boxes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.kernels.reduce import reduce

Weights = Sequence[NDArray[np.int64]]
"""One array an axis: samples of level 0 under each position along it. Those under a window are the product."""

STRIP: Final = 1 << 16
"""Samples that a chain of array operations is done on at once, so that they stay in the CPU's cache."""


def reduced_shape(shape: Sequence[int], factors: Sequence[int]) -> tuple[int, ...]:
    """Of the windows of an array: the last ones may be smaller."""
    return tuple(-(-size // factor) for size, factor in zip(shape, factors, strict=True))


def sums(
    values: NDArray[Any], factors: Sequence[int], wide: np.dtype[Any], marker: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The sum of each window. `wide` is of the same kind as the values, 32 or 64 bits."""
    if values.dtype.kind != "f" and wide.itemsize == 8 and values.dtype.itemsize < 4:
        if marker is not None:
            marker = marker.astype(f"{wide.kind}4")
        values = values.astype(f"{wide.kind}4")
    out = np.empty(reduced_shape(values.shape, factors), wide)
    reduce(values, out, tuple(factors), "sum", marker=marker)
    return out


def spread(values: NDArray[Any], factors: Sequence[int], shape: Sequence[int]) -> NDArray[Any]:
    """Each value once for every sample of its window, in an array of `shape`."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            values = np.repeat(values, factor, axis=axis)
    return values[tuple(slice(0, size) for size in shape)]


def boxes(weights: Weights) -> Iterator[tuple[tuple[slice, ...], int]]:
    """Boxes of windows that hold equally many samples, and how many."""
    runs = [_runs(each) for each in weights]
    for box in product(*runs):
        yield tuple(part for part, _ in box), math.prod(count for _, count in box)


def _runs(weights: NDArray[np.int64]) -> list[tuple[slice, int]]:
    edges = [0, *(np.flatnonzero(np.diff(weights)) + 1).tolist(), len(weights)]
    return [(slice(a, b), int(weights[a])) for a, b in pairwise(edges)]


def counts(weights: Weights) -> NDArray[np.int64]:
    """How many samples each window holds, as an array."""
    return np.asarray(math.prod(np.ix_(*weights), start=np.int64(1)))


def integer_means(total: NDArray[Any], weights: Weights, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Sums by counts, exact, halves to the even neighbour."""
    out = np.empty(total.shape, dtype)
    for box, count in boxes(weights):
        part, target = total[box], out[box]
        rows = max(STRIP // max(math.prod(part.shape[1:]), 1), 1)
        for at in range(0, len(part), rows):
            divided(part[at : at + rows].copy(), count, target[at : at + rows])
    return out


def divided(total: NDArray[Any], count: int | NDArray[Any], out: NDArray[Any]) -> None:
    """`total` by `count` (1 or more), halves to the even neighbour. Overwrites `total` where `count` is a number."""
    if isinstance(count, int) and count & (count - 1) == 0:
        if count > 1:
            shift = total.dtype.type(count.bit_length() - 1)
            odd = total >> shift
            odd &= 1
            total += total.dtype.type(count // 2 - 1)
            total += odd
            total >>= shift
        out[...] = total
        return
    by = total.dtype.type(count) if isinstance(count, int) else count.astype(total.dtype)
    quotient = total // by
    rest = total - quotient * by
    rest += rest
    quotient += (rest > by) | ((rest == by) & (quotient & 1).astype(bool))
    out[...] = quotient


def windows_of(values: NDArray[Any], factors: Sequence[int]) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
    """(box of windows, their samples along one last axis): the whole windows, and those that are cut at each edge."""
    cuts = []
    for size, factor in zip(values.shape, factors, strict=True):
        whole = size // factor
        parts = [(slice(0, whole), factor)] if whole else []
        cuts.append(parts + ([(slice(whole, whole + 1), size % factor)] if size % factor else []))
    for box in product(*cuts):
        source = tuple(
            slice(part.start * factor, part.start * factor + (part.stop - part.start) * count)
            for (part, count), factor in zip(box, factors, strict=True)
        )
        split = [length for part, count in box for length in (part.stop - part.start, count)]
        order = [*range(0, len(split), 2), *range(1, len(split), 2)]
        laid = values[source].reshape(split).transpose(order)
        grid = laid.shape[: len(box)]
        yield tuple(part for part, _ in box), laid.reshape(*grid, -1)
