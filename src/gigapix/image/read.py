"""A plan carried out: fetch, decode, put in place.

The plan's segments are looked up, merged into ranges and handed out from one list. Whoever is free takes a range,
fetches it, decodes its segments straight into the output and goes on: at any time there are at most as many ranges in
memory as workers, and no more bytes than the image's budget, whatever the image. Blocking, the workers are threads,
and the calling thread is one of them, so that a window of one tile starts none; async, they are tasks, and only
decoding is in threads.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import expected_bytes
from gigapix.errors import MemoryBudgetError, RequestError
from gigapix.formats.model import UNCOMPRESSED, Buffer, Encoding, Located, Range, Steps
from gigapix.image.access import PARTLY_BYTES, is_better_by_row, is_surely_streamable
from gigapix.image.fetch import PIECE_BYTES, Fetch, Where, batches, fetches_of, finish, landing
from gigapix.image.follow import run, run_async
from gigapix.image.plan import ReadPlan, SegmentRead
from gigapix.image.streams import Giant, Stream, Streams
from gigapix.source import Budget, HeaderCache, MergeLimits, Source, drive, drive_async

if TYPE_CHECKING:
    import asyncio

ZEROED_BYTES: Final = 32 << 20
"""From this size on an output of zeros costs nothing: the system maps its pages when they are first touched."""

ALONE_BYTES: Final = 8 << 20
"""Up to this size, uncompressed pixels of a local file are copied by the calling thread alone."""


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
    streams: Streams
    """The cursors in its giant segments."""
    piece_bytes: int = PIECE_BYTES
    """Of an uncompressed segment that are read at once."""

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
                    with self.budget.hold(self._cost(fetch, plan)):
                        if isinstance(fetch, Giant):
                            run(self._rows(fetch, full), fetch.stream, self._source(fetch), self.workers)
                        else:
                            finish(fetch, self.fetch(fetch), full, self.where_of(fetch), zeroed)
            except BaseException:
                failed.set()
                raise

        helpers = min(self.most, plan.segments * self._parts(plan)) - 1
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

        async def work(fetch: Fetch | Giant) -> None:
            nonlocal full
            async with self.budget.hold_async(self._cost(fetch, plan)):
                if isinstance(fetch, Giant):
                    if full is None:
                        full = output_of(plan, None, name)
                    await run_async(self._rows(fetch, full), fetch.stream, self._source(fetch), self.decoders)
                    return
                data = await self._read_async(fetch)
                if full is None:
                    full = output_of(plan, None, name)
                decoding = loop.run_in_executor(
                    self.decoders(), finish, fetch, data, full, self.where_of(fetch), zeroed
                )
                try:
                    await asyncio.shield(decoding)
                except asyncio.CancelledError:
                    await asyncio.wait([decoding])  # a thread can't be cancelled, and it writes to the output
                    decoding.cancelled() or decoding.exception()  # seen: nobody else will look at it
                    raise

        try:
            for plane, reads in batches(plan):
                located = await drive_async(plan.level.locate(plane, [read.index for read in reads]), self.cache)
                fetches = list(self.tasks(plan, reads, located))
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

    def _fetches(self, plan: ReadPlan) -> Iterator[Fetch | Giant]:
        for plane, reads in batches(plan):
            located = drive(plan.level.locate(plane, [read.index for read in reads]), self.cache)
            yield from self.tasks(plan, reads, located)

    def tasks(
        self, plan: ReadPlan, reads: Sequence[SegmentRead], located: Located, *, partly: bool = False
    ) -> Iterator[Fetch | Giant]:
        """Located segments as work: those that are read by the row, and ranges to fetch for the others.

        partly: as if only a part were wanted of each.
        """
        encoding, find = located.encoding, self.cache.beside(located.file).segments.find
        if not encoding.framing and (
            encoding.compression == UNCOMPRESSED or 3 * plan.segment_bytes <= min(PARTLY_BYTES, self.budget.total // 4)
        ):
            yield from fetches_of(reads, located, self.limits, find, self.piece_bytes)
            return
        rest: list[tuple[SegmentRead, Range | None]] = []
        for read, found in zip(reads, located.ranges, strict=True):
            if found is not None and self._is_giant(read, encoding, found, partly):
                yield from self.streams.cut(Giant(read, Stream(located.file, encoding, read.shape, found)))
            else:
                rest.append((read, found))
        located = replace(located, ranges=tuple(found for _, found in rest))
        yield from fetches_of([read for read, _ in rest], located, self.limits, find, self.piece_bytes)

    def _is_giant(self, read: SegmentRead, encoding: Encoding, found: Range, partly: bool) -> bool:
        """Whether a segment is read by the row: always one whose end is not known, else one that is too large for the
        memory, or of which only a part is wanted."""
        from gigapix.decode.cursor import is_streamable

        if encoding.framing:
            return True
        decoded = math.prod(read.shape) * encoding.samples * encoding.dtype.itemsize
        cost = found[1] + expected_bytes(encoding, read.shape) + decoded
        if (partly or read.size != read.shape) and is_better_by_row(encoding, read.shape, cost):
            return True
        if cost <= self.budget.total // 4:
            return False
        if is_surely_streamable(encoding, read.shape):
            return True
        if max(decoded, encoding.packing.nbytes if encoding.packing else 0) > self.budget.total:
            if is_streamable(encoding, read.shape):
                return True
            raise MemoryBudgetError(
                f"a segment can only be decoded whole, which takes {cost} bytes; {self.budget.total} were named",
                path=self.cache.source.name,
            )
        return False

    def _parts(self, plan: ReadPlan) -> int:
        """How many may share the read of one segment."""
        may = self.streams.parts > 1 and 3 * plan.segment_bytes > PARTLY_BYTES
        return self.streams.parts if may and self.streams.saved.file else 1

    def _rows(self, giant: Giant, full: NDArray[Any]) -> Steps[None]:
        return self.streams.read_into(giant, landing(giant.read, full))

    def _source(self, giant: Giant) -> Source:
        return self.cache.beside(giant.stream.file).source

    def where_of(self, fetch: Fetch) -> Where:
        """What names a place of the file that a fetch is from."""
        return self.cache.beside(fetch.file).source.where

    def _cost(self, fetch: Fetch | Giant, plan: ReadPlan) -> int:
        """Bytes held while a fetch is under way: what is fetched, and one segment decoded; or a cursor."""
        if isinstance(fetch, Giant):
            from gigapix.decode.cursor import cursor_bytes

            # The window that is decoded, and the next one.
            window, room = self.streams.window, self.streams.room
            return cursor_bytes(fetch.stream.encoding, fetch.stream.shape, window=window, room=room) + window
        return fetch.merged.length + plan.segment_bytes if fetch.merged else 0

    def fetch(self, fetch: Fetch) -> Buffer:
        """The bytes of a fetch."""
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
