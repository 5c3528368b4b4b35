from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gigapix.ops.statistics import finish, histograms, measure, measure_bands, merge, statistics

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]


def cut(values: np.ndarray[Any, Any], step: int) -> list[np.ndarray[Any, Any]]:
    return [
        values[:, y : y + step, x : x + step]
        for y in range(0, values.shape[1], step)
        for x in range(0, values.shape[2], step)
    ]


@pytest.mark.parametrize("dtype", TYPES)
def test_equal_to_numpy(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(60, 15, (3, 100, 70)).astype(dtype)
    if values.dtype.kind == "c":
        values += (1j * rng.normal(0, 5, values.shape)).astype(dtype)
    wide = values.astype("c16" if values.dtype.kind == "c" else "f8")
    for band, found in enumerate(statistics(cut(values, 33))):
        assert found.valid == 7000
        assert found.mean == pytest.approx(wide[band].mean(), rel=1e-12)
        assert found.std == pytest.approx(wide[band].std(), rel=1e-9)
        assert found.sum == pytest.approx(wide[band].sum(), rel=1e-12)
        if values.dtype.kind == "c":
            assert found.min is found.max is found.histogram is None
        else:
            assert (found.min, found.max) == (values[band].min(), values[band].max())
            assert isinstance(found.min, float if values.dtype.kind == "f" else int)


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_blocks_and_their_order_do_not_matter(dtype: str, data: st.DataObject) -> None:
    """Bit for bit, whatever the numbers are: infinities, NaN, subnormals and all."""
    values = data.draw(hnp.arrays(np.dtype(dtype), st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 9))))
    nodata = data.draw(st.none() | st.sampled_from(values.real.ravel().tolist()))
    blocks = cut(values, data.draw(st.integers(1, 4)))
    whole = statistics([values], nodata=nodata)
    pieces = statistics(data.draw(st.permutations(blocks)), nodata=nodata)
    assert repr(whole) == repr(pieces)


def test_merging_is_associative() -> None:
    parts = [measure(np.random.default_rng(i).lognormal(0, 20, 50)) for i in range(5)]
    left = functools.reduce(merge, parts)
    right = functools.reduce(lambda a, b: merge(b, a), reversed(parts))
    assert left == right
    assert finish(left) == finish(right)


def test_integer_sums_do_not_overflow() -> None:
    values = np.full((1, 100, 100), 2**64 - 1, np.uint64)
    (found,) = statistics([values, values])
    assert found.sum == 20_000 * (2**64 - 1)
    assert (found.min, found.max, found.std) == (2**64 - 1, 2**64 - 1, 0.0)
    (found,) = statistics([np.array([[[-(2**63), -(2**63) + 2]]])])
    assert found.sum == -(2**64) + 2
    assert found.std == 1.0


@pytest.mark.parametrize(
    ("dtype", "nodata", "left"),
    [
        ("u1", 0, 3),
        ("u1", 300, 4),
        ("u1", -1, 4),
        ("u1", 0.5, 4),
        ("u1", math.nan, 4),
        ("i2", 2, 3),
        ("u4", 2, 3),
        ("u8", -1, 4),
        ("f4", 2, 3),
        ("f4", math.nan, 4),
        ("f8", 1e400, 4),
        ("c8", 2, 3),
    ],
)
def test_nodata_is_left_out(dtype: str, nodata: float, left: int) -> None:
    (found,) = statistics([np.array([[0, 1, 2, 3]], dtype)], nodata=nodata)
    assert found.valid == left
    if dtype == "u1" and nodata == 0:
        assert (found.min, found.sum) == (1, 6)


def test_nodata_of_float32_is_compared_as_float32() -> None:
    values = np.array([[0.1, 5.0]], np.float32)
    (found,) = statistics([values], nodata=0.1)
    assert (found.valid, found.min) == (1, 5.0)
    values[0, 0] = np.finfo(np.float32).min
    (found,) = statistics([values], nodata=-3.4028234663852886e38)
    assert found.valid == 1


def test_nan_is_left_out() -> None:
    (found,) = statistics([np.array([[math.nan, 1.0, 2.0, math.nan]])])
    assert (found.valid, found.min, found.max, found.mean) == (2, 1.0, 2.0, 1.5)
    (found,) = statistics([np.array([[complex(math.nan, 1), complex(1, math.nan), 2 + 3j]])])
    assert (found.valid, found.mean, found.std) == (1, 2 + 3j, 0.0)


def test_infinities() -> None:
    (found,) = statistics([np.array([[math.inf, 1.0, 2.0]])])
    assert (found.valid, found.min, found.max, found.mean, found.sum) == (3, 1.0, math.inf, math.inf, math.inf)
    assert math.isnan(found.std or 0)
    (found,) = statistics([np.array([[math.inf, -math.inf]])])
    assert repr(found.mean) == "nan"


@pytest.mark.parametrize("dtype", ["u1", "u4", "f4", "c8"])
def test_nothing_valid(dtype: str) -> None:
    (found,) = statistics([np.zeros((1, 4, 4), dtype)], nodata=0)
    assert (found.min, found.max, found.mean, found.std, found.valid, found.sum) == (None, None, None, None, 0, 0)
    assert found.histogram is None


def test_no_blocks() -> None:
    assert statistics([]) == ()


def test_bands_along_another_axis() -> None:
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    assert [band.sum for band in statistics([values], axis=1)] == [values[:, i].sum() for i in range(3)]


def test_negative_zero_is_zero() -> None:
    assert repr(statistics([np.array([[-0.0, 0.0]])])) == repr(statistics([np.array([[0.0, -0.0]])]))


def test_histogram_of_narrow_integers_comes_along() -> None:
    (found,) = statistics([np.array([[5, 5, 7, 0]], np.uint16)], nodata=0)
    assert found.histogram is not None
    assert (found.histogram.kind, found.histogram.min, found.histogram.max) == ("values", 5, 7)
    assert found.histogram.counts == (2, 0, 1)


def test_histogram_in_a_second_pass() -> None:
    values = np.random.default_rng(0).normal(size=(2, 90, 90)).astype(np.float32)
    values[0, :10] = -9999
    for step in (7, 90):
        blocks = cut(values, step)
        partials = measure_bands(blocks, nodata=-9999)
        found = histograms(blocks, partials, nodata=-9999)
        assert [h.kind if h else None for h in found] == ["bins", "bins"]
        for histogram, band in zip(found, (values[0, 10:], values[1]), strict=True):
            assert histogram is not None
            np.testing.assert_array_equal(histogram.counts, np.histogram(band, 256)[0])


def test_no_bins_between_infinities() -> None:
    blocks = [np.array([[math.inf, 1.0]])]
    assert histograms(blocks, measure_bands(blocks)) == (None,)
