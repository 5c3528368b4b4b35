"""The memory that a pyramid takes, found by going through its tree without pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from gigapix.pyramids.reducers import Reducer
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.tree import Index, Tier, children_of, leaves, parent_of, root_level, size_of, units
from gigapix.pyramids.windows import reduced_shape

MOST_UNITS: Final = 5_000
"""Units that are gone through. The figure does not grow after the first rows."""


def peak_bytes(
    blocks: Sequence[Tier], tiers: Sequence[Tier], reducers: Sequence[Reducer], samples: Samples, workers: int,
    band: int,
    held: int | None,
) -> int:  # fmt: skip
    """At most so many bytes are held at once, by as many workers.

    band: rows that are read at once where a source is gone through row by row, else 0.
    held: bytes of shards under way that are held at most, None where all of them are.
    """
    item = samples.dtype.itemsize
    above = sum(each.dtype(samples, blocks[-1].samples).itemsize for each in reducers)
    positions = [item] + [above] * (len(blocks) - 1)
    open_bytes = _open_bytes(blocks, positions, workers, bool(band))
    if held is not None:  # and one is put together
        open_bytes = min(open_bytes, held + 2 * max(positions) * math.prod(blocks[0].shards))
    open_bytes += _open_states(tiers, reducers, samples, workers) + _open_marks(
        blocks, reducers, samples, workers, band
    )
    base = tiers[0]
    first = (0,) * len(base.shape)
    unit = math.prod(size_of(base.extent(first, base.halo))) * item
    # A unit, what is decoded or encoded of it, its sums. Variances and gauss compute in doubles.
    wide = 3 * 8 // item if any(each.name in ("var", "std", "gauss") for each in reducers) else 0
    wide += (2 * samples.work.itemsize + 1) // item if samples.masked else 0
    sums = sum(part.itemsize for each in reducers for part in each.layout(samples, base.samples)) / item
    busy = min(workers, math.prod(base.grid))
    held = open_bytes + int(busy * unit * (4 + sums + wide))
    if band:
        across = unit // size_of(base.core(first))[-2] * base.grid[-1]
        rows = size_of(base.core(first))[-2] * (2 if any(base.halo) else 1)
        held += across * (rows + 2 * min(band, base.shape[-2]))
    return held + held // 4  # memory is not given back to the system at once


def _open_states(tiers: Sequence[Tier], reducers: Sequence[Reducer], samples: Samples, workers: int) -> int:
    """Of units that have several children, one of each level for each worker."""
    return sum(
        min(workers, math.prod(tier.grid))
        * math.prod(size_of(tier.extent((0,) * len(tier.shape), tier.halo)))
        * sum(part.itemsize for each in reducers for part in each.layout(samples, tier.samples))
        for tier in tiers[1:]
    )


def _open_marks(blocks: Sequence[Tier], reducers: Sequence[Reducer], samples: Samples, workers: int, band: int) -> int:
    """Of roots that are under way, what the level above needs, which goes into their marks."""
    level = root_level(blocks)
    if level + 1 == len(blocks):
        return 0
    tier, above = blocks[level], blocks[level + 1]
    count = min(math.prod(tier.grid), tier.grid[-1] + 1 if band else workers)
    positions = math.prod(reduced_shape(size_of(tier.core((0,) * len(tier.shape))), above.factors))
    return count * positions * sum(part.itemsize for each in reducers for part in each.layout(samples, above.samples))


def _open_bytes(blocks: Sequence[Tier], positions: Sequence[int], workers: int, rows: bool) -> int:
    """Of shards that are under way, as if nothing could be compressed."""
    held, peak = 0, 0
    left: dict[tuple[int, Index], int] = {}

    def size(level: int, index: Index) -> int:
        return math.prod(size_of(blocks[level].core(index))) * positions[level]

    for group in _groups(blocks, workers, rows):
        for index in group:
            held += size(0, index)
            at = index
            for level in range(1, len(blocks)):
                at = parent_of(blocks, level - 1, at)
                if (level, at) in left:
                    break
                left[level, at] = sum(1 for _ in children_of(blocks, level, at))
                held += size(level, at)
        peak = max(peak, held)
        for index in group:
            held -= size(0, index)
            at = index
            for level in range(1, len(blocks)):
                at = parent_of(blocks, level - 1, at)
                left[level, at] -= 1
                if left[level, at]:
                    break
                held -= size(level, at)
    return peak


def _groups(blocks: Sequence[Tier], workers: int, rows: bool) -> Iterator[list[Index]]:
    """Blocks of level 0 that are under way together, in the order in which they are visited."""
    if not rows:
        found = (leaf for top in units(blocks[-1]) for leaf in leaves(blocks, len(blocks) - 1, top))
        some = islice(found, MOST_UNITS)
        while group := list(islice(some, min(workers, 2))):
            yield group
        return
    row: list[Index] = []
    for index in islice(units(blocks[0]), MOST_UNITS):
        if row and index[:-1] != row[-1][:-1]:
            yield row
            row = []
        row.append(index)
    if row:
        yield row
