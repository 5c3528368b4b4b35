from __future__ import annotations

import numpy as np
import pytest

from gigapix.ops.histogram import bin_counts, histogram_of_counts, is_narrow, value_counts


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "?"])
@pytest.mark.parametrize("size", [0, 1, 2, 999, 1 << 18, (1 << 18) + 1, 600_001])
def test_values_are_counted(dtype: str, size: int) -> None:
    kind = np.dtype(dtype)
    limits = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    values = np.random.default_rng(size).integers(limits[0], limits[1], size, endpoint=True).astype(kind)
    histogram = histogram_of_counts(value_counts(values), kind)
    if size == 0:
        assert histogram is None
        return
    assert histogram is not None
    expected, counts = np.unique(values, return_counts=True)
    assert (histogram.min, histogram.max) == (int(expected[0]), int(expected[-1]))
    found = np.array(histogram.counts)
    np.testing.assert_array_equal(np.flatnonzero(found) + histogram.min, expected.astype(np.int64))
    np.testing.assert_array_equal(found[found > 0], counts)


def test_values_with_gaps_between_them() -> None:
    values = np.arange(2000, dtype=np.uint8).reshape(2, -1)[:, ::3].T[:, 1]
    counts = value_counts(values)
    np.testing.assert_array_equal(counts, np.bincount(values, minlength=256))


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
    assert bin_counts(np.full(7, 3.5), (3.5, 3.5), 4).tolist() == [0, 0, 0, 7]


def test_narrow_types() -> None:
    assert [is_narrow(np.dtype(t)) for t in ("?", "u1", "i2", "f2", "u4", "c8")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
