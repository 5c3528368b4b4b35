"""The reductions on an open image: its blocks, its nodata, its mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.image.blocks import block_selections
from gigapix.image.image import BLOCK_BYTES, Image
from gigapix.ops.statistics import BandStatistics, finish, histograms, measure_bands

Advance = Callable[[int], None]


def image_statistics(
    image: Image, level: int = 0, *, histogram: bool = False, advance: Advance = lambda samples: None
) -> tuple[BandStatistics, ...]:
    """The exact statistics of each band of a level, over all further axes.

    Nodata, NaN and the pixels that the file's own mask excludes are left out. The memory is that of one block.

    histogram: read wider samples than 16 bits a second time, to count them in 256 bins.
    advance: called with the number of samples done since the last call.
    """
    axis = image.axes.index("C")
    partials = measure_bands(_blocks(image, level, advance), axis=axis, nodata=image.nodata)
    if not histogram or any(p.counts is not None or p.imaginary is not None for p in partials):
        return tuple(map(finish, partials))
    counted = histograms(_blocks(image, level, advance), partials, axis=axis, nodata=image.nodata)
    return tuple(map(finish, partials, counted))


def _blocks(image: Image, level: int, advance: Advance) -> Iterator[NDArray[Any]]:
    masked = image.levels[level].has_mask
    for select in block_selections(image.levels[level].spec, BLOCK_BYTES):
        for window, pixels in image.blocks(level, select=select):
            if masked:
                excluded = image.read_mask(window, level=level) == 0
                yield np.ma.MaskedArray(pixels, np.broadcast_to(excluded, pixels.shape))
            else:
                yield pixels
            advance(pixels.size)
