"""A pass over a level by a `concurrent.futures.Executor`: threads, processes, or a cluster.

The level is cut into coarse tasks along the rows of its segments, so that each segment is decoded in one task. A task
is a few hundred bytes that can be pickled: it opens the image for itself, runs `run_pass` on its window and sends back
its tallies, which are merged as they come. It writes nothing, so it may be run twice. A level that is one stream (a
PNG, a TIFF of one compressed strip) is one task.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from gigapix.errors import UnsupportedError
from gigapix.formats.model import UNCOMPRESSED
from gigapix.image.blocks import block_selections
from gigapix.image.window import Window
from gigapix.ops.passes import Advance, Scope, run_pass
from gigapix.ops.tally import Tally, Wanted

if TYPE_CHECKING:
    from gigapix.image.image import Image
    from gigapix.image.origin import Origin

TASK_BYTES: Final = 64 << 20
"""Of the pixels of one task, at least."""

MOST_TASKS: Final = 256

UNDER_WAY: Final = 64
"""Tasks that are with the executor at once, so that the tallies of all of them are never in memory together."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A part of a pass."""

    origin: Origin
    wanted: Mapping[int, Wanted]
    scope: Scope
    samples: int
    """How many it reads."""


def distributed_pass(
    image: Image, wanted: Mapping[int, Wanted], scope: Scope, executor: Executor, advance: Advance
) -> dict[int, Tally]:
    """`run_pass` by an executor. Raises UnsupportedError where the image can't be opened elsewhere."""
    merged: dict[int, Tally] = {}
    tasks = tasks_of(image, wanted, scope)
    running: dict[Future[dict[int, Tally]], Task] = {}
    try:
        while True:
            while len(running) < UNDER_WAY and (task := next(tasks, None)) is not None:
                running[executor.submit(run_task, task)] = task
            if not running:
                return merged
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                advance(running.pop(future).samples)
                for band, tally in future.result().items():
                    if merged.setdefault(band, tally) is not tally:
                        merged[band].merge(tally)
            if all(tally.decided for tally in merged.values()):
                return merged
    finally:
        for future in running:
            future.cancel()


def run_task(task: Task) -> dict[int, Tally]:
    """Do one task, in whatever process."""
    with task.origin.open() as image:
        return run_pass(image, task.wanted, task.scope, lambda samples: None)


def tasks_of(image: Image, wanted: Mapping[int, Wanted], scope: Scope) -> Iterator[Task]:
    """The tasks that cover a pass once."""
    if image.origin is None:
        raise UnsupportedError("it was not opened by gigapix.open, so that no other process can open it")
    origin = image.origin.named()
    try:
        pickle.dumps(origin)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UnsupportedError(f"its store or its credentials can't be sent to an executor: {error}") from error
    spec = image.levels[scope.level].spec
    plan = image.plan(scope.window, level=scope.level, select=scope.select)
    size = max(TASK_BYTES, plan.nbytes // MOST_TASKS)
    for select in [scope.select] if scope.select else block_selections(spec, size):
        part = image.plan(scope.window, level=scope.level, select=select)
        row_samples = math.prod(part.shape[:-2]) * part.window.width
        alone = 1 if not spec.tiled and spec.encoding.compression == UNCOMPRESSED else spec.segment[1]
        step = max(size // (row_samples * alone * spec.dtype.itemsize), 1) * alone
        first, end = part.window.row_off, part.window.row_off + part.window.height
        edges = [first, *range(first - first % step + step, end, step), end]
        for top, bottom in pairwise(edges):
            window = Window(part.window.col_off, top, part.window.width, bottom - top)
            place = replace(scope, window=window, select=select)
            yield Task(origin=origin, wanted=wanted, scope=place, samples=row_samples * (bottom - top))
