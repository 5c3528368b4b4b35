"""What an image's stored mask or alpha band hides, left out of every reduction as nodata is.

Level 0 is written as it is stored. Reducers see hidden samples as nodata, or where there is none as a value that no
sample can have, in the next wider type (see `Samples`). An alpha band itself is a band like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.image.facts import validity
from gigapix.image.image import Image
from gigapix.image.window import Window
from gigapix.pyramids.pixels import Box, Pixels
from gigapix.pyramids.samples import hiding


def masked(pixels: Pixels, image: Image) -> Pixels:
    """Pixels whose boxes are masked arrays, True where samples do not count; as they are where nothing is hidden."""
    level = image.levels[0]
    found = validity(image, level.spec)
    if not found.mask and found.alpha is None:
        return pixels
    inner = pixels.read
    # All bands are read together, so that what hides them is read once.
    bands = level.axes.index("C") if "C" in level.axes else None
    chunks = tuple(pixels.shape[n] if n == bands else size for n, size in enumerate(pixels.chunks))

    def read(box: Box) -> NDArray[Any]:
        values = inner(box)
        hidden = np.zeros(values.shape, bool)
        if found.mask:
            y, x = box[-2:]
            hidden |= image.read_mask(Window(x.start, y.start, x.stop - x.start, y.stop - y.start)) == 0
        elif bands is not None and found.alpha is not None:
            # The box holds all bands.
            alpha = (*(slice(None) for _ in range(bands)), slice(found.alpha, found.alpha + 1))
            hidden |= values[alpha] == 0
            hidden[alpha] = False
        return np.ma.MaskedArray(values, mask=hidden)

    return replace(pixels, samples=hiding(pixels.samples), chunks=chunks, read=read)
