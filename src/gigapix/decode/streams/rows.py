"""A cursor over one stream of rows: decompress, unfilter, place, a few rows at a time.

    feed --(piece)--> flow --(raw bytes)--> buffer of whole rows --(unfilter)--> place_rows --> target

The buffer is a step of at most 128 KiB, or one row where a row is longer; it stays in the processor's cache, and all
that is done to a row is done while it lies there. Where the raw bytes are just what belongs into the target there is no
buffer.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.faults import typed
from gigapix.decode.rows import Box, contiguous, place_rows
from gigapix.decode.streams.feed import STATE, Feed
from gigapix.decode.streams.flows import Flow, flow_bytes, open_flow
from gigapix.decode.streams.model import Checkpoint, Shape, seal, unseal
from gigapix.decode.support import DISTANCES, check_ratio, is_plain, name, pixel_bits, row_bytes
from gigapix.errors import DecodeError, GigapixError
from gigapix.formats.model import PNG_FILTERS, Encoding, Range, Steps

STEP_BYTES: Final = (16 << 10, 128 << 10)
"""Least and most raw bytes decoded at a time: Python's share of the time is small; they stay in the second-level
cache."""

BUFFERS: Final = 4
"""Of a step, about: see `row_cursor_bytes`."""

Raw = NDArray[np.uint8]


def step_rows(encoding: Encoding, width: int, window: int, room: int) -> int:
    """Rows that are decoded at a time: neither their raw bytes nor their pixels are more than a step, but for a row
    that is longer."""
    least, most = STEP_BYTES
    step = min(max((room - window - flow_bytes(encoding)) // BUFFERS, least), most)
    pixels = width * encoding.samples * encoding.dtype.itemsize
    return max(1, step // max(row_pitch(encoding, width), pixels))


def row_cursor_bytes(encoding: Encoding, width: int, window: int, room: int) -> int:
    """The most that a `RowCursor` holds, and makes for the moment, for rows of `width` pixels."""
    rows = step_rows(encoding, width, window, room)
    raw = rows * row_pitch(encoding, width)
    # The rows with and without their filter bytes, and the row above.
    held = 3 * raw if encoding.predictor == PNG_FILTERS else raw
    if not is_plain(encoding) or encoding.predictor in DISTANCES:
        held += 3 * rows * width * encoding.samples * encoding.dtype.itemsize
    turned = window if encoding.fill_order == 2 else 0
    return window + turned + flow_bytes(encoding) + held


def row_pitch(encoding: Encoding, width: int) -> int:
    """Raw bytes of a row, with the byte of its filter."""
    return row_bytes(encoding, width) + (encoding.predictor == PNG_FILTERS)


class Stream:
    """The raw bytes of a segment, in order."""

    def __init__(
        self, encoding: Encoding, where: Range, *, window: int, verify: bool, state: bytes | None = None
    ) -> None:
        self._name = name(encoding)
        self._feed = Feed(encoding, where, window, verify=verify)
        if state is not None:
            self._feed.restore(state[: STATE.size])
            state = state[STATE.size :]
        self._flow: Flow = open_flow(encoding, verify, state)

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return self._feed.held + self._flow.held

    @property
    def fault(self) -> GigapixError | None:
        """Why `fill` came short."""
        if self._flow.fault or self._feed.fault:
            return self._flow.fault or self._feed.fault
        return DecodeError(f"the {self._name} stream ends before its rows do") if self._flow.done else None

    def fill(self, out: Raw) -> Steps[int]:
        """Write the next raw bytes into `out`; how many, fewer than there is room for where they end."""
        filled = 0
        data = memoryview(b"")  # first what it has left over
        while True:
            used, made = self._flow.run(data, out, filled)
            self._feed.take(used)
            filled += made
            if filled == out.size or self._flow.done or self._flow.fault:
                return filled
            data = data[used:] or (yield from self._feed.piece())
            if not data:
                return filled

    def pass_over(self, count: int) -> Steps[GigapixError | None]:
        """Decode `count` raw bytes for nothing; why there are not as many, None where there are."""
        room = np.empty(min(count, STEP_BYTES[0]), np.uint8)
        while count:
            filled = yield from self.fill(room[: min(count, room.size)])
            count -= filled
            if not filled:
                return self.fault
        return self._flow.fault

    def finish(self) -> Steps[GigapixError | None]:
        """What is wrong behind the last raw byte: the checksums. That there is more, or less, is common and no fault.

        Nothing of a stream can be read after that.
        """
        made = 0
        while not (made or self._flow.done or self._flow.fault):
            data = yield from self._feed.piece()
            used, made = self._flow.run(data, np.empty(1, np.uint8), 0)
            self._feed.take(used)
            if not data:
                break
        if self._flow.done:
            yield from self._feed.finish()
        return self._flow.fault or (self._feed.fault if self._feed.wrong else None)

    def save(self) -> bytes | None:
        """The present place, for `state`."""
        flow = self._flow.save()
        return None if flow is None else self._feed.save(flow[0]) + flow[1]


PLACE: Final = struct.Struct("<QQQ?")
"""Of a checkpoint: the row, the rows of the segment, bytes of a raw row, whether the row above follows."""


class RowCursor:
    """Rows of one stream; see `gigapix.decode.streams.model.Cursor`."""

    def __init__(
        self,
        encoding: Encoding,
        shape: Shape,
        where: Range,
        *,
        window: int,
        room: int,
        verify: bool,
        at: Checkpoint | None = None,
        begin: bytes | None = None,
        last: bool = True,
    ) -> None:
        """`begin`: the state of a `Stream` at the first row; `last`: nothing follows the last row."""
        self.rows = shape[0] * shape[1]
        self.row = 0
        self._width = shape[2]
        self._filtered = encoding.predictor == PNG_FILTERS
        # What unfilter leaves is plain rows.
        self._encoding = replace(encoding, predictor=1) if self._filtered else encoding
        self._row_bytes = row_bytes(encoding, self._width)
        self._pitch = row_pitch(encoding, self._width)
        self._step = step_rows(encoding, self._width, window, room)
        self._last = last
        self._bpp = max(1, pixel_bits(encoding) // 8)
        # A row is held whole, so the stream must be enough to hold one.
        check_ratio(encoding, self._pitch, where[1])
        with typed(encoding, self._row_bytes):
            self._above = np.zeros(self._row_bytes if self._filtered else 0, np.uint8)
        self._buffer = np.empty(0, np.uint8)
        self._fault: GigapixError | None = None
        if at is not None:
            begin = self._restore(at)
        self._stream = Stream(encoding, where, window=window, verify=verify, state=begin)

    @property
    def held(self) -> int:
        """Bytes that it holds, its target apart."""
        return self._stream.held + self._buffer.nbytes + self._above.nbytes

    def read(self, target: NDArray[Any], *, column: int = 0, samples: Sequence[int] | None = None) -> Steps[None]:
        """As `Cursor.read`."""
        select = range(self._encoding.samples) if samples is None else samples
        wanted = Box(target=target, origin=(0, self.row, column), select=select)
        wanted.check(self._encoding, (1, self.rows, self._width))
        rows = target.shape[2]
        self._refuse()
        straight = contiguous(self._encoding, (1, rows, self._width), wanted)
        if straight is not None and not self._filtered:
            filled = yield from self._stream.fill(straight)
            yield from self._advance(rows, filled // self._pitch)
            return
        at = 0
        while at < rows:
            count, raw = yield from self._raw_rows(rows - at)
            good = len(raw)
            if good and straight is not None:
                straight.reshape(rows, -1)[at : at + good] = raw
            elif good:
                box = Box(target=target[:, :, at : at + good], origin=(0, 0, column), select=select)
                with typed(self._encoding, raw.size):
                    place_rows(np.ascontiguousarray(raw).reshape(-1), self._encoding, (1, good, self._width), box)
            yield from self._advance(count, good)
            at += good

    def skip(self, rows: int) -> Steps[None]:
        """As `Cursor.skip`."""
        if not 0 <= rows <= self.rows - self.row:
            raise ValueError(f"row {self.row + rows} of {self.rows}")
        self._refuse()
        while rows:
            count, raw = yield from self._raw_rows(rows)
            yield from self._advance(count, len(raw))
            rows -= count

    def checkpoint(self) -> Checkpoint | None:
        """As `Cursor.checkpoint`."""
        state = None if self._fault else self._stream.save()
        if state is None:
            return None
        place = PLACE.pack(self.row, self.rows, self._pitch, self._filtered)
        return Checkpoint(row=self.row, state=seal(place + self._above.tobytes() + state))

    def _restore(self, at: Checkpoint) -> bytes:
        """Take the place from a checkpoint; what is left is the stream's."""
        body = unseal(at.state)
        end = PLACE.size + self._above.size
        row = PLACE.unpack_from(body)[0] if len(body) >= end else -1
        if (
            row != at.row
            or row > self.rows
            or body[: PLACE.size] != PLACE.pack(row, self.rows, self._pitch, self._filtered)
        ):
            raise DecodeError("the checkpoint is not of this segment")
        self.row = row
        self._above[:] = body[PLACE.size : end]
        return bytes(body[end:])

    def _refuse(self) -> None:
        if self._fault:
            raise self._fault

    def _raw_rows(self, rows: int) -> Steps[tuple[int, Raw]]:
        """(rows of a step, at most `rows`; those of them that are good, unfiltered)."""
        count = min(rows, self._step)
        if self._buffer.size < count * self._pitch:
            with typed(self._encoding, count * self._pitch):
                self._buffer = np.empty(count * self._pitch, np.uint8)
        raw = self._buffer[: count * self._pitch]
        good = (yield from self._stream.fill(raw)) // self._pitch
        table = raw[: good * self._pitch].reshape(good, self._pitch)
        return count, self._unfilter(table) if self._filtered and good else table

    def _unfilter(self, table: Raw) -> Raw:
        from gigapix.kernels import unfilter

        good = unfilter.unfilter(table.reshape(-1).data, self._above.data, self._row_bytes, self._bpp)
        if good < len(table):
            self._fault = DecodeError(f"row {self.row + good} has filter {table[good, 0]}")
        return table[:good, 1:]

    def _advance(self, wanted: int, good: int) -> Steps[None]:
        """Count the good ones of `wanted` rows; raise where some are missing, or the checksum at the end is wrong."""
        self.row += good
        if good < wanted:
            self._fault = self._fault or self._stream.fault
        elif wanted and self.row == self.rows and self._last:
            self._fault = yield from self._stream.finish()
        self._refuse()
