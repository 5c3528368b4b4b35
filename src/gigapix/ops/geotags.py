"""The tags that say where on Earth a window of an image lies, for a TIFF that is written of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigapix.formats.tiff.write import Tag
from gigapix.image.window import Window

if TYPE_CHECKING:
    from gigapix.image.image import Image

_KEY_TYPES: Final = {34735: 3, 34736: 12, 34737: 2}


def geo_tags(image: Image, level: int, window: Window) -> dict[int, Tag]:
    """The geo tags of a window (OGC GeoTIFF 1.1, 7.1.2): the GeoKeys as they are, with a transform of its own."""
    if image.transform.is_identity:
        return {}
    from affine import Affine

    transform = image.levels[level].transform @ Affine.translation(window.col_off, window.row_off)
    keys = image.geokeys
    if keys is not None and keys.raster_type == "point":  # then coordinates are those of the first pixel's centre
        transform @= Affine.translation(0.5, 0.5)
    tags: dict[int, Tag] = {}
    a, b, c, d, e, f = tuple(transform)[:6]
    if b == d == 0 and a > 0 > e:
        tags |= {33550: (12, [a, -e, 0]), 33922: (12, [0, 0, 0, c, f, 0])}
    else:
        tags[34264] = (12, [a, b, 0, c, d, e, 0, f, 0, 0, 0, 0, 0, 0, 0, 1])
    tags |= {
        number: (kind, _several(image.tags[number])) for number, kind in _KEY_TYPES.items() if number in image.tags
    }
    return tags


def _several(value: Any) -> Any:
    return value if isinstance(value, str | tuple | np.ndarray) else (value,)
