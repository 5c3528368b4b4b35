"""`LevelInfo`: what metadata say of one array of a pyramid, whoever writes or reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LevelInfo:
    """One array of a pyramid. A pyramid of several reducers has level 0 once, then all levels of one reducer after all
    of another."""

    path: str
    """Within the group: ``0``, ``1``; of a second reducer ``max/1``."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    """Names of the axes: ``("c", "y", "x")``."""
    reducer: str = ""
    """Its name (``mean``, ``quantile(0.25)``), empty of level 0 and where it isn't known."""
    derived_from: str | None = None
    """Path of the finer level, None of level 0."""
    factors: tuple[float, ...]
    """To that level, one an axis; ones of level 0. Whole numbers, but for pyramids that others made."""
    scale: tuple[float, ...]
    """Distance of two samples along each axis, in the axis's unit; exactly that of level 0 times all factors."""
    translation: tuple[float, ...]
    """Where the first sample lies (its centre), in the axis's unit."""
    transform: tuple[float, float, float, float, float, float] | None = None
    """Of images on a map: a, b, c, d, e, f of (column, row) to coordinates, corners of pixels; as rasterio orders them.
    The affine of level 0 with a, b, d, e times the factors; where samples are not the centres of boxes (``nearest``),
    c and f are shifted so that centres of pixels lie where the samples were taken."""
