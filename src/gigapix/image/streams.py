"""Giant segments (a whole PNG, a strip of gigabytes) read by the row, without ever holding one of them.

A read goes on from where the nearest decoder stands: a cursor that an earlier read left at or above the first row, else
a checkpoint that one passed, else the segment's beginning. So windows read from top to bottom are one pass over the
file, and a window far down costs the way from the checkpoint before it.

Reads are written as `Steps`, once for threads and tasks; `image.follow` carries them out.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from gigapix.decode.support import expected_bytes
from gigapix.errors import DecodeError, GigapixError
from gigapix.formats.model import Encoding, Range, Steps
from gigapix.image.marks import Marks
from gigapix.image.plan import SegmentRead

if TYPE_CHECKING:
    from gigapix.decode.cursor import Checkpoint, Cursor
    from gigapix.image.index import SavedIndex

Shape = tuple[int, int, int]

log = logging.getLogger("gigapix")

MARK_BYTES: Final = 1 << 20
"""Decoded bytes between two checkpoints, to begin with: some milliseconds of decoding, ten times a checkpoint."""

LOCAL_WINDOW: Final = (16 << 10, 128 << 10)
"""Least and most bytes of a local file that a cursor asks for at a time."""

REMOTE_WINDOW: Final = (64 << 10, 1 << 20)


@dataclass(frozen=True, slots=True)
class Stream:
    """A giant segment."""

    file: str
    """The file beside the image's that it lies in."""
    encoding: Encoding
    shape: Shape
    range: Range

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from others of the image."""
        return self.file, self.range[0]

    @property
    def row_bytes(self) -> int:
        """Of one decoded row."""
        return max(expected_bytes(self.encoding, (1, 1, self.shape[2])), 1)


@dataclass(frozen=True, slots=True)
class Giant:
    """A giant segment of a plan."""

    read: SegmentRead
    stream: Stream


@dataclass(slots=True)
class _Idle:
    stream: Stream
    cursor: Cursor


class Streams:
    """The cursors of one image, or of one pass over it.

    capacity: bytes of idle cursors that are kept; one is kept in any case.
    window: bytes that a cursor asks for at a time. room: bytes that it may hold, if its rows allow.
    parts: how many cursors may share one read, where an index says where they can begin.
    saved: the index that was saved.
    """

    def __init__(
        self,
        marks: Marks,
        *,
        capacity: int,
        window: int,
        room: int,
        verify: bool,
        saved: SavedIndex,
        parts: int = 1,
    ) -> None:
        self.marks = marks
        self.window = window
        self.room = room
        self.verify = verify
        self.saved = saved
        self.parts = parts
        self.capacity = capacity
        self._short: int | None = None  # rows of an output above the first that could not be read
        self._good: dict[tuple[str, int], int] = {}  # rows of the streams that failed
        self._idle: list[_Idle] = []  # the one used last stands last
        self._lock = threading.Lock()

    def of_pass(self, memory: int, local: bool, count: int = 1, parts: int = 1) -> Streams:
        """Cursors for one pass over `count` streams side by side, which has so much memory and drops none of them;
        checkpoints and index are shared."""
        marks = self.marks if self.marks.capacity <= memory // 8 else Marks(0)
        room = memory // count
        return Streams(
            marks,
            capacity=sys.maxsize,
            window=window_bytes(room // 8, local),
            room=room * 3 // 4,
            verify=self.verify,
            saved=self.saved,
            parts=parts,
        )

    def read(
        self, stream: Stream, target: NDArray[Any], *, row: int, column: int = 0, samples: Sequence[int] | None = None
    ) -> Steps[None]:
        """Decode rows of a stream from `row` on into `target`, (samples, 1, rows, columns) of any strides.

        Raises TruncatedError or DecodeError where rows are missing or damaged, when those above them are decoded.
        """
        cursor = yield from self._cursor(stream, row)
        stop = row + target.shape[2]
        try:
            while cursor.row < row:
                yield from cursor.skip(self._step(stream, cursor.row, row))
                self._mark(stream, cursor)
            while cursor.row < stop:
                at, rows = cursor.row - row, self._step(stream, cursor.row, stop)
                yield from cursor.read(target[:, :, at : at + rows], column=column, samples=samples)
                self._mark(stream, cursor)
        except GigapixError as error:
            self._good[stream.key] = cursor.row
            raise error.located(offset=stream.range[0]) from error.__cause__
        self._keep(stream, cursor)

    def cut(self, giant: Giant) -> Iterator[Giant]:
        """What is wanted of a giant segment in parts that begin at saved checkpoints, to be decoded side by side."""
        read, stream = giant.read, giant.stream
        first, rows = read.origin[0] * read.shape[1] + read.origin[1], read.size[1]
        starts = [first]
        if read.size[0] == 1:
            for part in range(1, self.parts):
                found = self.saved.nearest(stream, first + rows * part // self.parts)
                if found is not None and found > starts[-1]:
                    starts.append(found)
        for start, stop in zip(starts, [*starts[1:], first + rows], strict=True):
            z, y, x = read.origin
            d, h, w = read.box
            box = (d, slice(h.start + start - first, h.start + stop - first), w)
            yield Giant(replace(read, origin=(z, y + start - first, x), box=box), stream)

    def read_into(self, giant: Giant, target: NDArray[Any]) -> Steps[None]:
        """Decode what is wanted of a giant segment into (samples, depth, height, width)."""
        read, rows = giant.read, target.shape[2]
        z, y, x = read.origin
        for section in range(target.shape[1]):
            row = (z + section) * read.shape[1] + y
            part = target[:, section : section + 1]
            try:
                yield from self.read(giant.stream, part, row=row, column=x, samples=read.samples)
            except GigapixError:
                good = min(max(self._good.get(giant.stream.key, 0) - row, 0), rows) + read.box[1].start
                self._short = good if self._short is None else min(self._short, good)
                raise

    def good_rows(self, rows: int) -> int:
        """After a read into an output of so many rows has failed: how many of them, from the top, are there. Reading
        those again may find that they are fewer: another stream ends earlier."""
        with self._lock:
            found, self._short = self._short, None
        return found if found is not None and found < rows else 0

    def _cursor(self, stream: Stream, row: int) -> Steps[Cursor]:
        """A cursor that stands at `row` or above it."""
        from gigapix.decode.cursor import open_cursor

        kept = self._take(stream, row)
        nearest = self._checkpoint(stream, row, kept.row if kept else 0)
        if kept is not None and nearest is None:
            return kept
        opened = partial(
            open_cursor,
            stream.encoding,
            stream.shape,
            stream.range,
            window=self.window,
            room=self.room,
            verify=self.verify,
        )
        if nearest is not None:
            try:
                return (yield from opened(at=nearest))
            except DecodeError as error:
                log.warning("a checkpoint of row %d is of no use: %s", nearest.row, error)
        return (yield from opened())

    def _checkpoint(self, stream: Stream, row: int, above: int) -> Checkpoint | None:
        """The last checkpoint at or before `row`, where it is further down than the row `above`."""
        passed, saved = self.marks.nearest(stream.key, row), self.saved.nearest(stream, row) or 0
        if saved > max(above, passed.row if passed else 0) and (loaded := self.saved.load(stream, saved)):
            return loaded
        return passed if passed and passed.row > above else None

    def _step(self, stream: Stream, row: int, stop: int) -> int:
        """Rows from `row` to the next checkpoint, or to `stop`."""
        spacing = self.marks.spacing(stream.key, self._first(stream))
        return min(stop - row, spacing - row % spacing)

    def _mark(self, stream: Stream, cursor: Cursor) -> None:
        first = self._first(stream)
        if cursor.row % self.marks.spacing(stream.key, first) == 0 and cursor.row < cursor.rows:
            self.marks.passed(stream.key, cursor.row, first, cursor.checkpoint)

    def _first(self, stream: Stream) -> int:
        return max(MARK_BYTES // stream.row_bytes, 1)

    def _take(self, stream: Stream, row: int) -> Cursor | None:
        with self._lock:
            fits = [idle for idle in self._idle if idle.stream == stream and idle.cursor.row <= row]
            if not fits:
                return None
            best = max(fits, key=lambda idle: idle.cursor.row)
            self._idle.remove(best)
            return best.cursor

    def _keep(self, stream: Stream, cursor: Cursor) -> None:
        if cursor.row >= cursor.rows:
            return
        with self._lock:
            self._idle.append(_Idle(stream, cursor))
            while len(self._idle) > 1 and sum(idle.cursor.held for idle in self._idle) > self.capacity:
                del self._idle[0]


def window_bytes(wanted: int, local: bool) -> int:
    """Bytes that a cursor asks for at a time where about so many are meant for it."""
    least, most = LOCAL_WINDOW if local else REMOTE_WINDOW
    return min(max(wanted, least), most)
