"""Where pixels go that are made block by block: a tiled TIFF, or a Zarr array.

A target takes blocks whose corners lie on its grid of tiles, in any order, each once. It takes its name when all have
been written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import MissingExtraError, NotFoundError, RequestError
from gigapix.formats.tiff.encode import encode_tile
from gigapix.formats.tiff.write import COMPRESSIONS, Tag, TiffFile
from gigapix.formats.tiff.writer import TiffWriter
from gigapix.image.window import Window
from gigapix.ops.fresh import fresh_file, fresh_folder

Write = Callable[[Window, NDArray[Any]], None]
"""Takes the pixels of a window, ``(band, y, x)``."""

ENDINGS: Final = (".tif", ".tiff", ".zarr")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be written."""

    path: Path
    bands: int
    height: int
    width: int
    dtype: np.dtype[Any]
    tile: int
    compression: str
    nodata: float | None = None
    rgb: bool = False
    """The first three bands are red, green and blue."""
    tags: Mapping[int, Tag] = field(default_factory=dict)
    """Further tags of a TIFF."""


def check_target(path: Path, tile: int, compression: str) -> None:
    """Raise RequestError for what can't be written."""
    if path.suffix.lower() not in ENDINGS:
        raise RequestError(f"{path} must end in {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise NotFoundError("there is no such folder", path=str(path.parent))
    if tile < 16 or tile % 16:
        raise RequestError(f"the side of a tile is a multiple of 16, not {tile}")
    known = [name for name in COMPRESSIONS if name != "lzw" or path.suffix.lower() != ".zarr"]
    if compression not in known:
        raise RequestError(f"there is no compression {compression!r} for {path.name}; there are {', '.join(known)}")


@contextmanager
def opened_target(target: Target, pool: Executor) -> Iterator[Write]:
    """The function that writes. Tiles are encoded by `pool`."""
    opened = _zarr if target.path.suffix.lower() == ".zarr" else _tiff
    with opened(target, pool) as write:
        yield write


@contextmanager
def _tiff(target: Target, pool: Executor) -> Iterator[Write]:
    tags = dict(target.tags)
    if target.nodata is not None:
        tags[42113] = (2, repr(target.nodata))
    writer = TiffWriter([
        TiffFile(
            width=target.width, height=target.height, samples=target.bands, dtype=target.dtype, tile=target.tile,
            compression=COMPRESSIONS[target.compression], photometric=2 if target.rgb else 1,
            extra_samples=(0,) * (target.bands - (3 if target.rgb else 1)), tags=tags,
        )
    ])  # fmt: skip
    with fresh_file(target.path) as file:
        file.write(writer.begin())

        def write(window: Window, pixels: NDArray[Any]) -> None:
            corners = product(range(0, window.height, target.tile), range(0, window.width, target.tile))
            parts = [(y, x, pixels[:, y : y + target.tile, x : x + target.tile]) for y, x in corners]
            encoded = pool.map(partial(encode_tile, writer.images[0]), (part for _, _, part in parts))
            for (y, x, _), data in zip(parts, encoded, strict=True):
                row, column = (window.row_off + y) // target.tile, (window.col_off + x) // target.tile
                file.write(writer.tile(0, row, column, data))

        yield write
        file.write(writer.end())
        file.seek(0)
        file.write(writer.header())


@contextmanager
def _zarr(target: Target, pool: Executor) -> Iterator[Write]:
    try:
        import zarr
        from zarr.codecs import GzipCodec, ZstdCodec
    except ImportError as error:
        raise MissingExtraError("Zarr is written by the package zarr: pip install 'gigapix[zarr]'") from error
    codecs: dict[str, Any] = {"none": None, "deflate": GzipCodec(level=6), "zstd": ZstdCodec(level=5)}
    with fresh_folder(target.path) as folder:
        array = zarr.create_array(
            store=str(folder),
            shape=(target.bands, target.height, target.width),
            chunks=(1, target.tile, target.tile),
            dtype=target.dtype,
            compressors=codecs[target.compression],
            fill_value=target.nodata if target.nodata is not None else 0,
            dimension_names=("c", "y", "x"),
        )

        def write(window: Window, pixels: NDArray[Any]) -> None:
            array[(slice(None), *window.slices)] = pixels

        yield write
