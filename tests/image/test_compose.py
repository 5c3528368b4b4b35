"""Reads by bounds and shape, resampled, masked and boundless, against rasterio."""

import asyncio

import numpy as np
import pytest
import rasterio
import tifffile
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import MaskFlags, Resampling
from rasterio.windows import Window

import gigapix
from gigapix.image import compose
from gigapix.image.zoom import level_for

TRANSFORM = Affine(10, 0, 500_000, 0, -10, 4_000_000)
HEIGHT, WIDTH = 130, 203


def make(path, *, dtype="uint8", count=3, nodata=None, mask=False, alpha=False, overviews=()):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    data = np.stack([(x * (band + 1) + y * 2 + rng.integers(0, 30, x.shape)) % 200 + 20 for band in range(count)])
    data = data.astype(dtype)
    if nodata is not None:
        data[:, 20:60, 30:90] = nodata
    if alpha:
        data[-1] = np.where((x + y) % 7 == 0, 0, 255)
    profile = {"driver": "GTiff", "width": WIDTH, "height": HEIGHT, "count": count, "dtype": dtype, "crs": "EPSG:32633",
               "transform": TRANSFORM, "tiled": True, "blockxsize": 64, "blockysize": 32, "compress": "deflate"}  # fmt: skip
    if alpha:
        profile |= {"photometric": "RGB", "alpha": "unspecified"}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", nodata=nodata, **profile) as file:
        file.write(data)
        if mask:
            file.write_mask(np.where((x // 9 + y // 5) % 3 == 0, 0, 255).astype("uint8"))
        if overviews:
            file.build_overviews(overviews, Resampling.average)
    return path


@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic", "average"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("shape", [(65, 100), (13, 17), (130, 203), (200, 300), (1, 1)])
def test_resampled_as_rasterio_does(method, dtype, shape, tmp_path):
    path = make(tmp_path / "x.tif", dtype=dtype)
    with gigapix.open(path) as image, rasterio.open(path) as file:
        found = image.read(shape=shape, resampling=method)
        expected = file.read(out_shape=(3, *shape), resampling=Resampling[method])
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1 if dtype != "float32" else 1e-3, rtol=1e-5)


def test_mode_is_the_value_of_most_area(tmp_path):
    path = tmp_path / "x.tif"
    classes = np.random.default_rng(0).integers(0, 3, (1, 60, 90)).astype("uint8")
    with rasterio.open(path, "w", driver="GTiff", width=90, height=60, count=1, dtype="uint8") as file:
        file.write(classes)
    with gigapix.open(path) as image:
        found = image.read(shape=(20, 30), resampling="mode")[0]
    blocks = classes[0].reshape(20, 3, 30, 3).transpose(0, 2, 1, 3).reshape(20, 30, 9)
    counts = (blocks[..., None] == np.arange(3)).sum(-2)
    most = counts.max(-1)
    np.testing.assert_array_equal(np.take_along_axis(counts, found[..., None].astype(int), -1)[..., 0], most)


@pytest.mark.parametrize(
    "kwargs", [{"nodata": 7}, {"mask": True}, {"alpha": True, "count": 4}, {}, {"nodata": 0, "mask": True},
               {"dtype": "float32", "nodata": np.nan}],
)  # fmt: skip
def test_masked_as_rasterio_does(kwargs, tmp_path):
    path = make(tmp_path / "x.tif", **kwargs)
    with gigapix.open(path) as image, rasterio.open(path) as file:
        for window in [None, (10, 5, 100, 70)]:
            found = image.read(window, masked=True)
            expected = file.read(masked=True, window=None if window is None else Window(*window))
            np.testing.assert_array_equal(np.ma.getdata(found), np.ma.getdata(expected))
            mask = np.ma.getmaskarray(found)
            if MaskFlags.alpha in file.mask_flag_enums[0]:
                np.testing.assert_array_equal(mask[:3], np.ma.getmaskarray(expected)[:3])
            else:
                np.testing.assert_array_equal(mask, np.ma.getmaskarray(expected))


@pytest.mark.parametrize("method", ["bilinear", "average", "cubic"])
def test_pixels_that_do_not_count_weigh_nothing(method, tmp_path):
    path = make(tmp_path / "x.tif", nodata=255)
    with gigapix.open(path) as image:
        found = image.read(shape=(40, 60), resampling=method, masked=True)
        plain = image.read(shape=(40, 60), resampling=method)
    assert np.ma.getmaskarray(found).any() and found.max() < 255
    np.testing.assert_array_equal(np.ma.filled(found, 255), plain)
    with rasterio.open(path) as file:
        expected = file.read(out_shape=(3, 40, 60), resampling=Resampling[method], masked=True)
    both = ~(np.ma.getmaskarray(found) | np.ma.getmaskarray(expected))
    assert both.mean() > 0.8
    if method == "average":
        np.testing.assert_allclose(np.ma.getdata(found)[both], np.ma.getdata(expected)[both], atol=1)


@pytest.mark.parametrize("window", [(-20, -10, 60, 50), (180, 100, 64, 64), (-5, -5, 300, 300), (-100, -100, 50, 50)])
def test_boundless_as_rasterio_does(window, tmp_path):
    path = make(tmp_path / "x.tif")
    with gigapix.open(path) as image, rasterio.open(path) as file:
        found = image.read(window, boundless=True, fill_value=9)
        expected = file.read(window=Window(*window), boundless=True, fill_value=9)
        np.testing.assert_array_equal(found, expected)
        masked = image.read(window, boundless=True, masked=True)
        outside = np.ones(found.shape[-2:], bool)
        rows, columns = max(-window[1], 0), max(-window[0], 0)
        outside[rows : rows + max(min(HEIGHT, window[1] + window[3]) - max(window[1], 0), 0),
                columns : columns + max(min(WIDTH, window[0] + window[2]) - max(window[0], 0), 0)] = False  # fmt: skip
        assert (np.ma.getmaskarray(masked) == outside).all()
        with pytest.raises(gigapix.RequestError):
            image.read(window)


def test_bounds_are_cut_off_or_filled(tmp_path):
    path = make(tmp_path / "x.tif")
    with gigapix.open(path) as image:
        left, _, _, top = image.bounds
        found = image.read(bounds=(left - 200, top - 300, left + 305, top + 100))
        np.testing.assert_array_equal(found, image.read((0, 0, 31, 30)))
        wide = image.read(bounds=(left - 200, top - 300, left + 305, top + 100), boundless=True)
        assert wide.shape == (3, 40, 51)
        np.testing.assert_array_equal(wide[:, 10:, 20:], found)
        assert not wide[:, :10].any() and not wide[:, :, :20].any()
        with pytest.raises(gigapix.RequestError, match="do not meet"):
            image.read(bounds=(0, 0, 1, 1))
        assert not image.read(bounds=(0, 0, 10, 10), boundless=True, shape=(4, 4)).any()


def test_bounds_of_any_level_and_of_whole_tiles_fetch_no_more_than_these(tmp_path):
    path = make(tmp_path / "x.tif", overviews=[2, 4])
    with gigapix.open(path) as image:
        left, _, _, top = image.bounds
        for level in range(3):
            right, bottom = image.levels[level].transform @ (48, 32)
            found = image.read(bounds=(left, bottom, right, top), level=level)
            np.testing.assert_array_equal(found, image.read((0, 0, 48, 32), level=level))
            assert image.plan((0, 0, 48, 32), level=level).segments == 1


ROWS = [(100, 6, 6, 6, 6), (1284, 3, 4, 3, 3), (1285, 3, 3, 3, 3), (1286, 3, 3, 2, 3), (20_000, 0, 0, 0, 0)]


@pytest.mark.parametrize(("size", "auto", "lower", "upper", "one"), ROWS)
def test_the_level_that_serves_a_resolution(size, auto, lower, upper, one):
    """aiocogeo's table of 20: an image of 10,280 pixels of 0.6 m, and overviews up to 38.4 m."""
    resolutions = [2.0**n for n in range(7)]
    for percent, expected in [(50, auto), (100, lower), (0, upper), (1, one)]:
        assert level_for(10_280 / size, resolutions, percent) == expected


@pytest.mark.parametrize(("strategy", "expected"), [("AUTO", 1), ("UPPER", 0), ("LOWER", 1), ("99", 1), ("10", 0)])
def test_zoom_strategy_by_the_environment(strategy, expected, tmp_path, monkeypatch):
    path = make(tmp_path / "x.tif", overviews=[2, 4])
    monkeypatch.setenv("GIGAPIX_ZOOM_LEVEL", strategy)
    with gigapix.open(path) as image:
        found = image.read(shape=(81, 127))  # a pixel of 1.6
        np.testing.assert_array_equal(found, image.read(shape=(81, 127), level=expected))


@settings(max_examples=40)
@given(st.data())
def test_a_result_does_not_depend_on_the_size_of_pieces(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "pieces.tif"
    if not path.exists():
        make(path, nodata=50)
    method = data.draw(st.sampled_from(["nearest", "bilinear", "cubic", "average", "mode"]))
    shape = (data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90)))
    window = (data.draw(st.integers(-50, 100)), data.draw(st.integers(-50, 100)), data.draw(st.integers(1, 200)),
              data.draw(st.integers(1, 200)))  # fmt: skip
    masked = data.draw(st.booleans())
    results = []
    for piece in (1, 1 << 30):
        with pytest.MonkeyPatch.context() as patch, gigapix.open(path) as image:
            patch.setattr(compose, "PIECE_BYTES", piece)
            results.append(image.read(window, shape=shape, resampling=method, masked=masked, boundless=True, level=0))
    np.testing.assert_array_equal(np.ma.getdata(results[0]), np.ma.getdata(results[1]))
    np.testing.assert_array_equal(np.ma.getmaskarray(results[0]), np.ma.getmaskarray(results[1]))


def test_async_reads_are_the_same(tmp_path):
    path = make(tmp_path / "x.tif", nodata=50, overviews=[2])
    asked = [{}, {"shape": (30, 40), "resampling": "average"}, {"masked": True}, {"window": (-5, -5, 40, 40), "boundless": True},
             {"bands": 1, "shape": (7, 9)}]  # fmt: skip

    async def together():
        async with gigapix.open_async(path) as image:
            return await asyncio.gather(*[image.read_async(**kwargs) for kwargs in asked])

    with gigapix.open(path) as image:
        for kwargs, found in zip(asked, asyncio.run(together()), strict=True):
            expected = image.read(**kwargs)
            np.testing.assert_array_equal(np.ma.getdata(found), np.ma.getdata(expected))
            np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(expected))


def test_tiles_outside_of_the_grid(tmp_path):
    path = make(tmp_path / "x.tif")
    with gigapix.open(path) as image:
        with pytest.raises(gigapix.RequestError):
            image.tile(-1, -1)
        assert (image.tile(-1, -1, boundless=True) == 0).all()
        assert image.tile(3, 4).shape == (3, 2, 11)
        whole = image.tile(3, 4, boundless=True)
        assert whole.shape == (3, 32, 64)
        np.testing.assert_array_equal(whole[:, :2, :11], image.tile(3, 4))
    with gigapix.open(path, boundless=True, fill_value=7) as image:
        assert (image.tile(99, 0) == 7).all()


@pytest.mark.parametrize(
    "kwargs",
    [{"resampling": "lanczos"}, {"resampling": "lanczos", "shape": (2, 2)}, {"shape": (0, 2)}, {"shape": (2,)}, {"window": (0, 0, 5, 5), "bounds": (0, 0, 1, 1)},
     {"level": 3, "shape": (2, 2)}, {"bounds": (1, 2, 3)}, {"bounds": (1, 1, 1, 1)}, {"bounds": (0, 0, np.nan, 1)},
     {"bounds": (0, 0, np.inf, 1)}, {"masked": True, "window": (0, 0, 0, 1)}, {"bands": 9, "masked": True}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(kwargs, tmp_path):
    with gigapix.open(make(tmp_path / "x.tif")) as image, pytest.raises(gigapix.RequestError, match=r"x\.tif"):
        image.read(**kwargs)


def test_out_takes_a_resampled_result(tmp_path):
    with gigapix.open(make(tmp_path / "x.tif")) as image:
        out = np.empty((3, 20, 30), "u1")
        assert image.read(shape=(20, 30), out=out) is out
        np.testing.assert_array_equal(out, image.read(shape=(20, 30)))
        with pytest.raises(gigapix.RequestError):
            image.read(shape=(20, 31), out=out)


def test_alpha_of_a_stack_masks_its_own_plane(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 3, (4, 20, 24, 4), np.uint8)  # as many planes as bands
    path = tmp_path / "rgba.ome.tif"
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "tile": (16, 16)}
    tifffile.imwrite(path, pixels, metadata={"axes": "TYXS"}, **options)
    clear = np.broadcast_to(pixels[:, None, :, :, 3] == 0, (4, 4, 20, 24))
    with gigapix.open(path) as image:
        assert image.axes == "TCYX"
        np.testing.assert_array_equal(image.read(masked=True).mask, clear)
        np.testing.assert_array_equal(image.read(masked=True, bands=[2, 0]).mask, clear[:, :2])
        np.testing.assert_array_equal(image.read(masked=True, select={"C": 1, "T": 3}).mask, clear[3, 0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": (1, 2, 3), "boundless": True}, {"window": (0.5, 0, 3, 3), "boundless": True},
        {"window": (float("nan"), 0, 3, 3), "boundless": True}, {"window": (0, 0, float("inf"), 3), "boundless": True},
        {"window": "abcd", "boundless": True}, {"window": (0, 0, 0, 3), "boundless": True}, {"shape": 5},
        {"shape": (2.5, 3)}, {"shape": (3,)}, {"shape": (0, 3)},
        {"window": (-1, 0, 3, 3), "boundless": True, "fill_value": 300},
        {"window": (-1, 0, 3, 3), "boundless": True, "fill_value": float("nan")},
        {"masked": True, "out": np.broadcast_to(np.uint8(0), (3, HEIGHT, WIDTH))}, {"out": [1]},
    ],
)  # fmt: skip
def test_what_can_not_be_asked_is_a_request_error(tmp_path, wrong):
    make(tmp_path / "x.tif")
    with gigapix.open(tmp_path / "x.tif") as image, pytest.raises(gigapix.RequestError):
        image.read(**wrong)


@pytest.mark.parametrize("huge", [{"shape": (10**9, 10**9)}, {"window": (0, 0, 10**9, 10**9), "boundless": True}])
def test_a_result_beyond_memory_is_a_memory_error(tmp_path, huge):
    make(tmp_path / "x.tif")
    with gigapix.open(tmp_path / "x.tif") as image, pytest.raises(gigapix.MemoryBudgetError):
        image.read(**huge)
