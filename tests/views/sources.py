"""Pyramids of every kind that gigapix meets, small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import rasterio
from rasterio.shutil import copy

from tests.fixtures_micro import ome_pyramid, svs


def cog(path: Path, *, masked: bool = True) -> None:
    """700 x 500 pixels of three bands in tiles of 128, JPEG with tables and a mask, or deflate with nodata."""
    y, x = np.mgrid[0:500, 0:700]
    pixels = np.stack([x // 3, y // 2, (x + y) // 5]).astype("u1")
    profile = {"driver": "GTiff", "width": 700, "height": 500, "count": 3, "dtype": "uint8", "crs": "EPSG:32632"}
    profile |= {"transform": rasterio.Affine(10, 0, 500000, 0, -10, 5000000)} | ({} if masked else {"nodata": 7})
    plain = path.with_suffix(".plain.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(plain, "w", **profile) as file:
        file.write(pixels)
        if masked:
            file.write_mask(x + y > 100)
    copy(plain, path, driver="COG", BLOCKSIZE=128, COMPRESS="JPEG" if masked else "DEFLATE")
    plain.unlink()


SOURCES: Mapping[str, Callable[[Path], object]] = MappingProxyType(
    {
        "ome_subifds": ome_pyramid,
        "svs": svs,
        "cog_masked": cog,
        "cog_nodata": lambda path: cog(path, masked=False),
    }
)
