"""What can be asked about all pixels of an open image: `gigapix.Image` has these functions as its methods.

Every pixel of the level counts, along all axes but the bands'. Left out are nodata, NaN, and the pixels that the file's
own mask excludes. No answer depends on how the file is stored, on the size of blocks, on threads or on an executor:
each is equal to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import GigapixError, RequestError
from gigapix.image.memory import budget_of
from gigapix.ops.distribute import distributed_pass
from gigapix.ops.histogram import Bounds, Histogram
from gigapix.ops.passes import Scope, count_groups, run_pass
from gigapix.ops.questions import Asked, BandSummary, answer
from gigapix.ops.statistics import Statistics
from gigapix.ops.tally import Tally, Wanted
from gigapix.ops.unique import Unique

if TYPE_CHECKING:
    from gigapix.image.image import Image
    from gigapix.image.plan import Selection
    from gigapix.image.window import Window


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The answers about a level, band by band."""

    level: int
    bands: tuple[BandSummary, ...]
    passes: int
    """How often the pixels were read."""


class Reading(TypedDict, total=False):
    """How an image is read, in all functions of this module."""

    level: int
    """0 is the full resolution."""
    window: Window | Sequence[int] | None
    """In pixels of the level; the whole where None."""
    select: Selection | None
    """Positions along the axes in front, as in `Image.read`."""
    memory: int | str | None
    """Bytes for everything that is held, as a number or as ``"64MB"``; a quarter of what is free where None. With an
    executor, of each task."""
    threads: int | None
    """At most so many; as many as the image has where None."""
    executor: Executor | None
    """Does the work in coarse tasks: threads, processes, or a Dask cluster by ``client.get_executor()``."""
    progress: Callable[[int], None] | None
    """Called with the number of samples that were read since the last call."""


def summary(
    image: Image,
    *,
    statistics: bool = True,
    histogram: bool = False,
    bins: int | None = None,
    range: Bounds | None = None,  # noqa: A002  # numpy's name for it
    percentiles: Sequence[float] = (),
    unique: int | bool | None = None,
    threshold: str | None = None,
    **reading: Unpack[Reading],
) -> Summary:
    """Answer several questions about each band in one pass.

    statistics: minimum, maximum, mean, standard deviation, sum and number of the valid samples, exactly.
    histogram: of each value where samples have 8 or 16 bits and neither bins nor range are given; else in `bins` equal
        bins (256 where None) over `range`, or from the smallest to the largest sample.
    percentiles: of 0 to 100, as `numpy.percentile` gives them.
    unique: the different values and how often each occurs: all of them where True, and where it is a number, whether
        there are more than that, else which. If nothing else is asked, reading stops when that is known.
    threshold: otsu, triangle, yen or isodata, from the histogram.
    level, window, select, memory, threads, executor, progress: see `Reading`.

    Samples of 8 and 16 bits take one pass whatever is asked. Wider ones take a second one for a histogram (or a
    threshold) without a range and for percentiles; percentiles of 64 bits take four. `passes` tells; more are needed
    where the counts of all bands have no room together in half of the memory.

    Raises RequestError for what makes no sense, MemoryBudgetError where it can't be done within the memory, and what
    reading raises.
    """
    try:
        asked = Asked(
            statistics=statistics,
            histogram=histogram,
            bins=bins,
            range=None if range is None else (range[0], range[1]),
            percentiles=tuple(map(float, percentiles)),
            unique=unique is not None and unique is not False,
            limit=None if unique is None or isinstance(unique, bool) else unique,
            threshold=threshold,
        )
        return _answered(image, asked, **reading)
    except GigapixError as error:
        raise error.located(image.path) from error.__cause__


def statistics(image: Image, **reading: Unpack[Reading]) -> tuple[Statistics, ...]:
    """Minimum, maximum, mean, standard deviation, sum and number of the valid samples of each band, exactly."""
    return tuple(_given(band.statistics) for band in summary(image, **reading).bands)


def histogram(
    image: Image,
    bins: int | None = None,
    range: Bounds | None = None,  # noqa: A002
    **reading: Unpack[Reading],
) -> tuple[Histogram | None, ...]:
    """How often each value occurs, or how many samples lie in each bin, by band (see `summary`)."""
    found = summary(image, statistics=False, histogram=True, bins=bins, range=range, **reading)
    return tuple(band.histogram for band in found.bands)


def percentiles(image: Image, q: float | Sequence[float], **reading: Unpack[Reading]) -> NDArray[np.float64]:
    """The exact percentiles `q` (of 0 to 100) of each band: shape ``(band, q)``, or ``(band,)`` for a single one. NaN
    where a band has no valid sample."""
    several = tuple(np.atleast_1d(q).tolist())
    found = summary(image, statistics=False, percentiles=several, **reading)
    values = np.array([band.percentiles or (math.nan,) * len(several) for band in found.bands], np.float64)
    return values if np.ndim(q) else values[:, 0]


def unique(image: Image, limit: int | None = None, **reading: Unpack[Reading]) -> tuple[Unique, ...]:
    """The different values of each band and how often each occurs; no more than that there are more, where there are
    more than `limit`. Reading stops as soon as that is known of all bands."""
    found = summary(image, statistics=False, unique=True if limit is None else limit, **reading)
    return tuple(_given(band.unique) for band in found.bands)


def threshold(image: Image, method: str = "otsu", **reading: Unpack[Reading]) -> tuple[int | float | None, ...]:
    """A threshold of each band by its histogram: otsu, triangle, yen or isodata. None where no sample is valid."""
    return tuple(band.threshold for band in summary(image, statistics=False, threshold=method, **reading).bands)


def _answered(
    image: Image,
    asked: Asked,
    *,
    level: int = 0,
    window: Window | Sequence[int] | None = None,
    select: Selection | None = None,
    memory: int | str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    plan = image.plan(window, level=level, select=select)  # checks all of it
    chosen = dict(select or {})
    chosen.pop("C", None)
    scope = Scope(level=level, window=plan.window, select=chosen, memory=budget_of(memory), threads=threads)
    if threads is not None and threads < 1:
        raise RequestError(f"{threads} threads can't read")
    advance = progress or _nowhere
    passes = 0

    def read(wanted: Mapping[int, Wanted]) -> Mapping[int, Tally]:
        nonlocal passes
        passes += count_groups(wanted, scope.memory)
        if executor is None:
            return run_pass(image, wanted, scope, advance)
        return distributed_pass(image, wanted, scope, executor, advance)

    bands = tuple(plan.chosen["C"])
    answers = answer(asked, bands, plan.level.dtype, image.nodata, scope.memory // 2, read)
    return Summary(level=level, bands=answers, passes=passes)


def _nowhere(samples: int) -> None:
    """Progress that nobody watches."""


def _given(found: Any) -> Any:
    assert found is not None, "it was asked for"  # noqa: S101
    return found
