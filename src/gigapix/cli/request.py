"""What ``gigapix read`` was asked for, and how it is cut into blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from numpy.typing import NDArray

from gigapix.image.image import Image
from gigapix.image.plan import ReadPlan
from gigapix.image.window import Window

BLOCK_BYTES: Final = 16 << 20
"""Of one block; more where a single segment has more."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be read: the arguments of `Image.read`, and the plan that came of them."""

    image: Image
    plan: ReadPlan
    level: int
    bands: tuple[int, ...] | None
    select: Mapping[str, int]
    compress: str

    def read(self, window: Window, select: Mapping[str, slice] | None = None) -> NDArray[Any]:
        """A part of it."""
        return self.image.read(window, level=self.level, bands=self.bands, select={**self.select, **(select or {})})


Advance = Callable[[int], None]
"""Called with the bytes done since the last call."""


def cut(window: Window, step: tuple[int, int], anchor: tuple[int, int] = (0, 0)) -> Iterator[Window]:
    """The parts of a window in a grid of `step` = (columns, rows), with a grid line at `anchor` = (column, row)."""
    spans = []
    starts = (window.col_off, window.row_off)
    for start, size, pace, origin in zip(starts, (window.width, window.height), step, anchor, strict=True):
        first = start - (start - origin) % pace
        lines = range(first, start + size, pace)
        spans.append([(max(line, start), min(line + pace, start + size)) for line in lines])
    for (top, bottom), (left, right) in product(spans[1], spans[0]):
        yield Window(left, top, right - left, bottom - top)
