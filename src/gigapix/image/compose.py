"""Reads that are more than pixels as they are: resampled, masked, or reaching over the image's edge.

Such a read is worked out in bands of output rows, each of which needs a plain read of pixels and perhaps one of a
mask; so however much an image is made smaller, only `PIECE_BYTES` of its pixels are held at once. It is written as a
generator of `ReadPlan`s that is sent their pixels, for the same reason as the parsers are: one text for blocking and
async readers.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import MemoryBudgetError, RequestError
from gigapix.formats.model import LevelSpec
from gigapix.image.plan import ReadPlan, Selection, plan_read
from gigapix.image.request import Ask, Request
from gigapix.image.resample import Axis, resample
from gigapix.image.window import Window

PIECE_BYTES: Final = 32 << 20
"""Of source pixels that are held at once."""

Reads = Generator[ReadPlan, NDArray[Any], Any]
"""Yields plans, is sent their pixels, returns the result."""


@dataclass(frozen=True, kw_only=True)
class Validity:
    """What tells which pixels count, in GDAL's order: a stored mask, else the nodata value, else an alpha band."""

    mask: bool = False
    nodata: float | int | None = None
    alpha: int | None = None
    """The band that is alpha."""


def composed(level: LevelSpec, request: Request, ask: Ask, validity: Validity) -> Reads:
    """Read what a request asks for: an array, or a masked array where `ask.masked`, True where pixels do not count.

    Pixels that do not count weigh nothing in a resampling, whether the result is masked or not, but with `nearest`.
    Outside of the image there is `ask.fill_value`, and nothing counts.
    """
    bands, select, masked = ask.bands, ask.select, ask.masked
    probe = plan_read(level, Window(0, 0, 1, 1), bands, select)
    shape = (*probe.shape[:-2], request.y.size, request.x.size)
    fill = _fill(ask.fill_value or 0, level.dtype)
    try:
        out = np.full(shape, fill)
        valid = np.zeros(shape, bool) if masked else None
    except (MemoryError, ValueError) as error:  # ValueError: more bytes than an address holds
        raise MemoryBudgetError(f"the result would be of shape {shape}; ask for a smaller one") from error
    inside_y, inside_x = _inside(request.y), _inside(request.x)
    if inside_y is None or inside_x is None:
        return _answer(out, valid, fill)
    x, columns = inside_x
    rows = _rows_at_once(level, probe, request, x)
    use_mask = masked or request.method != "nearest"
    for first in range(0, len(inside_y[0].span), rows):
        last = min(first + rows, len(inside_y[0].span))
        y = inside_y[0].part(first, last)
        (top, bottom), (left, right) = y.reach(request.method), x.reach(request.method)
        window = Window(left, top, right - left, bottom - top)
        data = yield plan_read(level, window, bands, select)
        counts = (yield from _valid(level, window, data, ask.select, "C" in probe.axes, validity)) if use_mask else None
        pixels, found = resample(data, counts, y, x, request.method)
        place = (..., slice(inside_y[1] + first, inside_y[1] + last), slice(columns, columns + len(x.span)))
        if found is not None:
            if request.method != "nearest":
                pixels = np.where(found, pixels, fill if validity.nodata is None else level.dtype.type(validity.nodata))
            if valid is not None:
                valid[place] = found
        elif valid is not None:
            valid[place] = True
        out[place] = pixels
    return _answer(out, valid, fill)


def _fill(value: float, dtype: np.dtype[Any]) -> Any:
    """What is found outside of the image, as a pixel of its type."""
    if dtype.kind in "ui" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise RequestError(f"fill_value {value} is beyond {dtype}")
    return dtype.type(value)


def _inside(axis: Axis) -> tuple[Axis, int] | None:
    """The output pixels whose middle is in the image, and the first one's place; None where there are none."""
    edges = axis.edges
    middles = (edges[:-1] + edges[1:]) / 2
    places = np.flatnonzero((middles >= 0) & (middles < axis.source))
    return (axis.part(int(places[0]), int(places[-1]) + 1), int(places[0])) if len(places) else None


def _rows_at_once(level: LevelSpec, probe: ReadPlan, request: Request, x: Axis) -> int:
    """Output rows whose source pixels take `PIECE_BYTES`, a whole number of segments high where that is more."""
    left, right = x.reach(request.method)
    row_bytes = math.prod(probe.shape[:-2]) * level.dtype.itemsize * (right - left)
    source_rows = max(PIECE_BYTES // max(row_bytes, 1), level.segment[1])
    return max(int(source_rows / max(request.y.step, 1e-9)), 1)


def _valid(
    level: LevelSpec,
    window: Window,
    data: NDArray[Any],
    select: Selection | None,
    has_bands: bool,
    validity: Validity,
) -> Generator[ReadPlan, NDArray[Any], NDArray[np.bool_] | None]:
    if validity.mask and level.mask is not None:
        stored = yield plan_read(level.mask, window, 0)
        return np.asarray(stored > 0)
    if validity.nodata is not None:
        valid: NDArray[np.bool_] = ~np.isnan(data) if validity.nodata != validity.nodata else data != validity.nodata
        return valid
    if validity.alpha is not None:
        # The axis of the bands stays where the pixels have it, so that the mask is broadcast along it and no other.
        bands = (validity.alpha,) if has_bands else validity.alpha
        further = {axis: chosen for axis, chosen in (select or {}).items() if axis != "C"}
        alpha = yield plan_read(level, window, bands, further)
        return np.asarray(alpha > 0)
    return None


def _answer(out: NDArray[Any], valid: NDArray[np.bool_] | None, fill: Any) -> Any:
    if valid is None:
        return out
    return np.ma.MaskedArray(out, mask=~valid, fill_value=fill)
