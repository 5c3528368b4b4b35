"""The order in which a whole level is walked: parts of a stack, rows of segments, cut into blocks of a size that was
named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from gigapix.formats.model import UNCOMPRESSED, LevelSpec
from gigapix.image.plan import ReadPlan
from gigapix.image.window import Window


def block_windows(plan: ReadPlan, block_bytes: int, *, halo: int = 0, by_row: bool = False) -> Iterator[Window]:
    """Windows that cover the window of a plan once, top to bottom and left to right, aligned to its level's segments.

    A window holds as many whole segments as fit `block_bytes` decoded, and at least one. The plan's window begins at
    the level's first pixel.

    halo: pixels around each window that `block_bytes` are for too.
    by_row: rows of a segment can be read alone, and the next ones go on from there.
    """
    height, width = plan.window.height, plan.window.width
    pixel = pixel_bytes(plan)
    rows, columns = _segment(plan.level, by_row)
    if (rows + 2 * halo) * width * pixel <= block_bytes or by_row:
        down = max((block_bytes // (pixel * width) - 2 * halo) // rows, 1)
        step_x, step_y = width, down * rows
    else:
        across = (block_bytes // (pixel * (rows + 2 * halo)) - 2 * halo) // columns
        step_x, step_y = max(across, 1) * columns, rows
    for top in range(0, height, step_y):
        for left in range(0, width, step_x):
            yield Window(left, top, min(step_x, width - left), min(step_y, height - top))


def grown(window: Window, halo: int, width: int, height: int) -> Window:
    """A window with `halo` more pixels at each side, as far as the image goes."""
    left, top = max(window.col_off - halo, 0), max(window.row_off - halo, 0)
    right = min(window.col_off + window.width + halo, width)
    bottom = min(window.row_off + window.height + halo, height)
    return Window(left, top, right - left, bottom - top)


def pixel_bytes(plan: ReadPlan) -> int:
    """Bytes of one pixel position, with all bands and planes that are read of it."""
    return math.prod(plan.shape[:-2]) * plan.level.dtype.itemsize


def block_selections(level: LevelSpec, block_bytes: int) -> Iterator[dict[str, slice]]:
    """Parts of a stack that cover its positions along T and Z once, in order: ``{"T": slice(0, 1), ...}``.

    A part is so short that a segment of each of its planes fits `block_bytes`; at least a plane, or of volumes as many
    as a segment is deep.
    """
    sizes = dict(zip(level.axes, level.shape, strict=True))
    bands, front = sizes["C"], [axis for axis in level.axes[:-2] if axis != "C"]
    room = max(block_bytes // (math.prod(_segment(level)) * bands * level.dtype.itemsize), 1)
    runs: list[list[slice]] = []
    for axis in reversed(front):
        deep = 1 if axis in level.plane_axes else level.segment[0]
        step = max(min(room, sizes[axis]) // deep, 1) * deep
        runs.insert(0, [slice(at, min(at + step, sizes[axis])) for at in range(0, sizes[axis], step)])
        room = max(room // step, 1) if step >= sizes[axis] else 1
    for part in product(*runs):
        yield dict(zip(front, part, strict=True))


def _segment(level: LevelSpec, by_row: bool = False) -> tuple[int, int]:
    """(rows, columns) of what can be read alone: a row of an uncompressed strip can."""
    rows, columns = level.segment[1:]
    alone = by_row or (not level.tiled and level.encoding.compression == UNCOMPRESSED)
    return (1 if alone else rows), columns
