"""Which samples do not count in a level that is computed: nodata, what a stored mask hides, and where alpha is 0.

That is what `gigapix.pyramid` leaves out (`gigapix.pyramids.masks`), here of any level. An alpha band itself is a band
like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigapix.image.facts import validity
from gigapix.image.image import Image
from gigapix.image.level import Level
from gigapix.pyramids.samples import Samples, hiding, samples_of

if TYPE_CHECKING:
    from gigapix.views.model import Array

Box = tuple[slice, ...]


def counted(image: Image, level: Level) -> Samples:
    """The samples of a level as reducers see them. Raises UnsupportedError where they can't be reduced."""
    samples, found = samples_of(level.dtype, image.nodata), validity(image, level.spec)
    return hiding(samples) if found.mask or found.alpha is not None else samples


async def visible(
    image: Image, stored: Array, mask: Array | None, box: Box, read: Callable[[Array, Box], Awaitable[NDArray[Any]]]
) -> NDArray[Any]:
    """A box of a level, a masked array where samples are hidden. `mask`: the level's, where it is stored."""
    values = await read(stored, box)
    if mask is not None:
        hidden = await read(mask, box[-2:]) == 0
        return np.ma.MaskedArray(values, mask=np.broadcast_to(hidden, values.shape))
    alpha = validity(image, image.levels[stored.level].spec).alpha
    if alpha is None or stored.kind == "mask":
        return values
    axis = stored.dimension_names.index("c")
    bands, before = box[axis], (slice(None),) * axis
    within = bands.start <= alpha < bands.stop
    if within:
        opacity = values[*before, alpha - bands.start : alpha - bands.start + 1]
    else:
        opacity = await read(stored, (*box[:axis], slice(alpha, alpha + 1), *box[axis + 1 :]))
    hides = np.broadcast_to(opacity == 0, values.shape).copy()
    if within:
        hides[*before, alpha - bands.start] = False
    return np.ma.MaskedArray(values, mask=hides)
