from __future__ import annotations

import numpy as np
import pytest

from gigapix.ops.histogram import bin_counts, count_values, histogram_of_counts, is_narrow

NARROW = ["u1", "i1", "u2", "i2", "?"]


def counts_of(values: np.ndarray) -> np.ndarray:
    counts = np.zeros(1 << 8 * values.itemsize, np.int64)
    count_values(values, counts)
    return counts


def some(dtype: str, shape: tuple[int, ...] | int) -> np.ndarray:
    kind = np.dtype(dtype)
    limits = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    return np.random.default_rng(1).integers(*limits, shape, endpoint=True).astype(kind)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("shape", [0, 1, 999, (3, 70), (4, 5, 6, 7)])
def test_values_are_counted(dtype: str, shape: tuple[int, ...] | int) -> None:
    values = some(dtype, shape)
    histogram = histogram_of_counts(counts_of(values), values.dtype)
    if values.size == 0:
        assert histogram is None
        return
    assert histogram is not None
    expected, counts = np.unique(values, return_counts=True)
    assert (histogram.min, histogram.max) == (int(expected[0]), int(expected[-1]))
    found = np.array(histogram.counts)
    np.testing.assert_array_equal(np.flatnonzero(found) + histogram.min, expected.astype(np.int64))
    np.testing.assert_array_equal(found[found > 0], counts)


def test_values_with_gaps_between_them() -> None:
    values = np.arange(4000, dtype=np.uint8).reshape(2, 20, 100)[:, ::3, ::-2]
    np.testing.assert_array_equal(counts_of(values), np.bincount(values.ravel(), minlength=256))


@pytest.mark.parametrize("dtype", NARROW[:4])
@pytest.mark.parametrize(("bins", "bounds"), [(7, None), (None, (-20, 90.5)), (300, (3, 3)), (5, (1e6, 1e7))])
def test_counted_values_are_put_into_numpys_bins(dtype: str, bins: int | None, bounds: tuple[int, int] | None) -> None:
    values = some(dtype, 5000)
    found = histogram_of_counts(counts_of(values), values.dtype, bins=bins, bounds=bounds)
    assert found is not None and found.kind == "bins"
    if bounds == (3, 3):
        assert found.counts == (0,) * 299 + (int(np.sum(values == 3)),)
    else:
        expected, edges = np.histogram(values.astype(np.int64), bins=bins or 256, range=bounds)
        assert (found.counts, found.min, found.max) == (tuple(expected), edges[0], edges[-1])


@pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8", "f2", "f4", "f8"])
def test_bins_are_those_of_numpy(dtype: str) -> None:
    values = (np.random.default_rng(1).normal(1000, 100, 10_000)).astype(dtype)
    bounds = (values.min().item(), values.max().item())
    expected = np.histogram(values.astype("f4") if dtype == "f2" else values, 256)[0]
    np.testing.assert_array_equal(bin_counts(values, bounds, 256), expected)


def test_bins_across_all_doubles() -> None:
    values = np.array([-1.7e308, 0.0, 1.7e308])
    counts = bin_counts(values, (-1.7e308, 1.7e308), 3)
    np.testing.assert_array_equal(counts, [1, 1, 1])


def test_bins_across_all_integers() -> None:
    values = np.array([-(2**63), 0, 2**63 - 1])
    np.testing.assert_array_equal(bin_counts(values, (-(2**63), 2**63 - 1), 2), [1, 2])


def test_one_value_is_in_the_last_bin() -> None:
    assert bin_counts(np.array([3.5] * 7 + [4.0]), (3.5, 3.5), 4).tolist() == [0, 0, 0, 7]


def test_narrow_types() -> None:
    assert [t for t in ("?", "u1", "i2", "f2", "u4", "c8") if is_narrow(np.dtype(t))] == ["?", "u1", "i2"]
