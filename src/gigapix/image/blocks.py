"""The order in which a whole level is walked: rows of segments, cut into blocks of a size that was named."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gigapix.formats.model import UNCOMPRESSED, LevelSpec
from gigapix.image.window import Window


def block_windows(level: LevelSpec, block_bytes: int) -> Iterator[Window]:
    """Windows that cover a level once, top to bottom and left to right, aligned to its segments.

    A window holds as many whole segments as fit `block_bytes` decoded, and at least one.
    """
    height, width = level.shape[-2:]
    pixel = math.prod(level.shape[:-2]) * level.dtype.itemsize
    rows, columns = level.segment[1:]
    if not level.tiled and level.encoding.compression == UNCOMPRESSED:
        rows = 1  # any row of an uncompressed strip can be read alone
    across = max(min(block_bytes // (pixel * rows * columns), -(-width // columns)), 1)
    step_x = across * columns
    down = max(block_bytes // (pixel * rows * min(step_x, width)), 1) if step_x >= width else 1
    step_y = down * rows
    for top in range(0, height, step_y):
        for left in range(0, width, step_x):
            yield Window(left, top, min(step_x, width - left), min(step_y, height - top))
