"""The images that the servers serve: small, written by GDAL and tifffile, whose pixels are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import tifffile
from numpy.typing import NDArray
from rasterio.shutil import copy as gdal_copy
from rasterio.transform import from_origin


def scene(size: int, *, bands: int = 1, seed: int = 0) -> NDArray[Any]:
    """(band, y, x) uint8: a slope with noise on it, which compresses by a half."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 200, size)[None, :, None] + np.zeros((bands, size, size))
    return (slope + rng.integers(0, 16, (bands, size, size))).astype(np.uint8)


def cog(path: Path, pixels: NDArray[Any], **options: str) -> None:
    """A Cloud Optimized GeoTIFF by GDAL."""
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": bands, "dtype": pixels.dtype.name}
    source = path.with_suffix(".source.tif")
    with rasterio.open(source, "w", crs="EPSG:32632", transform=from_origin(5e5, 5e6, 10, 10), **profile) as target:
        target.write(pixels)
    gdal_copy(source, path, driver="COG", **{"COMPRESS": "DEFLATE", "BLOCKSIZE": "128", **options})
    source.unlink()


def ifd_last(path: Path, pixels: NDArray[Any], tile: int = 128) -> None:
    """A tiled TIFF whose IFD and tables lie behind its pixels, and whose tiles lie side by side without a gap."""
    tifffile.imwrite(path, pixels[0], tile=(tile, tile), compression="zlib", metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.offset
        first = min(tif.pages.first.dataoffsets)
    # tifffile writes the directory first: move it, with its tables, behind the pixels.
    head = bytes(data[start:first])
    data += b"\0" * (len(data) % 2)
    moved = len(data) - start
    with tifffile.TiffFile(path) as tif:
        entries = [(tag.offset, tag.valueoffset, tag.code) for tag in tif.pages.first.tags]
    data += head
    for offset, value, _ in entries:
        if start <= value < first and not offset <= value < offset + 12:
            data[offset + moved + 8 : offset + moved + 12] = (value + moved).to_bytes(4, "little")
    data[4:8] = (start + moved).to_bytes(4, "little")
    data[start:first] = bytes(first - start)
    path.write_bytes(data)
