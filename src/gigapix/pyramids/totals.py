"""Sums of windows, and what is made of them: means, exact, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.samples import Samples
from gigapix.pyramids.windows import Weights, counts, divided, integer_means, sums

State = tuple[NDArray[Any], ...]
Factors = Sequence[int]
Layout = tuple[np.dtype[Any], ...]


def sum_type(samples: Samples, count: int) -> np.dtype[Any]:
    """Of sums of so many samples: 32 bits where that is enough."""
    if samples.work.kind == "f":
        return np.dtype(np.float64)
    largest = count << (8 * samples.work.itemsize - (samples.work.kind == "i"))
    return np.dtype(f"{samples.work.kind}{4 if largest < 1 << (32 if samples.work.kind == 'u' else 31) else 8}")


def wide_type(samples: Samples, count: int) -> np.dtype[Any]:
    """Of sums that are written."""
    return np.dtype(f"{samples.work.kind}8")


def count_type(samples: Samples, count: int) -> np.dtype[Any]:
    """Of counts up to so many."""
    return np.dtype(np.uint32 if count < 1 << 32 else np.uint64)


def _split(samples: Samples) -> bool:
    """Whether sums of 64 bits would overflow, so that high and low halves of the values are added up apart."""
    return samples.work.kind != "f" and samples.work.itemsize == 8


def mean_layout(samples: Samples, count: int) -> Layout:
    """Sums (of the halves of 64-bit integers, high and low), and counts where samples can be left out."""
    parts = (sum_type(samples, count),) + ((np.dtype(np.uint64),) if _split(samples) else ())
    return parts + ((count_type(samples, count),) if samples.holes else ())


def first_sums(values: NDArray[Any], factors: Factors, samples: Samples, layout: Layout) -> State:
    """The accumulators of a mean."""
    valid = samples.valid(values) if samples.holes else None
    if _split(samples):
        kept = values if valid is None else np.where(valid, values, values.dtype.type(0))
        low = (kept & values.dtype.type(0xFFFFFFFF)).astype(np.uint64)
        state: State = (sums(kept >> values.dtype.type(32), factors, layout[0]), sums(low, factors, layout[1]))
    else:
        state = (sums(values, factors, layout[0], samples.marker),)
    return state if valid is None else (*state, sums(valid.view(np.uint8), factors, layout[-1]))


def more_sums(state: State, factors: Factors, samples: Samples, layout: Layout, weights: Weights) -> State:
    """Sums of sums."""
    return tuple(sums(part, factors, wide) for part, wide in zip(state, layout, strict=True))


def means_of(state: State, weights: Weights, samples: Samples, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Sums by counts."""
    number = np.maximum(state[-1], 1) if samples.holes else None
    if samples.work.kind == "f":
        means: NDArray[Any] = (state[0] / number).astype(samples.work)
    elif _split(samples):
        means = _split_means(state[0], state[1], counts(weights) if number is None else number, samples.work)
    elif number is None:
        means = integer_means(state[0], weights, samples.work)
    else:
        means = np.empty(state[0].shape, samples.work)
        divided(state[0], number, means)
    if samples.holes:
        np.copyto(means, samples.empty, where=state[-1] == 0)
    return samples.finished(means)


def _split_means(high: NDArray[Any], low: NDArray[Any], number: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """(2**32 high + low) / number: long division with digits of 32 bits."""
    number = number.astype(high.dtype)
    digit, rest = np.divmod(high, number)
    tail = (rest.astype(np.uint64) << np.uint64(32)) + low
    number = number.astype(np.uint64)
    quotient = np.empty(low.shape, np.uint64)
    divided(tail, number, quotient)
    # The parity of the quotient is that of its low part, so that rounding it alone is right.
    return ((digit.astype(np.uint64) << np.uint64(32)) + quotient).astype(dtype)


def total_of(state: State, weights: Weights, samples: Samples, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Sums or counts as they are."""
    return state[0].astype(dtype, copy=False)


def sum_layout(samples: Samples, count: int) -> Layout:
    """A sum."""
    return (sum_type(samples, count),)


def first_sum(values: NDArray[Any], factors: Factors, samples: Samples, layout: Layout) -> State:
    """The accumulator of a sum."""
    return (sums(values, factors, layout[0], samples.marker),)


def count_layout(samples: Samples, count: int) -> Layout:
    """A count."""
    return (count_type(samples, count),)


def first_count(values: NDArray[Any], factors: Factors, samples: Samples, layout: Layout) -> State:
    """How many samples of each window count."""
    return (sums(samples.valid(values).view(np.uint8), factors, layout[0]),)
