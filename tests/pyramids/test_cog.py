"""COGs: read by GDAL and tifffile, held against rio-cogeo's validator, ours, and the same pyramid made for Zarr."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rio_cogeo import cog_validate

import gigapix
from gigapix import MemoryBudgetError, NotFoundError, RequestError, UnsupportedError
from gigapix.formats.tiff import cog_write
from gigapix.pyramids.plan import pyramid
from tests.pyramids.build import built

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def smooth(dtype: str, bands: int = 1, shape: tuple[int, int] = (130, 205)) -> NDArray[Any]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    base = (np.sin(x / 20) + np.cos(y / 30) + 2) * 25
    noise = np.random.default_rng(0).random((bands, *shape)) * 5
    return (base + noise + 10 * np.arange(bands)[:, None, None]).astype(dtype)


def scene(path: Path, pixels: NDArray[Any], mask: NDArray[Any] | None = None, **profile: Any) -> Path:
    """A GeoTIFF made by GDAL."""
    count, height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, dtype=pixels.dtype.name,
        crs=CRS.from_epsg(32633), transform=from_origin(500000, 5000000, 10, 10), tiled=True, blockxsize=32,
        blockysize=32, **profile,
    ) as dataset:  # fmt: skip
        dataset.write(pixels)
        dataset.set_band_description(1, "first")
        dataset.scales, dataset.offsets = (0.5,) * count, (3,) * count
        dataset.update_tags(HELLO="a < b")
        if mask is not None:
            dataset.write_mask(mask)
    return path


def made(source: Any, target: Path, **options: Any) -> Path:
    """A COG that both validators accept."""
    pyramid(source, target, **{"chunks": 32, "workers": 2, **options}).run()
    assert cog_validate(target, strict=True) == (True, [], [])
    report = gigapix.validate(target, full=True)
    assert report.valid and not report.warnings, report
    assert report.details["segments"] == report.details["segments_checked"]
    assert sorted(each.name for each in target.parent.iterdir() if each.name.startswith(".")) == []
    return target


def levels(path: Path, masked: bool = False) -> list[NDArray[Any]]:
    """All levels as GDAL reads them."""
    with rasterio.open(path) as dataset:
        found = [dataset.read(masked=masked)]
        count = len(dataset.overviews(1))
    for level in range(count):
        with rasterio.open(path, overview_level=level) as dataset:
            found.append(dataset.read(masked=masked))
    return found


TYPES = [("u1", 1), ("i1", 2), ("u2", 1), ("i2", 3), ("u4", 1), ("i4", 2), ("f4", 1), ("f4", 3), ("f8", 2)]


@pytest.mark.parametrize(
    ("codec", "dtype", "bands"),
    [(codec, *kind) for codec in ("deflate", "lerc:0") for kind in TYPES]
    + [(codec, *kind) for codec in ("zstd:3", "lzw", "none", "lerc+zstd") for kind in (("u2", 3), ("f4", 2))],
)
def test_what_keeps_every_sample(tmp_path: Path, codec: str, dtype: str, bands: int) -> None:
    pixels = smooth(dtype, bands)
    path = made(pixels, tmp_path / "a.tif", axes="cyx", codec=codec)
    expected = list(built(pixels, tmp_path, axes="cyx", chunks=32).values())
    assert len(expected) == 4
    for found, level in zip(levels(path), expected, strict=True):
        np.testing.assert_array_equal(found, level)
    with tifffile.TiffFile(path) as file, gigapix.open(path) as image:
        series = file.series[0].levels
        for number, level in enumerate(expected):
            read = series[number].asarray()
            np.testing.assert_array_equal(np.moveaxis(read, -1, 0) if read.ndim == 3 else read[None], level)
            np.testing.assert_array_equal(image.read(level=number), level)
        predictor = {"i": 2, "u": 2, "f": 3}[pixels.dtype.kind] if codec in ("deflate", "zstd:3", "lzw") else 1
        assert {page.predictor for page in file.pages} == {predictor}


@pytest.mark.parametrize("dtype", ["?", "f2", "u8", "i8"])
def test_other_types(tmp_path: Path, dtype: str) -> None:
    pixels = (smooth("u1")[0] > 50).astype(dtype) if dtype == "?" else smooth(dtype)[0] << 40 if dtype[1] == "8" else (
        smooth(dtype)[0])  # fmt: skip
    path = made(pixels, tmp_path / "a.tif")
    for found, level in zip(levels(path), built(pixels, tmp_path, chunks=32).values(), strict=True):
        np.testing.assert_array_equal(found[0].astype(dtype), level)


@pytest.mark.parametrize("bands", [1, 3])
def test_jpeg(tmp_path: Path, bands: int) -> None:
    pixels = smooth("u1", bands)
    path = made(pixels, tmp_path / "a.tif", axes="cyx", codec="jpeg:95")
    for found, level in zip(levels(path), built(pixels, tmp_path, axes="cyx", chunks=32).values(), strict=True):
        assert np.abs(found.astype(int) - level).mean() < 2
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert (page.photometric, page.jpegtables is not None) == ((1 if bands == 1 else 6), True)
        raw = file.filehandle
        raw.seek(page.dataoffsets[0])
        assert b"\xff\xdb" not in raw.read(page.databytecounts[0]) and b"\xff\xdb" in page.jpegtables
        if bands == 3:
            assert page.tags["YCbCrSubSampling"].value == (2, 2)
        assert np.abs(page.asarray()[..., :].astype(int) - np.moveaxis(pixels, 0, -1).squeeze()).mean() < 2


@pytest.mark.parametrize("codec", ["webp:90", "webp:lossless"])
def test_webp(tmp_path: Path, codec: str) -> None:
    pixels = smooth("u1", 4)
    pixels[3] = 255
    pixels[3, 20:70, 30:90] = 0
    source = scene(tmp_path / "s.tif", pixels, photometric="RGB", alpha="YES")
    path = made(source, tmp_path / "a.tif", codec=codec)
    for found, level in zip(levels(path), built(source, tmp_path, chunks=32).values(), strict=True):
        np.testing.assert_array_equal(found[3], level[3])
        if codec == "webp:lossless":
            np.testing.assert_array_equal(found, level)
        assert np.abs(found.astype(int) - level)[:, found[3] > 0].mean() < 3
    with rasterio.open(path) as dataset:
        assert [each.name for each in dataset.colorinterp] == ["red", "green", "blue", "alpha"]


def test_lerc_keeps_to_its_error_and_nan(tmp_path: Path) -> None:
    pixels = smooth("f4", 3)
    pixels[:, 40:80, 10:60] = np.nan
    pixels[1, 100:, 150:] = np.nan  # in one band only
    path = made(pixels, tmp_path / "a.tif", axes="cyx", codec="lerc:0.25+deflate", levels=2)
    for found, level in zip(
        levels(path), built(pixels, tmp_path, axes="cyx", chunks=32, levels=2).values(), strict=True
    ):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(level))
        assert 0 < np.nanmax(np.abs(found - level)) <= 0.2501
    with gigapix.open(path) as image:
        np.testing.assert_array_equal(image.read(), levels(path)[0])


def test_what_the_file_says_is_copied(tmp_path: Path) -> None:
    pixels = smooth("i2", 2)
    pixels[:, :40, :50] = -9
    source = scene(tmp_path / "s.tif", pixels, nodata=-9)
    path = made(source, tmp_path / "a.tif")
    with rasterio.open(source) as one, rasterio.open(path) as two:
        assert (one.crs, one.transform, one.nodata) == (two.crs, two.transform, two.nodata)
        for name in ("descriptions", "scales", "offsets", "units", "colorinterp"):
            assert getattr(one, name) == getattr(two, name)
        assert two.tags()["HELLO"] == "a < b"
        assert two.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    for found, level in zip(levels(path), built(source, tmp_path, chunks=32).values(), strict=True):
        np.testing.assert_array_equal(found, level)
    with gigapix.open(path) as image:
        assert image.transform == from_origin(500000, 5000000, 10, 10) and image.epsg == 32633
        assert [level.spec.encoding.photometric for level in image.levels] == [1] * 4


def test_control_points_are_copied(tmp_path: Path) -> None:
    points = [
        rasterio.control.GroundControlPoint(row, col, x=col * 2.5, y=-row, z=0) for row in (0, 90) for col in (1, 99)
    ]
    with rasterio.open(
        tmp_path / "s.tif",
        "w",
        driver="GTiff",
        width=205,
        height=130,
        count=1,
        dtype="uint8",
        gcps=points,
        crs="EPSG:4326",
    ) as dataset:
        dataset.write(smooth("u1"))
    with rasterio.open(made(tmp_path / "s.tif", tmp_path / "a.tif")) as dataset:
        found, crs = dataset.gcps
        assert crs == CRS.from_epsg(4326)
        assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]


def shown(pixels: NDArray[Any], valid: NDArray[Any]) -> list[NDArray[Any]]:
    """Means of the pixels that count, at each level, exact; masked arrays."""
    found = [np.ma.MaskedArray(pixels, np.broadcast_to(~valid, pixels.shape))]
    _, height, width = pixels.shape
    for factor in (2, 4, 8):
        rows, columns = -(-height // factor), -(-width // factor)
        pad = [(0, 0), (0, rows * factor - height), (0, columns * factor - width)]
        count = np.pad(np.broadcast_to(valid, pixels.shape), pad).reshape(-1, rows, factor, columns, factor)
        total = np.pad(np.where(valid, pixels, 0).astype("f8"), pad).reshape(count.shape)
        number = count.sum((2, 4))
        means = total.sum((2, 4)) / np.maximum(number, 1)
        found.append(np.ma.MaskedArray(means if pixels.dtype.kind == "f" else np.rint(means), number == 0))
    return found


HOLE = np.ones((130, 205), bool)
HOLE[10:75, 40:121] = False
HOLE[::3, ::5] = False


@pytest.mark.parametrize(("dtype", "codec"), [("u1", "deflate"), ("u2", "zstd"), ("i4", "lzw"), ("f4", "deflate")])
@pytest.mark.parametrize("nodata", [None, 120])
def test_a_stored_mask_is_reduced_with_the_image(tmp_path: Path, dtype: str, codec: str, nodata: int | None) -> None:
    pixels = smooth(dtype, 2)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = scene(tmp_path / "s.tif", pixels, (HOLE * 255).astype("u1"), nodata=nodata)
    path = made(source, tmp_path / "a.tif", codec=codec)
    for found, expected in zip(levels(path, masked=True), shown(pixels, HOLE), strict=True):
        np.testing.assert_array_equal(found.mask, expected.mask)
        np.testing.assert_allclose(found.compressed(), expected.compressed(), rtol=1e-6 if dtype == "f4" else 0)
    with rasterio.open(path) as dataset:
        assert dataset.nodata == nodata
        assert dataset.mask_flag_enums[0] == [rasterio.enums.MaskFlags.per_dataset]
    assert b"MASK_INTERLEAVED_WITH_IMAGERY=YES" in path.read_bytes()[:300]
    with gigapix.open(path) as image:
        np.testing.assert_array_equal(image.read_mask() > 0, HOLE)


@pytest.mark.parametrize("codec", ["jpeg:95", "webp:95", "lerc:2"])
def test_a_codec_that_loses_makes_a_mask_of_nodata(tmp_path: Path, codec: str) -> None:
    pixels = smooth("u1", 3)
    pixels[:, ~HOLE] = 0
    source = scene(tmp_path / "s.tif", pixels, nodata=0, photometric="RGB")
    path = made(source, tmp_path / "a.tif", codec=codec)
    for found, expected in zip(levels(path, masked=True), shown(pixels, HOLE), strict=True):
        np.testing.assert_array_equal(found.mask, expected.mask)
    with rasterio.open(path) as dataset:
        assert dataset.nodata is None


def test_jpeg_makes_a_mask_of_alpha(tmp_path: Path) -> None:
    pixels = smooth("u1", 4)
    pixels[3] = np.where(HOLE, 255, 0)
    path = made(scene(tmp_path / "s.tif", pixels, photometric="RGB", alpha="YES"), tmp_path / "a.tif", codec="jpeg:95")
    for found, expected in zip(levels(path, masked=True), shown(pixels[:3], HOLE), strict=True):
        np.testing.assert_array_equal(found.mask, expected.mask)
    with rasterio.open(path) as dataset:
        assert [each.name for each in dataset.colorinterp] == ["red", "green", "blue"]


@pytest.mark.parametrize("bits", [1, 8])
def test_a_palette(tmp_path: Path, bits: int) -> None:
    pixels = (smooth("u1") // 30) % (2 if bits == 1 else 5)
    source = tmp_path / "s.tif"
    profile = {"driver": "GTiff", "width": 205, "height": 130, "count": 1, "dtype": "uint8", "nbits": bits}
    with rasterio.open(source, "w", **profile) as dataset:
        dataset.write(pixels)
        colors = {n: (n * 40, 255 - n, 7, 255) for n in range(1 << bits)} if bits == 8 else None
        if colors:
            colors = {n: color for n, color in colors.items() if n < 5}
            dataset.write_colormap(1, colors)
    path = made(source, tmp_path / "a.tif")
    with rasterio.open(path) as dataset, rasterio.open(source) as expected:
        assert dataset.colorinterp[0].name == "palette"
        assert all(dataset.colormap(1)[n] == color for n, color in (colors or {0: (0,) * 3 + (255,)}).items())
        assert bits == 1 or dataset.colormap(1) == expected.colormap(1)
    for found, level in zip(levels(path), built(source, tmp_path, chunks=32, reducers="mode").values(), strict=True):
        np.testing.assert_array_equal(found, level)
    with pytest.raises(RequestError, match="palette"):
        pyramid(source, tmp_path / "b.tif", reducers="mean")
    with pytest.raises(UnsupportedError, match="palette"):
        pyramid(source, tmp_path / "b.tif", codec="jpeg")


def test_min_is_white(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", smooth("u1")[0], photometric="miniswhite")
    path = made(tmp_path / "s.tif", tmp_path / "a.tif")
    with tifffile.TiffFile(path) as file:
        assert {page.photometric for page in file.pages} == {0}
    np.testing.assert_array_equal(levels(path)[0], smooth("u1"))


def test_overviews_are_gdals_average(tmp_path: Path) -> None:
    pixels = smooth("u2", 1, (160, 256))
    path = made(pixels[0], tmp_path / "a.tif", levels=2)
    with rasterio.open(scene(tmp_path / "g.tif", pixels), "r+") as dataset:
        dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
    for found, expected in zip(levels(path), levels(tmp_path / "g.tif"), strict=True):
        assert np.abs(found.astype(int) - expected).max() <= 1


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(2, 90)), bands=st.integers(1, 3), side=st.sampled_from([16, 32]),
    factor=st.sampled_from([2, 3]), reducer=st.sampled_from(["mean", "max", "nearest", "median", "gauss"]),
    strips=st.booleans(),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_shapes(
    tmp_path_factory: Any, shape: Any, bands: int, side: int, factor: int, reducer: str, strips: bool
) -> None:
    folder = tmp_path_factory.mktemp("shapes")
    pixels = smooth("u2", bands, shape)
    source: Any = pixels
    if strips:
        source = folder / "s.tif"
        tifffile.imwrite(
            source, np.moveaxis(pixels, 0, -1), rowsperstrip=7, compression="zlib", photometric="minisblack"
        )
    options = {"chunks": side, "factors": 2 if reducer == "gauss" else factor, "reducers": reducer}
    options |= {} if strips else {"axes": "cyx"}
    pyramid(source, folder / "a.tif", **options).run()
    with gigapix.open(folder / "a.tif") as image:
        expected = built(source, folder, **options)
        assert [level.shape for level in image.levels] == [each.shape for each in expected.values()]
        for number, level in enumerate(expected.values()):
            np.testing.assert_array_equal(image.read(level=number), level)
    assert gigapix.validate(folder / "a.tif", full=True).valid


@pytest.mark.parametrize("order", ["tiles", "strips"])
def test_the_same_bytes_by_any_number_of_workers(tmp_path: Path, order: str) -> None:
    pixels = smooth("u1", 3, (150, 210))
    tiling: dict[str, Any] = {"tile": (32, 32)} if order == "tiles" else {"rowsperstrip": 9}
    tifffile.imwrite(tmp_path / "s.tif", np.moveaxis(pixels, 0, -1), photometric="rgb", **tiling)
    digests = set()
    for workers, memory in ((1, "20MB"), (2, "300MB"), (4, "300MB")):
        path = tmp_path / f"{workers}.tif"
        plan = pyramid(tmp_path / "s.tif", path, chunks=16, codec="jpeg", workers=workers, memory=memory)
        plan.run()
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = cog_write.cog_head
    monkeypatch.setattr(
        "gigapix.pyramids.cog_target.cog_head", lambda levels, sizes: head(levels, sizes, big=True)
    )  # fmt: skip
    pixels = smooth("u2", 2)
    path = made(pixels, tmp_path / "a.tif", axes="cyx")
    assert path.read_bytes()[:4] == b"II\x2b\0"
    for found, level in zip(levels(path), built(pixels, tmp_path, axes="cyx", chunks=32).values(), strict=True):
        np.testing.assert_array_equal(found, level)


def test_tables_stand_behind_all_directories(tmp_path: Path) -> None:
    path = made(smooth("u1"), tmp_path / "a.tif", axes="cyx", chunks=16)
    with tifffile.TiffFile(path) as file:
        ends = [page.offset for page in file.pages]
        tables = [page.tags["TileOffsets"].valueoffset for page in file.pages]
    assert min(tables) > max(ends) and tables == sorted(tables, reverse=True)


def test_a_plan(tmp_path: Path) -> None:
    plan = pyramid(smooth("u2")[0], tmp_path / "a.tif", chunks=32, memory="50MB", workers=1)
    lines = str(plan).splitlines()
    assert lines[1].endswith("a.tif: COG, deflate:1, predictor 2")
    assert lines[2].startswith("├── 0  130 x 205 (52.1 kB), 35 tiles of 32 x 32")
    assert lines[5].startswith("└── 3  17 x 26 ") and lines[5].endswith("by mean, 1 tile of 32 x 32")
    assert "52 tiles" in str(plan) and not (tmp_path / "a.tif").exists()
    assert plan.writes == 1 and plan.memory_bytes < 50e6
    found = plan.run()
    assert found == {"levels": 4, "bytes": (tmp_path / "a.tif").stat().st_size}


def test_a_plane_of_a_stack(tmp_path: Path) -> None:
    stack = np.stack([smooth("u2", 2) + 100 * n for n in range(3)])
    source = tmp_path / "s.ome.tif"
    tifffile.imwrite(source, stack, metadata={"axes": "ZCYX"}, photometric="minisblack")
    with pytest.raises(UnsupportedError, match=r"z of 3.*select"):
        pyramid(source, tmp_path / "a.tif")
    path = made(source, tmp_path / "a.tif", select={"z": 1})
    np.testing.assert_array_equal(levels(path)[0], stack[1])
    path = made(source, tmp_path / "b.tif", select={"Z": 2, "c": 1})
    np.testing.assert_array_equal(levels(path)[0], stack[2, 1:])
    with pytest.raises(RequestError, match="no position"):
        pyramid(source, tmp_path / "c.tif", select={"z": 3})


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"codec": "lzma"}, RequestError, "no codec"),
        ({"codec": "jpeg:101"}, RequestError, "no level"),
        ({"codec": "lzw:3"}, RequestError, "no level"),
        ({"codec": "lerc:nan"}, RequestError, "no level"),
        ({"codec": "deflate+zstd"}, RequestError, "no codec"),
        ({"codec": "jpeg"}, UnsupportedError, "uint16"),
        ({"codec": "webp"}, UnsupportedError, "uint16"),
        ({"chunks": 100}, RequestError, "multiple of 16"),
        ({"shards": 512}, RequestError, "no shards"),
        ({"reducers": ["mean", "max"]}, RequestError, "one reducer"),
        ({"reducers": "std"}, RequestError, "float32"),
        ({"factors": {"y": 2}}, RequestError, "equally"),
        ({"axes": "zyx"}, UnsupportedError, "select"),
        ({"axes": "yxc"}, UnsupportedError, "order"),
        ({"memory": 10_000}, MemoryBudgetError, "memory"),
    ],
)
def test_what_cannot_be(tmp_path: Path, options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        pyramid(smooth("u2", 2), tmp_path / "a.tif", **{"axes": "cyx", "levels": 2, **options})


def test_a_run_that_cannot_be(tmp_path: Path) -> None:
    plan = pyramid(smooth("u2")[0], tmp_path / "a.tif")
    for options in ({"executor": "processes"}, {"keep": True}):
        with pytest.raises(RequestError, match="one go"):
            plan.run(**options)
    with pytest.raises(RequestError, match="updated"):
        plan.update()
    plan.run()
    before = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(RequestError, match="exists"):
        plan.run()
    plan.run(overwrite=True)
    assert (tmp_path / "a.tif").read_bytes() == before
    with pytest.raises(NotFoundError):
        pyramid(smooth("u2")[0], tmp_path / "no" / "a.tif").run()


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", smooth("u2")[0], tile=(32, 32), compression="zlib")
    data = bytearray((tmp_path / "s.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "s.tif") as file:
        at = file.pages[0].dataoffsets[20]
    data[at : at + 40] = bytes(40)
    (tmp_path / "s.tif").write_bytes(data)
    with pytest.raises(gigapix.DecodeError, match=r"s\.tif"):
        pyramid(tmp_path / "s.tif", tmp_path / "a.tif", chunks=32).run()
    assert [each.name for each in tmp_path.iterdir()] == ["s.tif"]


def test_an_object_store(tmp_path: Path) -> None:
    from obstore.store import MemoryStore

    store = MemoryStore()
    pixels = smooth("u1", 3)
    plan = pyramid(pixels, "some/a.tif", axes="cyx", chunks=32, store=store)
    plan.run()
    local = made(pixels, tmp_path / "a.tif", axes="cyx")
    assert bytes(store.get("some/a.tif").bytes()) == local.read_bytes()
    with pytest.raises(RequestError, match="exists"):
        plan.run()
    plan.run(overwrite=True)
    assert [entry["path"] for batch in store.list() for entry in batch] == ["some/a.tif"]


def test_georeference_without_a_transform_and_a_palette_of_min_is_white(tmp_path: Path) -> None:
    keys = (1, 1, 0, 1, 2048, 0, 1, 4326)
    colors = np.arange(768, dtype="u2").reshape(3, 256) * 85
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        file.write(
            smooth("u1")[0], photometric="miniswhite", metadata=None,
            extratags=[(34735, 3, len(keys), keys), (320, 3, 768, colors.ravel())],
        )  # fmt: skip
    path = made(tmp_path / "s.tif", tmp_path / "a.tif")
    with gigapix.open(path) as image, gigapix.open(tmp_path / "s.tif") as source:
        assert image.epsg == 4326 and image.colormap == source.colormap
        assert image.color_interpretation == ("palette",)


def test_one_column(tmp_path: Path) -> None:
    path = made(smooth("u1", 1, (100, 1)), tmp_path / "a.tif", axes="cyx")
    assert len(levels(path)) == 1


@pytest.mark.parametrize("bands", [None, 2])
def test_a_masked_array(tmp_path: Path, bands: int | None) -> None:
    pixels = smooth("u1", 2)
    array = np.ma.MaskedArray(pixels, np.broadcast_to(~HOLE, pixels.shape))
    path = made(array if bands else array[0], tmp_path / "a.tif", axes="cyx" if bands else "yx")
    for found, expected in zip(levels(path, masked=True), shown(pixels[: bands or 1], HOLE), strict=True):
        np.testing.assert_array_equal(found.mask, expected.mask)
        np.testing.assert_array_equal(found.compressed(), expected.compressed())


@pytest.mark.parametrize("code", [32633, 4326, None])
def test_coordinates_of_xarray(tmp_path: Path, code: int | None) -> None:
    xr = pytest.importorskip("xarray")
    y, x = 5_000_000 - 20 * np.arange(130) - 10, 500_000 + 10 * np.arange(205) + 5.0
    array = xr.DataArray(smooth("f4", 2), dims=("band", "y", "x"), coords={"y": y, "x": x})
    if code:
        array = array.assign_coords(spatial_ref=((), 0, {"crs_wkt": CRS.from_epsg(code).to_wkt()}))
    path = made(array, tmp_path / "a.tif")
    with rasterio.open(path) as dataset:
        assert dataset.crs == (CRS.from_epsg(code) if code else None)
        assert dataset.transform == (from_origin(500_000, 5_000_000, 10, 20) if code else rasterio.Affine.identity())
    np.testing.assert_array_equal(levels(path)[0], array)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_zarr_group(tmp_path: Path, is_open: bool) -> None:
    source = scene(tmp_path / "s.tif", smooth("i2", 2), nodata=-9)
    pyramid(source, tmp_path / "s.zarr", levels=1).run()
    with gigapix.open(tmp_path / "s.zarr") as image:
        path = made(image if is_open else tmp_path / "s.zarr", tmp_path / "a.tif")
    with rasterio.open(source) as one, rasterio.open(path) as two:
        assert (one.crs, one.transform, one.nodata) == (two.crs, two.transform, two.nodata)
        np.testing.assert_array_equal(one.read(), two.read())
