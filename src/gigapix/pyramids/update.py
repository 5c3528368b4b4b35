"""A pyramid brought up to date: roots that have changed samples are made again, those above them from the marks of all
others, which hold their sums. So the result is what a new run would give, and the rest of the source is not read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from gigapix.errors import RequestError
from gigapix.pyramids.progress import KEPT, Marks
from gigapix.pyramids.run import build
from gigapix.pyramids.tree import Box

if TYPE_CHECKING:
    from gigapix.pyramids.plan import PyramidPlan


def update_plan(
    plan: PyramidPlan, changed: Mapping[str, tuple[int, int]] | None, executor: Executor | str | None, progress: Any
) -> Mapping[str, Any]:
    """See `PyramidPlan.update`."""
    folder = plan.target.beside(".progress")
    found = folder.get(KEPT)
    if found is None:
        raise RequestError("it was not made by run(keep=True), or not at all", path=plan.target.name)
    kept = json.loads(found)
    before = tuple(kept["shape"])
    fits = kept["family"] == plan.family and kept["root"] < len(plan.blocks)
    if not fits or any(now < was for now, was in zip(plan.tiers[0].shape, before, strict=True)):
        raise RequestError("its levels or settings would be others; make it anew", path=plan.target.name)
    plan = replace(plan, root=kept["root"])
    marks = Marks(folder=folder, digest=kept["digest"])
    regions = _regions(plan, changed, before)
    if not regions:
        return build(plan, marks, executor, progress, (slice(0, 0),) * len(before))
    for region in regions:
        for index in _roots(plan, region):
            marks.forget(index)
    sides = zip(*regions, strict=True)
    around = tuple(slice(min(part.start for part in side), max(part.stop for part in side)) for side in sides)
    attributes = build(plan, marks, executor, progress, around)
    marks.keep(plan.tiers[0].shape, plan.root, plan.family)
    for each in (folder, plan.target):
        each.tidy()
    return attributes


def _regions(plan: PyramidPlan, changed: Mapping[str, tuple[int, int]] | None, before: tuple[int, ...]) -> list[Box]:
    """Boxes of level 0 whose samples are others, with what a halo looks at."""
    shape, found = plan.tiers[0].shape, []
    if changed is not None:
        if not set(changed) <= set(plan.dims):
            raise RequestError(f"the axes are {', '.join(plan.dims)}, and changed are {', '.join(changed)}")
        found.append([changed.get(axis, (0, size)) for axis, size in zip(plan.dims, shape, strict=True)])
    for axis, (now, was) in enumerate(zip(shape, before, strict=True)):
        if now > was:
            found.append([(0, size) if n != axis else (was, now) for n, size in enumerate(shape)])
    halo = plan.tiers[0].halo
    boxes = []
    for sides in found:
        ends = zip(sides, halo, shape, strict=True)
        box = tuple(slice(max(start - more, 0), min(stop + more, size)) for (start, stop), more, size in ends)
        if all(side.start < side.stop for side in box):
            boxes.append(box)
    return boxes


def _roots(plan: PyramidPlan, region: Box) -> product[tuple[int, ...]]:
    """The roots that a box of level 0 lies in."""
    tier = plan.blocks[plan.root]
    sizes = (unit * stride for unit, stride in zip(tier.unit, tier.strides, strict=True))
    return product(
        *(range(side.start // size, -(-side.stop // size)) for side, size in zip(region, sizes, strict=True))
    )
