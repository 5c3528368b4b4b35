"""How often each value occurs.

Samples of 8 and 16 bits have at most 65536 values, so they are counted one by one: the counts are exact, add up in any
order, and hold every other figure (`gigapix.ops.statistics`). Wider samples are counted in equal bins between the
smallest and the largest, which must be known before: a second pass over the image. A sample's bin depends on the sample
alone, so these counts don't depend on the blocks either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 1 << 18
"""Samples counted at a time: `numpy.bincount` makes an int64 of each."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of the valid samples of a band."""

    kind: Literal["values", "bins"]
    """``values``: ``counts[i]`` is how often ``min + i`` occurs. ``bins``: `counts` are `numpy.histogram`'s, of
    ``len(counts)`` equal bins from `min` to `max`, each with its lower edge and the last one with both."""
    min: int | float
    max: int | float
    counts: tuple[int, ...]


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether samples of this type are counted value by value."""
    return dtype.kind in "uib" and dtype.itemsize <= 2


def value_counts(values: NDArray[Any]) -> Counts:
    """Counts of a 1-D array of 8- or 16-bit integers: entry i is how often the type's lowest value plus i occurs."""
    width = 8 * values.dtype.itemsize
    counts: Counts = np.zeros(1 << width, np.int64)
    unsigned = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    for start in range(0, unsigned.size, _CHUNK):
        chunk = unsigned[start : start + _CHUNK]
        if width == 8 and chunk.size % 2 == 0:  # in pairs: half the work; the order within does not matter
            pairs = np.bincount(chunk.view(np.uint16), minlength=1 << 16).reshape(256, 256)
            counts += pairs.sum(axis=0) + pairs.sum(axis=1)
        else:
            counts += np.bincount(chunk, minlength=1 << width)
    return np.roll(counts, counts.size // 2) if values.dtype.kind == "i" else counts


def lowest(dtype: np.dtype[Any]) -> int:
    """The value that the first of `value_counts` stands for."""
    return int(np.iinfo(dtype).min) if dtype.kind == "i" else 0


def histogram_of_counts(counts: Counts, dtype: np.dtype[Any]) -> Histogram | None:
    """The counts cut to the values that occur; None where there are none."""
    used = np.flatnonzero(counts)
    if used.size == 0:
        return None
    first, last = int(used[0]), int(used[-1])
    return Histogram(
        kind="values",
        min=lowest(dtype) + first,
        max=lowest(dtype) + last,
        counts=tuple(counts[first : last + 1].tolist()),
    )


def bin_counts(values: NDArray[Any], bounds: tuple[int | float, int | float], bins: int) -> Counts:
    """Counts of a 1-D array of finite real numbers in `bins` equal bins between `bounds`."""
    low, high = bounds
    if values.dtype == np.float16:  # numpy would find the bins in float16
        values = values.astype(np.float32)
    if not np.isfinite(float(high) - float(low)):  # the span is beyond the doubles
        values, low, high = values.astype(np.float64) / 2, low / 2, high / 2
    if low == high:
        counts: Counts = np.zeros(bins, np.int64)
        counts[-1] = values.size
        return counts
    return np.histogram(values, bins=bins, range=(low, high))[0].astype(np.int64)
