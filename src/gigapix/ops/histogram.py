"""How often each value occurs.

Samples of 8 and 16 bits have at most 65536 values, so they are counted one by one: the counts are exact, add up in any
order, and hold every other figure. Wider samples are counted in equal bins between bounds that are named, or between
the smallest and the largest sample, which must be known before: a second pass over the image. A sample's bin depends on
the sample alone, so these counts don't depend on the blocks either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError

Counts = NDArray[np.int64]

Bounds = tuple[int | float, int | float]

BINS: Final = 256
"""Of samples of more than 16 bits, where none are named."""

MOST_BINS: Final = 1 << 16
"""Up to which numpy's first guess of a float32's bin is at most one off, so that it is then put right."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of the valid samples of a band."""

    kind: Literal["values", "bins"]
    """``values``: ``counts[i]`` is how often ``min + i`` occurs. ``bins``: `counts` are `numpy.histogram`'s, of
    ``len(counts)`` equal bins from `min` to `max`, each with its lower edge and the last one with both."""
    min: int | float
    max: int | float
    counts: tuple[int, ...]


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether samples of this type are counted value by value."""
    return dtype.kind in "uib" and dtype.itemsize <= 2


def count_values(values: NDArray[Any], counts: Counts) -> None:
    """Count a band of integers of 8 or 16 bits, of any shape and strides.

    counts: ``counts[i]`` grows by how often the type's lowest value plus i occurs.
    """
    from gigapix.kernels.counts import count8, count16

    if values.ndim > 2:
        for part in values:
            count_values(part, counts)
    elif values.itemsize == 1:
        count8(values, counts)
    else:
        count16(values, counts)


def lowest(dtype: np.dtype[Any]) -> int:
    """The value that the first of the counts stands for."""
    return int(np.iinfo(dtype).min) if dtype.kind == "i" else 0


def counted(counts: Counts, dtype: np.dtype[Any]) -> NDArray[np.int64]:
    """The value that each of the counts stands for."""
    return np.arange(counts.size) + lowest(dtype)


def histogram_of_counts(
    counts: Counts, dtype: np.dtype[Any], *, bins: int | None = None, bounds: Bounds | None = None
) -> Histogram | None:
    """The counts cut to the values that occur, or put into bins; None where there are none."""
    used = np.flatnonzero(counts)
    if used.size == 0:
        return None
    first, last = (lowest(dtype) + int(place) for place in (used[0], used[-1]))
    if bins is None and bounds is None:
        found = tuple(counts[used[0] : used[-1] + 1].tolist())
        return Histogram(kind="values", min=first, max=last, counts=found)
    bounds, bins = bounds or (first, last), bins or BINS
    binned = bin_counts(used + lowest(dtype), bounds, bins, counts[used])
    return Histogram(kind="bins", min=bounds[0], max=bounds[1], counts=tuple(binned.tolist()))


def edges_of(dtype: np.dtype[Any], bounds: Bounds, bins: int) -> NDArray[np.float64] | None:
    """numpy's edges of the bins of such samples, for `count_bins`; None where numpy itself must find a sample's bin."""
    low, high = bounds
    span = float(high) - float(low)
    if dtype.name not in ("float32", "float64", "int32", "uint32") or bins > MOST_BINS or not 0 < span < math.inf:
        return None
    try:
        edges = np.histogram_bin_edges(np.empty(0, dtype), bins, (low, high)).astype(np.float64)
    except ValueError:  # `bin_counts` will say it
        return None
    # Of bins of a few numbers each, numpy's answer hangs on how it rounds.
    steps = np.diff(edges) * bins / span
    return edges if steps.min() > 0.9 and steps.max() < 1.1 else None


def bin_counts(values: NDArray[Any], bounds: Bounds, bins: int, weights: Counts | None = None) -> Counts:
    """Counts of a 1-D array of real numbers without NaN in `bins` equal bins between `bounds`; others are left out.

    weights: how often each number occurs, once where None.
    """
    low, high = bounds
    if values.dtype == np.float16:  # numpy would find the bins in float16
        values = values.astype(np.float32)
    if not np.isfinite(float(high) - float(low)):  # the span is beyond the doubles
        values, low, high = values.astype(np.float64) / 2, low / 2, high / 2
    if low == high:
        counts: Counts = np.zeros(bins, np.int64)
        counts[-1] = np.sum(values == low) if weights is None else weights[values == low].sum()
        return counts
    try:
        return np.histogram(values, bins=bins, range=(low, high), weights=weights)[0].astype(np.int64)
    except (ValueError, IndexError) as error:  # more bins than there are numbers of the type
        raise RequestError(f"no histogram of {bins} bins from {low} to {high}: {error}") from error
