"""Lists of positions as reads of windows: what of an index lies near to each other is read together, the rest is not.

Two ways to index by arrays, as xarray tells them apart: outer, where each array chooses along its own axis, and by
points, where all arrays together name points. Either becomes parts: a basic index, what of its pixels is wanted, and
where that lands in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.intp]
Run = tuple[int | slice, Positions | None, Positions | None]
"""A basic index along one axis, which of what it gives is wanted, where that lands; None where it drops the axis."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A read of an index."""

    key: tuple[Any, ...]
    """Basic."""
    take: Callable[[NDArray[Any]], NDArray[Any]]
    target: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """All reads of an index."""

    shape: tuple[int, ...]
    """Of the array that the parts land in,"""
    final: tuple[int, ...]
    """and of the result, which has the same elements."""
    parts: Iterator[Part]


def outer_parts(key: Sequence[Any], shape: Sequence[int], near: Sequence[int]) -> Parts:
    """Those of integers, slices and arrays, each array along its own axis. `near` is the size of a neighbourhood."""
    runs = [list(_runs(*each)) for each in zip(key, shape, near, strict=True)]
    sizes = [sum(len(target) for _, _, target in run if target is not None) for run in runs]
    kept = tuple(compress(sizes, (isinstance(each, slice | np.ndarray) for each in key)))
    return Parts(shape=kept, final=kept, parts=map(_outer_part, product(*runs)))


def _outer_part(runs: Sequence[Run]) -> Part:
    inner = np.ix_(*(each for _, each, _ in runs if each is not None))
    target = np.ix_(*(each for _, _, each in runs if each is not None))
    return Part(key=tuple(each for each, _, _ in runs), take=lambda found: found[inner], target=target)


def _runs(key: Any, size: int, near: int) -> Iterator[Run]:
    if isinstance(key, slice):
        places = np.arange(len(range(size)[key]))
        yield key, places, places
    elif not isinstance(key, np.ndarray):
        yield int(key), None, None
    else:
        wanted = _positions(key, size)
        order = np.argsort(wanted, kind="stable")
        for target in _groups(order, wanted[order, None] // near):
            first, last = int(wanted[target[0]]), int(wanted[target[-1]])
            yield slice(first, last + 1), wanted[target] - first, target


def point_parts(key: Sequence[Any], shape: Sequence[int], near: Sequence[int]) -> Parts:
    """Those of arrays, which together name points, and of slices, whose axes come behind those of the arrays."""
    axes = [axis for axis, each in enumerate(key) if isinstance(each, np.ndarray)]
    arrays = np.broadcast_arrays(*(_positions(key[axis], shape[axis]) for axis in axes))
    points = np.stack([each.ravel() for each in arrays], axis=1)
    rest = tuple(len(range(size)[each]) for size, each in zip(shape, key, strict=True) if isinstance(each, slice))
    cells = points // np.array([near[axis] for axis in axes])
    order = np.lexsort(cells.T)

    def part(group: Positions) -> Part:
        first, last = points[group].min(0), points[group].max(0)
        basic = list(key)
        for axis, low, high in zip(axes, first, last, strict=True):
            basic[axis] = slice(int(low), int(high) + 1)
        local = tuple((points[group] - first).T)
        return Part(
            key=tuple(basic), take=lambda found: np.moveaxis(found, axes, range(len(axes)))[local], target=(group,)
        )

    parts = (part(group) for group in _groups(order, cells[order]))
    return Parts(shape=(len(points), *rest), final=(*arrays[0].shape, *rest), parts=parts)


def _positions(key: NDArray[Any], size: int) -> Positions:
    return np.flatnonzero(key) if key.dtype == bool else np.where(key < 0, key + size, key)


def _groups(order: Positions, cells: NDArray[Any]) -> list[Positions]:
    """`order` cut where the cell changes."""
    edges = np.flatnonzero((np.diff(cells, axis=0) != 0).any(1)) + 1
    return np.split(order, edges) if len(order) else []
