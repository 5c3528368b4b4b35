"""Where pixels come from: stacks, Zarr, dask, xarray; names of axes, places and units."""

import re

import numpy as np
import pytest
import tifffile
import zarr

import gigapix
from gigapix import RequestError
from gigapix.pyramids.plan import pyramid
from tests.pyramids.build import built

VALUES = np.random.default_rng(0).integers(0, 4000, (2, 3, 5, 90, 110)).astype("u2")
FACTORS = {"z": [1, 2], "y": 2, "x": 2}


def test_an_ome_tiff(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.ome.tif", VALUES, ome=True, tile=(32, 32), photometric="minisblack", compression="zlib",
        metadata={"axes": "TCZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25,
                  "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 2.0, "PhysicalSizeZUnit": "µm",
                  "Channel": {"Name": ["a", "b", "c"]}},
    )  # fmt: skip
    options = {"factors": FACTORS, "levels": 2, "chunks": {"y": 32, "x": 32}}
    wanted = built(VALUES, tmp_path, axes="tczyx", **options)
    for name, array in built(tmp_path / "a.ome.tif", tmp_path, **options).items():
        np.testing.assert_array_equal(array, wanted[name])
    plan = pyramid(tmp_path / "a.ome.tif", tmp_path / "o.zarr", **options)
    assert [level.scale for level in plan.levels()] == [
        (1.0, 1.0, 2.0, 0.25, 0.5), (1.0, 1.0, 2.0, 0.5, 1.0), (1.0, 1.0, 4.0, 1.0, 2.0),
    ]  # fmt: skip
    assert plan.levels()[2].translation == (0.0, 0.0, 1.0, 0.375, 0.75)
    ome = plan.run()["ome"]
    assert [axis.get("unit") for axis in ome["multiscales"][0]["axes"]] == [None, None, *["micrometer"] * 3]
    channels = ome["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["a", "b", "c"]
    low, high = VALUES[:, 1].min(), VALUES[:, 1].max()
    assert (channels[1]["window"]["start"], channels[1]["window"]["end"]) == (low, high)


def test_a_map(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    transform = rasterio.Affine(10, 0, 500000, 0, -10, 5000000)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=101, height=77, count=1, dtype="int16", crs="EPSG:32632",
        transform=transform, nodata=-1,
    ) as file:  # fmt: skip
        file.write(np.full((1, 77, 101), 5, "int16"))
    plan = pyramid(tmp_path / "a.tif", tmp_path / "o.zarr", levels=1, reducers=["mean", "nearest"])
    mean, nearest = plan.levels()[1:]
    assert plan.samples.nodata == -1
    assert mean.transform == (20, 0, 500000, 0, -20, 5000000)
    # The centre of a pixel of 20 m is where the centre of the upper left one of 10 m is.
    assert nearest.transform == (20, 0, 499995, 0, -20, 5000005)
    assert mean.scale == (1, -20, 20) and mean.translation == (0, 4999990, 500010)
    assert nearest.translation == (0, 4999995, 500005)
    attributes = plan.run()
    assert attributes["proj:code"] == "EPSG:32632"


def test_zarr_arrays_and_groups(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    array = group.create_array("0", shape=(90, 110), chunks=(25, 40), dtype="u2", dimension_names=("lat", "lon"))
    array[:] = VALUES[0, 0, 0]
    wanted = built(VALUES[0, 0, 0], tmp_path, chunks=32, levels=2)
    for source in (array, group, str(tmp_path / "a.zarr"), tmp_path / "a.zarr" / "0"):
        plan = pyramid(source, tmp_path / "o.zarr", chunks=32, levels=2)
        assert plan.dims == ("lat", "lon") and plan.reads == 12
        for name, found in built(source, tmp_path, chunks=32, levels=2).items():
            np.testing.assert_array_equal(found, wanted[name])
    group.create_array("1", shape=(9,), dtype="u1")
    with pytest.raises(RequestError, match="2 arrays"):
        pyramid(group, tmp_path / "o.zarr")
    with pytest.raises(RequestError, match="no Zarr"):
        pyramid(tmp_path / "none.zarr", tmp_path / "o.zarr")


def test_a_pyramid_of_a_pyramid(tmp_path):
    pyramid(VALUES[0, 0], tmp_path / "a.zarr", axes="zyx", chunks=32, levels=1).run()
    plan = pyramid(tmp_path / "a.zarr", tmp_path / "b.zarr", factors={"z": 2}, levels=1)
    assert plan.dims == ("z", "y", "x")
    plan.run()
    assert zarr.open_group(tmp_path / "b.zarr")["1"].shape == (3, 90, 110)


def test_dask(tmp_path):
    dask_array = pytest.importorskip("dask.array")
    lazy = dask_array.from_array(VALUES[0, 0], chunks=(2, 40, 50))
    wanted = built(VALUES[0, 0], tmp_path, chunks=16, levels=1, factors={"z": 2, "x": 3})
    for name, found in built(lazy, tmp_path, chunks=16, levels=1, factors={"z": 2, "x": 3}).items():
        np.testing.assert_array_equal(found, wanted[name])


def test_xarray(tmp_path):
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(
        VALUES[0, 0, 0].astype("f4"),
        dims=("lat", "lon"),
        coords={"lat": 50 - np.arange(90) * 0.5, "lon": np.arange(110) * 0.25},
        name="heat",
        attrs={"_FillValue": -5.0},
    )
    plan = pyramid(array, tmp_path / "o.zarr", levels=1)
    assert plan.dims == ("lat", "lon") and plan.samples.nodata == -5 and plan.title == "heat"
    assert plan.levels()[1].scale == (-1, 0.5) and plan.levels()[1].translation == (49.75, 0.125)
    plan.run()
    np.testing.assert_allclose(zarr.open_group(tmp_path / "o.zarr")["1"][0, 0], VALUES[0, 0, 0, :2, :2].mean())


def test_eight_axes(tmp_path):
    values = np.random.default_rng(0).integers(0, 9, (3, 2, 3, 2, 3, 2, 5, 4)).astype("i2")
    names = tuple("abcdefgh")
    factors = {"a": 2, "e": 3, "g": 2}
    found = built(values, tmp_path, axes=names, factors=factors, levels=2, chunks=2)
    assert found["2"].shape == (1, 2, 3, 2, 1, 2, 2, 4)
    with gigapix.open(image_of(tmp_path)) as image, pytest.raises(RequestError, match="names for"):
        pyramid(image, tmp_path / "o.zarr", axes="yx")


def image_of(folder):
    tifffile.imwrite(folder / "plain.tif", VALUES[0, 0, 0])
    return folder / "plain.tif"


def test_a_hostile_zarr(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    array = group.create_array("0", shape=(64, 64), chunks=(32, 32), dtype="u2", compressors={"id": "zlib", "level": 1})
    array[:] = 7
    chunk = next(path for path in (tmp_path / "a.zarr" / "0").iterdir() if path.name in ("0.0", "0"))
    chunk = chunk / "0" if chunk.is_dir() else chunk
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(gigapix.DecodeError, match="can't be read"):
        pyramid(tmp_path / "a.zarr", tmp_path / "o.zarr", levels=1).run()
    described = tmp_path / "a.zarr" / "0" / ".zarray"
    plain = described.read_text()
    described.write_text(re.sub(r'"compressor": \{[^}]*\}', '"compressor": {"id": "pickle"}', plain))
    with pytest.raises(gigapix.GigapixError, match="pickle"):
        pyramid(tmp_path / "a.zarr", tmp_path / "p.zarr", levels=1)
    described.write_text(plain.replace("<u2", "<q9"))
    with pytest.raises(RequestError, match="can't be opened"):
        pyramid(tmp_path / "a.zarr", tmp_path / "p.zarr", levels=1)
    (tmp_path / "a.zarr" / ".zgroup").write_text("{")
    with pytest.raises(RequestError, match="no Zarr"):
        pyramid(tmp_path / "a.zarr", tmp_path / "p.zarr")


def test_half_floats_with_nodata(tmp_path):
    values = np.full((8, 8), -9999, "f2")  # which is -10000
    values[0, 0] = 4
    found = built(values, tmp_path, levels=1, chunks=4, nodata=-9999)
    assert found["1"][0, 0] == 4 and found["1"][1, 1] == np.float16(-9999)
