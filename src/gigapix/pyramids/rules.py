"""What is decided where the caller says nothing: how many levels, how long chunks and shards are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from gigapix.errors import RequestError
from gigapix.pyramids.tree import Shape
from gigapix.pyramids.windows import reduced_shape

CHUNK_BYTES: Final = 512 << 10
SHARD_BYTES: Final = 8 << 20
MOST_LEVELS: Final = 40


def factors_of(
    dims: Sequence[str], shape: Shape, factors: Any, levels: int | Literal["auto"], until: Mapping[str, int]
) -> list[Shape]:
    """The factors of each step, as many as there are levels beyond level 0.

    factors: a number for the axes y and x (for the only axis of one); or by axis, a number, or a list of one a step, of
        which the last is repeated; or a list of those, one a step.
    until: with "auto", there are levels until no axis that is reduced is longer than this.

    An axis that is down to one sample is not reduced further.
    """
    wanted = _by_axis(dims, factors)
    given = max((len(each) for each in wanted if len(each) > 1), default=0)
    steps: list[Shape] = []
    now = shape
    while len(steps) < (MOST_LEVELS if levels == "auto" else levels):
        step = tuple(
            1 if size == 1 else each[min(len(steps), len(each) - 1)] for each, size in zip(wanted, now, strict=True)
        )
        long = any(
            size > until.get(axis, 1) and max(each) > 1 for axis, size, each in zip(dims, now, wanted, strict=True)
        )
        if levels == "auto" and not (long and (max(step) > 1 or len(steps) < given)):
            break
        steps.append(step)
        now = reduced_shape(now, step)
    return steps


def _by_axis(dims: Sequence[str], factors: Any) -> list[list[int]]:
    if isinstance(factors, list | tuple):
        each = [_by_axis(dims, step) for step in factors]
        found = [[step[axis][0] for step in each] for axis in range(len(dims))] if each else []
    elif isinstance(factors, Mapping):
        unknown = set(factors) - set(dims)
        if unknown:
            raise RequestError(f"there is no axis {', '.join(sorted(unknown))} among {', '.join(dims)}")
        found = [list(f) if isinstance(f := factors.get(axis, 1), list | tuple) else [f] for axis in dims]
    else:
        plane = {"y", "x"} & set(dims) or set(dims[-2:])
        found = [[factors] if axis in plane else [1] for axis in dims]
    whole = all(isinstance(factor, int | np.integer) and factor >= 1 for each in found for factor in each)
    if not found or not all(found) or not whole:
        raise RequestError(f"factors are whole numbers, 1 or more, not {factors!r}")
    return [[int(factor) for factor in each] for each in found]


def chunks_of(shape: Shape, reduced: Sequence[bool], factors: Shape, itemsize: int, source: Shape) -> Shape:
    """The rule for chunks: equally long along the axes that are reduced and the last two, 1 along others; a power of
    two times the factor's odd part, and not more than 512 KiB; of the source's own chunks where they are 128 to 1024
    long."""
    axes = max(sum(reduced), 1)
    side = 1 << int(math.log2((CHUNK_BYTES / itemsize) ** (1 / axes)) + 1e-9)
    found = []
    for size, is_reduced, factor, own in zip(shape, reduced, factors, source, strict=True):
        best = 1
        if is_reduced:
            odd = factor // (factor & -factor)
            best = side if odd == 1 else max(side // odd, 1) * odd
            if 128 <= own <= 1024 and own < size and axes <= 2 and odd == 1:
                best = max(side // own, 1) * own
        found.append(min(best, size))
    return tuple(found)


def shards_of(shape: Shape, chunks: Shape, reduced: Sequence[bool], itemsize: int) -> Shape:
    """The rule for shards: chunks doubled along the axes that are reduced, in turn, up to 8 MiB."""
    found = list(chunks)
    size = math.prod(found) * itemsize
    while True:
        grown = False
        for axis, is_reduced in enumerate(reduced):
            if is_reduced and found[axis] < shape[axis] and size * 2 <= SHARD_BYTES:
                found[axis] *= 2
                size *= 2
                grown = True
        if not grown:
            return tuple(found)
