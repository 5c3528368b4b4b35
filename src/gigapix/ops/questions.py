"""What is asked about an image, and the passes that answer it, band by band.

The questions about a band are a generator, as parsers are here: it yields what it wants to have counted in the next
pass (`gigapix.ops.tally`), is sent the counts, and returns the answers. So whoever reads the image knows nothing of the
questions, whether it does so in threads or on a cluster, and all bands go through a pass together.

How many passes: one for samples of 8 and 16 bits, whatever is asked. Of wider samples, too, everything is asked in the
first pass; a second one is needed for bins between the smallest and the largest sample, and for percentiles (of 64 bits
up to a fourth), because both depend on what the pass before has found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gigapix.errors import RequestError
from gigapix.ops.histogram import BINS, Bounds, Counts, Histogram, counted, histogram_of_counts, is_narrow
from gigapix.ops.percentiles import Ranks, interpolated, percentiles_of_counts, ranks_of
from gigapix.ops.statistics import Statistics, finish, partial_of_counts
from gigapix.ops.tally import Tally, Wanted
from gigapix.ops.thresholds import check_method, threshold_of
from gigapix.ops.unique import VALUE_BYTES, Seen, Unique, unique_of


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The questions. Raises RequestError where one makes no sense."""

    statistics: bool = True
    histogram: bool = False
    bins: int | None = None
    range: Bounds | None = None
    percentiles: tuple[float, ...] = ()
    unique: bool = False
    limit: int | None = None
    """Of the different values."""
    threshold: str | None = None

    def __post_init__(self) -> None:
        if self.bins is not None and not 1 <= self.bins <= 1 << 24:
            raise RequestError(f"a histogram can't have {self.bins} bins")
        if self.range is not None and not (
            all(map(math.isfinite, self.range)) and len(self.range) == 2 and self.range[0] <= self.range[1]
        ):
            raise RequestError(f"{self.range} is no range (low, high)")
        if not all(0 <= q <= 100 for q in self.percentiles):
            raise RequestError(f"percentiles are of 0 to 100, not {self.percentiles}")
        if self.limit is not None and (not isinstance(self.limit, int) or self.limit < 1):
            raise RequestError(f"there is no limit of {self.limit!r} values")
        if self.threshold is not None:
            check_method(self.threshold)

    @property
    def only_unique(self) -> bool:
        """Whether nothing else is asked, so that a pass may stop early."""
        return not (self.statistics or self.histogram or self.percentiles or self.threshold)


@dataclass(frozen=True, kw_only=True)
class BandSummary:
    """The answers about one band; None where it was not asked for, or where no sample is valid."""

    statistics: Statistics | None = None
    histogram: Histogram | None = None
    """None also where samples are complex, and without a range where one is infinite."""
    percentiles: tuple[float, ...] | None = None
    """In the order asked for."""
    unique: Unique | None = None
    threshold: int | float | None = None


Questions = Generator[Wanted, Tally, BandSummary]

Pass = Callable[[Mapping[int, Wanted]], Mapping[int, Tally]]
"""Reads an image once, to find out what is wanted of each band."""


def answer(
    asked: Asked, bands: Sequence[int], dtype: np.dtype[Any], nodata: float | None, room: int, read: Pass
) -> tuple[BandSummary, ...]:
    """The answers about each band.

    room: bytes that the counts of all bands may take.

    Raises RequestError where the samples are complex and an order is asked for; MemoryBudgetError.
    """
    each = max(room // len(bands), min(room, 1 << 20))
    asking = {band: questions(asked, dtype, nodata, each) for band in bands}
    answers: dict[int, BandSummary] = {}
    wanted = {band: next(asked_of) for band, asked_of in asking.items()}
    while wanted:
        tallies = read(wanted)
        wanted = {}
        for band, tally in tallies.items():
            try:
                wanted[band] = asking[band].send(tally)
            except StopIteration as stop:
                answers[band] = stop.value
    return tuple(answers[band] for band in bands)


def questions(asked: Asked, dtype: np.dtype[Any], nodata: float | None, room: int) -> Questions:
    """The passes over one band. `room` is what its counts may take, in bytes."""
    stop = asked.limit if asked.only_unique else None
    if is_narrow(dtype):
        wanted = Wanted(dtype=dtype, nodata=nodata, counts=True, stop=stop)
        if wanted.nbytes > room and asked == Asked():
            tally = yield Wanted(dtype=dtype, nodata=nodata, moments=True)
            return BandSummary(statistics=finish(tally.partial))
        tally = yield wanted
        return _read_off(asked, tally.valid_counts, dtype)
    if dtype.kind == "c" and (asked.percentiles or asked.threshold):
        raise RequestError(f"samples of type {dtype} have no order: no percentiles, and no threshold")
    binned = dtype.kind != "c" and (asked.histogram or asked.threshold is not None)
    bins, bounds = asked.bins or BINS, asked.range
    ranks = Ranks(dtype=dtype)
    digits = None
    if asked.percentiles:
        digits = ranks.digits(room // 2)
        # Each lies between two numbers, which may begin differently: too little room is said now, not after a pass.
        replace(ranks, prefixes=tuple(range(2 * len(asked.percentiles)))).digits(room // 2)
    kept = max(room // 4 // VALUE_BYTES, 1)
    limit = kept if asked.limit is None else asked.limit
    tally = yield Wanted(
        dtype=dtype,
        nodata=nodata,
        moments=asked.statistics or (binned and bounds is None),
        bins=(bounds, bins) if binned and bounds else None,
        digits=digits,
        values=min(limit, kept) if asked.unique else None,
        spill=asked.limit is None or limit > kept,
        stop=stop,
    )
    partial, counts, unique = tally.partial, tally.bins, unique_of(tally.seen, asked.limit) if asked.unique else None
    if digits is not None:
        n = int(tally.digits.sum())
        of_n = ranks_of(asked.percentiles, n) if n else ()
        ranks = replace(ranks, ranks=of_n, prefixes=(0,) * len(of_n), within=of_n).narrowed(digits, tally.digits)
    bounded = partial.valid > 0 and partial.infinite == (0, 0)
    unbinned = binned and bounds is None and bounded
    while unbinned or (ranks.ranks and not ranks.found):
        if unbinned:  # as numpy.histogram takes them from an array: of floats in their own precision
            exact: Any = dtype.type if dtype.kind != "f" else np.float64 if dtype.itemsize == 8 else np.float32
            bounds = exact(partial.min), exact(partial.max)
        digits = ranks.digits(room // 2) if ranks.ranks and not ranks.found else None
        tally = yield Wanted(
            dtype=dtype, nodata=nodata, bins=(bounds, bins) if unbinned and bounds else None, digits=digits
        )
        if unbinned:
            counts, unbinned = tally.bins, False
        if digits is not None:
            ranks = ranks.narrowed(digits, tally.digits)
    histogram = None
    if binned and bounds and counts.any():
        low, high = (np.asarray(bound).item() for bound in bounds)
        histogram = Histogram(kind="bins", min=low, max=high, counts=tuple(counts.tolist()))
    return BandSummary(
        statistics=finish(partial) if asked.statistics else None,
        histogram=histogram if asked.histogram else None,
        percentiles=interpolated(ranks.values, asked.percentiles, n) if ranks.ranks else None,
        unique=unique,
        threshold=threshold_of(histogram, asked.threshold) if asked.threshold and histogram else None,
    )


def _read_off(asked: Asked, counts: Counts, dtype: np.dtype[Any]) -> BandSummary:
    """All answers from the counts of every value."""
    used = np.flatnonzero(counts)
    values = counted(counts, dtype)
    seen = Seen(values=values[used], counts=counts[used])
    every = histogram_of_counts(counts, dtype) if asked.threshold else None
    return BandSummary(
        statistics=finish(partial_of_counts(counts, dtype)) if asked.statistics else None,
        histogram=histogram_of_counts(counts, dtype, bins=asked.bins, bounds=asked.range) if asked.histogram else None,
        percentiles=percentiles_of_counts(counts, values, asked.percentiles) if asked.percentiles else None,
        unique=unique_of(seen, asked.limit) if asked.unique else None,
        threshold=threshold_of(every, asked.threshold) if asked.threshold and every else None,
    )
