"""Transforms and bounds of a thousand rows at once: what `gigapix.image.geo` says of one, for all that have the usual
tags, a pixel's size and a tiepoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.catalog.headers import Header
from gigapix.image.geo import bounds_of, transform_of


def transforms_of(
    rows: Sequence[Header], sizes: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Six numbers of the transform and four of the bounds of each row, and which rows have them.

    sizes: (width, height) of each.
    """
    affine, bounds = np.zeros((len(rows), 6)), np.zeros((len(rows), 4))
    found, usual, tags = np.zeros(len(rows), np.bool_), [], []
    for n, row in enumerate(rows):
        _, scale, points, matrix, _ = row.values
        if scale is not None and points is not None and len(scale) > 1 and len(points) > 5 and scale[0] and scale[1]:
            half = 0.5 if row.structure.raster_type == "point" else 0.0
            tags.append((scale[0], scale[1], points[0], points[1], points[3], points[4], half))
            usual.append(n)
        elif (transform := transform_of(scale, points, matrix, row.structure.raster_type)) is not None:
            found[n], affine[n] = True, transform[:6]
            bounds[n] = bounds_of(transform, int(sizes[n, 0]), int(sizes[n, 1]))
    if usual:
        a, height, col, row_, x, y, half = np.array(tags, float).T
        columns, rows_ = sizes[usual].T
        e = -np.abs(height)
        with np.errstate(all="ignore"):  # as Python does, a file may hold any number
            c, f = x - col * a, y - row_ * e
            c, f = c - a * half, f - e * half
            nothing = np.zeros(len(usual))
            affine[usual] = np.stack((a, nothing, c, nothing, e, f), 1)
            bounds[usual] = np.stack((c, f + e * rows_, c + a * columns, f), 1)
        found[usual] = True
    return affine, bounds, found
