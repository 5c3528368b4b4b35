"""A folder of small images of many kinds, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image
from rasterio.transform import from_origin

from tests.remote import servers
from tests.remote.images import cog, ifd_last, scene


def geotiff(path: Path, *, epsg: int = 32632, origin=(5e5, 5e6), step: float = 10, size=(30, 20), **profile) -> None:
    width, height = size
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "uint8", **profile}
    with rasterio.open(path, "w", crs=f"EPSG:{epsg}", transform=from_origin(*origin, step, step), **profile) as target:
        values = np.arange(width * height).reshape(1, height, width) % 251
        target.write(np.repeat(values, profile["count"], 0).astype(profile["dtype"]))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    (root / "a").mkdir()
    for n in range(6):  # alike in all but their places, texts of the same length, and pixels
        path = root / "a" / f"cog{n}.tif"
        cog(path, scene(300, seed=n))
        with tifffile.TiffFile(path, mode="r+b") as tif:
            tag = tif.pages.first.tags[33922]
            tif.filehandle.seek(tag.valueoffset + 24)
            tif.filehandle.write(np.array([4e5 + 1000 * n, 5e6]).astype("<f8").tobytes())
    cog(root / "a" / "rgb.TIF", scene(200, bands=3), COMPRESS="LZW")
    geotiff(root / "plain.tif")
    geotiff(root / "big.tiff", BIGTIFF="YES", count=2, tiled=True, blockxsize=16, blockysize=16, interleave="band")
    ifd_last(root / "last.tif", np.random.default_rng(0).integers(0, 255, (1, 300, 300), dtype=np.uint8))
    tifffile.imwrite(root / "stack.ome.tif", np.zeros((2, 3, 20, 30), np.uint16), metadata={
        "axes": "CZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]}})  # fmt: skip
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(root / "picture.png")
    (root / "broken.tif").write_bytes(b"II*\0\xff\xff\0\0")
    (root / "empty.tif").write_bytes(b"")
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with servers.ministack(tmp_path_factory.mktemp("s3")) as url:
            yield url
    except servers.MissingError as reason:
        pytest.skip(str(reason))
