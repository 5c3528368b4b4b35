"""What the tests of cursors share: a file in memory, a driver that counts, rows read in any portions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.cursor import Checkpoint, Cursor, cursor_bytes, open_cursor
from gigapix.errors import GigapixError
from gigapix.formats.model import Encoding, Steps

Shape = tuple[int, int, int]


def drive(steps: Steps[Any], file: bytes, asked: list[tuple[int, int]] | None = None) -> Any:
    """Run `steps` over the bytes of a file."""
    try:
        ranges = next(steps)
        while True:
            if asked is not None:
                asked.extend(ranges)
            ranges = steps.send([memoryview(file)[at : at + size] for at, size in ranges])
    except StopIteration as stop:
        return stop.value


WINDOW = 65536


def opened(file: bytes, how: Encoding, shape: Shape, start: int = 0, end: int | None = None, **more: Any) -> Cursor:
    """A cursor over file[start:end]."""
    length = (len(file) if end is None else end) - start
    cursor = drive(open_cursor(how, shape, (start, length), **more), file)
    assert cursor.rows == shape[0] * shape[1]
    return cursor


def rows(
    cursor: Cursor, file: bytes, how: Encoding, width: int, portions: Iterable[int] = (), column: int = 0,
    samples: Sequence[int] | None = None,
) -> tuple[NDArray[Any], GigapixError | None]:  # fmt: skip
    """The remaining good rows (samples, 1, rows, columns) of a cursor, read in `portions`, and the error at the end."""
    count = how.samples if samples is None else len(samples)
    out = np.full((count, 1, cursor.rows - cursor.row, width - column), 77, how.dtype)
    first, error = cursor.row, None
    sizes = iter(portions)
    while cursor.row < cursor.rows:
        portion = min(next(sizes, cursor.rows), cursor.rows - cursor.row)
        at = cursor.row - first
        try:
            drive(cursor.read(out[:, :, at : at + portion], column=column, samples=samples), file)
        except GigapixError as fault:
            error = fault
            break
    assert cursor.held <= cursor_bytes(how, (1, cursor.rows, width), window=WINDOW)
    return out[:, :, : cursor.row - first], error


def resumed(file: bytes, how: Encoding, shape: Shape, at: Checkpoint, **more: Any) -> Cursor:
    """A fresh cursor at a checkpoint."""
    cursor = opened(file, how, shape, at=at, **more)
    assert cursor.row == at.row
    return cursor
