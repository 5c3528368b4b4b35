"""Pyramids in memory, and level 0 reduced at once by numpy."""

from itertools import product

import numpy as np

from gigapix.pyramids.build import Builder
from gigapix.pyramids.plan import pyramid

KILLED = {"chunks": 32, "shards": 64, "levels": 4, "reducers": ["mean", "median"], "workers": 2}
"""Options of the runs that are killed."""


def built(source, tmp_path, **options):
    """All arrays of a pyramid by their path, made without a file."""
    plan = pyramid(source, tmp_path / "never-written.zarr", **options)
    found = {each.path: np.zeros(each.shape, each.dtype) for each in plan.outputs}
    paths = {(each.level, each.reducer): each.path for each in plan.outputs}
    times = {path: np.zeros(array.shape, np.uint8) for path, array in found.items()}

    def write(level, reducer, box, values):
        found[paths[level, reducer]][box] = values
        times[paths[level, reducer]][box] += 1
        return []

    with plan.opening.opened() as pixels:
        Builder(plan, pixels, write, lambda index, root: None, lambda samples: None).run()
    assert all((each == 1).all() for each in times.values())
    return found


def directly(values, factors, function, *, nodata=None, dtype=None):
    """`function` of the valid samples of each window, as an object or of `dtype`."""
    grid = [-(-size // factor) for size, factor in zip(values.shape, factors, strict=True)]
    out = np.empty(grid, dtype or object)
    for place in product(*map(range, grid)):
        window = values[tuple(slice(n * f, (n + 1) * f) for n, f in zip(place, factors, strict=True))].ravel()
        out[place] = function(window[(window == window) & (True if nodata is None else window != nodata)])
    return out
