"""Minimum, maximum, mean and standard deviation of a band that needs never be in memory.

Each part of a band gives a `Partial`; `merge` joins two of them and is associative and commutative to the last bit,
because a partial holds extremes and exact sums only (`gigapix.ops.exact`). The figures are worked out once, at the end,
with one rounding each. So the result depends neither on the size of the parts nor on their order, and work may be split
between threads or machines at will.

What counts: a sample that equals nodata, a NaN, and a masked one is left out. A complex sample is left out where either
part is NaN; it has no minimum and maximum, and its `std` is numpy's: the root of the summed variances of both parts. An
infinity is valid: it is the minimum or maximum, and makes sum and mean infinite (NaN with both signs) and `std` NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.ops import exact
from gigapix.ops.histogram import Counts, lowest


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The figures of one band. All but `valid` and `sum` are None where no sample is valid."""

    min: int | float | None
    max: int | float | None
    mean: float | complex | None
    std: float | None
    """Of the whole population, as `numpy.std` gives it."""
    valid: int
    sum: int | float | complex
    """An int where the samples are integers, however large."""


@dataclass(frozen=True, kw_only=True)
class Partial:
    """What is known of a band from some of its samples."""

    dtype: np.dtype[Any]
    valid: int = 0
    min: int | float = math.inf
    max: int | float = -math.inf
    infinite: tuple[int, int] = (0, 0)
    """How many samples are minus and plus infinity: they are in no sum."""
    total: int = 0
    squares: int = 0
    """In the units of `exact.UNIT`."""
    imaginary: Partial | None = None
    """Of the imaginary part, where the samples are complex; the rest is then of the real part."""


def measure(samples: NDArray[Any], nodata: float | None = None) -> Partial:
    """The partial result of an array of any shape, strides and type."""
    if samples.dtype.kind == "c":
        values = valid_samples(samples.reshape(-1), nodata)
        return replace(measure(values.real), imaginary=measure(values.imag))
    if samples.dtype == np.float16:
        samples, nodata = samples.astype(np.float32), as_sample(nodata, samples.dtype)
    if samples.ndim > 2:
        samples = samples.reshape(-1, samples.shape[-1])
    from gigapix.kernels.counts import moments

    dtype = samples.dtype
    if dtype.itemsize <= 2:
        nodata, samples = as_sample(nodata, dtype), samples.astype(np.int32 if dtype.kind == "i" else np.uint32)
    valid, low, high, negative, positive, total, squares = moments(samples, nodata)
    return Partial(
        dtype=dtype, valid=valid, min=low, max=high, infinite=(negative, positive), total=total,
        squares=squares,
    )  # fmt: skip


def merge(a: Partial, b: Partial) -> Partial:
    """The partial result of all the samples that two were made from."""
    return Partial(
        dtype=a.dtype,
        valid=a.valid + b.valid,
        min=min(a.min, b.min),
        max=max(a.max, b.max),
        infinite=(a.infinite[0] + b.infinite[0], a.infinite[1] + b.infinite[1]),
        total=a.total + b.total,
        squares=a.squares + b.squares,
        imaginary=merge(a.imaginary, b.imaginary) if a.imaginary and b.imaginary else a.imaginary or b.imaginary,
    )


def partial_of_counts(counts: Counts, dtype: np.dtype[Any]) -> Partial:
    """The partial result of integers of 8 or 16 bits that were counted."""
    used = np.flatnonzero(counts)
    valid = total = squares = 0
    for start in range(0, used.size, 64):  # Python's integers take memory
        part = used[start : start + 64]
        for value, count in zip((part + lowest(dtype)).tolist(), counts[part].tolist(), strict=True):
            valid += count
            total += value * count
            squares += value * value * count
    return Partial(
        dtype=dtype,
        valid=valid,
        min=int(used[0]) + lowest(dtype) if valid else math.inf,
        max=int(used[-1]) + lowest(dtype) if valid else -math.inf,
        total=total << exact.UNIT,
        squares=squares << (2 * exact.UNIT),
    )


def finish(partial: Partial) -> Statistics:
    """The figures, each rounded once."""
    if partial.imaginary is not None:
        return _finish_complex(partial, partial.imaginary)
    n = partial.valid
    return Statistics(
        min=partial.min if n else None,
        max=partial.max if n else None,
        mean=_mean(partial) if n else None,
        std=_deviation(partial) if n else None,
        valid=n,
        sum=_sum(partial),
    )


def valid_samples(values: NDArray[Any], nodata: float | None) -> NDArray[Any]:
    """The samples of a 1-D array that are neither NaN nor nodata; the array itself where all are."""
    if values.size and values.dtype.kind in "fc" and np.isnan(values.max()):  # max passes a NaN on, and is fast
        values = values[~np.isnan(values)]
    marker = as_sample(nodata, values.dtype)
    if marker is not None:
        differs = values != marker
        if not differs.all():
            values = values[differs]
    return values


def as_sample(nodata: float | None, dtype: np.dtype[Any]) -> Any:
    """What nodata is when stored in a sample of this type; None where no sample can equal it."""
    if nodata is None or nodata != nodata or dtype.kind == "b":
        return None
    if dtype.kind in "fc":
        with np.errstate(over="ignore"):
            return dtype.type(nodata)
    if not math.isfinite(nodata) or nodata != int(nodata):
        return None
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if limits.min <= int(nodata) <= limits.max else None


def _infinity(partial: Partial) -> float | None:
    """What infinite samples make of a sum; None where there are none."""
    negative, positive = partial.infinite
    if negative and positive:
        return math.nan
    return -math.inf if negative else math.inf if positive else None


def _sum(partial: Partial) -> int | float:
    if partial.dtype.kind in "uib":
        return partial.total >> exact.UNIT
    infinity = _infinity(partial)
    return exact.quotient(partial.total, 1 << exact.UNIT) if infinity is None else infinity


def _mean(partial: Partial) -> float:
    infinity = _infinity(partial)
    return exact.mean(partial.total, partial.valid) if infinity is None else infinity


def _deviation(partial: Partial) -> float:
    if _infinity(partial) is not None:
        return math.nan
    return exact.deviation(partial.total, partial.squares, partial.valid)


def _finish_complex(real: Partial, imaginary: Partial) -> Statistics:
    n = real.valid
    return Statistics(
        min=None,
        max=None,
        mean=complex(_mean(real), _mean(imaginary)) if n else None,
        std=math.hypot(_deviation(real), _deviation(imaginary)) if n else None,
        valid=n,
        sum=complex(_sum(real), _sum(imaginary)),
    )
