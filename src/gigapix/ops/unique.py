"""The different values of a band, and how often each occurs.

Of 8 and 16 bits they are read off the counts. Wider samples are kept as a sorted array of values with their counts, to
which each block adds. Images with few values (labels, masks, classes) have long runs of one value, so a block is first
cut down to its runs: what is sorted is one number a run. Who asks for no more than `limit` values gets an answer as
soon as one more has been seen, and the array never grows beyond that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.ops.histogram import Counts

VALUE_BYTES: Final = 100
"""Of one value and its count, at most: twice in arrays while they are merged, once in the result."""


@dataclass(frozen=True, kw_only=True)
class Unique:
    """The different valid values of a band."""

    limit: int | None
    """How many were asked for at most; None for all."""
    values: tuple[Any, ...] | None
    """In order; None where there are more than `limit`."""
    counts: tuple[int, ...] | None
    """How often each occurs."""

    @property
    def more(self) -> bool:
        """Whether there are more values than `limit`."""
        return self.values is None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The values of a part of a band; more than `most` of them are not kept."""

    values: NDArray[Any]
    counts: Counts

    def merged(self, other: Seen, most: int) -> Seen:
        """Of both parts. Where there are more than `most` values, some `most` + 1 of them."""
        if not self.values.size:
            return other.cut(most)
        values, places = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts: Counts = np.zeros(values.size, np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        return Seen(values=values, counts=counts).cut(most)

    def cut(self, most: int) -> Seen:
        """`most` + 1 of them at most, in arrays of their own."""
        if self.values.size <= most + 1:
            return self
        return Seen(values=self.values[: most + 1].copy(), counts=self.counts[: most + 1].copy())


def nothing(dtype: np.dtype[Any]) -> Seen:
    """No value of a type."""
    return Seen(values=np.empty(0, dtype), counts=np.empty(0, np.int64))


def seen(values: NDArray[Any]) -> Seen:
    """The values of a 1-D array without NaN. Both zeros are 0.0."""
    if not values.size:
        return nothing(values.dtype)
    first = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    lengths = np.diff(first, append=values.size)
    unique, places = np.unique(values[first] + values.dtype.type(0), return_inverse=True)
    counts: Counts = np.zeros(unique.size, np.int64)
    np.add.at(counts, places, lengths)
    return Seen(values=unique, counts=counts)


def unique_of(found: Seen, limit: int | None) -> Unique:
    """As the result. `found` has one value more than `limit` where there are more."""
    if limit is not None and found.values.size > limit:
        return Unique(limit=limit, values=None, counts=None)
    return Unique(limit=limit, values=tuple(found.values.tolist()), counts=tuple(found.counts.tolist()))
