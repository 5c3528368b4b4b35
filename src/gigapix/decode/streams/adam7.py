"""Interlaced PNG in bounded memory: seven cursors in lock-step over one stream.

Adam7 (PNG, 8.2) stores seven small images one after the other: every eighth pixel of every eighth row first, every
second row last. A row of the picture takes from up to five of them, so on opening the stream is gone through once, to
the start of the last pass, and the state of its decompressor kept at the start of each pass; from there seven cursors
go on side by side. The price is inflating half of it twice. It is that or holding the whole picture.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Final

from numpy.typing import NDArray

from gigapix.decode.rows import Box
from gigapix.decode.streams.model import Checkpoint, Cursor, Shape, seal, unpacked, unseal
from gigapix.decode.streams.rows import RowCursor, Stream, row_cursor_bytes, row_pitch
from gigapix.errors import DecodeError, GigapixError
from gigapix.formats.model import Encoding, Range, Steps

Grid = tuple[int, int, int, int]

PASSES: Final[tuple[Grid, ...]] = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""(first column, first row, columns apart, rows apart) of each pass."""

PLACE: Final = struct.Struct("<Q7I")
"""Of a checkpoint: the row, and the bytes of the state of each pass."""

LEAST_WINDOW: Final = 4096

Pass = RowCursor | GigapixError | None
"""None where the picture is too small to have it; the fault where the stream does not come to it."""


def open_adam7(
    encoding: Encoding, shape: Shape, where: Range, *, window: int, room: int, verify: bool, at: Checkpoint | None
) -> Steps[Cursor]:
    """A cursor over the rows of an interlaced picture; see `gigapix.decode.cursor.open_cursor`."""
    stream = partial(Stream, encoding, where, window=window, verify=verify)
    passes: list[Pass] = [None] * len(PASSES)
    row, states = (0, None) if at is None else _parts(at)
    walker = None if states else stream()
    fault: GigapixError | None = None
    for i, (x, y, across, down) in enumerate(PASSES):
        size = (1, _ceil_div(shape[1] - y, down), _ceil_div(shape[2] - x, across))
        if 0 in size:
            continue
        opened = partial(
            RowCursor, encoding, size, where, window=pass_window(window), room=room // len(PASSES), verify=verify
        )
        last = i + 1 == len(PASSES)
        if states:
            passes[i] = opened(at=Checkpoint(row=min(size[1], _ceil_div(row - y, down)), state=states[i]), last=last)
        elif walker:
            passes[i] = fault or opened(begin=walker.save(), last=last)
            if not last:
                fault = fault or (yield from walker.pass_over(size[1] * row_pitch(encoding, size[2])))
    return Adam7Cursor(encoding, shape, passes, row)


def adam7_bytes(encoding: Encoding, shape: Shape, window: int, room: int) -> int:
    """The most that an `Adam7Cursor` holds; the stream that finds the passes is gone by then."""
    widths = (_ceil_div(shape[2] - x, across) for x, _, across, _ in PASSES)
    each = pass_window(window), room // len(PASSES)
    return sum(row_cursor_bytes(encoding, width, *each) for width in widths if width) + window


def pass_window(window: int) -> int:
    """Bytes that a cursor of one pass asks for at a time."""
    return max(window // 4, LEAST_WINDOW)


def _parts(at: Checkpoint) -> tuple[int, list[bytes]]:
    """The row of a checkpoint, and the state of each pass."""
    body = unseal(at.state)
    row, *sizes = unpacked(PLACE, body[: PLACE.size])
    if row != at.row or sum(sizes) != len(body) - PLACE.size:
        raise DecodeError("the checkpoint is not of this segment")
    ends = list(accumulate(sizes, initial=PLACE.size))
    return row, [bytes(body[start:end]) for start, end in pairwise(ends)]


def _ceil_div(value: int, by: int) -> int:
    """`value` over `by`, rounded up, and 0 for what is below 0."""
    return max(0, -(-value // by))


class Adam7Cursor:
    """Rows of an interlaced picture; see `gigapix.decode.streams.model.Cursor`."""

    def __init__(self, encoding: Encoding, shape: Shape, passes: list[Pass], row: int) -> None:
        self.rows = shape[1]
        self.row = row
        self._encoding = encoding
        self._shape = shape
        self._passes = passes
        self._fault: GigapixError | None = None

    @property
    def held(self) -> int:
        """Bytes that it holds, its target apart."""
        return sum(one.held for one in self._passes if isinstance(one, RowCursor))

    def read(self, target: NDArray[Any], *, column: int = 0, samples: Sequence[int] | None = None) -> Steps[None]:
        """As `Cursor.read`."""
        select = range(self._encoding.samples) if samples is None else samples
        Box(target=target, origin=(0, self.row, column), select=select).check(self._encoding, self._shape)

        def read(one: RowCursor, grid: Grid, rows: int) -> Steps[None]:
            x, y, across, down = grid
            start, end = _ceil_div(column - x, across), _ceil_div(column + target.shape[3] - x, across)
            if start == end:
                yield from one.skip(rows)
                return
            part = target[:, :, y + down * one.row - self.row :: down, x + across * start - column :: across]
            yield from one.read(part, column=start, samples=select)

        yield from self._advance(target.shape[2], read)

    def skip(self, rows: int) -> Steps[None]:
        """As `Cursor.skip`."""
        if not 0 <= rows <= self.rows - self.row:
            raise ValueError(f"row {self.row + rows} of {self.rows}")
        yield from self._advance(rows, lambda one, _, rows: one.skip(rows))

    def checkpoint(self) -> Checkpoint | None:
        """As `Cursor.checkpoint`."""
        states = []
        for one in self._passes:
            found = one.checkpoint() if isinstance(one, RowCursor) else None
            if one is not None and found is None:
                return None
            states.append(found.state if found else b"")
        body = PLACE.pack(self.row, *map(len, states)) + b"".join(states)
        return None if self._fault else Checkpoint(row=self.row, state=seal(body))

    def _advance(self, rows: int, take: Callable[[RowCursor, Grid, int], Steps[None]]) -> Steps[None]:
        """Go on by `rows` rows: `take` so many of each pass as lie in them."""
        if self._fault:
            raise self._fault
        stop = self.row + rows
        good, fault = stop, None
        for one, grid in zip(self._passes, PASSES, strict=True):
            _, y, _, down = grid
            if one is None:
                continue
            before, after = _ceil_div(self.row - y, down), _ceil_div(stop - y, down)
            if before == after:
                continue
            try:
                if isinstance(one, GigapixError):
                    raise one
                yield from take(one, grid, after - before)
            except GigapixError as error:
                missing = y + down * (one.row if isinstance(one, RowCursor) else before)
                if fault is None or missing < good:
                    good, fault = min(good, missing), error
        self.row, self._fault = good, fault
        if fault:
            raise fault
