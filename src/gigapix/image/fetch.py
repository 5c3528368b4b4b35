"""What is fetched for a plan, and how its bytes come to their place: ranges with the jobs that live on them.

Segments are looked up in batches, those that lie close together share a range, and of an uncompressed one only the rows
that are wanted are fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any, Final

from numpy.typing import NDArray

from gigapix.decode import decode_into
from gigapix.errors import GigapixError, TruncatedError
from gigapix.formats.model import UNCOMPRESSED, Buffer, Encoding, Located, Range
from gigapix.image.plan import ReadPlan, SegmentRead
from gigapix.source import Merged, MergeLimits, merge

BATCH: Final = 1024
"""Segments whose ranges are looked up together: 16 kB of a table."""

PIECE_BYTES: Final = 1 << 20
"""Of an uncompressed segment that are read at once: large enough to amortise a call, small enough for the CPU's
cache."""


Where = Callable[[int], tuple[str, int]]
"""The name of the file or object that an offset lies in, and the place there."""


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


def batches(plan: ReadPlan, size: int = BATCH) -> Iterator[tuple[int, list[SegmentRead]]]:
    """The plan's segments by plane, up to `size` at a time."""
    for plane, reads in groupby(plan.reads(), key=lambda read: read.piece.plane):
        while batch := list(islice(reads, size)):
            yield plane, batch


def fetches_of(
    reads: Sequence[SegmentRead],
    located: Located,
    limits: MergeLimits,
    find: Callable[[Range], Buffer | None],
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[Fetch]:
    """Located segments as ranges to fetch, but for those that `find` has."""
    jobs: list[Job] = []
    sparse: list[Job] = []
    for read, found in zip(reads, located.ranges, strict=True):
        if found is None:
            sparse.append(Job(read, located.encoding, None))
        elif located.encoding.compression == UNCOMPRESSED:
            jobs.extend(_rows(read, located.encoding, found, piece_bytes))
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


def _rows(read: SegmentRead, encoding: Encoding, found: Range, piece_bytes: int) -> Iterator[Job]:
    """The rows of an uncompressed segment that are wanted, in pieces of about `piece_bytes`.

    Each row begins on a byte of its own, so that no others need be read: a window of a file that is one strip of 10 GB
    costs the window's rows.
    """
    depth, height, width = read.shape
    row_bytes = -(-width * sum(encoding.bits) // 8)
    d, h, w = read.box
    if (d.stop - d.start, h.stop - h.start) == (depth, height) and depth * height * row_bytes <= piece_bytes:
        yield Job(read, encoding, found)
        return
    step = max(piece_bytes // row_bytes, 1)
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


def finish(fetch: Fetch, data: Buffer, full: NDArray[Any], where: Where, zeroed: bool) -> None:
    """Decode the jobs of a fetch from its bytes into the output.

    where: the name of a place of the file, for messages.
    zeroed: the output was all zeros to begin with, so that a sparse segment of zeros is there already.
    """
    for job in fetch.jobs:
        if not is_sparse(job, data) or not zeroed or job.encoding.nodata:
            put(job, fetch, data, landing(job.read, full), where)


def is_sparse(job: Job, data: Buffer) -> bool:
    """Whether a job has no bytes, being all fill value."""
    return job.range is None or (job.encoding.absent and not len(data))


def landing(read: SegmentRead, full: NDArray[Any]) -> NDArray[Any]:
    """Where a segment lands in the output, as (samples, depth, height, width)."""
    target: NDArray[Any] = full[read.piece.target]
    if target.ndim == 3:
        target = target[:, None]
    if read.piece.turned:
        target = target.swapaxes(0, 1)
    return target[(read.bands, *read.box)]


def put(job: Job, fetch: Fetch, data: Buffer, target: NDArray[Any], where: Where) -> None:
    """Decode one job of a fetch from its bytes into (samples, depth, height, width)."""
    read = job.read
    if job.range is None or fetch.merged is None or is_sparse(job, data):
        target[...] = 0 if job.encoding.nodata is None else job.encoding.nodata
        return
    start = job.range[0] - fetch.merged.offset
    part = memoryview(data)[start : start + job.range[1]]
    try:
        if not len(part):
            raise TruncatedError(f"segment {read.index} lies beyond the end of the file")
        decode_into(part, job.encoding, read.shape, target, origin=read.origin, samples=read.samples)
    except GigapixError as error:
        raise error.located(*where(job.range[0])) from error.__cause__
