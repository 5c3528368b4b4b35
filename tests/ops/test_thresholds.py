"""Against scikit-image where it is there, and against a search by the definition."""

from __future__ import annotations

import numpy as np
import pytest

from gigapix.errors import RequestError
from gigapix.ops.histogram import Histogram, bin_counts
from gigapix.ops.thresholds import METHODS, threshold_of


def two_hills(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low, high = sorted(rng.uniform(40, 210, 2))
    values = np.concatenate([rng.normal(low, 12, 4000), rng.normal(high, 9, rng.integers(500, 5000))])
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def of_values(values: np.ndarray) -> Histogram:
    low = int(values.min())
    counts = tuple(np.bincount(values.ravel() - low).tolist())
    return Histogram(kind="values", min=low, max=int(values.max()), counts=counts)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("method", METHODS)
def test_equal_to_scikit_image(method: str, seed: int) -> None:
    filters = pytest.importorskip("skimage.filters")
    values = two_hills(seed)
    assert threshold_of(of_values(values), method) == getattr(filters, f"threshold_{method}")(values)
    floats = values.astype(np.float64) / 7 + np.random.default_rng(seed).random(values.size)
    low, high = float(floats.min()), float(floats.max())
    bins = Histogram(kind="bins", min=low, max=high, counts=tuple(bin_counts(floats, (low, high), 256).tolist()))
    expected = getattr(filters, f"threshold_{method}")(floats)
    assert threshold_of(bins, method) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_otsu_parts_where_the_variance_within_is_least(seed: int) -> None:
    values = two_hills(seed).astype(float)
    candidates = np.unique(values)[:-1]
    within = [sum(part.size * part.var() for part in (values[values <= t], values[values > t])) for t in candidates]
    assert threshold_of(of_values(values.astype(np.uint8)), "otsu") == candidates[int(np.argmin(within))]


@pytest.mark.parametrize("method", METHODS)
def test_a_single_value_is_its_own_threshold(method: str) -> None:
    assert threshold_of(Histogram(kind="values", min=-7, max=-7, counts=(99,)), method) == -7


@pytest.mark.parametrize("method", METHODS)
def test_empty_bins_at_the_ends_do_not_count(method: str) -> None:
    histogram = Histogram(kind="values", min=0, max=9, counts=(0, 5, 9, 2, 0, 1, 8, 5, 0, 0))
    trimmed = Histogram(kind="values", min=1, max=7, counts=histogram.counts[1:8])
    assert threshold_of(histogram, method) == threshold_of(trimmed, method)


def test_unknown_method() -> None:
    with pytest.raises(RequestError, match="otsu, triangle"):
        threshold_of(Histogram(kind="values", min=0, max=0, counts=(1,)), "magic")
