"""What every peer is asked for: each band's histogram, minimum, maximum and mean; and numpy's way to count it.

Bytes and 16-bit samples have a bin a value. Floats have 256 bins between `FLOAT_RANGE`, numpy's bins, since every peer
must be asked the same and only one pass through the file is fair.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[Any]]
FLOAT_RANGE = (-1000.0, 3000.0)
"""Metres: all heights of the scene lie within."""
FLOAT_BINS = 256
AT_ONCE = 1 << 18
"""Samples counted at a time: `bincount` makes int64 of its input, eight times the bytes of an 8-bit image."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A list entry a band. `digest` stands for all the counts: equal for equal counts, and short."""

    minimum: list[float]
    maximum: list[float]
    mean: list[float]
    total: int
    digest: str

    def agrees(self, other: Survey, *, lossy: bool) -> bool:
        """Whether both come from the same pixels; from two decoders' versions of them where the codec is lossy."""
        mine, theirs = (np.array([each.minimum, each.maximum, each.mean]) for each in (self, other))
        if mine.shape != theirs.shape or self.total != other.total:
            return False
        if lossy:
            return bool(np.all(np.abs(mine - theirs) <= np.array([[8], [8], [0.5]])))
        return self.digest == other.digest and np.allclose(mine, theirs, rtol=1e-9, atol=0)


def survey_of(counts: Pixels, minimum: Any, maximum: Any, mean: Any) -> Survey:
    """From counts of shape (bands, bins) and a figure a band."""
    counts = np.ascontiguousarray(counts, np.int64)
    return Survey(
        minimum=[float(value) for value in minimum],
        maximum=[float(value) for value in maximum],
        mean=[float(value) for value in mean],
        total=int(counts.sum()),
        digest=hashlib.sha256(counts).hexdigest()[:16],
    )


class Tally:
    """The accumulator of the peers that hand out arrays."""

    def __init__(self, bands: int, dtype: Any) -> None:
        self.float = np.dtype(dtype).kind == "f"
        bins = FLOAT_BINS if self.float else 1 << 8 * np.dtype(dtype).itemsize
        self.counts = np.zeros((bands, bins), np.int64)
        self.sum, self.low, self.high = np.zeros(bands), np.full(bands, np.inf), np.full(bands, -np.inf)

    def add(self, band: int, samples: Pixels) -> None:
        """Count `samples` (rows, columns) of a band, some rows at a time."""
        step = max(1, AT_ONCE // samples.shape[1])
        for row in range(0, len(samples), step):
            some = samples[row : row + step].ravel()
            if self.float:
                self.counts[band] += np.histogram(some, FLOAT_BINS, FLOAT_RANGE)[0]
                self.sum[band] += some.sum(dtype=np.float64)
                self.low[band] = min(self.low[band], some.min())
                self.high[band] = max(self.high[band], some.max())
            else:
                self.counts[band] += np.bincount(some, minlength=self.counts.shape[1])

    def add_pixels(self, pixels: Pixels) -> None:
        """Count (rows, columns) or (rows, columns, bands)."""
        for band in range(len(self.counts)):
            self.add(band, pixels[..., band] if pixels.ndim == 3 else pixels)

    def survey(self) -> Survey:
        if self.float:
            return survey_of(self.counts, self.low, self.high, self.sum / self.counts.sum(axis=1))
        return survey_of(self.counts, *of_counts(self.counts))


def of_counts(counts: Pixels) -> tuple[list[int], list[int], list[float]]:
    """Minimum, maximum and mean of each band, all in its histogram of shape (bands, values)."""
    values = np.arange(counts.shape[1], dtype=np.int64)
    found = [np.flatnonzero(band) for band in counts]
    mean = [int(band @ values) / int(band.sum()) for band in counts]
    return [int(each[0]) for each in found], [int(each[-1]) for each in found], mean
