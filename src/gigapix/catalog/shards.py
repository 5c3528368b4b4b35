"""One shard, from its keys to its part: the coarse task that any executor runs.

Headers are read by threads, since a store is asked for one without Python's lock, and an event loop costs three times
as much a request. There are as many as the store's answers take long: from `FEW` on, more while they wait. The rows of
`CHUNK` objects become a table while the next ones are read.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from gigapix.catalog.headers import Header, Listed, Place, read_header
from gigapix.catalog.manifest import Shard, read_shard
from gigapix.catalog.outputs import Folder
from gigapix.catalog.parts import CHUNK, Part, table_of
from gigapix.catalog.schema import pyarrow, schema
from gigapix.catalog.templates import Templates

FEW: Final = 8
"""Threads to begin with: enough where an answer takes under a millisecond. More would fight for Python's lock."""

GOAL: Final = 20_000
"""Requests a second, beyond which more threads are of no use to one process."""

SPAN: Final = 8
"""Keys that a thread takes at once: a divisor of `CHUNK`."""

AHEAD: Final = 4
"""Chunks that are read before the first of them is used."""

Advance = Callable[[int, int], None]
"""Called with numbers of objects and of errors since the last call."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """All that a worker must know. Picklable."""

    shard: Shard
    output: Folder
    place: Place
    concurrency: int = 512
    """Threads at most."""
    rate: float | None = None
    """Requests a second at most, of this worker."""
    known: Folder | None = None
    """An older catalogue, whose rows are taken for objects that have not changed."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a shard brought."""

    objects: int = 0
    errors: int = 0
    requests: int = 0
    bytes: int = 0
    taken: int = 0
    """Rows that were taken from an older catalogue, or from an earlier run of this one."""

    def __add__(self, other: Done) -> Done:
        return Done(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


def run_shard(task: Task, advance: Advance = lambda objects, errors: None) -> Done:
    """Read a shard and write its part. Doing it twice, or at two places, is as good as doing it once."""
    pa = pyarrow()
    place, listed = task.place, read_shard(task.output, task.shard)
    shape = schema(headers=place.headers, tiles=place.tiles)
    old = _known(task, listed, shape) if task.known is not None else shape.empty_table()
    held = set(old.column("path").to_pylist())
    counts = Done(objects=len(listed), taken=sum(each.path in held for each in listed))
    part, fresh = Part(shape), [old]
    for rows in _read(task, [each for each in listed if each.path not in held], advance):
        counts += Done(
            errors=sum(row.error_code is not None for row in rows),
            requests=sum(row.requests for row in rows),
            bytes=sum(row.received for row in rows),
        )
        table = table_of(rows, headers=place.headers, tiles=place.tiles)
        fresh.append(table) if held else part.add(table)
    if held:  # in the order in which they are listed
        table = pa.concat_tables(fresh).unify_dictionaries()
        number = {path: n for n, path in enumerate(table.column("path").to_pylist())}
        part.add(table.take(pa.array([number[each.path] for each in listed], pa.int64())))
    task.output.create(task.shard.part, part.finished(asdict(counts)))
    return counts


def _read(task: Task, listed: Sequence[Listed], advance: Advance) -> Iterator[list[Header]]:
    """The rows of objects in their order, `CHUNK` at a time. While those are used, threads read further ones."""
    rows: list[Any] = [None] * len(listed)
    chunks = -(-len(listed) // CHUNK)
    missing = [min(CHUNK, len(listed) - n * CHUNK) for n in range(chunks)]
    spans = iter(range(0, len(listed), SPAN))
    changed = threading.Condition()
    templates, pace = Templates(), _Pace(task.rate)
    room, quickest = AHEAD * CHUNK, math.inf

    def work() -> None:
        nonlocal quickest
        while True:
            with changed:
                start = next(spans, None)
                if start is None:
                    return
                while start >= room:
                    changed.wait()
            errors, best = 0, math.inf
            span = listed[start : start + SPAN]
            for number, each in enumerate(span, start):
                pace.wait()
                began = time.perf_counter()
                rows[number] = row = read_header(task.place, templates, each)
                best = min(best, time.perf_counter() - began)
                errors += row.error_code is not None
            with changed:
                quickest = min(quickest, best)
                missing[start // CHUNK] -= len(span)
                if not missing[start // CHUNK]:
                    changed.notify_all()
            advance(len(span), errors)

    threads: list[threading.Thread] = []

    def grow() -> None:
        """As many threads as have requests under way at `GOAL`, when nothing but the store holds them up."""
        wanted = FEW if math.isinf(quickest) else int(GOAL * quickest)
        for _ in range(min(max(wanted, FEW), task.concurrency, -(-len(listed) // SPAN)) - len(threads)):
            threads.append(threading.Thread(target=work, name="gigapix-scan", daemon=True))
            threads[-1].start()

    try:
        for chunk in range(chunks):
            with changed:
                while missing[chunk]:
                    grow()
                    changed.wait(0.02)
            yield rows[chunk * CHUNK : (chunk + 1) * CHUNK]
            with changed:
                rows[chunk * CHUNK : (chunk + 1) * CHUNK] = [None] * len(rows[chunk * CHUNK : (chunk + 1) * CHUNK])
                room += CHUNK
                changed.notify_all()
    finally:
        with changed:
            spans = iter(())
            room = len(listed) + SPAN
            changed.notify_all()
        for thread in threads:
            thread.join()


class _Pace:
    """Holds threads back so that together they send `rate` requests a second."""

    def __init__(self, rate: float | None) -> None:
        self._step = 1 / rate if rate else 0.0
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until it is one's turn."""
        if not self._step:
            return
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now - 0.1) + self._step
            delay = self._next - now
        if delay > 0:
            time.sleep(delay)


def _known(task: Task, listed: Sequence[Listed], shape: Any) -> Any:
    from gigapix.catalog.refresh import rows_that_hold

    assert task.known is not None  # noqa: S101  # asked by the caller
    return rows_that_hold(task.known, task.shard.root, listed, shape)
