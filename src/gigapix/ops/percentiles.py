"""Exact percentiles of numbers that are never in memory together.

A percentile lies between two of the numbers in order, so what is needed is the number with a given rank. It is found
digit by digit (radix selection): one pass over the image counts how often each value of the keys' first digit occurs
(`gigapix.ops.keys`), which tells the first digit of the number wanted and its rank among those that begin with it. The
next pass counts the second digit of those, and so on. A digit has 16 bits where the memory allows it, else 8: numbers
of 16 bits take one pass, of 32 two, of 64 four. All ranks wanted of all percentiles go through the passes together.

The percentile is numpy's (method ``linear``), computed in double precision from the same two numbers with the same
operations: equal to `numpy.percentile` of the valid samples as float64, bit for bit (of integers, as they are). Where
numpy has NaN because it takes one infinity from another, the infinity itself is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import MemoryBudgetError
from gigapix.ops.histogram import Counts, count_values
from gigapix.ops.keys import Keys, keys_of, values_of


@dataclass(frozen=True, kw_only=True)
class Digits:
    """What one pass counts: the next digit of the keys that begin with one of `prefixes`."""

    prefixes: tuple[int, ...]
    """In order, each of `known` bits; ``(0,)`` where none is known."""
    known: int
    bits: int
    """Of the digit: 8 or 16."""

    @property
    def nbytes(self) -> int:
        """Of the counts."""
        return 8 * len(self.prefixes) << self.bits

    def add(self, values: NDArray[Any], counts: Counts) -> None:
        """Count the digits of a 1-D array without NaN, into `counts` of shape ``(prefixes, 2**bits)``."""
        keys = keys_of(values)
        shift = 8 * keys.dtype.itemsize - self.known - self.bits
        if not self.known:
            count_values((keys >> shift).astype(f"u{self.bits // 8}"), counts[0])
            return
        # Few keys begin so. A table of what the wanted ones' first bits are leaves out nearly all others.
        prefixes = np.array(self.prefixes, keys.dtype)
        first = min(self.known, 16)
        wanted = np.zeros(1 << first, bool)
        wanted[prefixes >> (self.known - first)] = True
        keys = keys[wanted[keys >> (8 * keys.dtype.itemsize - first)]]
        begins = keys >> (shift + self.bits)
        group = np.minimum(np.searchsorted(prefixes, begins), len(prefixes) - 1)
        chosen = np.flatnonzero(prefixes[group] == begins)
        digit = (keys[chosen] >> shift) & keys.dtype.type((1 << self.bits) - 1)
        np.add.at(counts, (group[chosen], digit.astype(np.intp)), 1)


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """The numbers with certain ranks, as far as they are known: for each rank the first bits of its key."""

    dtype: np.dtype[Any]
    ranks: tuple[int, ...] = ()
    """From 0, in order. Empty before the first pass, which also tells how many numbers there are."""
    prefixes: tuple[int, ...] = (0,)
    """For each rank, the first `known` bits of the key."""
    within: tuple[int, ...] = (0,)
    """For each rank, the rank among the keys that begin so."""
    known: int = 0

    @property
    def found(self) -> bool:
        """Whether all bits are known."""
        return self.known == 8 * self.dtype.itemsize

    @property
    def values(self) -> dict[int, Any]:
        """The number of each rank, when all is found."""
        keys: Keys = np.array(self.prefixes, f"u{self.dtype.itemsize}")
        return dict(zip(self.ranks, values_of(keys, self.dtype).tolist(), strict=True))

    def digits(self, room: int) -> Digits:
        """What the next pass is to count, within `room` bytes. Raises MemoryBudgetError where that is too little."""
        prefixes = tuple(sorted(set(self.prefixes)))
        wide = (8 * self.dtype.itemsize - self.known) % 16 == 0 and 8 * len(prefixes) << 16 <= room
        digits = Digits(prefixes=prefixes, known=self.known, bits=16 if wide else 8)
        if digits.nbytes > room:
            raise MemoryBudgetError(
                f"the percentiles of a band need {digits.nbytes} bytes, and there are {room} for it"
            )
        return digits

    def narrowed(self, digits: Digits, counts: Counts) -> Ranks:
        """With the digit that a pass has counted."""
        below = np.cumsum(counts, axis=1)
        prefixes, within = [], []
        for prefix, rank in zip(self.prefixes, self.within, strict=True):
            row = below[digits.prefixes.index(prefix)]
            digit = int(np.searchsorted(row, rank, side="right"))
            prefixes.append(prefix << digits.bits | digit)
            within.append(rank - (int(row[digit - 1]) if digit else 0))
        return replace(self, prefixes=tuple(prefixes), within=tuple(within), known=self.known + digits.bits)


def ranks_of(percentiles: Sequence[float], n: int) -> tuple[int, ...]:
    """The ranks that the percentiles of `n` numbers lie between."""
    return tuple(sorted({rank for q in percentiles for rank in _between(q, n)[:2]}))


def interpolated(values: dict[int, Any], percentiles: Sequence[float], n: int) -> tuple[float, ...]:
    """The percentiles of `n` numbers, from those with the ranks that `ranks_of` tells."""
    found = []
    for q in percentiles:
        low, high, share = _between(q, n)
        a, b = values[low], values[high]
        if a == b or share == 0:
            found.append(float(a))
        elif share >= 0.5:
            found.append(float(b) - float(b - a) * (1 - share))
        else:
            found.append(float(a) + float(b - a) * share)
    return tuple(found)


def percentiles_of_counts(
    counts: Counts, values: NDArray[Any], percentiles: Sequence[float]
) -> tuple[float, ...] | None:
    """The percentiles of numbers of which the value ``values[i]`` occurs ``counts[i]`` times; None where there are
    none."""
    below = np.cumsum(counts)
    n = int(below[-1])
    if not n:
        return None
    ranks = ranks_of(percentiles, n)
    found = values[np.searchsorted(below, ranks, side="right")].tolist()
    return interpolated(dict(zip(ranks, found, strict=True)), percentiles, n)


def _between(q: float, n: int) -> tuple[int, int, float]:
    """The two ranks that a percentile lies between, and how far from the first one on."""
    place = (n - 1) * (q / 100)
    low = min(math.floor(place), n - 1)
    return low, min(low + 1, n - 1), place - low
