"""Means and standard deviations from exact sums.

A floating point sum depends on the order of its terms, so on the size of the blocks that an image is read in. The way
out that needs no care anywhere else is to make no rounding error at all: every finite double is an integer times
2**-1074, so a sum of doubles is an integer in that unit and a sum of squares one in units of 2**-2148. Python's
integers hold both. They add up the same in any order, and the standard deviation from them has no cancellation.
`gigapix.kernels.counts.moments` makes such sums; here they are divided, with one rounding.
"""

from __future__ import annotations

import math
from typing import Final

UNIT: Final = 1074
"""Sums are integers in units of 2**-UNIT, sums of squares in units of 2**-(2 * UNIT)."""


def quotient(numerator: int, denominator: int) -> float:
    """The quotient rounded once; an infinity where it is beyond the doubles."""
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


def mean(total: int, count: int) -> float:
    """The mean of `count` numbers from their sum."""
    return quotient(total, count << UNIT)


def deviation(total: int, squares: int, count: int) -> float:
    """The standard deviation of the whole population (``ddof=0``) from the sums of numbers and of their squares."""
    numerator = count * squares - total * total
    shift = max(0, 128 - numerator.bit_length()) // 2 + 1
    return quotient(math.isqrt(numerator << (2 * shift)), count << (UNIT + shift))
