"""The examples of docs/interop.md, run as they stand."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from tests.test_readme import blocks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    profile = {"driver": "GTiff", "dtype": "uint8", "height": 1024, "width": 1536, "crs": "EPSG:32631"}
    for name, count in (("scene", 3), ("red", 1), ("nir", 1)):
        place = {"count": count, "transform": rasterio.Affine(10, 0, 500000, 0, -10, 4000000)}
        with rasterio.MemoryFile() as memory, memory.open(**profile, **place) as source:
            source.write(np.ones((count, 1024, 1536), np.uint8))
            rasterio.shutil.copy(source, tmp_path / f"{name}.tif", driver="COG", blocksize=512)
    assets = {name: {"href": f"./{name}.tif", "type": "image/tiff; application=geotiff"} for name in ("red", "nir")}
    (tmp_path / "item.json").write_text(json.dumps({"id": "one", "assets": assets}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_examples() -> None:
    pytest.importorskip("rio_tiler", reason="needs rio-tiler, which some examples are about")
    page = "docs/interop.md"
    test = doctest.DocTestParser().get_doctest("".join(blocks("python", page)), {}, page, page, 0)
    assert len(test.examples) > 10
    out: list[str] = []
    assert doctest.DocTestRunner().run(test, out=out.append).failed == 0, "".join(out)
