"""The catalogue as a table, to four readers, and as a shelf of images."""

from __future__ import annotations

import asyncio
import json

import duckdb
import geopandas
import numpy as np
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

import gigapix
from gigapix.catalog.places import outlines
from tests.catalog.conftest import geotiff

COUNT = 14


@pytest.fixture(scope="module")
def output(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("catalogue")
    gigapix.scan(folder, path, headers=True, tiles=True, shard_objects=5)
    return path


def test_four_readers(output):
    files = sorted(map(str, output.glob("part-*.parquet")))
    table = ds.dataset(output, format="parquet").to_table()
    widths = sorted(filter(None, table.column("image_width").to_pylist()))
    assert table.num_rows == COUNT and len(widths) == COUNT - 2
    lazy = pl.read_parquet(files)
    assert sorted(lazy["image_width"].drop_nulls().to_list()) == widths
    assert lazy.explode("ifds").select(pl.col("ifds").struct.field("compression")).height > COUNT
    duck = duckdb.sql(
        f"select image_width, geokeys.projected_type, other_tags['42112'], len(ifds) from read_parquet({files})"
    )
    assert sorted(row[0] for row in duck.fetchall() if row[0]) == widths
    frame = geopandas.read_parquet(files[0])
    assert frame.crs.equals("OGC:CRS84") and frame.geometry.notna().any()
    boxes = [list(box.values()) for box in ds.dataset(files[0]).to_table().column("bbox").to_pylist() if box]
    assert np.allclose(frame[frame.geometry.notna()].geometry.bounds.to_numpy(), boxes)


def test_geoparquet_metadata(output):
    part = next(output.glob("part-*.parquet"))
    geo = json.loads(pq.read_metadata(part).metadata[b"geo"])
    assert geo["version"] == "1.1.0" and geo["columns"]["geometry"]["encoding"] == "WKB"
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    box = geopandas.read_parquet(part, bbox=(0, 0, 1, 1))  # by the covering
    assert len(box) == 0


def test_filters(output):
    catalog = gigapix.Catalog(output)
    assert len(catalog) == COUNT and len(list(catalog)) == COUNT
    assert len(catalog.filter(crs=32632)) == 9 == len(catalog.filter(crs="EPSG:32632"))
    assert len(catalog.filter(min_size=(300, 300))) == 7
    assert set(catalog.filter("layout = 'cog'").filter(bbox=(7.0, 44, 8, 46))) == {f"a/cog{n}.tif" for n in range(6)}
    assert not list(catalog.filter(bbox=(170, -90, -170, 90)))
    table = catalog.query("select compression, count(*) as n from images group by 1 order by n desc")
    assert table.column_names == ["compression", "n"] and sum(table.column("n").to_pylist()) == COUNT
    assert catalog.rows(["path"]).num_rows == COUNT
    with pytest.raises(gigapix.RequestError):
        catalog.query("select nothing from nowhere")


@pytest.mark.parametrize("way", ["blocking", "async"])
def test_images_open_from_their_rows(folder, output, way):
    catalog = gigapix.Catalog(output)
    for path in catalog.filter("error_code is null"):
        image = catalog.open(path) if way == "blocking" else asyncio.run(catalog.open_async(path))
        with image, gigapix.open(folder / path) as direct:
            assert image.stats.requests == 0
            assert image.shape == direct.shape and len(image.levels) == len(direct.levels)
            assert (image.read() == direct.read()).all()
            assert image.transform == direct.transform


def test_the_tables_are_in_the_header(folder, output):
    with gigapix.Catalog(output).open("a/cog2.tif") as image, rasterio.open(folder / "a/cog2.tif") as other:
        assert (image.read((0, 0, 10, 10))[0] == other.read(1)[:10, :10]).all()
        assert image.stats.requests == 1  # one tile


def test_a_file_that_has_changed(tmp_path):
    geotiff(tmp_path / "x.tif")
    gigapix.scan(tmp_path, tmp_path / "out", headers=True)
    catalog = gigapix.Catalog(tmp_path / "out")
    geotiff(tmp_path / "x.tif", size=(31, 20))
    with pytest.raises(gigapix.ChangedError):
        catalog.open("x.tif")
    with catalog.open("x.tif", fresh=True) as image:
        assert image.width == 31
    (tmp_path / "x.tif").unlink()
    with pytest.raises(gigapix.NotFoundError):
        catalog.open("x.tif")
    with pytest.raises(gigapix.NotFoundError, match="not in the catalogue"):
        catalog.open("y.tif")
    with pytest.raises(gigapix.NotFoundError, match="no catalogue"):
        gigapix.Catalog(tmp_path)


def test_without_header_bytes(tmp_path):
    geotiff(tmp_path / "x.tif")
    gigapix.scan(tmp_path, tmp_path / "out")
    with gigapix.Catalog(tmp_path / "out").open(f"{tmp_path}/x.tif") as image:
        assert image.stats.requests == 1 and image.width == 30


# Outlines


def outline(epsg, transform, size=(100, 100)):
    wkt = rasterio.CRS.from_epsg(epsg).to_wkt()
    (wkb,), (box,) = outlines([wkt], np.array([transform], float), np.array([size], float))
    return (None, None) if wkb is None and np.isnan(box).all() else (shapely.from_wkb(wkb), tuple(box.tolist()))


def test_an_ordinary_outline():
    shape, box = outline(32632, (100, 0, 5e5, 0, -100, 5e6))
    assert shape.is_valid and shape.geom_type == "Polygon" and len(shape.exterior.coords) == 17
    assert shape.bounds == pytest.approx(box) and box[0] == pytest.approx(9)


def test_the_whole_earth_does_not_cross_the_antimeridian():
    shape, box = outline(4326, (3.6, 0, -180, 0, -1.8, 90))
    assert box == (-180, -90, 180, 90) and shape.area == pytest.approx(360 * 180)
    edge = 20037508.342789244
    shape, box = outline(3857, (edge / 50, 0, -edge, 0, -edge / 50, edge))
    assert box[0] == pytest.approx(-180) and box[2] == pytest.approx(180) and shape.geom_type == "Polygon"


def test_over_the_antimeridian():
    shape, box = outline(32660, (1000, 0, 8e5, 0, -1000, 1e5))
    assert shape.geom_type == "MultiPolygon" and shape.is_valid
    assert box[0] > 170 and box[2] < -170
    assert all(-180 <= x <= 180 for part in shape.geoms for x, _ in part.exterior.coords)
    shape, box = outline(4326, (0.2, 0, 170, 0, -0.1, 5))  # written as 170 to 190 degrees
    assert (box[0], box[2]) == pytest.approx((170, -170)) and shape.area == pytest.approx(200)


def test_around_the_pole():
    shape, box = outline(3413, (20000, 0, -1e6, 0, -20000, 1e6))
    assert shape.is_valid and shape.contains(shapely.Point(30, 89.9)) and not shape.contains(shapely.Point(30, 70))
    assert (box[0], box[2], box[3]) == (-180, 180, 90)


def test_nowhere():
    assert outline(32632, (1e30, 0, 5e5, 0, -1e30, 5e6)) == (None, None)
    for wkt in (None, "not WKT"):
        shapes, boxes = outlines([wkt], np.array([(1.0, 0, 0, 0, -1, 0)]), np.ones((1, 2)))
        assert shapes == [None] and np.isnan(boxes).all()
