"""The sum of numbers and the sum of their squares, exactly.

A floating point sum depends on the order of its terms, so on the size of the blocks that an image is read in. The way
out that needs no care anywhere else is to make no rounding error at all: every finite double is an integer times
2**-1074, so a sum of doubles is an integer in that unit and a sum of squares one in units of 2**-2148. Python's
integers hold both. They add up the same in any order, and the standard deviation from them has no cancellation.

To be fast, the numbers are not turned into Python integers one by one. A chunk of `_CHUNK` numbers is cut into slices
of `_BITS` bits by adding and subtracting a large constant (ExtractVector of Rump, Ogita and Oishi, SIAM J. Sci. Comput.
31(1), 2008): a number is the sum of its slices, and a slice holds integers of at most 2**(_BITS - 1) times one power of
two. The sum of a slice, and the dot product of any two, then stay below 2**53 of their unit in every partial sum, so
that numpy's pairwise sum and BLAS's dot product are exact in whatever order they add. Satellite data of float32 takes
two slices, other doubles three or four. A chunk whose exponents spread wider (or come near the ends of the range, where
a product would not be exact) takes the other road: `numpy.frexp` parts the numbers by exponent, `numpy.bincount` adds
up the pieces of their mantissas, again as integers below 2**53. It costs the same for any numbers, ten times the first.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

UNIT: Final = 1074
"""Sums are integers in units of 2**-UNIT, sums of squares in units of 2**-(2 * UNIT)."""

_CHUNK: Final = 1 << 15
_BITS: Final = 20
"""2 * (_BITS - 1) + log2(_CHUNK) = 53."""
_BLAS_PIECE: Final = 1 << 13
"""OpenBLAS uses threads from 10,000 numbers on."""
_MOST_SLICES: Final = 6
_MOST_EXPONENT: Final = 480
"""Slices whose units lie within 2**+-480 have products that neither overflow nor lose bits to underflow."""

Doubles = NDArray[np.float64]


def moments(values: NDArray[Any]) -> tuple[int, int]:
    """The exact sum and sum of squares of a 1-D array of finite real numbers, integer or floating point, up to 64 bits.

    Two integers, in units of 2**-UNIT and 2**-(2 * UNIT).
    """
    total = squares = 0
    for start in range(0, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK]
        if chunk.dtype.kind in "iu" and chunk.dtype.itemsize == 8:
            slices: list[tuple[int, Doubles]] | None = _integer_slices(chunk)
        else:
            chunk = chunk.astype(np.float64)
            slices = _slices(chunk)
        first, second = _binned_moments(chunk) if slices is None else _sliced_moments(slices)
        total += first
        squares += second
    return total, squares


def quotient(numerator: int, denominator: int) -> float:
    """The quotient rounded once; an infinity where it is beyond the doubles."""
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


def mean(total: int, count: int) -> float:
    """The mean of `count` numbers whose sum `moments` gave."""
    return quotient(total, count << UNIT)


def deviation(total: int, squares: int, count: int) -> float:
    """The standard deviation of the whole population (``ddof=0``) from the sums that `moments` gave."""
    numerator = count * squares - total * total
    shift = max(0, 128 - numerator.bit_length()) // 2 + 1
    return quotient(math.isqrt(numerator << (2 * shift)), count << (UNIT + shift))


def _slices(chunk: Doubles) -> list[tuple[int, Doubles]] | None:
    """Cut numbers into slices: (exponent of the unit, multiples of that unit). The chunk itself is left as it is.

    None where that takes too many slices, or where their products would not be exact.
    """
    peak = max(float(chunk.max()), -float(chunk.min()))
    exponent = math.frexp(peak)[1] - _BITS + 1
    slices: list[tuple[int, Doubles]] = []
    rest = chunk
    while True:
        if len(slices) == _MOST_SLICES or not -_MOST_EXPONENT < exponent < _MOST_EXPONENT:
            return None
        magnet = math.ldexp(1.5, exponent + 52)
        piece = rest + magnet
        piece -= magnet
        slices.append((exponent, piece))
        rest = np.subtract(rest, piece, out=None if rest is chunk else rest)
        if not rest.any():
            return slices
        exponent -= _BITS


def _integer_slices(chunk: NDArray[Any]) -> list[tuple[int, Doubles]]:
    """64-bit integers are beyond a double's 53 bits: 16 bits a slice, the topmost with the sign."""
    slices = []
    for shift in (0, 16, 32, 48):
        piece = chunk >> shift if shift == 48 else (chunk >> shift) & 0xFFFF
        slices.append((shift, piece.astype(np.float64) * float(1 << shift)))
    return slices


def _sliced_moments(slices: list[tuple[int, Doubles]]) -> tuple[int, int]:
    total = squares = 0
    for index, (exponent, piece) in enumerate(slices):
        total += _integer(float(piece.sum()), exponent) << (UNIT + exponent)
        for other_exponent, other in slices[: index + 1]:
            unit = exponent + other_exponent
            product = _integer(_dot(piece, other), unit)
            squares += product << (2 * UNIT + unit + (other is not piece))
    return total, squares


def _dot(a: Doubles, b: Doubles) -> float:
    """The dot product in pieces so short that BLAS starts no threads: those would fight the image's for the cores."""
    return sum(float(np.dot(a[i : i + _BLAS_PIECE], b[i : i + _BLAS_PIECE])) for i in range(0, a.size, _BLAS_PIECE))


def _integer(value: float, unit: int) -> int:
    """A multiple of 2**unit as the integer that it is a multiple by."""
    return int(math.ldexp(value, -unit))


def _binned_moments(chunk: Doubles) -> tuple[int, int]:
    mantissas, exponents = np.frexp(chunk)
    lowest = int(exponents.min())
    bins = exponents - lowest
    digits: list[Doubles] = []  # of 18 bits each: digits[i] counts units of 2**(-18 * (i + 1))
    for _ in range(3):
        mantissas = mantissas * float(1 << 18)
        digits.append(np.rint(mantissas))
        mantissas -= digits[-1]
    total = squares = 0
    for i, digit in enumerate(digits):
        total += _positioned(_bins(bins, digit), lowest - 18 * (i + 1), 1, UNIT)
        for j, other in enumerate(digits[: i + 1]):
            sums = _positioned(_bins(bins, digit * other), 2 * lowest - 18 * (i + j + 2), 2, 2 * UNIT)
            squares += sums if i == j else 2 * sums
    return total, squares


def _bins(bins: NDArray[np.signedinteger[Any]], weights: Doubles) -> Doubles:
    return np.bincount(bins, weights).astype(np.float64, copy=False)


def _positioned(sums: Doubles, lowest: int, step: int, unit: int) -> int:
    """The sum of ``sums[i] * 2**(lowest + i * step)``, in units of 2**-unit.

    A subnormal number's low digits are zero, so that no bit is lost where the shift is to the right.
    """
    total = 0
    for i in np.flatnonzero(sums).tolist():
        shift = lowest + i * step + unit
        total += int(sums[i]) << shift if shift >= 0 else int(sums[i]) >> -shift
    return total
