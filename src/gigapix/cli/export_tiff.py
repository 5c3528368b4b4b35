"""A window as a tiled TIFF that keeps what the pixels mean: place on Earth, nodata, palette, colours.

Its blocks follow its own tiles and are at least two segments of the source wide and high, so that few segments are
decoded twice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.cli.request import BLOCK_BYTES, Advance, Request, cut
from gigapix.errors import UnsupportedError
from gigapix.formats.tiff.encode import encode_tile
from gigapix.formats.tiff.write import DEFLATE, NONE, TiffFile, directory, header
from gigapix.image.window import Window
from gigapix.ops.geotags import geo_tags

_TILE_BYTES: Final = 4 << 20
"""Of one tile, at most: an image of hundreds of bands gets smaller tiles."""

_ALPHA: Final = (1, 2)


def write_tiff(request: Request, file: BinaryIO, advance: Advance) -> None:
    """Write the request as a TIFF. Raises UnsupportedError where it has more axes than bands, rows and columns."""
    plan = request.plan
    if plan.axes != "CYX":
        further = ", ".join(f"--select {axis}=0" for axis in plan.axes if axis not in "CYX")
        raise UnsupportedError(f"a .tif holds one plane, and this is {plan.axes}: choose ({further}), or write .npy")
    target = _target(request)
    offsets, sizes = (np.zeros(target.grid, np.uint64) for _ in range(2))
    file.write(header(target))
    at = file.tell()
    left, top = plan.window.col_off, plan.window.row_off
    with ThreadPoolExecutor() as pool:
        for block in cut(plan.window, _step(request, target), (left, top)):
            pixels = request.read(block)
            tiles = list(cut(block, (target.tile, target.tile), (left, top)))
            encoded = pool.map(partial(_encode, target, pixels, block), tiles)
            for tile, data in zip(tiles, encoded, strict=True):
                place = (tile.row_off - top) // target.tile, (tile.col_off - left) // target.tile
                offsets[place], sizes[place] = at, len(data)
                file.write(data)
                at += len(data)
            advance(pixels.nbytes)
    file.write(bytes(at % 2))
    at += at % 2
    file.write(directory(target, at, offsets.ravel(), sizes.ravel()))
    file.seek(0)
    file.write(header(target, at))


def _encode(target: TiffFile, pixels: NDArray[Any], block: Window, tile: Window) -> bytes:
    rows, columns = tile.row_off - block.row_off, tile.col_off - block.col_off
    return encode_tile(target, pixels[:, rows : rows + tile.height, columns : columns + tile.width])


def _step(request: Request, target: TiffFile) -> tuple[int, int]:
    """(columns, rows) of the blocks: whole tiles, at least two segments each way, wider while that fits."""
    level, tile = request.plan.level, target.tile
    rows, columns = (-(-2 * size // tile) * tile for size in level.segment[1:])
    if not level.tiled and level.encoding.compression == NONE:
        rows = tile
    row_bytes = rows * target.samples * target.dtype.itemsize
    return max(columns, BLOCK_BYTES // (row_bytes * tile) * tile), rows


def _target(request: Request) -> TiffFile:
    plan, image = request.plan, request.image
    samples, dtype = plan.shape[0], plan.level.dtype
    tile = 512
    while tile > 16 and tile**2 * samples * dtype.itemsize > _TILE_BYTES:
        tile //= 2
    every = image.color_interpretation
    colors = tuple(every[band] for band in request.bands) if request.bands is not None else every
    encoding = plan.level.encoding
    tags = geo_tags(image, request.level, plan.window)
    photometric = 2 if colors[:3] == ("red", "green", "blue") else 0 if encoding.photometric == 0 else 1
    if encoding.photometric == 3 and samples == 1 and 320 in image.tags:
        photometric = 3
        tags[320] = (3, _palette(image.tags[320], 8 * dtype.itemsize))
    if image.nodata is not None:
        tags[42113] = (2, image.tags[42113])
    alpha = next((extra for extra in encoding.extra_samples if extra in _ALPHA), 2)
    extra = tuple(alpha if color == "alpha" else 0 for color in colors[3 if photometric == 2 else 1 :])
    return TiffFile(
        width=plan.window.width, height=plan.window.height, samples=samples, dtype=dtype, tile=tile,
        compression=DEFLATE if request.compress == "deflate" else NONE, photometric=photometric, extra_samples=extra,
        tags=tags,
    )  # fmt: skip


def _palette(table: Any, bits: int) -> Any:
    """ColorMap for samples of `bits`, which may be more than they had: all reds, all greens, all blues."""
    colors = np.asarray(table, np.uint16).reshape(3, -1)
    return np.pad(colors, [(0, 0), (0, (1 << bits) - colors.shape[1])]).ravel()
