"""Pixels of one grid from those of another, along each axis on its own.

An output pixel covers an interval of source pixels; what it takes from each is a row of weights. The kernels widen
with the factor when an image is made smaller, so that every source pixel counts (GDAL's overviews and Pillow's
`resize` do the same); `nearest` takes the pixel that holds the interval's middle, `mode` the value that fills most of
it. Weights of pixels that are not valid, or not there, are left out and the others scaled up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["nearest", "bilinear", "cubic", "average", "mode"]
METHODS: Final = ("nearest", "bilinear", "cubic", "average", "mode")

_SUPPORT: Final = {"nearest": 0.0, "average": 0.5, "mode": 0.5, "bilinear": 1.0, "cubic": 2.0}
"""Half the width of a kernel, in output pixels where they are larger than source pixels, in source pixels else."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Output pixels over the source interval ``[start, stop)``, in source pixels, of `source` that there are.

    Of the `size` pixels that the interval is cut into, these are `span`. Each pixel's edges come from its place among
    all of them, so that a part gives the same numbers as the whole.
    """

    start: float
    stop: float
    size: int
    source: int
    span: range = range(0)

    def __post_init__(self) -> None:
        if not self.span:
            object.__setattr__(self, "span", range(self.size))

    @property
    def step(self) -> float:
        """Source pixels in an output pixel."""
        return (self.stop - self.start) / self.size

    @property
    def edges(self) -> NDArray[Any]:
        """Where the output pixels begin, and where the last one ends."""
        edges: NDArray[Any] = self.start + self.step * np.arange(self.span.start, self.span.stop + 1)
        return edges

    def part(self, first: int, last: int) -> Axis:
        """The output pixels ``[first, last)`` of these alone."""
        return replace(self, span=self.span[first:last])

    def reach(self, method: Method) -> tuple[int, int]:
        """The source pixels ``[first, last)`` that the output needs, clipped to those that there are."""
        low, high = self.edges[[0, -1]].tolist()
        if method == "nearest":
            index, _ = self.taps(method)
            return int(index[0, 0]), int(index[-1, 0]) + 1
        margin = _SUPPORT[method] * max(self.step, 1.0) - self.step / 2 if method in ("bilinear", "cubic") else 0.0
        first = min(max(int(np.floor(low - max(margin, 0.0))), 0), self.source - 1)
        last = min(int(np.ceil(high + max(margin, 0.0))), self.source)
        return first, max(last, first + 1)

    def taps(self, method: Method) -> tuple[NDArray[Any], NDArray[Any]]:
        """(indices, weights), each of shape (pixels, taps): the source pixels of each output pixel; unused ones weigh
        0."""
        edges = self.edges
        if method == "nearest":
            middles = np.clip(np.floor((edges[:-1] + edges[1:]) / 2), 0, self.source - 1)
            return middles.astype(np.intp)[:, None], np.ones((len(self.span), 1))
        low, high = edges[:-1], edges[1:]
        if method in ("average", "mode"):
            first = np.floor(low + 1e-9)
            count = int(np.ceil(self.step)) + 1
            index = first[:, None] + np.arange(count)
            weights = np.clip(np.minimum(index + 1, high[:, None]) - np.maximum(index, low[:, None]), 0, None)
        else:
            scale = max(self.step, 1.0)
            middle = (low + high) / 2
            first = np.floor(middle - _SUPPORT[method] * scale)
            count = int(np.ceil(2 * _SUPPORT[method] * scale)) + 2
            index = first[:, None] + np.arange(count)
            weights = _kernel(np.abs(index + 0.5 - middle[:, None]) / scale, method)
        inside = (index >= 0) & (index < self.source)
        weights = np.where(inside, weights, 0.0)
        weights[np.abs(weights) < 1e-9] = 0.0
        total = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        return np.clip(index, 0, self.source - 1).astype(np.intp), weights


def _kernel(x: NDArray[Any], method: Method) -> NDArray[Any]:
    if method == "bilinear":
        tent: NDArray[Any] = np.maximum(1 - x, 0)
        return tent
    # Keys' cubic convolution with a = -0.5, as in GDAL.
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resample(
    data: NDArray[Any], valid: NDArray[Any] | None, y: Axis, x: Axis, method: Method
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Resample `data` of shape (..., rows, columns), which holds just the source pixels of the two axes' `reach`.

    valid: which of them count, broadcastable to `data`; all where None.

    Returns the pixels, of the same dtype and of shape (..., pixels of y, pixels of x), and which of them are valid
    (None: all).
    """
    rows, row_weights = y.taps(method)
    columns, column_weights = x.taps(method)
    rows, columns = rows - y.reach(method)[0], columns - x.reach(method)[0]
    rows, columns = np.clip(rows, 0, data.shape[-2] - 1), np.clip(columns, 0, data.shape[-1] - 1)
    if method == "nearest":
        pick = (..., rows[:, :1], columns[:, 0][None, :])
        return data[pick], None if valid is None else np.broadcast_to(valid, data.shape)[pick]
    if method == "mode":
        return _mode(data, valid, (rows, row_weights), (columns, column_weights))
    if valid is None:
        return _as(_weighted(_weighted(data, rows, row_weights, -2), columns, column_weights, -1), data.dtype), None
    some = np.broadcast_to(valid, data.shape)
    clean = np.where(some, data, 0)
    share = _weighted(_weighted(some.astype(np.float64), rows, row_weights, -2), columns, column_weights, -1)
    total = _weighted(_weighted(clean, rows, row_weights, -2), columns, column_weights, -1)
    # Where a kernel has negative lobes, a small share is a difference of large ones, and its inverse nothing but noise.
    found = share > (0.5 if method == "cubic" else 1e-6)
    return _as(np.divide(total, share, out=np.zeros_like(total), where=found), data.dtype), found


def _weighted(data: NDArray[Any], index: NDArray[Any], weights: NDArray[Any], axis: int) -> NDArray[Any]:
    """The weighted sum along an axis, one tap after the other: no more memory than the result's."""
    kind = np.complex128 if data.dtype.kind == "c" else np.float64
    shape = list(data.shape)
    shape[axis] = len(index)
    out = np.zeros(shape, kind)
    for tap in range(index.shape[1]):
        weight = weights[:, tap]
        if weight.any():
            out += np.take(data, index[:, tap], axis) * (weight if axis == -1 else weight[:, None])
    return out


def _mode(
    data: NDArray[Any],
    valid: NDArray[Any] | None,
    y: tuple[NDArray[Any], NDArray[Any]],
    x: tuple[NDArray[Any], NDArray[Any]],
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The value with the largest area in each output pixel; of equals the smallest."""
    (rows, row_weights), (columns, column_weights) = y, x
    out = np.empty((*data.shape[:-2], len(rows), len(columns)), data.dtype)
    found = None if valid is None else np.empty(out.shape, bool)
    some = None if valid is None else np.broadcast_to(valid, data.shape)
    for row in range(len(rows)):  # a row at a time: the gathered pixels are many times the output
        pick = (..., rows[row][None, :, None], columns[:, None, :])
        shape = (*data.shape[:-2], len(columns), -1)
        values = data[pick].reshape(shape)
        weights = np.broadcast_to(row_weights[row][None, :, None] * column_weights[:, None, :], data[pick].shape)
        weights = weights.reshape(shape)
        if some is not None and found is not None:
            weights = np.where(some[pick].reshape(shape), weights, 0.0)
            found[..., row, :] = weights.any(axis=-1)
        out[..., row, :] = _heaviest(values, weights)
    return out, found


def _heaviest(values: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    order = np.argsort(values, axis=-1, kind="stable")
    values = np.take_along_axis(values, order, -1)
    summed = np.cumsum(np.take_along_axis(weights, order, -1), axis=-1)
    last = np.ones(values.shape, bool)
    last[..., :-1] = values[..., 1:] != values[..., :-1]
    # The weight of a run of equal values is the sum at its end less the sum at the end of the run before it.
    ends = np.where(last, summed, 0.0)
    before = np.maximum.accumulate(np.concatenate([np.zeros_like(ends[..., :1]), ends[..., :-1]], -1), -1)
    run = np.where(last, np.round(summed - before, 9), -1.0)
    heaviest: NDArray[Any] = np.take_along_axis(values, run.argmax(axis=-1)[..., None], -1)[..., 0]
    return heaviest


def _as(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        # 2^64 - 1 is no float64: the largest one below it is
        top = np.nextafter(float(info.max), 0) if dtype.itemsize == 8 else info.max
        values = np.clip(np.rint(values), info.min, top)
    converted: NDArray[Any] = values.astype(dtype)
    return converted
