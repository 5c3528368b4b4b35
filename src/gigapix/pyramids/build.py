"""All levels in one pass: every sample of the source is read once, every object is written once, nothing is read back.

Pixels are put into units of level 0. A unit that is complete is written, reduced into its parent, and forgotten; a
parent is complete when all its children have been. So the order in which pixels come decides how much is held (see
`tree`), and nothing else: what is written depends on no order, no number of workers, no size of a chunk of the source.

The invariant: a unit belongs to the one thread that completed it, and an object to one root.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.crew import Crew, Job
from gigapix.pyramids.pixels import Pixels
from gigapix.pyramids.progress import Reduction, Root, extents_of, packed, unpacked
from gigapix.pyramids.reducers import Reducer, smoothed
from gigapix.pyramids.tree import (
    Box,
    Index,
    bands,
    children_of,
    inside,
    leaves,
    overlap,
    overlapping,
    parent_of,
    size_of,
    units,
    within,
)  # fmt: skip

if TYPE_CHECKING:
    from gigapix.pyramids.plan import PyramidPlan

Write = Callable[[int, int, Box, NDArray[Any]], list[tuple[str, int, list[int]]]]
"""(level, number of the reducer, box, values) to the objects written, as `zarr_target.Written`."""

Finished = Callable[[Index, Root], None]
"""Called with each root when it is done, by several threads."""


@dataclass(kw_only=True)
class _Unit:
    level: int
    index: Index
    box: Box
    """With its halo."""
    left: int
    """Children that are not in it yet; of level 0 samples."""
    block: NDArray[Any] | None = None
    """Of level 0."""
    states: list[tuple[NDArray[Any], ...]] = field(default_factory=list)
    """Of other levels, one a reducer."""


class Builder:
    """One run over a source, or over some of its roots.

    done: what has been found of roots that an earlier run finished, None of those that must be done.
    only: the roots to do; all where None. Levels above them are then left out.
    """

    def __init__(
        self, plan: PyramidPlan, pixels: Pixels, write: Write, finished: Finished, advance: Callable[[int], None],
        *, done: Callable[[Index], Root | None] = lambda index: None, only: frozenset[Index] | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.tiers, self.blocks, self.samples = plan, plan.tiers, plan.blocks, plan.samples
        self._read, self._write, self._finished, self._advance = pixels.read, write, finished, advance
        self._done, self._only = done, only
        self._units: dict[tuple[int, Index], _Unit] = {}
        self._roots: dict[Index, Root] = {}
        self._skipped: dict[Index, bool] = {}
        self._crew = Crew(self._bands(), serial=True) if plan.order == "rows" else Crew(self._tree(), serial=False)
        self._lock = threading.RLock()

    def run(self) -> None:
        """Do all of it. Raises what a reader, a reducer or the target raised first."""
        self._crew.run(self.plan.workers)

    def drain(self) -> None:
        """Do what is ready, after `deliver`, where this builder reads nothing itself."""
        self._crew.drain()

    # Level 0

    def _tree(self) -> Iterator[Job]:
        top, root = len(self.blocks) - 1, self.plan.root
        for highest in units(self.blocks[-1]):
            for index in leaves(self.blocks, top, highest, root):
                if self._is_skipped(index):
                    if (again := self._again(index)) is not None:
                        yield again
                    continue
                for block in leaves(self.blocks, root, index):
                    for leaf in inside(self.blocks[0], block, self.tiers[0]):
                        yield partial(self._leaf, leaf)

    def _leaf(self, index: Index) -> None:
        box = self.tiers[0].extent(index, self.tiers[0].halo)
        self._complete(_Unit(level=0, index=index, box=box, left=0, block=self._read(box)))

    def _bands(self) -> Iterator[Job]:
        base = self.tiers[0]
        pushed: set[Index] = set()
        for box in bands(base, self.plan.band):
            wanted = []
            for index in overlapping(base, box):
                root = self._root_of(0, index)
                if not self._is_skipped(root):
                    wanted.append(index)
                elif root not in pushed:
                    pushed.add(root)
                    if (again := self._again(root)) is not None:
                        yield again
            if wanted:
                yield partial(self._band, box, wanted)

    def _band(self, box: Box, wanted: list[Index]) -> None:
        block = self._read(box)
        for index in wanted:
            unit = self._unit(0, index)
            shared = overlap(unit.box, box)
            if shared is None or unit.block is None:
                continue
            unit.block[within(shared, unit.box)] = block[within(shared, box)]
            unit.left -= int(np.prod(size_of(shared)))
            if not unit.left:
                with self._lock:
                    del self._units[0, index]
                self._crew.add(partial(self._complete, unit), urgent=False)

    def _is_skipped(self, root: Index) -> bool:
        """Whether a root is somebody else's, or done."""
        if root not in self._skipped:
            found = None
            if self._only is None:
                found = self._done(root)
                if found is not None:
                    self._roots[root] = found
            self._skipped[root] = found is not None or (self._only is not None and root not in self._only)
        return self._skipped[root]

    def _again(self, index: Index) -> Job | None:
        """What is left to do for a root that is done: its parent needs its reduction."""
        root = self._roots.pop(index, None)
        if root is None:
            return None

        def again() -> None:
            self._advance(self.blocks[self.plan.root].under(index))
            self.deliver(root)

        return again

    # All levels

    def deliver(self, root: Root) -> None:
        """What the levels above a root need of it."""
        for index, pieces in root.reductions.items():
            if pieces and self._only is None:
                self._push(self.plan.root, index, list(map(unpacked, pieces)))

    def _root_of(self, level: int, index: Index) -> Index:
        """The root that a unit lies in."""
        tier, block = self.tiers[level], self.blocks[level]
        at = tuple(n * size // larger for n, size, larger in zip(index, tier.unit, block.unit, strict=True))
        for below in range(level, self.plan.root):
            at = parent_of(self.blocks, below, at)
        return at

    def _unit(self, level: int, index: Index) -> _Unit:
        """The open unit."""
        with self._lock:
            unit = self._units.get((level, index))
            if unit is None:
                unit = self._units[level, index] = self._opened(level, index)
            return unit

    def _opened(self, level: int, index: Index) -> _Unit:
        tier = self.tiers[level]
        box = tier.extent(index, tier.halo)
        if level == 0:
            block = np.empty(size_of(box), self.samples.dtype)
            if self.samples.masked:
                block = np.ma.MaskedArray(block, mask=True)
            return _Unit(level=0, index=index, box=box, left=block.size, block=block)
        states = [
            tuple(
                np.empty(size_of(self._box_of(each, level, index)), kind)
                for kind in each.layout(self.samples, tier.samples)
            )
            for each in self.plan.reducers
        ]
        left = sum(1 for _ in children_of(self.tiers, level, index))
        return _Unit(level=level, index=index, box=box, left=left, states=states)

    def _box_of(self, reducer: Reducer, level: int, index: Index) -> Box:
        """What a reducer has of a unit: only one with a halo has more than the core."""
        tier = self.tiers[level]
        return tier.extent(index, tier.halo) if reducer.halo else tier.core(index)

    def _complete(self, unit: _Unit) -> None:
        level, tier = unit.level, self.tiers[unit.level]
        core, record = tier.core(unit.index), Root()
        reductions: list[Reduction] = []
        if unit.block is not None:
            values = unit.block[within(core, unit.box)]
            record.objects += self._write(0, 0, core, np.ma.getdata(values))
            record.see(extents_of(values, core, self.plan.channel_axis, self.samples))
            self._advance(values.size)
            del values
        else:
            for number, reducer in enumerate(self.plan.reducers):
                box = self._box_of(reducer, level, unit.index)
                state = tuple(part[within(core, box)] for part in unit.states[number])
                dtype = reducer.dtype(self.samples, self.plan.samples_most)
                values = reducer.finish(state, tier.weights(core), self.samples, dtype)
                record.objects += self._write(level, number, core, values)
        if level + 1 < len(self.tiers):
            reductions = [self._reduced(unit, n, each) for n, each in enumerate(self.plan.reducers)]
        unit.block, unit.states = None, []
        self._settle(unit, record, reductions)

    def _settle(self, unit: _Unit, record: Root, reductions: list[Reduction]) -> None:
        """Note what a unit wrote with its root, and give its reductions to its parent."""
        marked = unit.level == self.plan.root and self.plan.cog is None
        pieces = [packed(each) for each in reductions] if marked else []
        if unit.level <= self.plan.root:
            index = self._root_of(unit.level, unit.index)
            with self._lock:
                root = self._roots.setdefault(index, Root())
                root.objects += record.objects
                root.see(record.extents)
                is_last = False
                if unit.level == self.plan.root:
                    root.reductions[unit.index] = pieces
                    whole = inside(self.blocks[unit.level], index, self.tiers[unit.level])
                    is_last = len(root.reductions) == sum(1 for _ in whole)
                    if is_last:
                        del self._roots[index]
            if is_last:
                self._finished(index, root)
            if unit.level == self.plan.root and self._only is not None:
                return
        if reductions:
            self._push(unit.level, unit.index, reductions)

    def _reduced(self, unit: _Unit, number: int, reducer: Reducer) -> Reduction:
        """A unit's windows, and their box in the next level."""
        level, above = unit.level, self.tiers[unit.level + 1]
        layout = reducer.layout(self.samples, above.samples)
        core = self.tiers[level].core(unit.index)
        if not reducer.halo:
            target = tuple(
                slice(part.start // factor, -(-part.stop // factor))
                for part, factor in zip(core, above.factors, strict=True)
            )
            if unit.block is None:
                weights = self.tiers[level].weights(core)
                return target, reducer.further(unit.states[number], above.factors, self.samples, layout, weights)
            values = self.samples.working(unit.block[within(core, unit.box)])
            return target, reducer.first(values, above.factors, self.samples, layout)
        target = tuple(
            slice(max(part.start // factor - more, 0), min(-(-part.stop // factor) + more, end))
            for part, factor, more, end in zip(core, above.factors, above.halo, above.shape, strict=True)
        )
        sides, pads = [], []
        for part, factor, end in zip(target, above.factors, self.tiers[level].shape, strict=True):
            more = factor > 1
            first, last = part.start * factor - more, part.stop * factor + more
            sides.append(slice(max(first, 0), min(last, end)))
            pads.append((max(-first, 0), max(last - end, 0)))
        values = unit.block if unit.block is not None else unit.states[number][0]
        values = self.samples.working(values[within(tuple(sides), unit.box)])
        return target, (smoothed(values, above.factors, self.samples, pads),)

    def _push(self, level: int, index: Index, reductions: list[Reduction]) -> None:
        unit = self._unit(level + 1, parent_of(self.tiers, level, index))
        for reducer, state, (box, parts) in zip(self.plan.reducers, unit.states, reductions, strict=True):
            outer = self._box_of(reducer, level + 1, unit.index)
            shared = overlap(box, outer)
            if shared is None:
                continue
            for target, part in zip(state, parts, strict=True):
                target[within(shared, outer)] = part[within(shared, box)]
        with self._lock:
            unit.left -= 1
            if unit.left:
                return
            del self._units[level + 1, unit.index]
        self._crew.add(partial(self._complete, unit), urgent=True)
