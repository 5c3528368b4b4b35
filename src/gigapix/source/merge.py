"""Which ranges are fetched together.

Neighbouring segments cost one request where they are fetched as one range, and bytes that nobody wants where there is a
gap between them. Two limits bound that: the widest gap that is read over, and the share of a merged range that may be
wasted. A third bounds the range itself, so that a merged buffer stays small and several are fetched side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gigapix.formats.model import Range
from gigapix.source.source import Source


@dataclass(frozen=True, kw_only=True)
class MergeLimits:
    """How far ranges are merged. All in bytes but `waste`."""

    gap: int
    """The widest gap between two ranges that is read over."""
    waste: float
    """The largest share of a merged range that may be gaps."""
    size: int
    """No merge makes a range longer than this; a longer single range stays as it is."""


LOCAL = MergeLimits(gap=512, waste=0.1, size=32 << 10)
"""A file on disk: a system call costs a microsecond, so that only small segments that touch are worth joining."""


def merge_limits(source: Source) -> MergeLimits:
    """The limits that fit a source: its settings', or `LOCAL`."""
    settings = source.settings
    return (
        LOCAL
        if source.local
        else MergeLimits(
            gap=settings.merge_gap,
            waste=settings.merge_waste,
            size=settings.merge_size if settings.merge_gap >= 0 else 0,
        )
    )


@dataclass(frozen=True, slots=True)
class Merged:
    """One range to fetch, and which of the ranges asked for lie in it."""

    offset: int
    length: int
    parts: tuple[int, ...]
    """Indices into the ranges asked for."""

    @property
    def range(self) -> Range:
        """As one range."""
        return self.offset, self.length


def merge(ranges: Sequence[Range], limits: MergeLimits) -> Iterator[Merged]:
    """The ranges in order of their offset, merged within `limits`. Overlapping ones share their bytes."""
    order = sorted(range(len(ranges)), key=ranges.__getitem__)
    start = stop = used = 0
    parts: list[int] = []
    for index in order:
        offset, length = ranges[index]
        end = max(stop, offset + length)
        new = max(offset + length - max(offset, stop), 0)
        fits = offset - stop <= limits.gap and end - start <= limits.size
        if parts and fits and (end - start) - (used + new) <= limits.waste * (end - start):
            stop, used = end, used + new
            parts.append(index)
            continue
        if parts:
            yield Merged(start, stop - start, tuple(parts))
        start, stop, used, parts = offset, offset + length, length, [index]
    if parts:
        yield Merged(start, stop - start, tuple(parts))
