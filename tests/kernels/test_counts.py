"""Counts against numpy.bincount, sums against Python's fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gigapix.kernels import counts
from gigapix.kernels.counts import count_bins
from gigapix.ops.histogram import edges_of

NARROW = {1: ["u1", "i1", "?"], 2: ["u2", "i2"]}


def expected_counts(values: np.ndarray) -> np.ndarray:
    lowest = np.iinfo(values.dtype).min if values.dtype.kind == "i" else 0
    return np.bincount(values.reshape(-1).astype(np.int64) - lowest, minlength=1 << 8 * values.itemsize)


def strided(data: st.DataObject, dtype: str, *, high: int | None = None) -> np.ndarray:
    """An array of one or two dimensions, cut and turned in any way, at any address."""
    shape = data.draw(st.one_of(st.tuples(st.integers(0, 300)), st.tuples(st.integers(0, 9), st.integers(0, 40))))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    room = tuple(3 * n + 2 for n in shape)
    item = np.dtype(dtype).itemsize
    raw = random.integers(0, high or 256, math.prod(room) * item + 1, np.uint8)
    if dtype == "?":
        raw &= 1
    array = raw[data.draw(st.integers(0, 1)) :][: math.prod(room) * item].view(dtype).reshape(room)
    return array[
        tuple(slice(None, n * step, step) for n, step in zip(shape, data.draw(steps(len(shape))), strict=True))
    ][tuple(slice(None, None, data.draw(st.sampled_from([1, -1]))) for _ in shape)]


def steps(n: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(1, 3)] * n)


@settings(max_examples=300)
@given(st.data())
def test_any_array(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from([1, 2]))
    values = strided(data, data.draw(st.sampled_from(NARROW[item])), high=data.draw(st.sampled_from([256, 2])))
    before = np.arange(1 << 8 * item)
    total = before.copy()
    (counts.count8 if item == 1 else counts.count16)(values, total)
    assert (total - before == expected_counts(values)).all()


@pytest.mark.parametrize("dtype", ["u1", "i1"])
@pytest.mark.parametrize("samples", [*range(1, 11), 300])
def test_interleaved(samples: int, dtype: str) -> None:
    for pixels in (0, 1, 2, 7, 1001):
        values = np.random.default_rng(pixels).integers(0, 256, (pixels, samples), np.uint8).view(dtype)
        total = np.ones((samples, 256), np.int64)
        counts.count8_interleaved(values, total)
        assert (total - 1 == np.stack([expected_counts(values[:, i]) for i in range(samples)])).all()


def test_what_does_not_fit_is_refused() -> None:
    values = np.zeros((4, 3), np.uint8)
    few, many = np.zeros(255, np.int64), np.zeros(256, np.int64)
    for bad in (values.astype("i2"), values.astype("f4"), values[None], np.zeros(3, "S1")):
        with pytest.raises(ValueError, match="values"):
            counts.count8(bad, many)
    for bad_counts in (few, many.astype(np.int32), many.astype(np.float64), many.astype(np.uint64)):
        with pytest.raises(ValueError, match="counts"):
            counts.count8(values, bad_counts)
    with pytest.raises(ValueError, match="native byte order"):
        counts.count16(values.astype(">u2"), np.zeros(65536, np.int64))
    for pixels in (values[:, ::2], values.T, values[::2], values[0]):
        with pytest.raises(ValueError, match=r"pixels|counts"):
            counts.count8_interleaved(pixels, np.zeros((pixels.shape[-1], 256), np.int64))
    with pytest.raises(ValueError, match="not numbers of"):
        counts.moments(np.zeros(3, np.float16))
    with pytest.raises(ValueError, match="native byte order"):
        counts.moments(np.zeros(3, ">f4"))
    many.flags.writeable = False
    with pytest.raises((BufferError, ValueError), match="read-only"):
        counts.count8(values, many)


def expected_moments(values: np.ndarray, nodata: float | None) -> tuple[int, float, float, int, int, int, int]:
    if values.dtype.kind == "f" and nodata is not None:
        with np.errstate(over="ignore"):
            nodata = float(values.dtype.type(nodata))
    valid = [v for v in values.reshape(-1).tolist() if v == v and v != nodata]
    finite = [Fraction(v) for v in valid if abs(v) != math.inf]
    total, squares = sum(finite) * 2**1074, sum(v * v for v in finite) * 2**2148
    low, high = (min(valid), max(valid)) if valid else (math.inf, -math.inf)
    return len(valid), low, high, valid.count(-math.inf), valid.count(math.inf), int(total), int(squares)


def check(values: np.ndarray, nodata: float | None = None) -> None:
    result = counts.moments(values, nodata)
    assert result == expected_moments(values, nodata)
    if values.dtype.kind == "f":
        assert all(isinstance(v, float) and str(v) != "-0.0" for v in result[1:3])


FLOATS = hnp.arrays(st.sampled_from([np.float32, np.float64]), st.integers(0, 30))
SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1.4e-45,
           3.4028234663852886e38, 1.1754943508222875e-38, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.1]  # fmt: skip


@given(FLOATS, st.sampled_from([None, *SPECIAL]))
def test_floats(values: np.ndarray, nodata: float | None) -> None:
    check(values, nodata)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_ends_of_the_range(dtype: str) -> None:
    with np.errstate(over="ignore"):
        values = np.repeat(np.array(SPECIAL).astype(dtype), 3)
    for nodata in (None, *SPECIAL):
        check(values, nodata)
    check(values[:0])


@given(st.data())
def test_any_bits(data: st.DataObject) -> None:
    values = strided(data, data.draw(st.sampled_from(["f4", "f8", "i4", "u4", "i8", "u8"])))
    nodata = data.draw(st.sampled_from([None, 0, *values.reshape(-1)[:3].tolist(), 0.5, math.nan, -1, 2**64, math.inf]))
    check(values, nodata)


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8"])
def test_integers_at_their_limits(dtype: str) -> None:
    limits = np.iinfo(dtype)
    values = np.array([limits.min, limits.max, 0, 1, limits.max - 1, limits.min + 1] * 5, dtype)
    for nodata in (None, 0, limits.min, limits.max, limits.max + 1, -1):
        check(values, nodata)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u8", "i8"])
def test_more_than_a_bin_of_one_word_holds(dtype: str) -> None:
    """The largest mantissas, so often that every carry is needed."""
    largest = {"f4": 1.9999998807907104, "f8": 1.9999999999999998, "u8": 2**64 - 1, "i8": -(2**63)}[dtype]
    n = 100_003
    values = np.full((n, 1), largest, dtype).repeat(2, axis=1)[:, 0]
    one = expected_moments(values[:1], None)
    assert counts.moments(values) == (n, largest, largest, 0, 0, n * one[5], n * one[6])
    n = (1 << 22) + 5  # squares of doubles have 106 bits
    many = counts.moments(np.broadcast_to(values[:1], n))
    assert many[0] == n and many[5:] == (n * one[5], n * one[6])


def test_the_order_does_not_matter() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=70_000) * 10.0 ** random.integers(-300, 300, 70_000)
    whole = counts.moments(values)
    parts = [counts.moments(part) for part in np.split(random.permutation(values), [1, 40_000, 65_000])]
    assert whole[5:] == (sum(p[5] for p in parts), sum(p[6] for p in parts))
    assert whole[5] / 2**1074 == math.fsum(values)


@given(
    st.sampled_from(["f4", "f8", "i4", "u4"]),
    st.integers(0, 2**32),
    st.integers(1, 300),
    st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_bins_are_numpys(kind, seed, bins, bounds, at_edges):
    rng, dtype = np.random.default_rng(seed), np.dtype(kind)
    low, high = bounds[0], bounds[0] + bounds[1]
    edges = edges_of(dtype, (low, high), bins)
    if edges is None:
        return
    values = rng.uniform(low - 0.1 * bounds[1], high + 0.1 * bounds[1], 500)
    if at_edges:
        values[:400] = rng.choice(edges, 400)
        values[:200] = np.nextafter(values[:200], rng.choice([-np.inf, np.inf], 200))
    values = np.clip(values, *((np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-3e38, 3e38)))
    values = values.astype(dtype)
    if dtype.kind == "f":
        values[400:405] = np.nan, np.inf, -np.inf, low, high
    marker = values[450]
    counts = np.zeros(bins, np.int64)
    count_bins(np.repeat(values, 2)[::2].reshape(20, 25), edges, counts, marker)
    valid = values[(values == values) & (values != marker)]
    assert counts.tolist() == np.histogram(valid, bins, (low, high))[0].tolist()


@pytest.mark.parametrize(
    "edges", [[0.0], [0.0, 0.0], [1.0, 0.0], [0.0, np.nan], [0.0, np.inf], [-1e308, 1e308], [0, 1, 2]]
)
def test_edges_that_are_none_are_refused(edges):
    with pytest.raises(ValueError, match="edges for 1 bins"):
        count_bins(np.zeros(3), np.array(edges, np.float64), np.zeros(1, np.int64))


def test_types_that_have_no_bins_are_refused():
    with pytest.raises(ValueError, match="not numbers of 32 bits"):
        count_bins(np.zeros(3, np.int64), np.array([0.0, 1.0]), np.zeros(1, np.int64))
