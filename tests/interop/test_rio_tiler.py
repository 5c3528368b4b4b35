"""The readers against rio-tiler's own (GDAL), against arithmetic, and within titiler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

import gigapix

pytest.importorskip("rio_tiler", minversion="9.1", reason="needs rio-tiler, whose readers these are")

from rio_tiler.errors import PointOutsideBounds, TileOutsideBounds
from rio_tiler.io import Reader as Peer
from rio_tiler.models import ImageData

from gigapix.interop.rio_tiler import AsyncReader, Reader
from tests.remote.odd_server import odd_server

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning",
    "ignore::rasterio.errors.NotGeoreferencedWarning",
    "ignore:Use `@`:PendingDeprecationWarning:rasterio",
)

WGS84 = CRS.from_epsg(4326)
MERCATOR = CRS.from_epsg(3857)
UTM = Affine(10, 0, 500000, 0, -10, 4000000)
WIDTH, HEIGHT = 1200, 900


def made(path: Path, **options: Any) -> Path:
    """A COG whose pixels wave. `hole`: how the upper left corner is marked as empty."""
    crs, transform = options.get("crs", "EPSG:32631"), options.get("transform", UTM)
    dtype, count, hole = options.get("dtype", "uint16"), options.get("count", 2), options.get("hole")
    nodata = {"nodata": 7, "nan": np.nan}.get(str(hole))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([(np.sin(x / 90 + band) * np.cos(y / 70) + 1) * 100 + 10 for band in range(count)]).astype(dtype)
    if nodata is not None:
        pixels[:, :300, :400] = nodata
    if hole in ("mask", "alpha"):
        pixels[:, :300, :400] = 255  # what nobody should see
    if hole == "alpha":
        pixels[-1] = 255
        pixels[-1, :300, :400] = 0
    profile = {"driver": "GTiff", "dtype": dtype, "count": count, "height": HEIGHT, "width": WIDTH, "nodata": nodata}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.MemoryFile() as memory:
        with memory.open(**profile, crs=crs, transform=transform) as out:
            if hole == "alpha":
                out.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
            out.write(pixels)
            if hole == "mask":
                mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
                mask[:300, :400] = 0
                out.write_mask(mask)
            if "edit" in options:
                options["edit"](out)
        with memory.open() as source:
            overviews = options.get("overviews", "AUTO")
            rasterio.shutil.copy(source, path, driver="COG", blocksize=256, overviews=overviews)
    return path


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "nodata": {"hole": "nodata"},
    "nan": {"hole": "nan", "dtype": "float32"},
    "mask": {"hole": "mask"},
    "alpha": {"hole": "alpha", "count": 4, "dtype": "uint8"},
    "mercator": {"crs": "EPSG:3857"},
    "degrees": {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 5, 0, -1e-4, 50)},
    "rotated": {"transform": Affine(10, 2, 500000, 3, -10, 4000000)},
    "south up": {"transform": Affine(10, 0, 500000, 0, 10, 4000000)},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rio_tiler")


@pytest.fixture(scope="module")
def files(folder: Path) -> Callable[[str], Path]:
    def file(kind: str) -> Path:
        path = folder / f"{kind}.tif"
        return path if path.exists() else made(path, **KINDS[kind])

    return file


def same(found: ImageData, expected: ImageData, share: float = 0.999) -> None:
    """Equal masks and facts, and of the pixels that count at least `share` equal."""
    assert found.array.shape == expected.array.shape
    assert np.allclose(found.bounds, expected.bounds)
    np.testing.assert_array_equal(np.ma.getmaskarray(found.array), np.ma.getmaskarray(expected.array))
    counts = ~np.ma.getmaskarray(expected.array)
    assert counts.any()
    assert np.mean(found.array.data[counts] == expected.array.data[counts]) >= share
    if expected.alpha_mask is None:
        assert found.alpha_mask is None
    else:
        np.testing.assert_array_equal(found.alpha_mask, expected.alpha_mask)
    for fact in ("crs", "band_names", "assets", "scales", "offsets"):
        assert getattr(found, fact) == getattr(expected, fact)
    assert found.array.dtype == expected.array.dtype
    assert (found.dataset_statistics or None) == (expected.dataset_statistics or None)


def place(reader: Peer) -> tuple[float, float]:
    """Longitude and latitude of a point near the hole's corner."""
    x, y = reader.transform @ (400.4, 300.6)
    (lon,), (lat,) = rasterio.warp.transform(reader.crs, WGS84, [x], [y])
    return lon, lat


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_rio_tiler(kind: str, files: Callable[[str], Path]) -> None:
    """At the image's own resolution, where both read the full one, nearly every pixel is the same."""
    path = str(files(kind))
    share = 0.97 if kind in ("rotated", "south up", "degrees") else 0.999
    with Peer(path) as peer, Reader(path) as reader:
        assert reader.crs == peer.crs
        assert np.allclose(reader.bounds, peer.bounds)
        assert (reader.minzoom, reader.maxzoom) == (peer.minzoom, peer.maxzoom)
        lon, lat = place(peer)
        tile = reader.tms.tile(lon, lat, reader.maxzoom)
        same(reader.tile(*tile), peer.tile(*tile), share)
        same(reader.tile(*tile, tilesize=512, buffer=1.5), peer.tile(*tile, tilesize=512, buffer=1.5), share)
        same(reader.tile(*tile, indexes=[2, 1, 2]), peer.tile(*tile, indexes=[2, 1, 2]), share)
        same(reader.tile(*tile, expression="b1+b2*2"), peer.tile(*tile, expression="b1+b2*2"), share)
        box = (lon - 0.01, lat - 0.01, lon + 0.02, lat + 0.015)
        same(reader.part(box), peer.part(box), 0.95)
        same(reader.part(box, height=199), peer.part(box, height=199), share)
        if kind not in ("rotated", "south up"):  # rio-tiler gives those as they are stored, with bounds that are not so
            same(reader.part(box, dst_crs=peer.crs), peer.part(box, dst_crs=peer.crs))
            same(reader.preview(height=HEIGHT, width=WIDTH), peer.preview(height=HEIGHT, width=WIDTH))
        point, expected = reader.point(lon, lat), peer.point(lon, lat)
        assert (point.array == expected.array).filled(True).all()
        assert (point.array.mask == expected.array.mask).all()
        assert point.pixel_location == expected.pixel_location
        assert point.coordinates == expected.coordinates == (lon, lat)
        info, expected_info = reader.info().model_dump(), peer.info().model_dump()
        if kind == "nan":
            assert np.isnan(info.pop("nodata_value")) == np.isnan(expected_info.pop("nodata_value"))
        assert info == expected_info


@pytest.mark.parametrize("kind", ["nodata", "mask", "alpha"])
def test_empty_pixels_weigh_nothing(kind: str, files: Callable[[str], Path]) -> None:
    path = str(files(kind))
    with Peer(path) as peer, Reader(path) as reader:
        tile = reader.tms.tile(*place(peer), reader.maxzoom)
        found = reader.tile(*tile, reproject_method="bilinear")
        assert 0 < np.ma.getmaskarray(found.array)[0].mean() < 1
        exact = reader.tile(*tile)
        both = ~(np.ma.getmaskarray(found.array) | np.ma.getmaskarray(exact.array))
        difference = np.abs(found.array.data.astype(int) - exact.array.data)[both]
        assert difference.max() <= 4  # half a pixel of the waves; the marked pixels are far from them


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:3857"])
@pytest.mark.parametrize("overviews", ["AUTO", "NONE"])
def test_a_slope_stays_where_it_is(crs: str, overviews: str, tmp_path: Path) -> None:
    """Whatever level is read, a pixel shows what lies at its place: the image's values are its coordinates."""

    def slope(out: Any) -> None:
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        out.write(np.stack([x, y]).astype(np.float32))

    path = made(tmp_path / "slope.tif", crs=crs, dtype="float32", overviews=overviews, edit=slope)
    with Reader(str(path)) as reader:
        lon, lat = (np.array(reader.get_geographic_bounds(WGS84)).reshape(2, 2)).mean(axis=0)
        for zoom in range(reader.maxzoom - 5, reader.maxzoom + 2):
            for method in ("nearest", "bilinear"):
                options = {"resampling_method": method, "reproject_method": method}
                image = reader.tile(*reader.tms.tile(lon, lat, zoom), **options)
                rows, columns = np.nonzero(~np.ma.getmaskarray(image.array)[0])
                x, y = image.transform @ (columns + 0.5, rows + 0.5)
                x, y = rasterio.warp.transform(MERCATOR, reader.crs, x, y)
                expected = ~reader.transform @ (np.array(x), np.array(y))
                pixel = abs(image.transform.a / 10) * 1.3  # of the tile in pixels of the image, and Mercator's stretch
                inside = [
                    (v > 2 * pixel) & (v < size - 2 * pixel) for v, size in zip(expected, (WIDTH, HEIGHT), strict=True)
                ]
                inside_both = inside[0] & inside[1]
                for band in range(2):
                    off = image.array.data[band, rows, columns] - expected[band]
                    assert np.abs(off[inside_both]).max(initial=0) <= max(pixel, 1)
                    assert abs(off[inside_both].mean()) <= max(pixel, 1) / 4 if inside_both.sum() > 50 else True


def test_little_is_read_for_a_tile(files: Callable[[str], Path]) -> None:
    """Of the level that fits, what the tile shows; of an image without overviews, no more than fits in memory."""
    with odd_server() as server, gigapix.open(server.put(files("plain").read_bytes())) as image:
        reader = Reader(image)
        before = server.bytes
        reader.tile(*reader.tms.tile(*reader.get_geographic_bounds(WGS84)[:2], reader.minzoom - 2))
        coarsest = image.levels[-1]
        assert server.bytes - before <= coarsest.nbytes + 1000


def test_tiles_and_points_elsewhere(files: Callable[[str], Path]) -> None:
    with Reader(str(files("plain"))) as reader:
        with pytest.raises(TileOutsideBounds):
            reader.tile(0, 0, 12)
        with pytest.raises(PointOutsideBounds):
            reader.point(100, 0)
        with pytest.raises(PointOutsideBounds):
            reader.point(0, 90)
        far = reader.part((-100, 10, -99, 11), max_size=64)
        assert far.array.mask.all()
        assert far.array.shape[1:] == (64, 63) or max(far.array.shape[1:]) == 64
        with pytest.raises(gigapix.RequestError, match="no bands"):
            reader.preview(indexes=[1, 9])
        with pytest.raises(gigapix.RequestError, match="no resampling"):
            reader.tile(*reader.tms.tile(3.05, 36.1, 12), reproject_method="gauss")


def test_a_feature_is_cut_out(files: Callable[[str], Path]) -> None:
    path = str(files("mask"))
    with Peer(path) as peer, Reader(path) as reader:
        lon, lat = place(peer)
        ring = [[lon - 0.01, lat - 0.01], [lon + 0.02, lat], [lon, lat + 0.02], [lon - 0.01, lat - 0.01]]
        feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for options in ({"max_size": 200}, {"max_size": 200, "dst_crs": MERCATOR}):
            found, expected = reader.feature(feature, **options), peer.feature(feature, **options)
            same(found, expected, 0.95)
            np.testing.assert_array_equal(found.cutline_mask, expected.cutline_mask)
        bare = reader.feature(feature["geometry"], max_size=200)
        assert bare.cutline_mask.any()


def test_options_of_the_user(files: Callable[[str], Path], tmp_path: Path) -> None:
    def edit(out: Any) -> None:
        out.scales, out.offsets, out.descriptions = (0.5, 2.0), (1.0, -3.0), ("first", "second")
        out.update_tags(1, STATISTICS_MINIMUM=10, STATISTICS_MAXIMUM=210)
        out.update_tags(2, STATISTICS_MINIMUM=10, STATISTICS_MAXIMUM=210)
        out.update_tags(MADE_BY="a test")

    path = str(made(tmp_path / "scaled.tif", edit=edit))
    with Peer(path) as peer, Reader(path, options={"unscale": True}) as reader:
        same(reader.preview(max_size=2000), peer.preview(max_size=2000, unscale=True))
        assert reader.preview(indexes=[2, 1], max_size=9).band_descriptions == ["second", "first"]
        same(reader.preview(max_size=2000, unscale=False), peer.preview(max_size=2000))
        assert reader.info().model_dump() == peer.info().model_dump()
    with Peer(path) as peer, Reader(path) as reader:
        tile = reader.tms.tile(*place(peer), reader.maxzoom)
        same(reader.tile(*tile, nodata=110), peer.tile(*tile, nodata=110))
        assert not reader.tile(*tile, nodata=-1).array.mask.all()


def test_statistics_are_exact_where_the_image_is_small(files: Callable[[str], Path], monkeypatch: Any) -> None:
    path = str(files("mask"))
    with rasterio.open(path) as dataset:
        pixels = dataset.read(masked=True)
    with Reader(path) as reader:
        found = reader.statistics(percentiles=[10, 50])
        assert list(found) == ["b1", "b2"]
        for band, expected in zip(found.values(), pixels, strict=True):
            counted = expected.compressed()
            assert (band.min, band.max, band.valid_pixels) == (counted.min(), counted.max(), counted.size)
            assert band.mean == pytest.approx(counted.mean(), rel=1e-12)
            assert band.masked_pixels == 300 * 400
            assert band.percentile_50 == np.median(counted)  # type: ignore[attr-defined]
        assert reader.statistics(max_size=100)["b1"].valid_pixels < 100 * 100
        assert reader.statistics(indexes=2, categorical=True, categories=[10, 110]).keys() == {"b2"}
        monkeypatch.setattr("gigapix.interop.rio_tiler.EXACT_PIXELS", 1000)
        monkeypatch.setattr("gigapix.interop.rio_tiler.PREVIEW", 64)
        assert reader.statistics()["b1"].valid_pixels < 64 * 64


def test_async_says_the_same(files: Callable[[str], Path]) -> None:
    path = str(files("nodata"))

    async def work(blocking: Reader) -> None:
        async with AsyncReader(path) as reader:
            lon, lat = blocking.get_geographic_bounds(WGS84)[:2]
            tiles = [blocking.tms.tile(lon + 0.01, lat + 0.01, zoom) for zoom in range(8, 15)]
            found = await asyncio.gather(*(reader.tile(*tile) for tile in tiles))
            for tile, image in zip(tiles, found, strict=True):
                same(image, blocking.tile(*tile))
            box = (lon, lat, lon + 0.05, lat + 0.05)
            same(await reader.part(box, max_size=100), blocking.part(box, max_size=100))
            same(await reader.preview(max_size=100), blocking.preview(max_size=100))
            point = await reader.point(lon + 0.01, lat + 0.01)
            assert (point.array == blocking.point(lon + 0.01, lat + 0.01).array).all()
            ring = [[lon, lat], [lon + 0.02, lat], [lon, lat + 0.02], [lon, lat]]
            shape = {"type": "Polygon", "coordinates": [ring]}
            same(await reader.feature(shape, max_size=99), blocking.feature(shape, max_size=99))
            assert await reader.statistics() == blocking.statistics()
            assert await reader.info() == blocking.info()
            assert (reader.minzoom, reader.maxzoom) == (blocking.minzoom, blocking.maxzoom)
        with pytest.raises(gigapix.SourceError):
            await reader.tile(*tiles[0])
        with pytest.raises(gigapix.SourceError, match="async with"):
            await AsyncReader(path).info()

    with Reader(path) as blocking:
        asyncio.run(work(blocking), debug=True)


def test_an_open_image_stays_open(files: Callable[[str], Path]) -> None:
    with gigapix.open(files("plain")) as image:
        with Reader(image) as reader:
            reader.preview(max_size=10)
        assert image.read((0, 0, 1, 1)).shape == (2, 1, 1)

        async def work() -> None:
            async with AsyncReader(image) as reader:
                await reader.preview(max_size=10)

        asyncio.run(work())
        assert image.read((0, 0, 1, 1)).shape == (2, 1, 1)


def test_an_image_without_a_place_is_refused(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((8, 8), np.uint8))
    with pytest.raises(gigapix.UnsupportedError, match="needs a CRS"):
        Reader(str(tmp_path / "plain.tif"))
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((3, 8, 8), np.uint8), metadata={"axes": "ZYX"})
    with pytest.raises(gigapix.UnsupportedError, match="the image is"):
        Reader(str(tmp_path / "stack.ome.tif"))


@pytest.mark.parametrize("kind", ["plain", "alpha"])
def test_it_serves_titiler(kind: str, files: Callable[[str], Path]) -> None:
    """All of a `TilerFactory`'s routes on our reader, over HTTP; tiles are those of its default reader to the byte."""
    factory = pytest.importorskip("titiler.core.factory", reason="needs titiler.core, which the reader plugs into")
    errors = pytest.importorskip("titiler.core.errors")
    fastapi = pytest.importorskip("fastapi")
    client_of = pytest.importorskip("starlette.testclient", reason="needs httpx").TestClient

    def client(**options: Any) -> Any:
        app = fastapi.FastAPI()
        app.include_router(factory.TilerFactory(**options).router)
        errors.add_exception_handlers(app, errors.DEFAULT_STATUS_CODES)
        return client_of(app)

    path = files(kind)
    with odd_server() as server, client(reader=Reader) as ours, client() as peer, Peer(str(path)) as own:
        url = {"url": server.put(path.read_bytes())}
        lon, lat = place(own)
        x, y, z = own.tms.tile(lon, lat, own.maxzoom)
        bands = {"bidx": [1, 2, 1]} if kind == "plain" else {}
        tile = f"/tiles/WebMercatorQuad/{z}/{x}/{y}"
        assert ours.get("/info", params=url).json()["width"] == WIDTH
        assert ours.get("/info.geojson", params=url).json()["geometry"]["type"] == "Polygon"
        assert ours.get("/WebMercatorQuad/tilejson.json", params=url).json()["maxzoom"] == own.maxzoom
        found = ours.get(f"{tile}.png", params={**url, **bands, "rescale": "0,255"})
        assert found.status_code == 200
        assert found.headers["content-type"] == "image/png"
        expected = peer.get(f"{tile}.png", params={"url": str(path), **bands, "rescale": "0,255"})
        assert found.content == expected.content
        assert (
            ours.get(f"{tile}.tif", params={**url, "resampling": "bilinear", "reproject": "bilinear"}).status_code
            == 200
        )
        assert ours.get("/preview.tif", params={**url, "max_size": 99}).status_code == 200
        assert ours.get(f"/bbox/{lon},{lat},{lon + 0.01},{lat + 0.01}/64x64.tif", params=url).status_code == 200
        values = ours.get(f"/point/{lon},{lat}", params=url).json()["values"]
        assert values == peer.get(f"/point/{lon},{lat}", params={"url": str(path)}).json()["values"]
        ring = [[lon, lat], [lon + 0.01, lat], [lon, lat + 0.01], [lon, lat]]
        feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        assert ours.post("/feature.tif", params={**url, "max_size": 64}, json=feature).status_code == 200
        counted = ours.post("/statistics", params=url, json=feature).json()
        assert counted["properties"]["statistics"]["b1"]["valid_pixels"] > 0
        assert ours.get("/statistics", params=url).json()["b1"]["valid_pixels"] > 0
        assert ours.get(f"/tiles/WebMercatorQuad/{z}/0/0.png", params=url).status_code == 404
