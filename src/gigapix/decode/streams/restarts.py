"""A JPEG of one segment, row by row where it has restart markers.

At a restart marker (ITU T.81, E.1.4) the decoder forgets all it knew, so what lies between two of them can be decoded
alone, behind the stream's own header with another height. The markers are cut where they fall on the beginning of a row
of MCUs: every one, where the interval is a row. Chroma that is stored at half the height is interpolated between its
rows, so such pieces are decoded with a group more above and below, which is thrown away: the pixels are those of the
whole picture. Without restart markers, and in several scans, a JPEG can't be bounded, and is refused before it is read.

A piece is as many groups as have room, whatever the width of the image. What must have room is three of one row of
MCUs, the usual interval; longer ones are taken where there is room for them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import images, jpeg
from gigapix.decode.faults import typed
from gigapix.decode.rows import Box, place_picture
from gigapix.decode.streams.feed import Feed
from gigapix.decode.streams.model import Checkpoint, Shape, seal, unpacked, unseal
from gigapix.decode.support import expected_bytes
from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError
from gigapix.formats.model import Encoding, Range, Steps

SEQUENTIAL: Final = (0xC0, 0xC1)
"""Baseline and extended, of one scan, by Huffman's codes."""

HEADER_BYTES: Final = 16 << 20
"""A header of more bytes is none: ICC profiles may take some megabytes."""

PIECE_BYTES: Final = 6 << 20
"""Decoded bytes of a piece, at most, unless it is a single group with those around it."""

MCU_ROWS: Final = 16
"""Of an MCU with chroma at half the height."""

LIBRARY_ROWS: Final = 72
"""Rows of samples that libjpeg holds, for the picture's width."""

CODED: Final = 3
"""How often the compressed bytes of a piece are there: as groups, joined, and what is read or marked of them."""

PLACE: Final = struct.Struct("<QQIQ")
"""Of a checkpoint: the row, the rows, the first group that is needed, where it begins in the file."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the stream is cut."""

    header: bytes
    """All before the data of the scan."""
    height: int
    """Where in the header the height stands."""
    picture: int
    """Rows of the picture; the last group has what is left."""
    row_bytes: int
    """Of a decoded row, at 8 bits a sample."""
    markers: int
    """Restart intervals of a group."""
    rows: int
    """Rows of a group."""
    context: bool
    """Rows are interpolated across groups."""
    groups: int
    """Groups that are decoded at a time, at most, those around them among them."""
    room: int
    """Bytes that they may take."""


def coded_bytes(decoded: int) -> int:
    """Compressed bytes of a group, at most, but for noise at the best quality, of which there may be a third more."""
    return decoded + (1 << 12)


def piece_bytes(group: int, groups: int, itemsize: int) -> int:
    """What a piece of so many groups takes, each of `group` decoded bytes."""
    return groups * (itemsize * group + CODED * coded_bytes(group))


def restart_bytes(encoding: Encoding, shape: Shape, window: int, room: int) -> int:
    """The most that a `RestartCursor` holds, and makes for the moment, where it is given so much room."""
    least = piece_bytes(MCU_ROWS * shape[2] * encoding.samples, 3, encoding.dtype.itemsize)
    return window + LIBRARY_ROWS * shape[2] + max(least, min(room, PIECE_BYTES * (encoding.dtype.itemsize + CODED)))


def layout_of(header: bytes, encoding: Encoding, shape: Shape, room: int) -> Layout | str:
    """How a stream with that header can be cut; where it can't, why."""
    frame = jpeg.frame(header)
    size = jpeg.size(frame, jpeg.colours(encoding, header)[1])
    images.check(size, encoding, shape, (shape[0] * shape[1], shape[2]))
    if size.samples != encoding.samples:
        raise DecodeError(f"a JPEG stream of {size.samples} samples in a segment of {encoding.samples}")
    if frame.process not in SEQUENTIAL:
        return "is not sequential"
    components = header[frame.at + 6 : frame.at + 6 + 3 * frame.components]
    if len(components) < 3 * frame.components or header[frame.scan + 4] != frame.components:
        return "has several scans"
    across, down = (max(byte >> shift & 15 for byte in components[1::3]) for shift in (4, 0))
    if frame.components == 1:
        across = down = 1  # a scan of one component: an MCU is one block (A.2.2)
    interval = restart_interval(header, frame.scan)
    if not interval or not across or not down:
        return "has no restart markers"
    row = -(-frame.width // (8 * across))
    common = math.gcd(interval, row)
    rows = 8 * down * (interval // common)
    row_bytes = frame.width * size.samples
    context = any(byte & 15 != down for byte in components[1::3])
    group, item = rows * row_bytes, encoding.dtype.itemsize
    if rows > MCU_ROWS and piece_bytes(group, 1 + 2 * context, item) > room:
        return "has too few restart markers"
    return Layout(
        header=header,
        height=frame.at + 1,
        picture=frame.height,
        row_bytes=row_bytes,
        markers=row // common,
        rows=rows,
        context=context,
        groups=max((PIECE_BYTES - LIBRARY_ROWS * frame.width) // group, 1 + 2 * context),
        room=room,
    )


def restart_interval(header: bytes, scan: int) -> int:
    """MCUs between restart markers, by the last DRI (B.2.4.4) before the scan; 0 where there are none."""
    interval, at = 0, 2
    while at < scan:
        at = header.find(b"\xff", at)
        marker = header[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            if marker == 0xDD:
                interval = int.from_bytes(header[at + 4 : at + 6], "big")
            at += 2 + int.from_bytes(header[at + 2 : at + 4], "big")
    return interval


def open_restarts(
    encoding: Encoding, shape: Shape, where: Range, *, window: int, room: int, at: Checkpoint | None
) -> Steps[RestartCursor]:
    """A cursor over a JPEG of one segment; see `gigapix.decode.cursor.open_cursor`."""
    feed = Feed(encoding, where, window, verify=False)
    header = yield from _read_header(feed)
    size = expected_bytes(encoding, shape)
    with typed(encoding, size):
        layout = layout_of(header, encoding, shape, room)
    if isinstance(layout, str):
        raise MemoryBudgetError(f"a JPEG stream that {layout} is decoded whole, which takes {size} bytes here")
    row, group, start = 0, 0, where[0] + len(header)
    if at is not None:
        row, rows, group, start = unpacked(PLACE, unseal(at.state))
        first = max(row // layout.rows - layout.context, 0)
        if (row, rows, group) != (at.row, shape[0] * shape[1], first) or not where[0] <= start <= sum(where):
            raise DecodeError("the checkpoint is not of this segment")
    rest = Feed(encoding, (start, where[0] + where[1] - start), window, verify=False)
    return RestartCursor(encoding, shape, layout, Groups(rest, layout, group, encoding.dtype.itemsize), row)


def _read_header(feed: Feed) -> Steps[bytes]:
    """All before the data of the first scan."""
    header = b""
    while True:
        data = yield from feed.piece()
        feed.take(len(data))
        header += data
        try:
            scan = jpeg.frame(header).scan
            end = scan + 2 + int.from_bytes(header[scan + 2 : scan + 4], "big")
            if end <= len(header):
                return header[:end]
        except DecodeError:
            if not data or len(header) > HEADER_BYTES:
                raise feed.fault or DecodeError("a JPEG stream without a frame and a scan") from None
        else:
            if not data:
                raise feed.fault or DecodeError("a JPEG stream without a scan")


class RestartCursor:
    """Rows of a JPEG with restart markers; see `gigapix.decode.streams.model.Cursor`."""

    def __init__(self, encoding: Encoding, shape: Shape, layout: Layout, groups: Groups, row: int) -> None:
        self.rows = shape[0] * shape[1]
        self.row = row
        self._encoding = encoding
        self._width = shape[2]
        self._layout = layout
        self._groups = groups
        self._pixels: NDArray[Any] = np.empty((0, 0), encoding.dtype)
        """Of the rows from `_top` on; those before `_bottom` are right."""
        self._top = self._bottom = 0
        self._fault: GigapixError | None = None

    @property
    def held(self) -> int:
        """Bytes that it holds, its target apart."""
        return self._groups.held + self._pixels.nbytes

    def read(self, target: NDArray[Any], *, column: int = 0, samples: Sequence[int] | None = None) -> Steps[None]:
        """As `Cursor.read`."""
        select = range(self._encoding.samples) if samples is None else samples
        Box(target=target, origin=(0, self.row, column), select=select).check(
            self._encoding, (1, self.rows, self._width)
        )
        stop = self.row + target.shape[2]
        first = self.row
        while self.row < stop:
            yield from self._reach(self.row)
            rows = min(stop, self._bottom) - self.row
            part = target[:, :, self.row - first : self.row - first + rows]
            box = Box(target=part, origin=(0, self.row - self._top, column), select=select)
            with typed(self._encoding, self._pixels.nbytes):
                place_picture(self._pixels, self._encoding, (1, len(self._pixels), self._width), box)
            self.row += rows

    def skip(self, rows: int) -> Steps[None]:
        """As `Cursor.skip`, without decoding what is passed over."""
        if not 0 <= rows <= self.rows - self.row:
            raise ValueError(f"row {self.row + rows} of {self.rows}")
        if rows and self.row + rows < self.rows:
            yield from self._reach(self.row + rows)
        self.row += rows

    def checkpoint(self) -> Checkpoint | None:
        """As `Cursor.checkpoint`; at the end there is none."""
        first = self._first(self.row)
        start = self._groups.start(first)
        if self._fault or start is None or self.row == self.rows:
            return None
        return Checkpoint(row=self.row, state=seal(PLACE.pack(self.row, self.rows, first, start)))

    def _first(self, row: int) -> int:
        """The first group that is needed for a row."""
        return max(row // self._layout.rows - self._layout.context, 0)

    def _reach(self, row: int) -> Steps[None]:
        """Decode the piece that begins with the group of `row`, unless it is decoded."""
        if self._fault:
            raise self._fault
        if row < self._bottom:
            return
        layout = self._layout
        group = row // layout.rows
        self._pixels = self._pixels[:0].copy()  # makes room for the next ones
        try:
            yield from self._groups.read(self._first(row), group + 1 + layout.context)
            try:
                self._decode(row, self._groups.next)
            except DecodeError:
                if self._groups.next < self._groups.count or group == self._groups.count - 1:
                    raise
                self._decode(row, self._groups.count - 1)  # its data may be cut short, those before are not
        except GigapixError as fault:
            self._fault = fault
            raise

    def _decode(self, row: int, stop: int) -> None:
        """Decode the groups from that of `row` to before `stop`, and what they need around them."""
        layout = self._layout
        first = self._first(row)
        good = stop - (layout.context and stop < self._groups.count)
        if good * layout.rows <= row and stop < self._groups.count:
            raise self._groups.fault or DecodeError("the JPEG stream ends before its rows do")
        top = first * layout.rows
        height = min(stop * layout.rows, layout.picture) - top
        with typed(self._encoding, height * layout.row_bytes):
            data = self._groups.join(layout.header, first, stop)
            struct.pack_into(">H", data, layout.height, height)
            self._pixels = images.decode(data, self._encoding, (1, height, self._width), (height, self._width))
        self._top, self._bottom = top, min(good * layout.rows, self.rows)


class Groups:
    """The compressed bytes of groups, one after the other."""

    def __init__(self, feed: Feed, layout: Layout, first: int, itemsize: int) -> None:
        self.next = first
        """The group that is read next."""
        self.count = -(-layout.picture // layout.rows)
        self.fault: GigapixError | None = None
        self._feed = feed
        self._layout = layout
        self._markers = layout.markers
        self._bytes = layout.rows * layout.row_bytes * itemsize
        self._coded = 0
        """Compressed bytes of the longest group so far."""
        self._most = 2 * coded_bytes(layout.rows * layout.row_bytes)
        self._data = b""
        """What is read of the file and not yet part of a group, from `_offset` on."""
        self._offset = feed.offset
        self._found: list[int] = []
        """Where the restart markers in `_data` are."""
        self._end: int | None = None
        """Where in `_data` another marker is, or the data end."""
        self._held: list[tuple[int, int, bytes, list[int]]] = []
        """(index, offset, bytes, restart markers in them) of the groups that may be needed again."""

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return self._feed.held + len(self._data) + sum(len(data) for _, _, data, _ in self._held)

    def start(self, group: int) -> int | None:
        """Where a group begins in the file, None where that is not known."""
        if group == self.next:
            return self._offset
        return next((offset for index, offset, *_ in self._held if index == group), None)

    def read(self, first: int, stop: int) -> Steps[None]:
        """Read the groups from `first` to before `stop` and as many more as have room, or to the end, or to what is
        wrong, and let go of those before `first`."""
        while self.next < self.count and not self.fault and (self.next < stop or self._has_room(self.next - first)):
            self._held = [held for held in self._held if held[0] >= first]
            yield from self._read_group()
        self._held = [held for held in self._held if held[0] >= first]

    def _has_room(self, groups: int) -> bool:
        """Whether one more than so many has room, all of them being about as long."""
        coded = sum(len(held[2]) for held in self._held) + self._coded
        return groups < self._layout.groups and (groups + 1) * self._bytes + CODED * coded <= self._layout.room

    def join(self, header: bytes, first: int, stop: int) -> bytearray:
        """A JPEG of the groups from `first` to before `stop`, behind `header`."""
        joined = bytearray(header)
        number = 0
        for index, _, data, found in self._held:
            if first <= index < stop:
                start = len(joined)
                joined += data
                for at in found:
                    joined[start + at + 1] = 0xD0 + number % 8
                    number += 1
        if stop < self.count:  # the marker at the end of a group leads on to one that isn't here
            joined[-2:] = jpeg.EOI
        return joined

    def _read_group(self) -> Steps[None]:
        last = self.next == self.count - 1
        while self._end is None and (last or len(self._found) < self._markers):
            yield from self._more()
        if not last and len(self._found) >= self._markers:
            size = self._found[self._markers - 1] + 2
        elif last and self._end is not None:
            size = self._end
        else:
            self.fault = self._feed.fault or DecodeError("a JPEG stream with fewer restart markers than its rows need")
            return
        self._coded = max(self._coded, size)
        own = len(self._found) if last else self._markers
        self._held.append((self.next, self._offset, self._data[:size], self._found[:own]))
        self.next += 1
        self._data = self._data[size:]
        self._offset += size
        self._found = [at - size for at in self._found[own:]]
        self._end = None if self._end is None else self._end - size

    def _more(self) -> Steps[None]:
        """Read a window, and find the markers in it."""
        known = max(len(self._data) - 1, 0)
        piece = yield from self._feed.piece()
        self._feed.take(len(piece))
        self._data += piece
        data = np.frombuffer(self._data, np.uint8)[known:]
        for at in markers(data):
            if is_restart(data[at + 1]):
                self._found.append(known + int(at))
            else:
                self._end = known + int(at) + 2 * bool(data[at + 1] == 0xD9)
                return
        if not piece:
            self._end = len(self._data)
        elif len(self._data) - (self._found[-1] if self._found else 0) > self._most:
            self._end, self.fault = len(self._data), DecodeError("a JPEG stream without the restart markers it names")


def markers(data: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Where the markers are in the data of a scan (B.1.1.2): behind 0xFF stands no 0, which fills, and no 0xFF."""
    return np.flatnonzero((data[:-1] == 0xFF) & (data[1:] >= 0xC0) & (data[1:] != 0xFF))


def is_restart(code: Any) -> Any:
    """Whether the second byte of a marker says RST0 to RST7."""
    return (code & 0xF8) == 0xD0
