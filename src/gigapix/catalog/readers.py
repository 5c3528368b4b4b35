"""The threads that read headers, shared by the shards that are under way in a process.

A store is asked by threads, since it works without Python's lock, and an event loop costs three times as much a
request. There are as many as the store's answers take long. A thread takes several objects at once and fetches all of
them before it makes rows of them: those that come back from the store then wait for Python's lock once in a while,
and not at every file. Where answers come at once, threads and rows even take turns: requests that come thick and fast
cost half as much as those that trickle in between other work (of the client's threads fewer fall asleep and must be
woken). Shards that were begun first are served first, so that while the last rows of one are awaited,
the threads read on in the next.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import insort
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final, Self

from gigapix.catalog.headers import Header, Listed, Place, Reading
from gigapix.catalog.templates import Templates

CHUNK: Final = 1_000
"""Rows that are Python's objects at once, some 10 kB each where no two files are alike."""

AHEAD: Final = 2
"""Chunks of a shard that are asked for before the first of them is used."""

FEW: Final = 8
"""Threads to begin with: enough where an answer takes under a millisecond."""

GOAL: Final = 8_000
"""Requests a second that threads are made for, by what one takes. Twice as many threads read less, with more work:
they wait for Python's lock."""

SPAN: Final = 25
"""Objects that a thread takes at once, at most, and fewer where that would take longer than `LONG`."""

LONG: Final = 0.1
"""Seconds."""

NEAR: Final = 0.002
"""Seconds of an answer, below which reading and making rows take turns."""

BURST: Final = 400
"""Objects that are read before rows are made of them, where they take turns."""

Advance = Callable[[int, int], None]
"""Called with numbers of objects and of errors since the last call."""


@dataclass(kw_only=True, eq=False)
class _Chunk:
    """Objects to read, and their rows as far as they are there."""

    shard: int
    place: Place
    listed: Sequence[Listed]
    advance: Advance
    rows: list[Header | None]
    begun: int = 0
    missing: int = 0
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(kw_only=True, frozen=True)
class _Span:
    """Objects of a chunk that have been read."""

    chunk: _Chunk
    start: int
    readings: Sequence[Reading]


class Readers:
    """A context manager: its threads end with it.

    concurrency: threads at most. rate: requests a second at most, all threads together.
    """

    def __init__(self, concurrency: int, rate: float | None) -> None:
        self._concurrency = concurrency
        self._pace = _Pace(rate)
        self._templates = Templates()
        self._turns = _Turns()
        self._threads: list[threading.Thread] = []
        self._read: list[_Span] = []
        self._open: list[_Chunk] = []
        self._changed = threading.Condition()
        self._quickest = math.inf
        self._shards = 0
        self._ended = False
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, when they have read what they began."""
        with self._changed:
            self._ended = True
            self._open.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def read(self, place: Place, listed: Sequence[Listed], advance: Advance) -> Generator[list[Header]]:
        """The rows of objects in their order, `CHUNK` at a time. While those are used, others are read, but not of a
        store that is near. Close it, whatever happens: others wait for their turn."""
        with self._changed:
            shard = self._shards = self._shards + 1
        parts = (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))
        pending: list[_Chunk] = []
        try:
            while True:
                pending += self._begin(shard, place, parts, advance, AHEAD - len(pending))
                if not pending:
                    return
                self._grow()
                while not pending[0].done.wait(0.02):
                    self._grow()
                    if self._failure is not None:
                        raise self._failure
                with self._turns.alone() if self._quickest < NEAR else nullcontext():
                    yield [row for row in pending.pop(0).rows if row is not None]
        finally:
            with self._changed:
                self._open = [each for each in self._open if each not in pending]

    def _begin(
        self, shard: int, place: Place, parts: Iterator[Sequence[Listed]], advance: Advance, most: int
    ) -> Iterable[_Chunk]:
        begun = []
        for _, listed in zip(range(most), parts, strict=False):
            rows: list[Header | None] = [None] * len(listed)
            begun.append(
                _Chunk(shard=shard, place=place, listed=listed, advance=advance, rows=rows, missing=len(listed))
            )
        with self._changed:
            for chunk in begun:
                insort(self._open, chunk, key=lambda each: each.shard)
            self._changed.notify_all()
        return begun

    def _grow(self) -> None:
        """As many threads as have requests under way at `GOAL`, when nothing but the store holds them up."""
        wanted = FEW if math.isinf(self._quickest) else int(GOAL * self._quickest)
        with self._changed:
            left = sum(len(each.listed) - each.begun for each in self._open)
            for _ in range(min(max(wanted, FEW), self._concurrency, len(self._threads) + left) - len(self._threads)):
                self._threads.append(threading.Thread(target=self._work, name="gigapix-scan", daemon=True))
                self._threads[-1].start()

    def _work(self) -> None:
        try:
            self._read_on()
        except BaseException as error:  # noqa: BLE001  # of the caller's `advance`; raised where rows are awaited
            self._failure = error

    def _read_on(self) -> None:
        while (taken := self._take()) is not None:
            chunk, start, listed = taken
            near = self._quickest < NEAR
            with self._turns.reading() if near else nullcontext():
                readings, quickest = [], math.inf
                for each in listed:
                    self._pace.wait()
                    began = time.perf_counter()
                    readings.append(Reading(chunk.place, each))
                    quickest = min(quickest, time.perf_counter() - began)
            if quickest < self._quickest:
                self._quickest = quickest
            span = _Span(chunk=chunk, start=start, readings=readings)
            if not near:
                self._finish(span)
            elif full := self._burst(span):
                with self._turns.alone():
                    for ready in full:
                        self._finish(ready)

    def _burst(self, span: _Span) -> list[_Span]:
        """What is to be made into rows now, with what others left: enough, or all where nothing is left to read."""
        with self._changed:
            self._read.append(span)
            if self._open and sum(len(each.readings) for each in self._read) < BURST:
                return []
            full, self._read = self._read, []
            return full

    def _finish(self, span: _Span) -> None:
        chunk = span.chunk
        rows = [reading.header(self._templates) for reading in span.readings]
        chunk.rows[span.start : span.start + len(rows)] = rows
        chunk.advance(len(rows), sum(row.error_code is not None for row in rows))
        with self._changed:
            chunk.missing -= len(rows)
            if not chunk.missing:
                chunk.done.set()

    def _take(self) -> tuple[_Chunk, int, Sequence[Listed]] | None:
        span = 1 if math.isinf(self._quickest) else max(1, min(SPAN, int(LONG / self._quickest)))
        with self._changed:
            while not self._open:
                if self._ended:
                    return None
                self._changed.wait()
            chunk = self._open[0]
            start = chunk.begun
            chunk.begun = min(start + span, len(chunk.listed))
            if chunk.begun == len(chunk.listed):
                del self._open[0]
            return chunk, start, chunk.listed[start : chunk.begun]


class _Turns:
    """Many may read at once, or one may do something else alone. Who wants to be alone goes first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading = 0
        self._waiting = 0
        self._alone = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Beside others that read."""
        with self._changed:
            while self._alone or self._waiting:
                self._changed.wait()
            self._reading += 1
        try:
            yield
        finally:
            with self._changed:
                self._reading -= 1
                if not self._reading:
                    self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody reads."""
        with self._changed:
            self._waiting += 1
            while self._alone or self._reading:
                self._changed.wait()
            self._waiting -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


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
