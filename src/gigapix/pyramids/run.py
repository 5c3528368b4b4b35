"""A plan carried out: threads of this process, or tasks for an executor; marks; metadata at the end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from gigapix.errors import GigapixError, RequestError
from gigapix.pyramids.build import Builder
from gigapix.pyramids.describe import attributes_of
from gigapix.pyramids.documents import array_documents, consolidated, group_documents, write_documents
from gigapix.pyramids.htj2k import Table, table_of
from gigapix.pyramids.htj2k_references import references_of, write_references
from gigapix.pyramids.pixels import Pixels, unread
from gigapix.pyramids.plan import PyramidPlan
from gigapix.pyramids.progress import Extents, Marks, Root
from gigapix.pyramids.tree import Box, Index, leaves, overlap, units
from gigapix.pyramids.zarr_target import ShardWriter

Advance = Callable[[int], None]


def run_plan(
    plan: PyramidPlan, executor: Executor | str | None, *, resume: bool, overwrite: bool, keep: bool, progress: Any
) -> Mapping[str, Any]:
    """Make a pyramid. See `PyramidPlan.run`."""
    marks = Marks(folder=plan.target.beside(".progress"), digest=plan.digest)
    if overwrite:
        plan.target.clear()
        if (beside := references_of(plan)) is not None:
            beside.clear()
    _check_target(plan, marks, resume and not overwrite)
    attributes = build(plan, marks, executor, progress)
    if keep:
        marks.keep(plan.tiers[0].shape, plan.root, plan.family)
    else:
        marks.folder.clear()
    for each in (marks.folder, plan.target):
        each.tidy()
    return attributes


def build(
    plan: PyramidPlan, marks: Marks, executor: Executor | str | None, progress: Any, changed: Box | None = None
) -> Mapping[str, Any]:
    """Do what has no marks, and all above it; metadata at the end.

    changed: of level 0; above the roots, shards that have nothing of it are left as they are.
    """
    plan.target.tidy()
    seen = Root()
    table = table_of(plan.outputs[0], plan.codec.resolutions) if plan.codec.resolutions else None
    lock = threading.Lock()

    def note(root: Root) -> None:
        with lock:
            seen.see(root.extents)
            if table is not None:
                table.see(root.objects)

    def finished(index: Index, root: Root) -> None:
        marks.save(index, root)
        note(root)

    def done(index: Index) -> Root | None:
        root = marks.load(index, plan.target)
        if root is not None:
            note(root)
        return root

    with plan.opening.opened() as pixels, told(progress, plan) as advance:
        try:
            if executor is None or pixels.access == "stream":
                Builder(plan, pixels, writer_of(plan, changed).write, finished, advance, done=done).run()
            else:
                _distribute(plan, pixels, executor, finished, done, advance, changed)
        except GigapixError as error:
            raise error.located(plan.name) from error.__cause__
    return _finish(plan, seen.extents, table)


def writer_of(plan: PyramidPlan, changed: Box | None = None) -> ShardWriter:
    """What writes the arrays of a plan."""

    def wanted(level: int, box: Box) -> bool:
        if changed is None or level <= plan.root:
            return True
        sides = zip(box, plan.tiers[level].strides, strict=True)
        return overlap(tuple(slice(side.start * n, side.stop * n) for side, n in sides), changed) is not None

    return ShardWriter(plan.target, plan.outputs, plan.codec, plan.zarr_format, wanted if changed else None)


def _check_target(plan: PyramidPlan, marks: Marks, resume: bool) -> None:
    """An earlier run with the same plan is gone on with; anything else that is there is not ours to touch."""
    prefix = f"{plan.digest}/"
    begun = any(key.startswith(prefix) for key in marks.folder.listed())
    if begun and not resume:
        plan.target.clear()
        marks.folder.clear()
        begun = False
    if begun:
        return
    for folder in (plan.target, references_of(plan)):
        if folder is not None and next(folder.listed(), None) is not None:
            raise RequestError("it exists; say overwrite=True to replace it", path=folder.name)
    marks.folder.put(f"{prefix}begun", b"")


def _finish(plan: PyramidPlan, extents: Extents, table: Table | None) -> Mapping[str, Any]:
    """Metadata, the group's own last: whoever sees that sees a whole pyramid."""
    below: dict[str, Any] = {}
    for output in plan.outputs:
        below |= array_documents(output, plan.codec, plan.zarr_format)
    for path in dict.fromkeys(output.path.rpartition("/")[0] for output in plan.outputs):
        if path:
            below |= group_documents(path, {}, plan.zarr_format)
    write_documents(plan.target, below)
    attributes = attributes_of(plan, extents, plan.levels())
    if table is not None:
        table.write(plan.target)
        if plan.references is not None:
            write_references(plan, extents, table)
        attributes = {**attributes, **table.attributes}
    group = group_documents("", attributes, plan.zarr_format)
    write_documents(plan.target, group if table is not None else consolidated(group, below))
    return attributes


# An executor


@dataclass(frozen=True, kw_only=True)
class Task:
    """Some roots, for another process. It may be run twice: it writes the same objects."""

    plan: PyramidPlan
    roots: frozenset[Index]
    changed: Box | None


def run_task(task: Task) -> dict[Index, Root]:
    """Do one task."""
    found: dict[Index, Root] = {}
    with task.plan.opening.opened() as pixels:
        Builder(
            task.plan,
            pixels,
            writer_of(task.plan, task.changed).write,
            found.__setitem__,
            lambda samples: None,
            only=task.roots,
        ).run()
    return found


def _distribute(
    plan: PyramidPlan, pixels: Pixels, executor: Executor | str, finished: Callable[[Index, Root], None],
    done: Callable[[Index], Root | None], advance: Advance, changed: Box | None,
) -> None:  # fmt: skip
    """Subtrees as tasks; the levels above them are made here."""
    from gigapix.catalog.executors import workers_of

    away = replace(plan, opening=plan.opening.away(), workers=1)
    top = Builder(plan, replace(pixels, read=unread), writer_of(plan, changed).write, lambda index, root: None, advance)
    running: dict[Future[dict[Index, Root]], frozenset[Index]] = {}
    with workers_of(executor) as workers:
        tasks = _tasks(plan)
        try:
            while True:
                while len(running) < workers.most and (group := next(tasks, None)) is not None:
                    missing = set()
                    for index in group:
                        if (root := done(index)) is None:
                            missing.add(index)
                        else:
                            advance(plan.blocks[plan.root].under(index))
                            top.deliver(root)
                    if missing:
                        task = Task(plan=away, roots=frozenset(missing), changed=changed)
                        running[workers.executor.submit(run_task, task)] = task.roots
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    for index, root in future.result().items():
                        finished(index, root)
                        advance(plan.blocks[plan.root].under(index))
                        top.deliver(root)
                    top.drain()
        finally:
            for future in running:
                future.cancel()
    top.drain()


def _tasks(plan: PyramidPlan) -> Iterator[list[Index]]:
    """Roots that are read together: each alone, or a row of them."""
    if plan.order == "tree":
        top = len(plan.blocks) - 1
        for highest in units(plan.blocks[-1]):
            for index in leaves(plan.blocks, top, highest, plan.root):
                yield [index]
        return
    for _, row in groupby(units(plan.blocks[plan.root]), key=lambda index: index[:-1]):
        yield list(row)


@contextmanager
def told(progress: Any, plan: PyramidPlan) -> Iterator[Advance]:
    """How progress is told: by a function, a bar on stderr, or not."""
    lock = threading.Lock()
    if callable(progress):

        def tell(samples: int) -> None:
            with lock:
                progress(samples)

        yield tell
    elif progress and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

        with Progress(
            BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
        ) as bar:
            task = bar.add_task("", total=int(np.prod(plan.tiers[0].shape)))
            yield lambda samples: bar.advance(task, samples)
    else:
        yield lambda samples: None
