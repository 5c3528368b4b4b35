"""Each library's best way to read a window of an open file and the whole of it, with two threads, behind one signature.

A peer opens a path and yields a function that reads `(column, row, width, height)`, or everything for None. What it
returns has the layout that the library is made for (band first, or pixel interleaved for tifffile): no peer is charged
for a transposition that its users would not ask of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

THREADS = 2
Box = tuple[int, int, int, int]
Pixels = np.ndarray[Any, np.dtype[Any]]
Read = Callable[[Box | None], Pixels]


@contextmanager
def gigapix_reader(path: Path) -> Iterator[Read]:
    """`Image.read` as it comes."""
    import gigapix

    with gigapix.open(path) as image:
        yield image.read


@contextmanager
def rasterio_reader(path: Path) -> Iterator[Read]:
    """GDAL with NUM_THREADS, and a block cache too small to answer a window from the one before."""
    import rasterio
    from rasterio.windows import Window

    # In megabytes: four of the largest tiles here need 4. With threads GDAL decodes past its cache: 2 MB and 512 MB
    # were both slower than 16, and the default (5 % of the machine's memory) would hold whole images.
    with (
        rasterio.Env(GDAL_CACHEMAX=16, GDAL_NUM_THREADS=THREADS),
        rasterio.open(path, num_threads=THREADS, sharing=False) as dataset,
    ):
        yield lambda box: dataset.read(window=Window(*box) if box else None)


@contextmanager
def tifffile_reader(path: Path) -> Iterator[Read]:
    """`asarray` for the whole; for a window its own segment decoder over just the tiles that are touched.

    tifffile's other way to a window, through its Zarr store, decodes one tile after the other: 1.8 times as long for
    deflate, 1.2 times for zstd, and 0.8 times where there is nothing to decode.
    """
    import tifffile

    with tifffile.TiffFile(path) as tif, ThreadPoolExecutor(THREADS) as pool:
        page = tif.pages.first

        def read(box: Box | None) -> Pixels:
            if box is None:
                return tif.asarray(series=0, level=0, maxworkers=THREADS)
            column, row, width, height = box
            across = -(-page.imagewidth // page.tilewidth)
            indices = [
                y * across + x
                for y in range(row // page.tilelength, (row + height - 1) // page.tilelength + 1)
                for x in range(column // page.tilewidth, (column + width - 1) // page.tilewidth + 1)
            ]
            out = np.empty((height, width, page.samplesperpixel), page.dtype)

            def place(segment: tuple[bytes | None, int]) -> None:
                tile, (_, _, y, x, _), _ = page.decode(*segment, jpegtables=page.jpegtables)
                top, left = max(y, row), max(x, column)
                bottom, right = min(y + tile.shape[1], row + height), min(x + tile.shape[2], column + width)
                out[top - row : bottom - row, left - column : right - column] = tile[
                    0, top - y : bottom - y, left - x : right - x
                ]

            segments = tif.filehandle.read_segments(
                [page.dataoffsets[i] for i in indices], [page.databytecounts[i] for i in indices], indices
            )
            list(pool.map(place, segments))
            return out

        yield read


@contextmanager
def async_geotiff_reader(path: Path) -> Iterator[Read]:
    """A local obstore, one event loop, and its own thread pool (whose size it takes from the process's cores)."""
    from async_geotiff import GeoTIFF, Window
    from obstore.store import LocalStore

    loop = asyncio.new_event_loop()
    try:
        image = loop.run_until_complete(GeoTIFF.open(path.name, store=LocalStore(path.parent)))

        def read(box: Box | None) -> Pixels:
            window = Window(col_off=box[0], row_off=box[1], width=box[2], height=box[3]) if box else None
            return loop.run_until_complete(image.read(window=window)).data

        yield read
    finally:
        loop.close()


PEERS: Mapping[str, Callable[[Path], Any]] = MappingProxyType(
    {
        "gigapix": gigapix_reader,
        "rasterio": rasterio_reader,
        "tifffile": tifffile_reader,
        "async-geotiff": async_geotiff_reader,
    }
)


def two_cores() -> None:
    """Hold this process to two cores, and thread pools that ask the environment to two threads, on any machine."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    os.environ.update(RAYON_NUM_THREADS=str(THREADS), OMP_NUM_THREADS=str(THREADS))
