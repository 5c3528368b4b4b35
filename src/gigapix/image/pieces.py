"""All pixels of a level in no order: the loop under every reduction.

Workers take ranges from one list, decode what lies in them into scratch of their own, and hand it to `visit` there and
then. So nothing is assembled: a worker holds a range, a scratch array and no more, whatever the image. Small segments
are packed into one scratch array and visited together; uncompressed ones that follow one another in the file are
visited as they lie there. Segments too large for that are streams, decoded by blocks of rows.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import expected_bytes
from gigapix.decode.support import NATIVE, Family, family, is_plain
from gigapix.errors import GigapixError, TruncatedError
from gigapix.formats.model import PNG_FILTERS, UNCOMPRESSED, Encoding, Located, Range, Steps
from gigapix.image.access import Access, access_of
from gigapix.image.fetch import BATCH, Fetch, Job, batches, fetches_of, put
from gigapix.image.follow import run
from gigapix.image.plan import ReadPlan, SegmentRead, Selection
from gigapix.image.streams import Giant, Stream
from gigapix.image.window import Window
from gigapix.source import drive

if TYPE_CHECKING:
    from gigapix.image.image import Image

BLOCK_BYTES: Final = (16 << 10, 256 << 10)
"""Least and most bytes that are visited at once: enough to amortise a call, few enough for the CPU's cache."""

READ_BYTES: Final = 1 << 10
"""What a segment takes on the list of those to be read."""

LISTED: Final = 128
"""Segments on that list of a local file, where looking the next ones up costs next to nothing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pixels."""

    bands: tuple[int, ...]
    """Positions along C."""
    window: Window | None
    """Where they are; None where they are not one rectangle."""
    pixels: NDArray[Any]
    """Band first: the further axes are as they come, and so are the strides. Only valid until `visit` returns."""


Visit = Callable[[Piece], bool]


@dataclass(frozen=True, slots=True)
class _Run:
    """Uncompressed pixels that follow one another in the file."""

    bands: tuple[int, ...]
    encoding: Encoding
    file: str
    range: Range


_Task = _Run | Giant | Fetch


def pieces(
    image: Image,
    level: int,
    visit: Visit,
    *,
    memory: int,
    select: Selection | None = None,
    window: Window | Sequence[int] | None = None,
    placed: bool,
    threads: int | None = None,
) -> None:
    """Call `visit` with each pixel of a level (or of its window) once, in no order, from several threads at once.

    visit: returns True when it has seen enough.
    memory: bytes to hold at once, beside what `visit` holds.
    placed: give each piece its window, which costs the packing together of small ones.
    threads: at most so many; as many as the image has where None.

    Raises MemoryBudgetError before it reads pixels where a segment can be held within `memory` in no way.
    """
    plan = image.plan(window, level=level, select=select)
    most = threads or image.reader.most
    try:
        access = access_of(plan.level, memory, most=most).check()
    except GigapixError as error:
        raise error.located(image.path) from None
    _Loop(image, plan, visit, placed, access, access.workers(most)).run()


class _Loop:
    """One call of `pieces`."""

    def __init__(self, image: Image, plan: ReadPlan, visit: Visit, placed: bool, access: Access, workers: int) -> None:
        self.reader, self.plan, self.visit, self.placed, self.workers = image.reader, plan, visit, placed, workers
        self.giant = access.kind == "stream"
        if self.giant and self.reader.streams.saved.file is None:
            self.workers = workers = min(workers, plan.segments)
        share = access.memory // workers
        least, most = BLOCK_BYTES
        self.block = min(max(share // 4, least), most)
        limits, local = self.reader.limits, self.reader.cache.source.local
        # A request of a remote file is worth more than a visit.
        self.limits = replace(limits, size=min(limits.size, max(share // 4, least)))
        self.listed = min(max(access.memory // (4 * READ_BYTES), 16), LISTED if local else BATCH)
        self.streams = self.reader.streams.of_pass(share, local, parts=workers)
        self.stop = threading.Event()
        self.lock = threading.Lock()

    def run(self) -> None:
        """Work, with helpers, until all is visited, or one has seen enough or failed."""
        tasks = self._tasks()

        def work() -> None:
            worker = _Worker(self)
            try:
                while not self.stop.is_set():
                    with self.lock:
                        task = next(tasks, None)
                    if task is None:
                        worker.flush()
                        return
                    worker.do(task)
            except BaseException:
                self.stop.set()
                raise

        futures: list[Future[None]] = []
        try:
            with suppress(RuntimeError):  # no thread to be had, or the image is being closed: the caller works alone
                futures.extend(self.reader.workers().submit(work) for _ in range(self.workers - 1))
            work()
        finally:
            for future in futures:
                future.cancel() or future.exception()
        for future in futures:
            if not future.cancelled():
                future.result()

    def _tasks(self) -> Iterator[_Task]:
        """All that is to be done, looked up a batch at a time."""
        plan, cache = self.plan, self.reader.cache
        for plane, indices, reads in self._batches():
            located = drive(plan.level.locate(plane, indices), cache)
            if self.giant:
                yield from self._giants(reads, located)
                continue
            rest: list[tuple[SegmentRead, Range | None]] = []
            yield from self._runs(indices, reads, located, rest)
            if rest:
                part = Located(encoding=located.encoding, ranges=tuple(r for _, r in rest), file=located.file)
                find = cache.beside(located.file).segments.find
                yield from fetches_of([read for read, _ in rest], part, self.limits, find, self.block)

    def _batches(self) -> Iterator[tuple[int, Sequence[int], Sequence[SegmentRead]]]:
        """(plane, indices, reads) of segments."""
        found = False
        for indices, full, last in () if self.placed or self.giant else self.plan.whole_grids():
            found = True
            for start in range(0, len(indices), self.listed):
                batch = indices[start : start + self.listed]
                reads = [full] * len(batch)
                if batch[-1] == indices[-1] and last != full:  # strips: there is one in a row
                    reads[-1] = last
                yield full.piece.plane, batch, reads
        for plane, reads in () if found else batches(self.plan, self.listed):
            yield plane, [read.index for read in reads], reads

    def _giants(self, reads: Sequence[SegmentRead], located: Located) -> Iterator[_Task]:
        for read, found in zip(reads, located.ranges, strict=True):
            if found is None:
                yield Fetch(None, (Job(read, located.encoding, None),))
            else:
                yield from self.streams.cut(Giant(read, Stream(located.file, located.encoding, read.shape, found)))

    def _runs(
        self,
        indices: Sequence[int],
        reads: Sequence[SegmentRead],
        located: Located,
        rest: list[tuple[SegmentRead, Range | None]],
    ) -> Iterator[_Run]:
        """What can be visited as it lies in the file; the others go to `rest`."""
        encoding, file = located.encoding, located.file
        flat = not self.placed and is_flat(encoding)
        pixel = encoding.samples * encoding.dtype.itemsize
        step = max(max(self.block, self.limits.size) // pixel, 1) * pixel
        before: SegmentRead | None = None
        bands: tuple[int, ...] = ()
        whole, length, start, stop = False, 0, 0, 0
        for index, read, found in zip(indices, reads, located.ranges, strict=True):
            if read is not before:
                if self.bands(read) != bands:
                    yield from _cut(bands, encoding, file, start, stop, step)
                    bands, start, stop = self.bands(read), 0, 0
                before, whole = read, read.is_whole(encoding.samples)
                length = expected_bytes(encoding, read.shape)
            if not (flat and whole and found and found[1] >= length):
                rest.append((read if read.index == index else replace(read, index=index), found))
                continue
            if found[0] != stop:
                yield from _cut(bands, encoding, file, start, stop, step)
                start = found[0]
            stop = found[0] + length
        yield from _cut(bands, encoding, file, start, stop, step)

    def bands(self, read: SegmentRead) -> tuple[int, ...]:
        """The bands that a segment's samples are."""
        place = self.plan.level.axes.index("C")
        wanted = self.plan.chosen["C"][read.piece.target[place]][read.bands]
        return tuple(wanted)


def _cut(bands: tuple[int, ...], encoding: Encoding, file: str, start: int, stop: int, step: int) -> Iterator[_Run]:
    for at in range(start, stop, step):
        yield _Run(bands, encoding, file, (at, min(step, stop - at)))


def is_straight(encoding: Encoding) -> bool:
    """Whether a decoder can write pixels as they are stored; those of others are taken apart on the way."""
    stored = encoding.predictor in (1, PNG_FILTERS) and encoding.compression != UNCOMPRESSED
    native = encoding.byteorder == NATIVE or encoding.dtype.itemsize == 1
    return stored and native and is_plain(encoding) and family(encoding) is Family.BYTES


def is_flat(encoding: Encoding) -> bool:
    """Whether bytes of a segment are its samples, one after the other, in either byte order."""
    plain = encoding.compression == UNCOMPRESSED and encoding.predictor == 1 and encoding.fill_order == 1
    return plain and is_plain(encoding) and not encoding.framing and not encoding.absent


class _Worker:
    """One thread of a loop, with its scratch."""

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.scratch: NDArray[Any] = np.empty(0, np.uint8)
        self.filled = 0
        self.bands: tuple[int, ...] = ()
        self.chunky = False
        """Whether the samples of a pixel lie together in the scratch."""

    def do(self, task: _Task) -> None:
        """Have everything in a task visited, sooner or later."""
        if isinstance(task, _Run):
            self._run(task)
        elif isinstance(task, Giant):
            source = self.loop.reader.cache.beside(task.stream.file).source
            run(self._giant(task), task.stream, source, self.loop.reader.workers)
        else:
            self._fetch(task)

    def show(self, bands: tuple[int, ...], window: Window | None, pixels: NDArray[Any]) -> None:
        """Visit a piece, unless somebody has seen enough."""
        if not self.loop.stop.is_set() and self.loop.visit(Piece(bands, window, pixels)):
            self.loop.stop.set()

    def flush(self) -> None:
        """Visit what is packed."""
        if self.filled:
            pixels = self._packed()[:, : self.filled]
            self.filled = 0
            self.show(self.bands, None, pixels)

    def _packed(self) -> NDArray[Any]:
        """The scratch as (bands, pixels)."""
        count = len(self.bands)
        whole = self.scratch[: len(self.scratch) // count * count]
        return whole.reshape(-1, count).T if self.chunky else whole.reshape(count, -1)

    def _run(self, task: _Run) -> None:
        source = self.loop.reader.cache.beside(task.file).source
        offset, length = task.range
        data = source.read(offset, length)
        if len(data) < length:
            raise TruncatedError("the file ends within its pixels", path=source.name, offset=offset + len(data))
        dtype, samples = task.encoding.dtype, task.encoding.samples
        whole = np.frombuffer(data, dtype.newbyteorder(task.encoding.byteorder)).reshape(-1, samples)
        step = max(self.loop.block // (samples * dtype.itemsize), 1)
        for at in range(0, len(whole), step):
            # Bytes in the other order become a copy in the native one.
            self.show(task.bands, None, whole[at : at + step].astype(dtype, copy=False).T)

    def _fetch(self, fetch: Fetch) -> None:
        loop = self.loop
        data = loop.reader.fetch(fetch)
        where = loop.reader.where_of(fetch)
        for job in fetch.jobs:
            if loop.stop.is_set():
                return
            bands = loop.bands(job.read)
            target = self._room(bands, job.encoding, job.read.size)
            put(job, fetch, data, target, where)
            if loop.placed:
                self.filled = 0
                pixels = target if loop.plan.level.volume[0] > 1 else target[:, 0]
                self.show(bands, self._window(job.read), pixels)

    def _room(self, bands: tuple[int, ...], encoding: Encoding, size: tuple[int, int, int]) -> NDArray[Any]:
        """Scratch for a box, as (bands, depth, height, width)."""
        dtype, chunky = encoding.dtype, is_straight(encoding)
        count = math.prod(size)
        same = bands == self.bands and dtype == self.scratch.dtype and chunky == self.chunky
        if not same or (self.filled + count) * len(bands) > len(self.scratch):
            self.flush()
            self.bands, self.chunky = bands, chunky
        if dtype != self.scratch.dtype or count * len(bands) > len(self.scratch):
            self.scratch = np.empty(0, np.uint8)  # let go of the old one first
            self.scratch = np.empty(max(count * len(bands), self.loop.block // dtype.itemsize), dtype)
        at, self.filled = self.filled, self.filled + count
        return self._packed()[:, at : self.filled].reshape(len(bands), *size)

    def _giant(self, task: Giant) -> Steps[None]:
        """Rows of a stream, block by block."""
        loop, read = self.loop, task.read
        bands = loop.bands(read)
        depth, height, width = read.size
        step = min(max(loop.block // (width * len(bands) * task.stream.encoding.dtype.itemsize), 1), height)
        z, y, x = read.origin
        for section in range(depth):
            for at in range(0, height, step):
                if loop.stop.is_set():
                    return
                rows = min(step, height - at)
                target = self._room(bands, task.stream.encoding, (1, rows, width))
                self.filled = 0
                row = (z + section) * read.shape[1] + y + at
                yield from loop.streams.read(task.stream, target, row=row, column=x, samples=read.samples)
                self.show(bands, self._window(read, at, rows), target[:, 0])

    def _window(self, read: SegmentRead, at: int = 0, rows: int = -1) -> Window:
        """The pixels of a segment's box, or rows of it."""
        whole = self.loop.plan.window
        _, y, x = read.box
        height = y.stop - y.start if rows < 0 else rows
        return Window(whole.col_off + x.start, whole.row_off + y.start + at, x.stop - x.start, height)
