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
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import decode_into
from gigapix.errors import GigapixError, MemoryBudgetError, RequestError, TruncatedError
from gigapix.formats.model import UNCOMPRESSED, Buffer, Encoding, Located, Range
from gigapix.image.plan import ReadPlan, SegmentRead
from gigapix.source import Budget, HeaderCache, Merged, MergeLimits, drive, drive_async, merge

if TYPE_CHECKING:
    import asyncio

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
    data: Buffer | None = None
    """The bytes of the range, where they are there already."""

    @property
    def ranges(self) -> list[Range]:
        """Of the jobs."""
        return [job.range for job in self.jobs if job.range is not None]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What carries plans out for one image."""

    cache: HeaderCache
    limits: MergeLimits
    budget: Budget
    workers: Callable[[], Executor]
    """Gives the executor that helps where there is more than one range."""
    decoders: Callable[[], Executor]
    """Gives the executor that decodes for tasks."""
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
                        finish(fetch, self._read(fetch), full, self._name(fetch), zeroed)
            except BaseException:
                failed.set()
                raise

        helpers = min(self.most, plan.segments) - 1
        if self.cache.source.local and plan.level.encoding.compression == UNCOMPRESSED and plan.nbytes < ALONE_BYTES:
            helpers = 0  # copying is done before a thread has begun
        futures: list[Future[None]] = []
        try:
            with suppress(RuntimeError):  # no thread to be had, or the image is being closed: the caller works alone
                futures.extend(self.workers().submit(work) for _ in range(helpers))
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

        name = self.cache.source.name
        # The output of a single segment is made when its bytes have come: ten thousand tiles that wait hold nothing.
        full = output_of(plan, out, name) if out is not None or plan.segments > 1 else None
        zeroed = out is None and plan.nbytes >= ZEROED_BYTES
        loop = asyncio.get_running_loop()
        under_way: set[asyncio.Task[None]] = set()

        async def work(fetch: Fetch) -> None:
            nonlocal full
            async with self.budget.hold_async(_cost(fetch, plan)):
                data = await self._read_async(fetch)
                if full is None:
                    full = output_of(plan, None, name)
                decoding = loop.run_in_executor(self.decoders(), finish, fetch, data, full, self._name(fetch), zeroed)
                try:
                    await asyncio.shield(decoding)
                except asyncio.CancelledError:
                    await asyncio.wait([decoding])  # a thread can't be cancelled, and it writes to the output
                    raise

        try:
            for plane, reads in batches(plan):
                located = await drive_async(plan.level.locate(plane, [read.index for read in reads]), self.cache)
                fetches = list(fetches_of(reads, located, self.limits, self._find(located)))
                if plan.segments == len(fetches) == 1:
                    await work(fetches[0])  # needs no task of its own
                    continue
                for fetch in fetches:
                    if len(under_way) >= self.most:
                        under_way = await _some_of(under_way)
                    under_way.add(asyncio.ensure_future(work(fetch)))
            while under_way:
                under_way = await _some_of(under_way)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return out if out is not None else (output_of(plan, None, name) if full is None else full).reshape(plan.shape)

    def _fetches(self, plan: ReadPlan) -> Iterator[Fetch]:
        for plane, reads in batches(plan):
            located = drive(plan.level.locate(plane, [read.index for read in reads]), self.cache)
            yield from fetches_of(reads, located, self.limits, self._find(located))

    def _name(self, fetch: Fetch) -> str:
        """Of the file that a fetch is from."""
        return self.cache.beside(fetch.file).source.name

    def _find(self, located: Located) -> Callable[[Range], Buffer | None]:
        return self.cache.beside(located.file).segments.find

    def _read(self, fetch: Fetch) -> Buffer:
        if fetch.merged is None or fetch.data is not None:
            return fetch.data or b""
        return self.cache.beside(fetch.file).segments.read(fetch.merged.range, fetch.ranges)

    async def _read_async(self, fetch: Fetch) -> Buffer:
        if fetch.merged is None or fetch.data is not None:
            return fetch.data or b""
        return await self.cache.beside(fetch.file).segments.read_async(fetch.merged.range, fetch.ranges)


async def _some_of(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait until one has ended, and return those that have not. Raises the error of one that failed."""
    import asyncio

    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in done if task.cancelled() or task.exception() is not None]  # looks at all of them
    if failed:
        failed[0].result()
    return others


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
    check_out(out, plan.shape, plan.level.dtype)
    # A view with the dropped axes put back.
    return out[tuple(slice(None) if axis in plan.axes else None for axis in plan.level.axes)]


def check_out(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise RequestError where an array can't take a result."""
    wanted = f"out must be a writable array of shape {shape} and type {dtype}"
    if not isinstance(out, np.ndarray):
        raise RequestError(f"{wanted}, and is a {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype or not out.flags.writeable:
        kind = "" if out.flags.writeable else "read-only and "
        raise RequestError(f"{wanted}, and is {kind}of shape {out.shape} and type {out.dtype}")


def batches(plan: ReadPlan) -> Iterator[tuple[int, list[SegmentRead]]]:
    """The plan's segments by plane, `BATCH` at a time."""
    for plane, reads in groupby(plan.reads(), key=lambda read: read.piece.plane):
        while batch := list(islice(reads, BATCH)):
            yield plane, batch


def fetches_of(
    reads: Sequence[SegmentRead], located: Located, limits: MergeLimits, find: Callable[[Range], Buffer | None]
) -> Iterator[Fetch]:
    """Located segments as ranges to fetch, but for those that `find` has."""
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
    missing = []
    for job in jobs:
        data = find(job.range) if job.range else None
        if job.range is None or data is None:
            missing.append(job)
        else:
            yield Fetch(Merged(*job.range, (0,)), (job,), located.file, data)
    for merged in merge([job.range for job in missing if job.range is not None], limits):
        yield Fetch(merged, tuple(missing[index] for index in merged.parts), located.file)


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
