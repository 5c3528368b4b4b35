"""The levels of a pyramid as trees of units and of blocks.

A *unit* is what is computed as a whole. Each unit of a level lies within one unit of the next, its parent, and windows
never straddle units. So a unit that is complete is written, reduced into its parent, and forgotten.

A *block* is some units; it owns whole shards, and so does everything below it. Blocks give the order in which level 0
is visited: depth first, one block of each level is under way at a time, whatever the size of the image: that is the
order `tree`. Where pixels come in rows (a PNG, strips), whole rows of blocks are under way: the order `rows`. What is
under way is held compressed, chunk by chunk.

Units have a halo where a reducer looks beyond its windows. A halo overlaps the neighbours; it is computed by a unit's
own children, which have halos themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np

from gigapix.pyramids.windows import Weights, reduced_shape

Index = tuple[int, ...]
Box = tuple[slice, ...]
Shape = tuple[int, ...]

BAND_BYTES: Final = 8 << 20
UNIT_BYTES: Final = 2 << 20

FEW_ROOTS: Final = 8
MOST_ROOTS: Final = 256
"""A run is cut into about so many parts, each of which has a mark when it is done."""


@dataclass(frozen=True, kw_only=True)
class Tier:
    """One level."""

    shape: Shape
    factors: Shape
    """From the level before; ones of level 0."""
    strides: Shape
    """From level 0."""
    base: Shape
    """Shape of level 0."""
    chunks: Shape
    shards: Shape
    """Multiples of `chunks`."""
    unit: Shape
    """Of units, or of blocks, which are multiples of `shards`."""
    halo: Shape
    """Of the reducer that looks furthest."""

    @cached_property
    def grid(self) -> Shape:
        """How many units."""
        return reduced_shape(self.shape, self.unit)

    def core(self, index: Index) -> Box:
        """The unit's own positions."""
        return tuple(
            slice(n * size, min((n + 1) * size, end)) for n, size, end in zip(index, self.unit, self.shape, strict=True)
        )

    def extent(self, index: Index, halo: Sequence[int]) -> Box:
        """With a halo, as far as the array goes."""
        return tuple(
            slice(max(part.start - more, 0), min(part.stop + more, end))
            for part, more, end in zip(self.core(index), halo, self.shape, strict=True)
        )

    def weights(self, box: Box) -> Weights:
        """How many samples of level 0 lie under each position, along each axis."""
        found = []
        for part, stride, end in zip(box, self.strides, self.base, strict=True):
            first = np.arange(part.start, part.stop, dtype=np.int64) * stride
            found.append(np.minimum(first + stride, end) - first)
        return found

    def under(self, index: Index) -> int:
        """Samples of level 0 under a unit."""
        sides = zip(self.core(index), self.strides, self.base, strict=True)
        return math.prod(min(part.stop * stride, end) - part.start * stride for part, stride, end in sides)

    @property
    def samples(self) -> int:
        """The most that lie under one position."""
        return math.prod(map(min, self.strides, self.base))


def size_of(box: Box) -> Shape:
    """Of a box."""
    return tuple(part.stop - part.start for part in box)


def within(box: Box, outer: Box) -> Box:
    """A box in the coordinates of another that holds it."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, outer, strict=True))


def overlap(box: Box, other: Box) -> Box | None:
    """What two boxes share, None where that is nothing."""
    both = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, other, strict=True))
    return both if all(part.start < part.stop for part in both) else None


def parent_of(tiers: Sequence[Tier], level: int, index: Index) -> Index:
    """The unit of the next level that a unit lies in."""
    below, above = tiers[level], tiers[level + 1]
    return tuple(
        n * size // factor // larger
        for n, size, factor, larger in zip(index, below.unit, above.factors, above.unit, strict=True)
    )


def children_of(tiers: Sequence[Tier], level: int, index: Index) -> Iterator[Index]:
    """The units of the level before that lie in a unit."""
    below, above = tiers[level - 1], tiers[level]
    ranges = []
    for n, size, factor, smaller, count in zip(
        index, above.unit, above.factors, below.unit, below.grid, strict=True
    ):  # fmt: skip
        first = n * size * factor // smaller
        ranges.append(range(first, min(-(-(n + 1) * size * factor // smaller), count)))
    return product(*ranges)


def leaves(tiers: Sequence[Tier], level: int, index: Index, stop: int = 0) -> Iterator[Index]:
    """The units of level `stop` in a unit, depth first."""
    if level == stop:
        yield index
        return
    for child in children_of(tiers, level, index):
        yield from leaves(tiers, level - 1, child, stop)


def inside(blocks: Tier, index: Index, tier: Tier) -> Iterator[Index]:
    """The units in a block of the same level."""
    return product(
        *(
            range(part.start // size, -(-part.stop // size))
            for part, size in zip(blocks.core(index), tier.unit, strict=True)
        )
    )


def overlapping(tier: Tier, box: Box) -> Iterator[Index]:
    """The units that a box touches, with their halos."""
    ranges = (
        range(max(part.start - more, 0) // size, (min(part.stop + more, end) - 1) // size + 1)
        for part, more, size, end in zip(box, tier.halo, tier.unit, tier.shape, strict=True)
    )
    return product(*ranges)


def units(tier: Tier) -> Iterator[Index]:
    """All units of a level."""
    return product(*map(range, tier.grid))


def blocks_of(
    shape: Shape, steps: Sequence[Shape], chunks: Shape, shards: Shape, align: Shape, halo: int
) -> tuple[Tier, ...]:
    """The levels in blocks that own whole shards, and nest. `align`: those of level 0 are multiples of this."""
    halos = [tuple(0 for _ in shape)]
    for step in reversed(steps):
        halos.insert(0, tuple(halo * (f > 1) + f * h if halo else 0 for f, h in zip(step, halos[0], strict=True)))
    ones = tuple(1 for _ in shape)
    found: list[Tier] = []
    now, strides = shape, ones
    for level, step in enumerate([ones, *steps]):
        now = reduced_shape(now, step)
        strides = tuple(a * b for a, b in zip(strides, step, strict=True))
        least = tuple(map(math.lcm, shards, align)) if level == 0 else shards
        tier = Tier(
            shape=now, factors=step, strides=strides, base=shape, chunks=chunks, shards=shards, unit=least,
            halo=halos[level],
        )  # fmt: skip
        found.append(_nested(tier, found[-1] if found else None, steps[level] if level < len(steps) else ones))
    return tuple(found)


def _nested(tier: Tier, before: Tier | None, step: Shape) -> Tier:
    """With units that are multiples of the next step, and in which those of the level before lie."""
    unit = []
    for axis, size in enumerate(tier.shape):
        least = math.lcm(tier.unit[axis], step[axis])
        if before is not None and before.grid[axis] > 1:
            least = math.lcm(least, before.unit[axis] // tier.factors[axis])
        elif before is not None:  # its units cover the axis, so these must too
            least *= -(-size // least)
        unit.append(least)
    return replace(tier, unit=tuple(unit))


def units_of(blocks: Sequence[Tier], align: Shape, itemsize: int, most: int = UNIT_BYTES) -> tuple[Tier, ...]:
    """The levels in units that are computed as one. Those of level 0 are blocks, or halves of halves of them that are
    whole chunks; those of the levels above are no larger than they must be, so a unit mostly has one child, and goes
    up all levels at once."""
    first = list(blocks[0].unit)
    step = blocks[1].factors if len(blocks) > 1 else align
    while math.prod(map(min, first, blocks[0].shape)) * itemsize > most:
        for axis in sorted(range(len(first)), key=lambda axis: -min(first[axis], blocks[0].shape[axis])):
            half, least = first[axis] // 2, math.lcm(step[axis], align[axis], blocks[0].chunks[axis])
            if first[axis] % 2 == 0 and half % least == 0:
                first[axis] = half
                break
        else:
            break
    found: list[Tier] = []
    for level, block in enumerate(blocks):
        tier = replace(block, unit=tuple(first) if level == 0 else tuple(1 for _ in first))
        following = blocks[level + 1].factors if level + 1 < len(blocks) else tuple(1 for _ in first)
        found.append(_nested(tier, found[-1] if found else None, following))
    return tuple(found)


def band_rows(base: Tier, source: Shape, itemsize: int, memory: int) -> int:
    """How many rows to read at once: whole segments of the source, an eighth of the memory or 8 MiB."""
    segment = max(source[-2], 1) if len(source) > 1 else 1
    row = math.prod(size_of(base.core((0,) * len(base.shape)))[:-2]) * base.shape[-1] * itemsize
    rows = max(min(BAND_BYTES, memory // 8) // row // segment, 1) * segment
    return min(rows, -(-base.unit[-2] // segment) * segment) if len(source) > 1 else 1


def bands(base: Tier, rows: int) -> Iterator[Box]:
    """Boxes of full width that cover level 0 from top to bottom, for each part of the axes in front."""
    *_, height, width = base.shape
    for part in product(*map(range, base.grid[:-2])):
        outer = base.core((*part, 0, 0))[:-2]
        for top in range(0, height, rows):
            yield (*outer, slice(top, min(top + rows, height)), slice(0, width))


def root_level(blocks: Sequence[Tier]) -> int:
    """The lowest level with few enough blocks. Not level 0, whose marks are large, where level 1 has several."""
    counts = [math.prod(tier.grid) for tier in blocks]
    first = 1 if len(counts) > 1 and counts[1] >= FEW_ROOTS else 0
    return next((n for n in range(first, len(counts)) if counts[n] <= MOST_ROOTS), len(counts) - 1)
