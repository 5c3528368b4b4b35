"""A threshold that parts a band in two, from its histogram.

Each method takes the counts and the value that each count is of, and gives a value: what is above it is one class, what
is not is the other. The definitions are scikit-image's (`skimage.filters.threshold_*`); sums are made in double
precision where it uses single.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError
from gigapix.ops.histogram import Histogram

Doubles = NDArray[np.float64]


def threshold_of(histogram: Histogram, method: str) -> int | float:
    """The threshold: one of the values, or the middle of a bin.

    Raises RequestError for an unknown method.
    """
    check_method(method)
    counts = np.array(histogram.counts, np.float64)
    if histogram.kind == "values":
        values: NDArray[Any] = np.arange(len(counts)) + histogram.min
    else:
        edges = np.linspace(histogram.min, histogram.max, len(counts) + 1)
        values = (edges[:-1] + edges[1:]) / 2
    used = np.flatnonzero(counts)
    if not used.size:
        return float("nan")  # a range in which no sample lies
    within = slice(int(used[0]), int(used[-1]) + 1)
    counts, values = counts[within], values[within]
    place = METHODS[method](counts, values.astype(np.float64)) if len(counts) > 1 else 0
    found: int | float = values[place].item()
    return found


def check_method(method: str) -> None:
    """Raise RequestError where there is no such method."""
    if method not in METHODS:
        raise RequestError(f"there is no threshold {method!r}; there are {', '.join(METHODS)}")


def _otsu(counts: Doubles, values: Doubles) -> int:
    """Where the variance between both classes is largest (Otsu 1979)."""
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    weighted = counts * values
    mean_below = np.cumsum(weighted) / below
    mean_above = np.cumsum(weighted[::-1])[::-1] / above
    return int(np.argmax(below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2))


def _yen(counts: Doubles, values: Doubles) -> int:
    """Where the correlation of both classes is largest (Yen, Chang and Chang 1995)."""
    share = counts / counts.sum()
    below = np.cumsum(share)[:-1]
    squares_below = np.cumsum(share**2)[:-1]
    squares_above = np.cumsum(share[::-1] ** 2)[::-1][1:]
    return int(np.argmax(np.log((below * (1 - below)) ** 2 / (squares_below * squares_above))))


def _isodata(counts: Doubles, values: Doubles) -> int:
    """The first value that lies midway between the means of both classes (Ridler and Calvard 1978)."""
    below, weighted = np.cumsum(counts), np.cumsum(counts * values)
    mean_below = weighted[:-1] / below[:-1]
    mean_above = (weighted[-1] - weighted[:-1]) / (below[-1] - below[:-1])
    distance = (mean_below + mean_above) / 2 - values[:-1]
    return int(np.flatnonzero((distance >= 0) & (distance < values[1] - values[0]))[0])


def _triangle(counts: Doubles, values: Doubles) -> int:
    """Farthest from the line between the peak and the end of the longer flank (Zack, Rogers and Latt 1977)."""
    peak = int(np.argmax(counts))
    flip = peak < len(counts) - 1 - peak
    if flip:
        counts, peak = counts[::-1], len(counts) - 1 - peak
    place = np.arange(peak)
    norm = np.hypot(counts[peak], peak)
    level = int(np.argmax(counts[peak] / norm * place - peak / norm * counts[:peak]))
    return len(counts) - 1 - level if flip else level


METHODS: Final[Mapping[str, Callable[[Doubles, Doubles], int]]] = {
    "otsu": _otsu,
    "triangle": _triangle,
    "yen": _yen,
    "isodata": _isodata,
}
