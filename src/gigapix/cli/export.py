"""Pixels to a file, block by block: the memory is that of a block, however large the window.

A block is read, written where it belongs in the file, and forgotten. A .npy's blocks follow the segments of the source,
so that each is decoded once.
"""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gigapix.cli.request import BLOCK_BYTES, Advance, Request, cut
from gigapix.errors import UnsupportedError
from gigapix.formats.model import UNCOMPRESSED, LevelSpec
from gigapix.image.plan import ReadPlan
from gigapix.image.window import Window
from gigapix.ops.fresh import fresh_file


def export(request: Request, output: Path, advance: Advance) -> None:
    """Write the request to `output`, whose ending chooses the format; `advance` is told of the bytes done.

    Raises UnsupportedError where the format can't hold the pixels; OSError where the file can't be written.
    """
    from gigapix.cli.export_tiff import write_tiff

    write = {".npy": _write_npy, ".png": _write_png}.get(output.suffix.lower(), write_tiff)
    with fresh_file(output) as file:
        write(request, file, advance)


def _segment_step(level: LevelSpec, pixel_bytes: int, width: int) -> tuple[int, int]:
    """(columns, rows) of a block of whole segments: full rows of them where those fit, else a part of one row."""
    rows, columns = level.segment[1:]
    if not level.tiled and level.encoding.compression == UNCOMPRESSED:
        rows = 1  # each of its rows can be read alone
    across = width + columns  # wherever the window begins in the grid
    if across * rows * pixel_bytes <= BLOCK_BYTES:
        return -(-across // columns) * columns, rows * (BLOCK_BYTES // (across * rows * pixel_bytes))
    return columns * max(BLOCK_BYTES // (columns * rows * pixel_bytes), 1), rows


def _write_npy(request: Request, file: BinaryIO, advance: Advance) -> None:
    plan = request.plan
    dtype = plan.level.dtype
    np.lib.format.write_array_header_2_0(file, {"descr": dtype.str, "fortran_order": False, "shape": plan.shape})
    start = file.tell()
    file.truncate(start + plan.nbytes)
    axes, lengths = plan.axes[:-2], plan.shape[:-2]
    # Planes along T and Z are read one by one (those of a volume by the depth of its segments), all bands at once.
    depths = {"C": plan.shape[axes.index("C")] if "C" in axes else 1, plan.level.depth_axis: plan.level.segment[0]}
    runs = [range(0, length, depths.get(axis, 1)) for axis, length in zip(axes, lengths, strict=True)]
    pixel = dtype.itemsize * math.prod(depths.get(axis, 1) for axis in axes)
    step = _segment_step(plan.level, pixel, plan.window.width)
    for corner in product(*runs):
        select = {
            axis: slice(place, min(place + run.step, length))
            for axis, place, run, length in zip(axes, corner, runs, lengths, strict=True)
            if axis != "C"
        }
        for window in cut(plan.window, step):
            block = request.read(window, select)
            _place(file, start, plan, block, corner, window)
            advance(block.nbytes)


def _place(
    file: BinaryIO, start: int, plan: ReadPlan, block: NDArray[Any], corner: tuple[int, ...], window: Window
) -> None:
    """Write a block into the array in the file: a plane in one piece where it spans the width, else row by row."""
    row_bytes = plan.window.width * block.itemsize
    left, top = window.col_off - plan.window.col_off, window.row_off - plan.window.row_off
    whole = window.width == plan.window.width
    for inner in np.ndindex(*block.shape[:-2]):
        index = tuple(c + i for c, i in zip(corner, inner, strict=True))
        plane = int(np.ravel_multi_index(index, plan.shape[:-2])) if index else 0
        at = start + (plane * plan.window.height + top) * row_bytes + left * block.itemsize
        for row, line in enumerate([block[inner]] if whole else block[inner]):
            file.seek(at + row * row_bytes)
            file.write(np.ascontiguousarray(line).data)


def _write_png(request: Request, file: BinaryIO, advance: Advance) -> None:
    plan = request.plan
    bands = plan.shape[0] if plan.axes == "CYX" else 0
    if not 1 <= bands <= 4 or plan.level.dtype not in (np.uint8, np.uint16):
        what = f"{plan.axes} {' x '.join(map(str, plan.shape))} of {plan.level.dtype}"
        raise UnsupportedError(f"a PNG holds 1 to 4 bands of uint8 or uint16, and this is {what}; write .npy or .tif")
    from imagecodecs import png_encode

    pixels = np.ascontiguousarray(np.moveaxis(request.read(plan.window), 0, -1))
    file.write(png_encode(pixels[..., 0] if bands == 1 else pixels))
    advance(plan.nbytes)
