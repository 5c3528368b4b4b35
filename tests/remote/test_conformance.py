"""aiocogeo's test suite said what a reader of remote COGs must do; these are its eighteen points, on images made here.

What it asks of levels, bounds and masks is tried more widely in tests/image/test_compose.py, on disk.
"""

import json

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from click.testing import CliRunner
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.windows import Window, from_bounds

import gigapix
from gigapix.cli import main
from gigapix.image.zoom import level_for
from tests.remote.images import scene

SIZE = 900
NODATA = 7


def write(path, pixels, *, mask=None, alpha=False, colormap=None, nodata=None, **options):
    """A COG with overviews by GDAL, with whatever makes it special."""
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": bands, "dtype": pixels.dtype.name,
               "crs": "EPSG:32632", "transform": from_origin(5e5, 5e6, 10, 10), "nodata": nodata}  # fmt: skip
    if bands >= 3:
        profile["photometric"] = "RGB"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(pixels)
            if mask is not None:
                plain.write_mask(mask)
            if alpha:
                plain.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
            if colormap:
                plain.write_colormap(1, colormap)
        rasterio.shutil.copy(memory.name, path, driver="COG", blocksize=128, **{"compress": "DEFLATE", **options})


@pytest.fixture(scope="module")
def files(nginx):
    rgb = scene(SIZE, bands=3)
    y, x = np.mgrid[:SIZE, :SIZE]
    hole = (x - 300) ** 2 + (y - 400) ** 2 < 40_000
    rgb[:, ~hole & (rgb[0] == NODATA)] += 1
    holed = np.where(hole, np.uint8(NODATA), np.where(rgb == NODATA, np.uint8(8), rgb))
    root = nginx.root / "conformance"
    root.mkdir(exist_ok=True)
    write(root / "deflate.tif", rgb)
    write(root / "lzw.tif", rgb, compress="LZW")
    write(root / "webp.tif", rgb, compress="WEBP", quality=75)
    write(root / "jpeg.tif", rgb, compress="JPEG")
    write(root / "nodata.tif", holed, nodata=NODATA)
    write(root / "masked.tif", holed, mask=np.where(hole, 0, 255).astype("u1"))
    write(root / "alpha.tif", np.concatenate([rgb, np.where(hole, 0, 255).astype("u1")[None]]), alpha=True)
    write(root / "palette.tif", rgb[:1] % 16, colormap={n: (n, 2 * n, 3 * n, 255) for n in range(16)})
    write(root / "int16.tif", rgb[:1].astype("i2") * 30 - 3000, predictor="YES")
    return {path.stem: path for path in sorted(root.glob("*.tif"))}


NAMES = ["deflate", "lzw", "webp", "jpeg", "nodata", "masked", "alpha", "palette", "int16"]


@pytest.fixture(params=NAMES)
def both(request, files, nginx, way):
    """The image over HTTP, and rasterio's dataset of the same file."""
    path = files[request.param]
    with way.open(f"{nginx.plain}/conformance/{path.name}") as image, rasterio.open(path) as dataset:
        yield image, dataset


@pytest.fixture
def url(files, nginx):
    return f"{nginx.plain}/conformance"


def test_01_metadata_is_rasterios(both):
    image, dataset = both
    expected = dict(dataset.profile)
    crs = expected.pop("crs")
    found = dict(image.profile)
    assert found.pop("crs").to_epsg() == crs.to_epsg()
    assert found == expected
    assert image.bounds == tuple(dataset.bounds) and image.epsg == 32632
    assert image.color_interpretation == tuple(each.name for each in dataset.colorinterp)
    for number, level in enumerate(image.levels[1:]):
        with rasterio.open(dataset.name, overview_level=number) as overview:
            assert (level.width, level.height) == (overview.width, overview.height)


def test_02_levels_halve(both):
    image, _ = both
    assert len(image.levels) == 4
    for finer, coarser in zip(image.levels, image.levels[1:], strict=False):
        assert abs(finer.width / coarser.width - 2) < 0.02
        assert finer.grid[0] * finer.grid[1] / (coarser.grid[0] * coarser.grid[1]) == pytest.approx(4, rel=0.3)


def test_03_palette(files, url, way):
    with way.open(f"{url}/palette.tif") as image, rasterio.open(files["palette"]) as dataset:
        assert image.colormap == dataset.colormap(1)


def test_04_mask_flags(both):
    image, dataset = both
    assert [list(flags) for flags in image.mask_flags] == [
        [each.name for each in band] for band in dataset.mask_flag_enums
    ]


def test_05_tms_and_info(both):
    morecantile = pytest.importorskip("morecantile")
    image, _ = both
    result = CliRunner().invoke(main, ["create-tms", image.path])
    assert result.exit_code == 0
    assert len(morecantile.TileMatrixSet.model_validate(json.loads(result.output)).tileMatrices) == 4
    info = CliRunner().invoke(main, ["info", "--json", image.path])
    assert info.exit_code == 0 and json.loads(info.output)["width"] == SIZE


def test_06_tags_are_iterable(both):
    image, _ = both
    tags = dict(image.tags)
    assert tags["ImageWidth"] == image.ifd.image_width == SIZE and tags["TileWidth"] == 128
    assert {type(name) for name in tags} == {str}


def test_07_requests_are_counted(both, way, nginx):
    image, _ = both
    nginx.lines()
    before = image.stats.requests, image.stats.bytes
    way.read(image)
    assert (image.stats.requests - before[0], image.stats.bytes - before[1]) == nginx.totals()
    assert len(image.stats.ranges) == image.stats.requests
    assert sum(length for _, length in image.stats.ranges) == image.stats.bytes


def test_08_what_is_no_tiff_or_not_there(nginx, url, way):
    (nginx.root / "page.tif").write_text("<html>" + "x" * 99)
    with pytest.raises(gigapix.FormatError):
        way.open(f"{nginx.plain}/page.tif")
    for missing in (f"{url}/missing.tif", "/no/such/file.tif", f"{nginx.plain}/no/such/folder/x.tif"):
        with pytest.raises(FileNotFoundError):
            way.open(missing)


@pytest.mark.parametrize(("size", "most"), [(16384, 1), (4096, 2), (512, 9)])
def test_09_the_size_of_header_requests(size, most, url, nginx, way):
    nginx.lines()
    with way.open(f"{url}/deflate.tif", header_bytes=size, header_block=size) as image:
        requests, nbytes = nginx.totals()
        assert 0 < requests <= most and nbytes <= most * size + size
        assert len(image.levels) == 4


def test_10_tiles_are_rasterios(both, way):
    image, dataset = both
    for x, y in [(0, 0), (7, 7), (3, 5)]:
        found = way.tile(image, x, y)
        expected = dataset.read(window=Window(x * 128, y * 128, *found.shape[:0:-1]))
        lossy = 3 if image.ifd.compression == 7 else 0  # two libjpegs need not round alike
        np.testing.assert_allclose(found, expected, atol=lossy)


def test_11_nodata_and_mask_leave_out_the_same_pixels(url, way):
    with way.open(f"{url}/nodata.tif") as by_value, way.open(f"{url}/masked.tif") as by_mask:
        one, other = (way.read(image, masked=True) for image in (by_value, by_mask))
        assert one.count() == other.count() < one.size
        np.testing.assert_array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other))


def test_12_reads_are_those_of_gdal(both, way):
    image, dataset = both
    bounds = (500_500, 4_993_000, 505_620, 4_998_120)
    found = way.read(image, bounds=bounds, shape=(256, 256), level=0, resampling="bilinear")
    window = from_bounds(*bounds, dataset.transform)
    with rasterio.open(dataset.name, OVERVIEW_LEVEL="NONE") as full:
        expected = full.read(window=window, out_shape=found.shape, resampling=rasterio.enums.Resampling.bilinear)
    flat = dataset.profile.get("nodata") is None and dataset.mask_flag_enums[0][0].name == "all_valid"
    if flat and "palette" not in image.color_interpretation:
        np.testing.assert_allclose(found, expected, atol=1)
    assert np.abs(found.astype(int) - expected).mean() < 5


def test_13_merged_requests_are_fewer_and_give_the_same_pixels(url, nginx, way):
    window = (100, 100, 512, 512)
    results = {}
    for gap in (-1, 65536):
        with way.open(f"{url}/lzw.tif", merge_gap=gap) as image:
            nginx.lines()
            pixels = way.read(image, window)
            results[gap] = pixels, *nginx.totals()
    np.testing.assert_array_equal(results[-1][0], results[65536][0])
    assert results[65536][1] < results[-1][1] == 25
    assert results[65536][2] <= results[-1][2] * 1.34


def test_14_boundless_fill(url, way):
    with way.open(f"{url}/deflate.tif", boundless=True, fill_value=1) as image:
        bounds = (499_000, 4_999_000, 501_000, 5_001_000)
        found = way.read(image, bounds=bounds)
        assert found.shape == (3, 200, 200)
        assert (found[:, :100] == 1).all() and (found[:, :, :100] == 1).all()
        np.testing.assert_array_equal(found[:, 100:, 100:], way.read(image, (0, 0, 100, 100)))
        assert (way.tile(image, -1, -1) == 1).all()
    with way.open(f"{url}/webp.tif") as image, pytest.raises(gigapix.RequestError):
        way.tile(image, -1, -1)


def test_15_bounds_outside_of_the_image(both, way):
    image, _ = both
    with pytest.raises(gigapix.RequestError, match="do not meet"):
        way.read(image, bounds=(0, 0, 100, 100), shape=(256, 256))


def test_16_the_level_is_chosen_as_zoom_level_says(url, way):
    for zoom_level in (0, 50, 100):
        with way.open(f"{url}/deflate.tif", zoom_level=zoom_level) as image:
            for size in (112, 150, 224, 225, 400, 899, 900, 5000):
                level = level_for(SIZE / size, [SIZE / each.width for each in image.levels], zoom_level)
                np.testing.assert_array_equal(
                    way.read(image, shape=(size, size)), way.read(image, shape=(size, size), level=level)
                )


def test_17_a_store_that_is_given_stays_open(nginx, files, way):
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(nginx.plain, client_options={"allow_http": True})
    for _ in range(2):
        with way.open("conformance/deflate.tif", store=store) as image:
            assert way.tile(image, 0, 0).shape == (3, 128, 128)


def test_18_caches_save_requests(url, nginx, way):
    counts = {}
    for size in (0, 1 << 20):
        with way.open(f"{url}/deflate.tif", segment_cache=size) as image:
            nginx.lines()
            first = way.tile(image, 2, 2)
            np.testing.assert_array_equal(first, way.tile(image, 2, 2))
            counts[size] = nginx.totals()[0]
    assert counts == {0: 2, 1 << 20: 1}
