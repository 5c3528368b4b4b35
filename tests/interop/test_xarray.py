"""xarray's backend, against rioxarray's of the same files; what it reads; microscopy; trees; a giant far away."""

from __future__ import annotations

import asyncio
import pickle
import sys

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr

import gigapix
from gigapix.interop.xarray_backend import GigapixBackend
from tests.fixtures_micro import MICRO, ome_pyramid
from tests.remote import servers
from tests.views.giant import giant_cog

UTM = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)}
NORTH = {"crs": "EPSG:4326", "transform": rasterio.Affine(0.25, 0, -20, 0, 0.5, -30)}
TURNED = {"crs": "EPSG:32631", "transform": rasterio.Affine(9, 4, 5e5, 3, -8, 4e6)}


def write(path, pixels, *, overviews=(), edit=None, **options):
    bands, height, width = pixels.shape
    shape = {"count": bands, "height": height, "width": width, "dtype": pixels.dtype.name}
    with rasterio.open(path, "w", driver="GTiff", **shape, **options) as file:
        file.write(pixels)
        if edit is not None:
            edit(file)
        if overviews:
            file.build_overviews(overviews)
    return path


def described(file):
    file.scales, file.offsets = (0.5, 0.5), (1, 1)
    file.descriptions, file.units = ("red", "nir"), ("W", "W")
    file.update_tags(mission="one", scale_factor="no number", coordinates="nonsense")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    pixels = np.arange(2 * 60 * 90, dtype="i2").reshape(2, 60, 90)
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 16}
    return write(tmp_path_factory.mktemp("xarray") / "x.tif", pixels, overviews=[2, 4], edit=described, nodata=77, **UTM, **tiles)  # fmt: skip


@pytest.fixture(params=["rasterix", "arrays"])
def index(request, monkeypatch):
    """With rasterix, and as if it were not there."""
    if request.param == "arrays":
        monkeypatch.setitem(sys.modules, "rasterix", None)
    return request.param


@pytest.mark.parametrize("decoded", [False, True])
def test_a_scene_looks_as_rioxarray_makes_it(scene, decoded, index):
    with (
        xr.open_dataset(scene, engine="gigapix", mask_and_scale=decoded) as ours,
        rioxarray.open_rasterio(scene, mask_and_scale=decoded, parse_coordinates=True) as theirs,
    ):
        image = ours["image"]
        assert image.dims == theirs.dims and image.shape == theirs.shape
        assert (type(image.xindexes["x"]).__name__ == "RasterIndex") == (index == "rasterix")
        np.testing.assert_array_equal(image, theirs)
        for name in ("band", "y", "x"):
            np.testing.assert_allclose(image[name], theirs[name], rtol=1e-14)
        assert image.rio.crs == theirs.rio.crs and image.rio.transform() == theirs.rio.transform()
        assert np.array_equal([image.rio.nodata], [theirs.rio.nodata], equal_nan=True)
        part = {"x": slice(3, 40), "y": slice(7, 50)}
        assert image.isel(part).rio.bounds() == theirs.isel(part).rio.bounds()
        named = {key: value for key, value in theirs.attrs.items() if key not in ("scale_factor", "coordinates")}
        assert {key: image.attrs[key] for key in named} == named
        assert image.attrs.get("scale_factor") == (None if decoded else 0.5) and "coordinates" not in image.attrs
        assert image.encoding["grid_mapping"] == "spatial_ref"
        assert ours["spatial_ref"].attrs.keys() >= theirs["spatial_ref"].attrs.keys()
        assert ours["x"].attrs["standard_name"] == "projection_x_coordinate"


@pytest.mark.parametrize("options", [NORTH, TURNED, {"crs": "EPSG:4326"}, {}])
@pytest.mark.filterwarnings("ignore")
def test_wherever_it_lies(tmp_path, options, index):
    path = write(tmp_path / "x.tif", np.arange(200, dtype="u1").reshape(1, 10, 20), **options)
    with xr.open_dataset(path, engine="gigapix") as ours, rioxarray.open_rasterio(path) as theirs:
        np.testing.assert_array_equal(ours["image"], theirs)
        assert ours["image"].dims == ("band", "y", "x")
        if options is TURNED:
            assert ("x" in ours.coords) is ("xc" in ours.coords) is False or index == "rasterix"
        else:
            np.testing.assert_array_equal(ours["x"], theirs["x"])
            np.testing.assert_array_equal(ours["y"], theirs["y"])
        if options:
            assert ours["image"].rio.crs == theirs.rio.crs and ours["image"].rio.transform() == theirs.rio.transform()


@pytest.mark.parametrize("nodata", [None, 9])
def test_a_stored_mask_masks(tmp_path, nodata):
    pixels = np.arange(2 * 60 * 90, dtype="u2").reshape(2, 60, 90)
    valid = np.random.default_rng(0).random((60, 90)) > 0.3

    def edit(file):
        file.write_mask(valid)
        file.scales = (2, 2)

    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write(tmp_path / "x.tif", pixels, edit=edit, nodata=nodata, **UTM)
    with xr.open_dataset(path, engine="gigapix", mask_and_scale=True) as dataset, gigapix.open(path) as image:
        assert image.levels[0].has_mask and image.to_xarray().dtype == "u2"
        whole, part = dataset["image"].copy(), dataset["image"].isel(band=[1, 0], y=slice(3, 50, 2), x=[80, 1])
        expected = np.where(valid, pixels * 2.0, np.nan)
        np.testing.assert_array_equal(part, expected[[1, 0], 3:50:2][..., [80, 1]])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(whole)), expected)
        assert dataset["image"].encoding.get("_FillValue") == nodata


KEYS = [
    {"x": slice(5, 60, 7), "y": slice(None, None, -3)},
    {"band": 1, "x": 89},
    {"band": [1, 0, 1], "y": [59, 2, 2, 30]},
    {"x": xr.DataArray([1, 80, 3], dims="at"), "y": xr.DataArray([50, 0, 7], dims="at")},
    {
        "x": xr.DataArray([[1, 80], [3, 0], [2, 2]], dims=("m", "n")),
        "y": xr.DataArray([[50, 0]] * 3, dims=("m", "n")),
        "band": 1,
    },
    {"x": slice(4, 4)},
]


@pytest.mark.parametrize("key", KEYS)
def test_indexing_blocking_and_async(scene, key):
    pixels = xr.DataArray(rasterio.open(scene).read(), dims=("band", "y", "x")).isel(key)

    async def loaded(**options):
        with xr.open_dataset(scene, engine="gigapix", **options) as dataset:
            return await dataset.isel(key).load_async()

    with xr.open_dataset(scene, engine="gigapix") as dataset:
        np.testing.assert_array_equal(dataset["image"].isel(key), pixels)
    np.testing.assert_array_equal(asyncio.run(loaded())["image"], pixels)
    decoded = asyncio.run(loaded(mask_and_scale=True))["image"]
    np.testing.assert_array_equal(decoded, pixels.where(pixels != 77) * 0.5 + 1)


def test_sel_finds_pixels_by_their_middle(scene, index):
    with xr.open_dataset(scene, engine="gigapix", level=1) as dataset:
        found = dataset["image"].sel(x=5e5 + 30 + 9, y=4e6 - 21, method="nearest")
        with gigapix.open(scene) as image:
            np.testing.assert_array_equal(found, image.levels[1][:, 1, 1])
        assert float(found["x"]) == 5e5 + 30


def test_reads_only_what_is_asked_for(scene):
    with gigapix.open(scene) as image:
        array = image.to_xarray(1)
        assert array.name == "image" and array.shape == image.levels[1].shape
        before = image.stats.bytes
        part = array.isel(y=slice(0, 4), x=slice(0, 4)) + 0
        assert 0 < image.stats.bytes - before <= 2 * 16 * 32 * 2
        np.testing.assert_array_equal(part, image.levels[1][:, :4, :4])


def test_chunks_are_whole_tiles(scene):
    with xr.open_dataset(scene, engine="gigapix", chunks={}) as dataset:
        assert dataset.chunksizes["x"] == (90,)  # small enough for one chunk
        np.testing.assert_array_equal(dataset["image"].mean().compute(), dataset["image"].values.mean())
    with gigapix.open(scene) as image:
        assert dict(image.to_xarray().encoding["preferred_chunks"]) == {"band": 2, "y": 60, "x": 90}


def test_a_dataset_can_be_sent(scene):
    with xr.open_dataset(scene, engine="gigapix") as dataset:
        sent = pickle.dumps(dataset.isel(x=slice(0, 10)))
    with pickle.loads(sent) as received:
        assert received["image"].sum() == rasterio.open(scene).read()[..., :10].sum()


def test_a_stack(tmp_path):
    pixels = ome_pyramid(tmp_path / "x.ome.tif")
    with xr.open_dataset(tmp_path / "x.ome.tif", engine="gigapix") as dataset:
        assert dataset["image"].dims == ("t", "c", "z", "y", "x")
        assert dataset["c"].values.tolist() == ["a", "b", "c"] and "spatial_ref" not in dataset.coords
        np.testing.assert_array_equal(dataset["x"][:3], [0, 0.5, 1])
        assert dataset["x"].attrs == {"units": "µm"} and dataset["y"].attrs == {}
        np.testing.assert_array_equal(dataset["image"].sel(c="b").isel(t=1, z=[3, 0]), pixels[1, 1, [3, 0]])
    with xr.open_dataset(tmp_path / "x.ome.tif", engine="gigapix", level=1) as dataset:
        np.testing.assert_array_equal(dataset["x"][:3], [0.25, 1.25, 2.25])
    MICRO["imagej_hyperstack"](tmp_path / "j.tif")
    with xr.open_dataset(tmp_path / "j.tif", engine="gigapix") as dataset:
        assert dataset["t"].values.tolist() == [0, 1.5] and dataset["t"].attrs["units"] in ("s", "sec")
        np.testing.assert_array_equal(dataset["z"], np.arange(4) * 0.25)


def test_a_tree_of_levels(scene, tmp_path):
    ome_pyramid(tmp_path / "x.ome.tif")
    for path, scale in ((scene, 10), (tmp_path / "x.ome.tif", 0.5)):
        with xr.open_datatree(path, engine="gigapix") as tree, gigapix.open(path) as image:
            assert list(tree.children) == ["0", "1", "2"]
            for level, node in zip(image.levels, tree.children.values(), strict=True):
                np.testing.assert_array_equal(node["image"], level[...])
                assert float(node["x"][1] - node["x"][0]) == pytest.approx(scale * level.scale[1])
            values = pickle.dumps(tree)
        with pickle.loads(values) as tree, gigapix.open(path) as image:
            np.testing.assert_array_equal(tree["2/image"], image.levels[2][...])
    groups = xr.open_groups(scene, engine="gigapix", drop_variables="spatial_ref")
    assert list(groups) == ["/", "/0", "/1", "/2"] and "spatial_ref" not in groups["/0"].coords
    groups["/"].close()


def test_closing_closes_the_image(scene):
    with xr.open_dataset(scene, engine="gigapix", cache=False) as dataset:
        pass
    with pytest.raises(gigapix.SourceError, match="closed"):
        dataset["image"].load()


def test_what_can_not_be_opened(scene, tmp_path):
    with pytest.raises(gigapix.RequestError, match="no level 9"):
        xr.open_dataset(scene, engine="gigapix", level=9)
    with pytest.raises(gigapix.NotFoundError):
        xr.open_dataset(tmp_path / "none.tif", engine="gigapix")
    with pytest.raises(gigapix.RequestError, match="no setting nonsense"):
        xr.open_datatree(scene, engine="gigapix", nonsense=1)

    def uneven(file):
        file.scales = (1, 2)

    path = write(tmp_path / "x.tif", np.zeros((2, 4, 5), "u1"), edit=uneven, **UTM)
    with gigapix.open(path) as image:
        assert image.to_xarray().attrs["scales"] == [1, 2]
        with pytest.raises(gigapix.UnsupportedError, match="differ in scale"):
            image.to_xarray(mask_and_scale=True)


def test_other_engines_keep_what_is_theirs(monkeypatch):
    ours = GigapixBackend()
    for name in ("slide.svs", "https://host/a.NDPI", "x.btf"):
        assert ours.guess_can_open(name)
    for name in ("x.nc", "x.zarr", "x.h5", "x", b"II*\0", 3):
        assert not ours.guess_can_open(name)
    assert not ours.guess_can_open("x.tif")  # rioxarray's
    monkeypatch.setattr("gigapix.interop.xarray_backend.find_spec", lambda name: None)
    assert ours.guess_can_open("x.tif") and ours.guess_can_open("x.PNG")


def test_without_xarray(scene, monkeypatch):
    monkeypatch.delitem(sys.modules, "gigapix.interop.xarray_dataset", raising=False)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with gigapix.open(scene) as image, pytest.raises(gigapix.MissingExtraError, match=r"gigapix\[xarray\]"):
        image.to_xarray()


def test_bytes_and_settings(scene):
    with xr.open_dataset(scene.read_bytes(), engine="gigapix", memory="64MB", index=0) as dataset:
        assert dataset["image"].shape == (2, 60, 90)


async def loaded(array):
    return await array.copy().load_async()


def test_a_slice_of_a_giant_far_away_takes_few_requests(tmp_path):
    """100,000 x 100,000 pixels in nine levels, each directory followed by its tables; the slice meets four tiles."""
    try:
        with servers.nginx(tmp_path) as nginx:
            pixels = giant_cog(nginx.root / "x.tif", 100, 100)
            nginx.lines()
            with xr.open_dataset(f"{nginx.plain}/x.tif", engine="gigapix") as dataset:
                assert dataset["image"].shape == (1, 100_000, 100_000)
                part = dataset["image"].isel(band=0, y=slice(51456, 51968), x=slice(51456, 51968)).values
                lines = nginx.lines()
                assert len(lines) < 5, lines
                at = {"y": xr.DataArray([51200, 52223, 51900], dims="at"), "x": xr.DataArray([51200, 52000, 51300], dims="at")}  # fmt: skip
                expected = pixels[at["y"] - 51200, at["x"] - 51200]
                np.testing.assert_array_equal(dataset["image"].isel(band=0, **at), expected)
                assert len(nginx.lines()) <= 3
                np.testing.assert_array_equal(asyncio.run(loaded(dataset["image"].isel(band=0, **at))), expected)
        np.testing.assert_array_equal(part, pixels[256:768, 256:768])
    except servers.MissingError as reason:
        pytest.skip(str(reason))
