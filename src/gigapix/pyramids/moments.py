"""Variance and standard deviation of windows: mean and sum of squared deviations, merged from level to level.

Deviations are taken from the mean, so nothing is lost where a variance is small beside the values (T. Chan, G. Golub,
R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.samples import Samples
from gigapix.pyramids.windows import Weights, counts, spread, sums

State = tuple[NDArray[Any], ...]
Factors = Sequence[int]
Layout = tuple[np.dtype[Any], ...]

DOUBLE = np.dtype(np.float64)


def first_moments(values: NDArray[Any], factors: Factors, samples: Samples, layout: Layout) -> State:
    """(mean, sum of squared deviations), and where samples can be left out how many there are."""
    valid = samples.valid(values)
    exact = np.where(valid, values, values.dtype.type(0)).astype(np.float64)
    number = sums(valid.view(np.uint8), factors, np.dtype(np.uint32))
    return _of(exact, valid.astype(np.float64), number, factors, samples, layout, None)


def merged_moments(state: State, factors: Factors, samples: Samples, layout: Layout, weights: Weights) -> State:
    """Of windows of windows."""
    number = state[2] if samples.holes else counts(weights).astype(np.uint64)
    total = sums(number.astype(np.uint64), factors, np.dtype(np.uint64))
    return _of(state[0], number.astype(np.float64), total, factors, samples, layout, state[1])


def _of(
    means: NDArray[Any], weight: NDArray[Any], number: NDArray[Any], factors: Factors, samples: Samples,
    layout: Layout, squares: NDArray[Any] | None,
) -> State:  # fmt: skip
    mean = sums(means * weight, factors, DOUBLE) / np.maximum(number, 1)
    apart = means - spread(mean, factors, means.shape)
    apart *= apart
    apart *= weight
    if squares is not None:
        apart += squares
    state = (mean, sums(apart, factors, DOUBLE))
    return (*state, number.astype(layout[2])) if samples.holes else state


def variances(root: bool, state: State, weights: Weights, samples: Samples, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Of all samples of a window (not an estimate of a population's), or its root. NaN where there is none."""
    number = state[2] if samples.holes else counts(weights)
    out = state[1] / np.maximum(number, 1)
    if root:
        np.sqrt(out, out=out)
    out[np.broadcast_to(number == 0, out.shape)] = np.nan
    return out.astype(dtype)
