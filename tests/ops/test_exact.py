"""Means and deviations against Python's rational numbers: there is no tolerance anywhere."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gigapix.kernels.counts import moments
from gigapix.ops import exact


def rational(values: np.ndarray[Any, Any]) -> tuple[Fraction, Fraction]:
    numbers = [Fraction(v) for v in values.tolist()]
    return sum(numbers, Fraction()), sum((v * v for v in numbers), Fraction())


def check(values: np.ndarray[Any, Any]) -> None:
    total, squares = moments(values)[5:]
    assert (Fraction(total, 1 << exact.UNIT), Fraction(squares, 1 << 2 * exact.UNIT)) == rational(values)


REAL_TYPES = ["f4", "f8", "i4", "u4", "i8", "u8"]


@pytest.mark.parametrize("dtype", REAL_TYPES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_numbers(dtype: str, data: st.DataObject) -> None:
    finite = {"allow_nan": False, "allow_infinity": False} if dtype[0] == "f" else {}
    elements = hnp.from_dtype(np.dtype(dtype), **finite)
    check(data.draw(hnp.arrays(np.dtype(dtype), st.integers(0, 60), elements=elements)))


@pytest.mark.parametrize(
    "values",
    [
        [5e-324, -5e-324, 5e-324],
        [1.7976931348623157e308] * 3,
        [1e300, 1e-300, 1.0],
        [2.2250738585072014e-308, 5e-324, 1e-310],
        [2.0**480, 2.0**-480, 3.0],
        [0.0, -0.0],
        [2.0**-600 * 3],
        [1e16, 1.0, -1e16],
    ],
)
def test_ends_of_the_range(values: list[float]) -> None:
    check(np.array(values))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("spread", [0, 8, 40, 200])
def test_several_chunks(dtype: str, spread: int) -> None:
    rng = np.random.default_rng(spread)
    limit = 60 if dtype == "f4" else 400
    values = rng.normal(1000, 200, 70_001) * 2.0 ** rng.integers(-min(spread, limit), min(spread, limit) + 1, 70_001)
    check(values.astype(dtype))


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), -1])
def test_largest_integers_in_a_full_chunk(value: int) -> None:
    check(np.full(1 << 15, value, np.int64))


def test_largest_unsigned_integers() -> None:
    check(np.full(1 << 15, 2**64 - 1, np.uint64))


def test_slices_at_their_bound() -> None:
    """Every product at its largest: one bit more a slice would not fit a double."""
    check(np.full(1 << 15, float(2**53 - 1)))
    check(np.full(1 << 15, 1.0 - 2.0**-53))


def test_quotients_are_rounded_once() -> None:
    values = [0.1, 0.2, 0.3, 1e10]
    total, squares = moments(np.array(values))[5:]
    mean = sum(map(Fraction, values), Fraction()) / 4
    variance = sum(((Fraction(v) - mean) ** 2 for v in values), Fraction()) / 4
    assert exact.mean(total, 4) == float(mean)
    deviation = Fraction(exact.deviation(total, squares, 4))
    for neighbour in (math.nextafter(float(deviation), 0), math.nextafter(float(deviation), math.inf)):
        middle = (deviation + Fraction(neighbour)) / 2  # the true root lies on our side of it
        assert (middle**2 < variance) == (middle < deviation)


def test_a_tiny_deviation_around_a_large_mean() -> None:
    values = 1e9 + np.arange(1000) % 2
    total, squares = moments(values)[5:]
    assert exact.deviation(total, squares, 1000) == 0.5


def test_too_large_a_sum_is_infinite() -> None:
    total, squares = moments(np.full(4, -1.7e308))[5:]
    assert exact.quotient(total, 1 << exact.UNIT) == -math.inf
    assert exact.mean(total, 4) == -1.7e308
    assert exact.deviation(total, squares, 4) == 0
