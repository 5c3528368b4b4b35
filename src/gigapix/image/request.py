"""What is asked of `Image.read`, worked out: which level, which part of it, and how large the result is.

A region is asked for as a window of pixels or as bounds in the CRS; it becomes a rectangle in pixels of one level, with
fractions. Where no shape is asked for, the rectangle is whole pixels and they are read as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Final, SupportsIndex, cast

from gigapix.errors import RequestError
from gigapix.formats.model import LevelSpec
from gigapix.image.plan import Selection
from gigapix.image.resample import METHODS, Axis, Method
from gigapix.image.window import Window, whole_window, window_of
from gigapix.image.zoom import level_for

if TYPE_CHECKING:
    from affine import Affine

SNAP: Final = 1e-6
"""Of a pixel: bounds that miss an edge by less mean the edge (they went through floating-point coordinates)."""

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""


@dataclass(frozen=True)
class Ask:
    """The parameters of `Image.read`, where they are explained."""

    window: Window | Sequence[int] | None = None
    bounds: Sequence[float] | None = None
    level: int | None = None
    shape: tuple[int, int] | None = None
    bands: int | Sequence[int] | None = None
    select: Selection | None = None
    masked: bool = False
    resampling: str = "nearest"
    boundless: bool | None = None
    fill_value: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether a window is wanted as it is."""
        return self.bounds is None and self.shape is None and not self.masked and not self.boundless


@dataclass(frozen=True, kw_only=True)
class Request:
    """A part of a level and the shape of the result."""

    level: int
    y: Axis
    x: Axis
    method: Method

    @property
    def plain(self) -> Window | None:
        """The window that is the result as it is: whole pixels, within the level, none resampled. Else None."""
        for axis in (self.y, self.x):
            whole = axis.start == int(axis.start) and axis.stop == int(axis.stop)
            if not whole or axis.stop - axis.start != axis.size or axis.start < 0 or axis.stop > axis.source:
                return None
        return Window(int(self.x.start), int(self.y.start), self.x.size, self.y.size)


def request_of(ask: Ask, levels: Sequence[LevelSpec], transform: Affine | None, zoom_level: int) -> Request:
    """Work out what is asked of an image of these levels. `transform` is needed where bounds are given.

    Raises RequestError where the parameters contradict one another, or ask for what is not there.
    """
    _check(ask, len(levels))
    given = levels[ask.level or 0]
    box = _box(ask, levels[0], given, transform)
    level, shape = ask.level, ask.shape
    if level is None and shape is not None:
        height, width = given.shape[-2:]
        wanted = min((box[2] - box[0]) / shape[1], (box[3] - box[1]) / shape[0])
        level = level_for(wanted, [width / spec.shape[-1] for spec in levels], zoom_level)
        box = _scaled(box, levels[level], width, height)
        given = levels[level]
    if shape is None:
        shape = round(box[3] - box[1]), round(box[2] - box[0])
    y = Axis(start=box[1], stop=box[3], size=shape[0], source=given.shape[-2])
    x = Axis(start=box[0], stop=box[2], size=shape[1], source=given.shape[-1])
    return Request(level=level or 0, y=y, x=x, method=cast(Method, ask.resampling))


def _check(ask: Ask, levels: int) -> None:
    if ask.resampling not in METHODS:
        raise RequestError(f"there is no resampling {ask.resampling!r}; there are {', '.join(METHODS)}")
    if ask.window is not None and ask.bounds is not None:
        raise RequestError("window and bounds say the same thing; give one")
    if ask.shape is not None and not _is_shape(ask.shape):
        raise RequestError(f"{ask.shape!r} is no shape (height, width)")
    if ask.level is not None and not 0 <= ask.level < levels:
        raise RequestError(f"no level {ask.level} in an image of {levels}")


def _is_shape(shape: object) -> bool:
    try:
        return [index(side) >= 1 for side in cast("Sequence[SupportsIndex]", shape)] == [True, True]
    except TypeError:
        return False


def _box(ask: Ask, base: LevelSpec, level: LevelSpec, transform: Affine | None) -> Box:
    """The region asked for, in pixels of the level that it is counted in."""
    height, width = level.shape[-2:]
    if ask.bounds is not None and transform is not None:
        box = _box_of(ask.bounds, transform, base, level)
        if ask.shape is None:
            box = _whole(box)
        return box if ask.boundless else _clipped(box, width, height, ask.bounds)
    if ask.boundless and ask.window is not None:
        window = whole_window(ask.window)
    else:
        window = window_of(ask.window, width, height)
    left, top = float(window.col_off), float(window.row_off)
    return left, top, left + window.width, top + window.height


def _box_of(bounds: Sequence[float], transform: Affine, base: LevelSpec, level: LevelSpec) -> Box:
    """Bounds in pixels of a level: the envelope of their corners where the image is rotated."""
    try:
        left, bottom, right, top = (float(v) for v in bounds)
    except (TypeError, ValueError):
        raise RequestError(f"{bounds!r} are no bounds (left, bottom, right, top)") from None
    if not all(map(math.isfinite, (left, bottom, right, top))) or transform.determinant == 0:
        raise RequestError(f"bounds {tuple(bounds)} have no place in the image")
    inverse = ~transform
    corners = [inverse @ corner for corner in ((left, top), (right, top), (left, bottom), (right, bottom))]
    columns, rows = [c for c, _ in corners], [r for _, r in corners]
    box = (min(columns), min(rows), max(columns), max(rows))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise RequestError(f"bounds {tuple(bounds)} are empty")
    return _scaled(box, level, base.shape[-1], base.shape[-2])


def _scaled(box: Box, level: LevelSpec, width: int, height: int) -> Box:
    """A box in pixels of level 0, of `width` x `height`, in pixels of a level. All of the one is all of the other."""
    x, y = level.shape[-1] / width, level.shape[-2] / height
    if level.scale is not None and box != (0, 0, width, height):
        y, x = 1 / level.scale[0], 1 / level.scale[1]
    left, top, right, bottom = (_snapped(v) for v in (box[0] * x, box[1] * y, box[2] * x, box[3] * y))
    return left, top, right, bottom


def _snapped(value: float) -> float:
    return float(round(value)) if abs(value - round(value)) < SNAP else value


def _whole(box: Box) -> Box:
    return float(math.floor(box[0])), float(math.floor(box[1])), float(math.ceil(box[2])), float(math.ceil(box[3]))


def _clipped(box: Box, width: int, height: int, bounds: Sequence[float]) -> Box:
    left, top, right, bottom = max(box[0], 0.0), max(box[1], 0.0), min(box[2], width), min(box[3], height)
    if left >= right or top >= bottom:
        raise RequestError(f"bounds {tuple(bounds)} do not meet the image")
    return left, top, right, bottom
