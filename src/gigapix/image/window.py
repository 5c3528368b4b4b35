"""A rectangle of pixels, as rasterio names it: column and row of its corner, width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gigapix.errors import RequestError


@dataclass(frozen=True)
class Window:
    """`width` x `height` pixels from column `col_off` and row `row_off` on, counted from the upper left corner."""

    col_off: int
    row_off: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) to index an array of the whole level with."""
        rows = slice(self.row_off, self.row_off + self.height)
        return rows, slice(self.col_off, self.col_off + self.width)


def window_of(window: Window | Sequence[int] | None, width: int, height: int) -> Window:
    """The window asked for, checked to lie within `width` x `height` pixels; the whole where it is None."""
    if window is None:
        return Window(0, 0, width, height)
    whole = whole_window(window)
    fits = whole.col_off >= 0 and whole.row_off >= 0
    if not fits or whole.col_off + whole.width > width or whole.row_off + whole.height > height:
        raise RequestError(f"{whole} is not within the image of {width} x {height} pixels")
    return whole


def whole_window(window: Window | Sequence[int]) -> Window:
    """The window asked for, wherever it lies. Raises RequestError unless it is of whole pixels, and of one at least."""
    try:
        if not isinstance(window, Window):
            window = Window(*window)
        fields = (window.col_off, window.row_off, window.width, window.height)
        whole = Window(*(int(v) for v in fields))
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"{window!r} is no window (col_off, row_off, width, height)") from None
    if fields != (whole.col_off, whole.row_off, whole.width, whole.height):
        raise RequestError(f"{window} is not of whole pixels")
    if whole.width < 1 or whole.height < 1:
        raise RequestError(f"{whole} is empty")
    return whole
