"""`Image.geobox` and `Level.geobox` by odc-geo, against the same file's geometry in rasterio."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

import gigapix
from tests.geotiff import written


def test_of_each_level(tmp_path):
    with rasterio.open(
        tmp_path / "x.tif", "w", driver="GTiff", width=101, height=64, count=1, dtype="uint8", crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 5e5, 0, -10, 4e6),
    ) as file:  # fmt: skip
        file.write(np.zeros((1, 64, 101), "u1"))
        file.build_overviews([2, 4])
    with gigapix.open(tmp_path / "x.tif") as image, rasterio.open(tmp_path / "x.tif") as file:
        assert image.geobox == GeoBox(file.shape, file.transform, file.crs)
        assert [level.geobox.shape for level in image.levels] == [(64, 101), (32, 51), (16, 26)]
        for level in image.levels:
            assert level.geobox.boundingbox.bbox == pytest.approx(file.bounds) and level.geobox.crs.epsg == 32633


@pytest.mark.parametrize("crs", [None, "EPSG:4326"])
def test_rotated_and_without_crs(crs):
    turned = rasterio.Affine(2, 0.5, 10, 0.25, -3, 20)
    with gigapix.open(written(transform=turned, crs=crs)) as image:
        assert image.geobox.affine == turned and (image.geobox.crs is None) == (crs is None)


def test_without_odc(monkeypatch):
    monkeypatch.setitem(sys.modules, "odc.geo.geobox", None)
    with gigapix.open(written()) as image, pytest.raises(gigapix.MissingExtraError, match=r"gigapix\[odc\]"):
        _ = image.geobox
