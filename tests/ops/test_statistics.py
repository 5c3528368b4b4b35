from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gigapix
from gigapix.ops.statistics import Statistics, finish, measure, merge, partial_of_counts

WIDE = ["u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]


def figures(values: Any, nodata: float | None = None) -> Statistics:
    return finish(measure(np.asarray(values), nodata))


@pytest.mark.parametrize("dtype", WIDE)
def test_equal_to_numpy(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(60, 15, (100, 70)).astype(dtype)
    if values.dtype.kind == "c":
        values += (1j * rng.normal(0, 5, values.shape)).astype(dtype)
    wide = values.astype("c16" if values.dtype.kind == "c" else "f8")
    found = figures(values)
    assert found.valid == 7000
    assert found.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert found.std == pytest.approx(wide.std(), rel=1e-9)
    assert found.sum == pytest.approx(wide.sum(), rel=1e-12)
    if values.dtype.kind == "c":
        assert found.min is found.max is None
    else:
        assert (found.min, found.max) == (values.min(), values.max())
        assert isinstance(found.min, float if values.dtype.kind == "f" else int)


@pytest.mark.parametrize("dtype", WIDE)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_parts_and_their_order_do_not_matter(dtype: str, data: st.DataObject) -> None:
    """Bit for bit, whatever the numbers are: infinities, NaN, subnormals and all."""
    values = data.draw(hnp.arrays(np.dtype(dtype), st.tuples(st.integers(1, 9), st.integers(1, 9))))
    nodata = data.draw(st.none() | st.sampled_from(values.real.ravel().tolist()))
    step = data.draw(st.integers(1, 4))
    corners = itertools.product(range(0, values.shape[0], step), range(0, values.shape[1], step))
    parts = [measure(values[y : y + step, x : x + step], nodata) for y, x in corners]
    pieces = finish(functools.reduce(merge, data.draw(st.permutations(parts))))
    assert repr(figures(values, nodata)) == repr(pieces)


def test_merging_is_associative() -> None:
    parts = [measure(np.random.default_rng(i).lognormal(0, 20, 50)) for i in range(5)]
    left = functools.reduce(merge, parts)
    right = functools.reduce(lambda a, b: merge(b, a), reversed(parts))
    assert left == right
    assert finish(left) == finish(right)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
def test_counted_values_give_the_same(dtype: str) -> None:
    values = np.random.default_rng(2).integers(0, 100, 999).astype(dtype)
    lowest = int(np.iinfo(dtype).min)
    counts = np.bincount(values.astype(np.int64) - lowest, minlength=1 << 8 * values.itemsize)
    assert finish(partial_of_counts(counts, values.dtype)) == figures(values.astype(np.int64))


def test_integer_sums_do_not_overflow() -> None:
    found = figures(np.full((100, 200), 2**64 - 1, np.uint64))
    assert found.sum == 20_000 * (2**64 - 1)
    assert (found.min, found.max, found.std) == (2**64 - 1, 2**64 - 1, 0.0)
    found = figures(np.array([-(2**63), -(2**63) + 2]))
    assert found.sum == -(2**64) + 2
    assert found.std == 1.0


@pytest.mark.parametrize(
    ("dtype", "nodata", "left"),
    [
        ("u4", 2, 3),
        ("u4", 0.5, 4),
        ("u4", math.nan, 4),
        ("u4", -1, 4),
        ("u8", -1, 4),
        ("i8", 1e30, 4),
        ("f2", 2, 3),
        ("f2", 1e400, 4),
        ("f4", 2, 3),
        ("f4", math.nan, 4),
        ("f8", 1e400, 4),
        ("c8", 2, 3),
    ],
)
def test_nodata_is_left_out(dtype: str, nodata: float, left: int) -> None:
    assert figures(np.array([0, 1, 2, 3], dtype), nodata).valid == left


def test_nodata_of_smaller_floats_is_compared_as_stored() -> None:
    for dtype in (np.float16, np.float32):
        found = figures(np.array([0.1, 5.0], dtype), 0.1)
        assert (found.valid, found.min) == (1, 5.0)
    values = np.array([np.finfo(np.float32).min, 5.0], np.float32)
    assert figures(values, -3.4028234663852886e38).valid == 1


def test_nan_is_left_out() -> None:
    found = figures([math.nan, 1.0, 2.0, math.nan])
    assert (found.valid, found.min, found.max, found.mean) == (2, 1.0, 2.0, 1.5)
    found = figures([complex(math.nan, 1), complex(1, math.nan), 2 + 3j])
    assert (found.valid, found.mean, found.std) == (1, 2 + 3j, 0.0)


def test_infinities() -> None:
    found = figures([math.inf, 1.0, 2.0])
    assert (found.valid, found.min, found.max, found.mean, found.sum) == (3, 1.0, math.inf, math.inf, math.inf)
    assert math.isnan(found.std or 0)
    assert repr(figures([math.inf, -math.inf]).mean) == "nan"


@pytest.mark.parametrize("dtype", ["u4", "f2", "f4", "c8"])
def test_nothing_valid(dtype: str) -> None:
    found = figures(np.zeros((4, 4), dtype), 0)
    assert (found.min, found.max, found.mean, found.std, found.valid, found.sum) == (None, None, None, None, 0, 0)


def test_negative_zero_is_zero() -> None:
    assert repr(figures([-0.0, 0.0])) == repr(figures([0.0, -0.0])) == repr(figures([[0.0], [0.0]]))


@pytest.mark.parametrize("dtype", ["u2", "i2"])
@pytest.mark.parametrize("nodata", [None, 7, 70_000])
def test_sixteen_bits_without_room_for_counts(dtype, nodata, tmp_path):
    pixels = np.random.default_rng(3).integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (300, 400, 2)).astype(dtype)
    pixels[:50] = 7
    extra = [] if nodata is None else [(42113, 2, 0, str(nodata), False)]
    tifffile.imwrite(
        tmp_path / "x.tif", pixels, planarconfig="contig", photometric="minisblack", rowsperstrip=20, extratags=extra
    )
    with gigapix.open(tmp_path / "x.tif") as image:
        found = image.statistics(memory="200kB")
        assert found == image.statistics(memory="64MB")
        assert found[0].valid == 120_000 - 20_000 * (nodata == 7) - (nodata == 7) * int((pixels[50:, :, 0] == 7).sum())
        with pytest.raises(gigapix.MemoryBudgetError):
            image.histogram(memory="200kB")
