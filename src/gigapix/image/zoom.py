"""Which level serves a resolution that lies between two (GDAL's ``ZOOM_LEVEL_STRATEGY``, as aiocogeo and rio-tiler
read it)."""

from __future__ import annotations

from collections.abc import Sequence


def level_for(target: float, resolutions: Sequence[float], percent: int) -> int:
    """The coarsest level that is good enough for `target`.

    target: size of a wanted pixel; resolutions: sizes of the levels' pixels, finest first, in the same unit.
    percent: 0 takes a level only where it is at least as fine as the target, 100 as soon as the next finer one is finer
    than it; 50 decides by the middle between the two.
    """
    for level in range(len(resolutions) - 1, 0, -1):
        size, finer = resolutions[level], resolutions[level - 1]
        if target > size - (size - finer) * percent / 100 or target == size:
            return level
    return 0
