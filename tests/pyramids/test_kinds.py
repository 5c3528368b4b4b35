"""Pyramids of every kind, made by `run`, are what every validator takes for valid."""

import json

import numpy as np
import pytest
import rasterio
import zarr

import gigapix
from gigapix.pyramids.plan import pyramid
from tests.pyramids.test_ome import by_ngff_zarr, by_ome_zarr_models, by_yaozarrs

RNG = np.random.default_rng(4)


def scene(folder):
    """A GeoTIFF on a map."""
    path, transform = folder / "scene.tif", rasterio.Affine(10, 0, 500000, 0, -10, 5000000)
    with rasterio.open(
        path, "w", driver="GTiff", width=101, height=77, count=2, dtype="int16", crs="EPSG:32632", transform=transform,
        nodata=-1,
    ) as file:  # fmt: skip
        file.write(RNG.integers(-1, 500, (2, 77, 101)).astype("i2"))
    return path


def array(*shape, dtype="u2"):
    return lambda folder: RNG.integers(0, 100, shape).astype(dtype)


KINDS = {
    "on a map": (scene, {"reducers": ["mean", "max"]}),
    "on a map, first samples": (scene, {"reducers": "nearest"}),
    "cyx": (array(3, 77, 101, dtype="u1"), {"axes": "cyx"}),
    "yx, one level": (array(77, 101, dtype="f4"), {"levels": 0}),
    "tczyx": (array(2, 2, 9, 40, 50), {"axes": "tczyx", "factors": {"z": [1, 2], "y": 2, "x": 2}}),
    "labels": (array(9, 40, 50, dtype="u4"), {"axes": "zyx", "reducers": "mode"}),
    "other quantities": (array(77, 101), {"reducers": ["std", "count", "quantile(0.1)"]}),
    "six axes": (array(2, 2, 2, 3, 20, 30), {"axes": "abtzyx"}),
    "a series": (array(900), {"axes": "t", "factors": 3}),
}
NOT_OME = {"six axes", "a series"}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_others_take_it_for_valid(tmp_path, kind, zarr_format):
    source, options = KINDS[kind]
    target = tmp_path / "o.zarr"
    pyramid(source(tmp_path), target, chunks=16, zarr_format=zarr_format, **{"levels": 2, **options}).run()
    assert gigapix.validate(target, pixels=True).valid
    if kind not in NOT_OME:
        for check in (by_yaozarrs, by_ome_zarr_models, by_ngff_zarr):
            check(target, {2: "0.4", 3: "0.5"}[zarr_format])
    if zarr_format == 2:
        return
    document = json.loads((target / "zarr.json").read_text())
    zarr_cm = pytest.importorskip("zarr_cm")
    zarr_cm.multiscales.validate_group_metadata(document)
    if kind.startswith("on a map"):
        zarr_cm.spatial.validate_group_metadata(document)
        zarr_cm.proj.validate_group_metadata(document)
    try:
        import geozarr_toolkit
    except ImportError:  # it needs Python 3.12
        return
    found = geozarr_toolkit.validate_group(zarr.open_group(str(target), mode="r"))
    assert found and not any(found.values())
