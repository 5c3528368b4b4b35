"""What one pass over an image finds out about one band.

A `Wanted` says what that is; a `Tally` takes the samples, a part at a time and in any order. Tallies of different parts
are merged, and it makes no difference how the band was cut into parts. Both travel between processes.

Samples of 8 and 16 bits are counted one by one, which answers every question at once. Of wider ones, each question has
a count of its own; so have statistics alone where the memory is too little to count 65536 values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import MemoryBudgetError
from gigapix.ops.histogram import Bounds, Counts, bin_counts, count_values, edges_of, lowest
from gigapix.ops.percentiles import Digits
from gigapix.ops.statistics import Partial, as_sample, measure, merge, valid_samples
from gigapix.ops.unique import VALUE_BYTES, Seen, nothing, seen

_CHUNK: Final = 1 << 14
"""Samples taken at a time where numpy makes arrays of 8 bytes a sample on the way."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be found out about a band in one pass."""

    dtype: np.dtype[Any]
    nodata: float | None
    counts: bool = False
    """Of every value, where samples have 8 or 16 bits: then nothing else is wanted but perhaps `stop`."""
    moments: bool = False
    bins: tuple[Bounds, int] | None = None
    digits: Digits | None = None
    values: int | None = None
    """How many different values are kept at most."""
    spill: bool = False
    """More values than that are an error, not an answer."""
    stop: int | None = None
    """All is known when there are more different values than this."""

    @property
    def nbytes(self) -> int:
        """Of a tally, about."""
        return (
            1024
            + (8 << 8 * self.dtype.itemsize if self.counts else 0)
            + (8 * self.bins[1] if self.bins else 0)
            + (self.digits.nbytes if self.digits else 0)
            + (VALUE_BYTES * (self.values + 1) if self.values is not None else 0)
        )


class Tally:
    """The counts of a pass so far. Not to be used by two threads at once."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.counts: Counts = np.zeros(1 << 8 * wanted.dtype.itemsize if wanted.counts else 0, np.int64)
        self.partial = Partial(dtype=wanted.dtype)
        self.bins: Counts = np.zeros(wanted.bins[1] if wanted.bins else 0, np.int64)
        digits = wanted.digits
        self.digits: Counts = np.zeros((len(digits.prefixes), 1 << digits.bits) if digits else (0, 0), np.int64)
        self.seen: Seen = nothing(wanted.dtype)
        self._edges = edges_of(wanted.dtype, *wanted.bins) if wanted.bins else None

    def add(self, samples: NDArray[Any]) -> None:
        """Take samples, an array of any shape and strides. Raises MemoryBudgetError where they have too many values."""
        wanted = self.wanted
        if wanted.counts:
            count_values(samples, self.counts)
        if wanted.moments:
            # Of narrow ones it makes wider ones.
            for part in _chunks(samples) if samples.itemsize <= 2 else (samples,):
                self.partial = merge(self.partial, measure(part, wanted.nodata))
        if self._edges is not None:
            self._count_bins(samples)
        bins = wanted.bins if self._edges is None else None
        if bins is None and wanted.digits is None and wanted.values is None:
            return
        for chunk in _chunks(samples):
            values = valid_samples(chunk, wanted.nodata)
            if bins is not None:
                self.bins += bin_counts(values, *bins)
            if wanted.digits is not None:
                wanted.digits.add(values, self.digits)
            if wanted.values is not None and self.seen.values.size <= wanted.values:
                self._see(seen(values))

    def _count_bins(self, samples: NDArray[Any]) -> None:
        from gigapix.kernels.counts import count_bins

        assert self._edges is not None  # noqa: S101
        for part in samples if samples.ndim > 2 else (samples,):
            if part.ndim > 2:
                self._count_bins(part)
            else:
                count_bins(part, self._edges, self.bins, as_sample(self.wanted.nodata, self.wanted.dtype))

    def merge(self, other: Tally) -> None:
        """Take what another one has counted."""
        self.counts += other.counts
        self.partial = merge(self.partial, other.partial)
        self.bins += other.bins
        self.digits += other.digits
        if self.wanted.values is not None:
            self._see(other.seen)

    @property
    def decided(self) -> bool:
        """Whether further samples can't change the answer."""
        if self.wanted.stop is None:
            return False
        values = np.count_nonzero(self.valid_counts) if self.wanted.counts else self.seen.values.size
        return int(values) > self.wanted.stop

    @property
    def valid_counts(self) -> Counts:
        """The counts without those of nodata."""
        marker = as_sample(self.wanted.nodata, self.wanted.dtype)
        if marker is None:
            return self.counts
        counts = self.counts.copy()
        counts[int(marker) - lowest(self.wanted.dtype)] = 0
        return counts

    def _see(self, found: Seen) -> None:
        most = self.wanted.values or 0
        self.seen = self.seen.merged(found, most)
        if self.wanted.spill and self.seen.values.size > most:
            raise MemoryBudgetError(
                f"a band has more than {most} different values, each of which takes {VALUE_BYTES} bytes; "
                "give a limit, or more memory"
            )


def tallies_of(wanted: tuple[Wanted, ...]) -> tuple[Tally, ...]:
    """A tally a band. The counts of bands of 8 bits lie one behind the other, so that `add_bands` may fill them
    together."""
    tallies = tuple(map(Tally, wanted))
    if all(each.counts and each.dtype.itemsize == 1 for each in wanted):
        for tally, counts in zip(tallies, np.zeros((len(wanted), 256), np.int64), strict=True):
            tally.counts = counts
    return tallies


def add_bands(tallies: tuple[Tally, ...], pixels: NDArray[Any]) -> None:
    """Take pixels of all bands, ``(band, ...)``, one band a tally."""
    first = tallies[0]
    chunky = pixels.transpose(*range(1, pixels.ndim), 0)
    together = first.counts.base
    if len(tallies) > 1 and pixels.itemsize == 1 and chunky.flags.c_contiguous and together is not None:
        from gigapix.kernels.counts import count8_interleaved

        count8_interleaved(chunky.reshape(-1, len(tallies)), together)
        return
    for tally, band in zip(tallies, pixels, strict=True):
        tally.add(band)


def _chunks(samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The samples as contiguous 1-D arrays of about `_CHUNK`, whatever their strides."""
    if samples.size <= _CHUNK:
        yield np.ascontiguousarray(samples).reshape(-1)
        return
    step = max(_CHUNK * samples.shape[0] // samples.size, 1)
    for start in range(0, samples.shape[0], step):
        yield from _chunks(samples[start : start + step] if step > 1 or samples.ndim == 1 else samples[start])
