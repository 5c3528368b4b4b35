"""The examples of docs/ecosystem.md, run as they stand."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

from tests.test_readme import blocks

PAGE = "docs/ecosystem.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 500000, 0, -10, 4000000)}
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": 1536, "width": 2048}
    with rasterio.MemoryFile() as memory, memory.open(**profile, **place) as source:
        source.write(np.kron(rng.integers(0, 255, (3, 96, 128), np.uint8), np.ones((16, 16), np.uint8)))
        rasterio.shutil.copy(source, tmp_path / "scene.tif", driver="COG", compress="deflate", blocksize=512)
    cells = rng.integers(0, 4000, (3, 5, 512, 640), np.uint16)
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    with tifffile.TiffWriter(tmp_path / "cells.ome.tif", ome=True) as writer:
        axes = {"axes": "CZYX", **size, "Channel": {"Name": ["DAPI", "GFP", "RFP"]}}
        writer.write(cells, subifds=2, tile=(256, 256), photometric="minisblack", metadata=axes)
        for step in (2, 4):
            writer.write(cells[..., ::step, ::step], subfiletype=1, tile=(256, 256), photometric="minisblack")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_examples():
    test = doctest.DocTestParser().get_doctest("".join(blocks("python", PAGE)), {}, PAGE, PAGE, 0)
    assert len(test.examples) > 20
    out = []
    flags = doctest.ELLIPSIS
    assert doctest.DocTestRunner(optionflags=flags).run(test, out=out.append).failed == 0, "".join(out)
