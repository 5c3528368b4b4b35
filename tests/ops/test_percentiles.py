from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gigapix.errors import MemoryBudgetError
from gigapix.ops.keys import keys_of, values_of
from gigapix.ops.percentiles import Ranks, interpolated, percentiles_of_counts, ranks_of

TYPES = ["u4", "i4", "u8", "i8", "f2", "f4", "f8"]
WANTED = (0.0, 0.1, 2.0, 25.0, 50.0, 50.1, 98.0, 99.999, 100.0)


def selected(values: np.ndarray[Any, Any], wanted: tuple[float, ...], room: int) -> tuple[tuple[float, ...], int]:
    """The percentiles and the passes."""
    ranks = ranks_of(wanted, values.size)
    found = Ranks(dtype=values.dtype, ranks=ranks, prefixes=(0,) * len(ranks), within=ranks)
    passes = 0
    while not found.found:
        digits = found.digits(room)
        counts = np.zeros((len(digits.prefixes), 1 << digits.bits), np.int64)
        for part in np.array_split(values, 3):
            digits.add(part, counts)
        found = found.narrowed(digits, counts)
        passes += 1
    return interpolated(found.values, wanted, values.size), passes


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_keys_keep_the_order(dtype: str, data: st.DataObject) -> None:
    values = data.draw(hnp.arrays(dtype, st.integers(1, 20), elements=hnp.from_dtype(np.dtype(dtype), allow_nan=False)))
    keys = keys_of(values)
    np.testing.assert_array_equal(values[np.argsort(keys, kind="stable")], np.sort(values))
    np.testing.assert_array_equal(values_of(keys, values.dtype), values)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 1000])
def test_equal_to_numpy_bit_for_bit(dtype: str, n: int) -> None:
    rng = np.random.default_rng(n)
    values = (rng.normal(0 if dtype[0] != "u" else 1e6, 1e5 if dtype != "f2" else 100, n)).astype(dtype)
    values[n // 2 :] = values[0]  # ties
    expected = np.percentile(values.astype("f8") if dtype[0] == "f" else values, WANTED)
    found, passes = selected(values, WANTED, 1 << 24)
    assert found == tuple(expected)
    assert passes == values.itemsize // 2


@pytest.mark.parametrize("room", [1 << 13, 1 << 15, 1 << 19])
def test_less_memory_takes_more_passes(room: int) -> None:
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    found, passes = selected(values, (2.0, 98.0), room)
    assert found == tuple(np.percentile(values.astype("f8"), (2, 98)))
    assert passes >= 2
    with pytest.raises(MemoryBudgetError, match="bytes"):
        selected(values, (2.0, 98.0), 8)


def test_infinities_are_numbers() -> None:
    values = np.array([-np.inf, -np.inf, 0.0, 1.0, np.inf])
    assert selected(values, (0.0, 25.0, 50.0, 75.0, 100.0), 1 << 20)[0] == (-np.inf, -np.inf, 0.0, 1.0, np.inf)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
def test_from_counts(dtype: str) -> None:
    lowest = int(np.iinfo(dtype).min)
    values = np.random.default_rng(3).integers(lowest, np.iinfo(dtype).max, 777)
    counts = np.bincount(values - lowest, minlength=1 << 8 * np.dtype(dtype).itemsize)
    found = percentiles_of_counts(counts, np.arange(counts.size) + lowest, WANTED)
    assert found == tuple(np.percentile(values, WANTED))
    assert percentiles_of_counts(0 * counts, counts, WANTED) is None


def test_huge_integers_are_not_rounded_on_the_way() -> None:
    values = np.array([2**63 - 3, 2**63 - 1, -(2**63)])
    found = Ranks(dtype=values.dtype, ranks=(2,), prefixes=(0,), within=(2,))
    while not found.found:
        digits = found.digits(1 << 20)
        counts = np.zeros((1, 1 << digits.bits), np.int64)
        digits.add(values, counts)
        found = found.narrowed(digits, counts)
    assert found.values == {2: 2**63 - 1}
    assert replace(found, known=0).found is False
