"""Rows of a giant segment, in order and in bounded memory: the door to `gigapix.decode.streams`.

A segment is *streamable* where its codec can give the first rows before it has seen the last byte. Which codecs those
are is known from the encoding, but for JPEG: only its header tells whether it can be cut at restart markers, so
`open_cursor` has the last word, and refuses by a MemoryBudgetError that names the bytes of the decoded segment.
"""

from __future__ import annotations

from typing import Final

from gigapix.decode.streams.adam7 import adam7_bytes, open_adam7
from gigapix.decode.streams.model import Checkpoint, Cursor, Shape
from gigapix.decode.streams.restarts import open_restarts, restart_bytes
from gigapix.decode.streams.rows import RowCursor, row_cursor_bytes
from gigapix.decode.support import expected_bytes, name, supported
from gigapix.errors import MemoryBudgetError
from gigapix.formats.model import Encoding, Range, Steps

__all__ = ["Checkpoint", "Cursor", "cursor_bytes", "is_streamable", "open_cursor"]

STREAMED: Final = (1, 5, 8, 32773, 32946, 34925, 34926, 50000, 50013)

JPEG: Final = (7, 33007)
"""Streamed where there are restart markers, and a row is a matter of some megabytes."""

WINDOW: Final = 65536

ROOM: Final = 8 << 20


def is_streamable(encoding: Encoding, shape: Shape) -> bool:
    """True where `open_cursor` gives a cursor, by all that the encoding tells (of JPEG only its stream tells more)."""
    return encoding.compression in (*STREAMED, *JPEG)


def cursor_bytes(encoding: Encoding, shape: Shape, *, window: int = WINDOW, room: int = ROOM) -> int:
    """The most that a cursor of such a segment holds, its target apart, and the most that it makes for the moment.

    With ``room=0`` the least that will do: of JPEG, where each row of MCUs has a restart marker.
    """
    if encoding.compression in JPEG:
        return restart_bytes(encoding, shape, window, room)
    if encoding.interlaced:
        return adam7_bytes(encoding, shape, window, room)
    return row_cursor_bytes(encoding, shape[2], window, room)


def open_cursor(
    encoding: Encoding,
    shape: Shape,
    where: Range,
    *,
    at: Checkpoint | None = None,
    window: int = WINDOW,
    room: int = ROOM,
    verify: bool = True,
) -> Steps[Cursor]:
    """A cursor over the rows of a segment of `shape` (depth, height, width), at its first row or at a checkpoint.

    where: of the segment, in the file. window: bytes that are asked for at a time; they follow one another.
    room: bytes that it may hold; where a row and its decoder take more, it holds those.
    verify: compare the checksums in the stream (Adler-32, the CRCs of PNG's chunks).

    Raises UnsupportedError for what can't be decoded; MemoryBudgetError, naming the bytes of the decoded segment, where
    it can't be decoded row by row; DecodeError where `at` is damaged or of another segment; LimitError where a row is
    more than the segment can be worth.
    """
    supported(encoding)
    if min(shape) < 1:
        raise ValueError(f"a segment of {shape} has no rows")
    if not is_streamable(encoding, shape):
        raise MemoryBudgetError(
            f"{name(encoding)} is decoded whole, which takes {expected_bytes(encoding, shape)} bytes for this segment"
        )
    if encoding.compression in JPEG:
        return (yield from open_restarts(encoding, shape, where, window=window, room=room, at=at))
    if encoding.interlaced:
        return (yield from open_adam7(encoding, shape, where, window=window, room=room, verify=verify, at=at))
    return RowCursor(encoding, shape, where, window=window, room=room, verify=verify, at=at)
