"""Minimum, maximum, mean, standard deviation and histogram of an image that needs never be in memory.

Each block of each band gives a `Partial`; `merge` joins two of them and is associative and commutative to the last bit,
because a partial holds counts and exact sums only (`gigapix.ops.exact`). The figures are worked out once, at the end,
with one rounding each. So the result depends neither on the size of the blocks nor on their order, and work may be
split between threads or machines at will.

What counts: a sample that equals nodata, a NaN, and a masked one (of a `numpy.ma.MaskedArray`) is left out. A complex
sample is left out where either part is NaN; it has no minimum and maximum, and its `std` is numpy's: the root of the
summed variances of both parts. An infinity is valid: it is the minimum or maximum, and makes sum and mean infinite (NaN
with both signs) and `std` NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.ops import exact
from gigapix.ops.histogram import Counts, Histogram, bin_counts, histogram_of_counts, is_narrow, lowest, value_counts


@dataclass(frozen=True, kw_only=True)
class BandStatistics:
    """The figures of one band. All but `valid` and `sum` are None where no sample is valid."""

    min: int | float | None
    max: int | float | None
    mean: float | complex | None
    std: float | None
    """Of the whole population, as `numpy.std` gives it."""
    valid: int
    sum: int | float | complex
    """An int where the samples are integers, however large."""
    histogram: Histogram | None


@dataclass(frozen=True, kw_only=True)
class Partial:
    """What is known of a band from some of its samples."""

    dtype: np.dtype[Any]
    counts: Counts | None = None
    """Of samples of 8 and 16 bits: everything else follows from them. None for wider ones."""
    valid: int = 0
    min: int | float = math.inf
    max: int | float = -math.inf
    infinite: tuple[int, int] = (0, 0)
    """How many samples are minus and plus infinity: they are in no sum."""
    total: int = 0
    squares: int = 0
    """In the units of `exact.moments`."""
    imaginary: Partial | None = None
    """Of the imaginary part, where the samples are complex; the rest is then of the real part."""


def measure(samples: NDArray[Any], *, nodata: float | None = None) -> Partial:
    """The partial result of an array of any shape and of any type that an image can have."""
    values = _flat(samples)
    if is_narrow(values.dtype):
        return Partial(dtype=values.dtype, counts=_without(value_counts(values), values.dtype, nodata))
    values = valid_samples(values, nodata)
    if values.dtype.kind == "c":
        return replace(_measure_real(values.real), imaginary=_measure_real(values.imag))
    return _measure_real(values)


def merge(a: Partial, b: Partial) -> Partial:
    """The partial result of all the samples that two were made from."""
    return Partial(
        dtype=a.dtype,
        counts=b.counts if a.counts is None else a.counts if b.counts is None else a.counts + b.counts,
        valid=a.valid + b.valid,
        min=min(a.min, b.min),
        max=max(a.max, b.max),
        infinite=(a.infinite[0] + b.infinite[0], a.infinite[1] + b.infinite[1]),
        total=a.total + b.total,
        squares=a.squares + b.squares,
        imaginary=merge(a.imaginary, b.imaginary) if a.imaginary and b.imaginary else a.imaginary or b.imaginary,
    )


def finish(partial: Partial, histogram: Histogram | None = None) -> BandStatistics:
    """The figures, each rounded once."""
    if partial.counts is not None:
        histogram = histogram_of_counts(partial.counts, partial.dtype)
        partial = _from_counts(partial, histogram)
    if partial.imaginary is not None:
        return _finish_complex(partial, partial.imaginary)
    n = partial.valid
    return BandStatistics(
        min=partial.min if n else None,
        max=partial.max if n else None,
        mean=_mean(partial) if n else None,
        std=_deviation(partial) if n else None,
        valid=n,
        sum=_sum(partial),
        histogram=histogram,
    )


def statistics(
    blocks: Iterable[NDArray[Any]], *, axis: int = 0, nodata: float | None = None
) -> tuple[BandStatistics, ...]:
    """The statistics of each band of an image that comes as blocks (arrays with the bands along `axis`)."""
    return tuple(finish(partial) for partial in measure_bands(blocks, axis=axis, nodata=nodata))


def measure_bands(blocks: Iterable[NDArray[Any]], *, axis: int = 0, nodata: float | None = None) -> tuple[Partial, ...]:
    """The merged partial result of each band."""
    merged: tuple[Partial, ...] | None = None
    for block in blocks:
        parts = tuple(measure(band, nodata=nodata) for band in np.moveaxis(block, axis, 0))
        merged = parts if merged is None else tuple(map(merge, merged, parts))
    return merged or ()


def histograms(
    blocks: Iterable[NDArray[Any]],
    partials: tuple[Partial, ...],
    *,
    axis: int = 0,
    nodata: float | None = None,
    bins: int = 256,
) -> tuple[Histogram | None, ...]:
    """The second pass, for samples of more than 16 bits: equal bins between each band's smallest and largest sample.

    None for a band that has no valid sample, has an infinite one, is complex, or has its counts already.
    """
    bounded = [p.valid > 0 and p.infinite == (0, 0) and p.imaginary is None and p.counts is None for p in partials]
    totals = [np.zeros(bins, np.int64) for _ in partials]
    for block in blocks:
        for index, band in enumerate(np.moveaxis(block, axis, 0)):
            if bounded[index]:
                values = valid_samples(_flat(band), nodata)
                totals[index] += bin_counts(values, (partials[index].min, partials[index].max), bins)
    return tuple(
        Histogram(kind="bins", min=p.min, max=p.max, counts=tuple(total.tolist())) if wanted else None
        for p, total, wanted in zip(partials, totals, bounded, strict=True)
    )


def _flat(samples: NDArray[Any]) -> NDArray[Any]:
    return samples.compressed() if isinstance(samples, np.ma.MaskedArray) else samples.reshape(-1)


def valid_samples(values: NDArray[Any], nodata: float | None) -> NDArray[Any]:
    """The samples of a 1-D array that are neither NaN nor nodata; the array itself where all are."""
    if values.size and values.dtype.kind in "fc" and np.isnan(values.max()):  # max passes a NaN on, and is fast
        values = values[~np.isnan(values)]
    marker = _as_sample(nodata, values.dtype)
    if marker is not None:
        differs = values != marker
        if not differs.all():
            values = values[differs]
    return values


def _as_sample(nodata: float | None, dtype: np.dtype[Any]) -> Any:
    """What nodata is when stored in a sample of this type; None where no sample can equal it."""
    if nodata is None or nodata != nodata:
        return None
    if dtype.kind in "fc":
        with np.errstate(over="ignore"):
            return dtype.type(nodata)
    if not math.isfinite(nodata) or nodata != int(nodata):
        return None
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if limits.min <= int(nodata) <= limits.max else None


def _without(counts: Counts, dtype: np.dtype[Any], nodata: float | None) -> Counts:
    marker = _as_sample(nodata, dtype) if dtype.kind != "b" else None
    if marker is not None:
        counts[int(marker) - lowest(dtype)] = 0
    return counts


def _measure_real(values: NDArray[Any]) -> Partial:
    dtype, valid = values.dtype, values.size
    if not valid:
        return Partial(dtype=dtype)
    low, high = values.min().item() + 0, values.max().item() + 0  # -0.0 and 0.0 are one number: their order would show
    infinite = (0, 0)
    if math.isinf(low) or math.isinf(high):
        infinite = (int(np.count_nonzero(values == -np.inf)), int(np.count_nonzero(values == np.inf)))
        values = values[np.isfinite(values)]
    total, squares = exact.moments(values)
    return Partial(dtype=dtype, valid=valid, min=low, max=high, infinite=infinite, total=total, squares=squares)


def _from_counts(partial: Partial, histogram: Histogram | None) -> Partial:
    if histogram is None:
        return partial
    total = squares = 0
    for value, count in enumerate(histogram.counts, int(histogram.min)):
        total += value * count
        squares += value * value * count
    return replace(
        partial,
        valid=sum(histogram.counts),
        min=histogram.min,
        max=histogram.max,
        total=total << exact.UNIT,
        squares=squares << (2 * exact.UNIT),
    )


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


def _finish_complex(real: Partial, imaginary: Partial) -> BandStatistics:
    n = real.valid
    return BandStatistics(
        min=None,
        max=None,
        mean=complex(_mean(real), _mean(imaginary)) if n else None,
        std=math.hypot(_deviation(real), _deviation(imaginary)) if n else None,
        valid=n,
        sum=complex(_sum(real), _sum(imaginary)),
        histogram=None,
    )
