"""Small files of the kinds that people have, made by other people's writers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile
from click.testing import CliRunner, Result
from rasterio.enums import ColorInterp

from gigapix.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run the command line in this process; `code` is the exit code that is expected."""

    def run(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="gigapix")
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def cog(folder: Path) -> Path:
    """RGB with overviews and a mask, in UTM."""
    path = folder / "cog.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (3, 900, 1100), np.uint8)
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 3, "height": 900, "width": 1100, "crs": "EPSG:32631",
        "transform": rasterio.Affine(10, 0, 500000, 0, -10, 4000000),
    }  # fmt: skip
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.MemoryFile() as memory,
        memory.open(**profile, photometric="RGB") as source,
    ):
        source.write(pixels)
        mask = np.full((900, 1100), 255, np.uint8)
        mask[:100] = 0
        source.write_mask(mask)
        rasterio.shutil.copy(source, path, driver="COG", compress="deflate", predictor=2, blocksize=256)
    return path


@pytest.fixture(scope="session")
def strips(folder: Path) -> Path:
    """Float32 with nodata and NaN in ragged strips, big-endian."""
    path = folder / "strips.tif"
    pixels = np.random.default_rng(1).normal(100, 20, (333, 222)).astype(np.float32)
    pixels[:10] = -9999
    pixels[50, 50] = np.nan
    tifffile.imwrite(
        path, pixels, byteorder=">", rowsperstrip=50, compression="lzw", extratags=[(42113, "s", 0, "-9999", True)]
    )
    return path


@pytest.fixture(scope="session")
def palette(folder: Path) -> Path:
    path = folder / "palette.tif"
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint8", count=1, width=40, height=30, photometric="palette"
    ) as out:
        out.write(np.random.default_rng(2).integers(0, 4, (1, 30, 40), np.uint8))
        out.write_colormap(1, {0: (255, 0, 0, 255), 1: (0, 255, 0, 255), 2: (0, 0, 255, 255), 3: (9, 9, 9, 255)})
        out.colorinterp = [ColorInterp.palette]
    return path


@pytest.fixture(scope="session")
def stack(folder: Path) -> Path:
    """OME-TIFF with T, C and Z, and a pyramid."""
    path = folder / "stack.ome.tif"
    pixels = np.random.default_rng(3).integers(0, 4000, (2, 3, 2, 96, 128), np.uint16)  # T Z C Y X
    metadata = {
        "axes": "TZCYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]},
    }  # fmt: skip
    with tifffile.TiffWriter(path, ome=True) as out:
        out.write(pixels, subifds=1, tile=(32, 32), metadata=metadata)
        out.write(pixels[..., ::2, ::2], subfiletype=1, tile=(32, 32))
    return path


@pytest.fixture(scope="session")
def pages(folder: Path) -> Path:
    """Two images of different sizes and types in one file, each compressed in a single strip."""
    path = folder / "pages.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(np.arange(70 * 60, dtype=np.uint16).reshape(70, 60), compression="deflate", rowsperstrip=70)
        out.write(np.random.default_rng(4).normal(size=(50, 40)) + 1j, rowsperstrip=50)
    return path
