"""A plan carried out: fetch, decode, put in place.

The plan's segments are looked up, merged into ranges and handed out from one list. Whoever is free takes a range,
fetches it, decodes its segments straight into the output and goes on: at any time there are at most as many ranges in
memory as workers, and no more bytes than the image's budget, whatever the image. Blocking, the workers are threads,
and the calling thread is one of them, so that a window of one tile starts none; async, they are tasks, and only
decoding is in threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import decode_into
from gigapix.errors import GigapixError, MemoryBudgetError, RequestError, TruncatedError
from gigapix.formats.model import UNCOMPRESSED, Buffer, Encoding, Located, Range
from gigapix.image.plan import ReadPlan, SegmentRead
from gigapix.source import ByteBudget, HeaderCache, Merged, MergeLimits, drive, drive_async, merge

BATCH: Final = 1024
"""Segments whose ranges are looked up together: 16 kB of a table."""

PIECE_BYTES: Final = 1 << 20
"""Of an uncompressed segment that are read at once: large enough to amortise a call, small enough for the CPU's
cache."""


ZEROED_BYTES: Final = 32 << 20
"""From this size on an output of zeros costs nothing: the system maps its pages when they are first touched."""

ALONE_BYTES: Final = 8 << 20
"""Up to this size, uncompressed pixels of a local file are copied by the calling thread alone."""


@dataclass(frozen=True, slots=True)
class Job:
    """A segment, or rows of one, with its place in the file."""

    read: SegmentRead
    encoding: Encoding
    range: Range | None
    """None where the segment is sparse."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """One range to fetch, and the jobs that live on it; no range where they are sparse."""

    merged: Merged | None
    jobs: tuple[Job, ...]
    file: str = ""
    """The file beside the image's that the range is of."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What carries plans out for one image."""

    cache: HeaderCache
    limits: MergeLimits
    budget: ByteBudget
    workers: Callable[[], Executor]
    """Gives the executor that helps where there is more than one range."""
    most: int
    """Ranges under way at once."""

    def run(self, plan: ReadPlan, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Read what the plan says and return it, in `out` (of the plan's shape, any strides) where that is given."""
        full = output_of(plan, out, self.cache.source.name)
        fetches = self._fetches(plan)
        zeroed = out is None and plan.nbytes >= ZEROED_BYTES
        lock = threading.Lock()
        failed = threading.Event()

        def work() -> None:
            try:
                while not failed.is_set():
                    with lock:
                        fetch = next(fetches, None)
                    if fetch is None:
                        return
                    with self.budget.hold(_cost(fetch, plan)):
                        finish(fetch, self._read(fetch), full, self.cache.source.name, zeroed)
            except BaseException:
                failed.set()
                raise

        helpers = min(self.most, plan.segments) - 1
        if self.cache.source.local and plan.level.encoding.compression == UNCOMPRESSED and plan.nbytes < ALONE_BYTES:
            helpers = 0  # copying is done before a thread has begun
        futures = [self.workers().submit(work) for _ in range(helpers)] if helpers > 0 else []
        try:
            work()
        finally:
            for future in futures:
                future.cancel() or future.exception()  # wait: nothing may write to the output after this returns
        for future in futures:
            if not future.cancelled():
                future.result()
        return full.reshape(plan.shape) if out is None else out

    async def run_async(self, plan: ReadPlan, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """`run` without blocking. Cancelling it cancels its requests."""
        import asyncio

        full = output_of(plan, out, self.cache.source.name)
        zeroed = out is None and plan.nbytes >= ZEROED_BYTES
        loop = asyncio.get_running_loop()
        name = self.cache.source.name
        under_way: set[asyncio.Task[None]] = set()

        async def work(fetch: Fetch) -> None:
            async with self.budget.hold_async(_cost(fetch, plan)):
                data = await self._read_async(fetch)
                decoding = loop.run_in_executor(self.workers(), finish, fetch, data, full, name, zeroed)
                try:
                    await asyncio.shield(decoding)
                except asyncio.CancelledError:
                    await asyncio.wait([decoding])  # a thread can't be cancelled, and it writes to the output
                    raise

        try:
            for plane, reads in batches(plan):
                located = await drive_async(plan.level.locate(plane, [read.index for read in reads]), self.cache)
                for fetch in fetches_of(reads, located, self.limits):
                    if len(under_way) >= self.most:
                        done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                        for task in done:
                            task.result()
                    under_way.add(asyncio.ensure_future(work(fetch)))
            while under_way:
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return full.reshape(plan.shape) if out is None else out

    def _fetches(self, plan: ReadPlan) -> Iterator[Fetch]:
        for plane, reads in batches(plan):
            located = drive(plan.level.locate(plane, [read.index for read in reads]), self.cache)
            yield from fetches_of(reads, located, self.limits)

    def _read(self, fetch: Fetch) -> Buffer:
        return self.cache.beside(fetch.file).source.read(*fetch.merged.range) if fetch.merged else b""

    async def _read_async(self, fetch: Fetch) -> Buffer:
        return await self.cache.beside(fetch.file).source.read_async(*fetch.merged.range) if fetch.merged else b""


def output_of(plan: ReadPlan, out: NDArray[Any] | None, name: str) -> NDArray[Any]:
    """The array of the plan's full rank to write to: a new one, or a view of `out`."""
    if out is None:
        try:
            make = np.zeros if plan.nbytes >= ZEROED_BYTES else np.empty
            return make(plan.full_shape, plan.level.dtype)
        except (MemoryError, ValueError) as error:  # ValueError: more bytes than an address holds
            raise MemoryBudgetError(
                f"the result would take {plan.nbytes} bytes; read a window or a coarser level", path=name
            ) from error
    if out.shape != plan.shape or out.dtype != plan.level.dtype or not out.flags.writeable:
        wanted = f"a writable array of shape {plan.shape} and type {plan.level.dtype}"
        raise RequestError(f"out must be {wanted}, and is of shape {out.shape} and type {out.dtype}")
    # A view with the dropped axes put back.
    return out[tuple(slice(None) if axis in plan.axes else None for axis in plan.level.axes)]


def batches(plan: ReadPlan) -> Iterator[tuple[int, list[SegmentRead]]]:
    """The plan's segments by plane, `BATCH` at a time."""
    for plane, reads in groupby(plan.reads(), key=lambda read: read.piece.plane):
        while batch := list(islice(reads, BATCH)):
            yield plane, batch


def fetches_of(reads: Sequence[SegmentRead], located: Located, limits: MergeLimits) -> Iterator[Fetch]:
    """Located segments as ranges to fetch."""
    jobs: list[Job] = []
    sparse: list[Job] = []
    for read, found in zip(reads, located.ranges, strict=True):
        if found is None:
            sparse.append(Job(read, located.encoding, None))
        elif located.encoding.compression == UNCOMPRESSED:
            jobs.extend(_rows(read, located.encoding, found))
        else:
            jobs.append(Job(read, located.encoding, found))
    if sparse:
        yield Fetch(None, tuple(sparse))
    for merged in merge([job.range for job in jobs if job.range is not None], limits):
        yield Fetch(merged, tuple(jobs[index] for index in merged.parts), located.file)


def _rows(read: SegmentRead, encoding: Encoding, found: Range) -> Iterator[Job]:
    """The rows of an uncompressed segment that are wanted, in pieces of about `PIECE_BYTES`.

    Each row begins on a byte of its own, so that no others need be read: a window of a file that is one strip of 10 GB
    costs the window's rows.
    """
    depth, height, width = read.shape
    row_bytes = -(-width * sum(encoding.bits) // 8)
    d, h, w = read.box
    if (d.stop - d.start, h.stop - h.start) == (depth, height) and depth * height * row_bytes <= PIECE_BYTES:
        yield Job(read, encoding, found)
        return
    step = max(PIECE_BYTES // row_bytes, 1)
    for z in range(d.stop - d.start):
        for y in range(0, h.stop - h.start, step):
            rows = min(step, h.stop - h.start - y)
            skip = ((read.origin[0] + z) * height + read.origin[1] + y) * row_bytes
            part = replace(
                read,
                shape=(1, rows, width),
                origin=(0, 0, read.origin[2]),
                box=(slice(d.start + z, d.start + z + 1), slice(h.start + y, h.start + y + rows), w),
            )
            yield Job(part, encoding, (found[0] + skip, max(min(found[1] - skip, rows * row_bytes), 0)))


def _cost(fetch: Fetch, plan: ReadPlan) -> int:
    """Bytes held while a fetch is under way: what is fetched, and one segment decoded."""
    return fetch.merged.length + plan.segment_bytes if fetch.merged else 0


def finish(fetch: Fetch, data: Buffer, full: NDArray[Any], name: str, zeroed: bool) -> None:
    """Decode the jobs of a fetch from its bytes into the output.

    name: the file's, for messages.
    zeroed: the output was all zeros to begin with, so that a sparse segment of zeros is there already.
    """
    view = memoryview(data)
    for job in fetch.jobs:
        read = job.read
        target = full[read.piece.target]
        if target.ndim == 3:
            target = target[:, None]
        target = target[(read.bands, *read.box)]
        if job.range is None or fetch.merged is None:
            if not (zeroed and not job.encoding.nodata):
                target[...] = 0 if job.encoding.nodata is None else job.encoding.nodata
            continue
        start = job.range[0] - fetch.merged.offset
        part = view[start : start + job.range[1]]
        try:
            if not len(part):
                raise TruncatedError(f"segment {read.index} lies beyond the end of the file")
            decode_into(part, job.encoding, read.shape, target, origin=read.origin, samples=read.samples)
        except GigapixError as error:
            raise error.located(name, job.range[0]) from error.__cause__
