"""Tile matrix sets against morecantile, the reader that titiler and rio-tiler stand on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import Affine

import gigapix
from gigapix.interop.tms import tile_matrix_set

morecantile = pytest.importorskip("morecantile", reason="needs morecantile, which judges the result")

NORTH_UP = Affine(10, 0, 500000, 0, -10, 4000000)
POLAR = "+proj=laea +lat_0=90 +lon_0=10 +datum=WGS84"


def made(crs: str | None, transform: Affine | None = NORTH_UP, width: int = 1100, height: int = 900) -> bytes:
    """A COG with tiles of 128 pixels."""
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": height, "width": width}
    with rasterio.MemoryFile() as memory, rasterio.MemoryFile() as cog:
        with memory.open(**profile, crs=crs, transform=transform) as out:
            out.write(np.ones((1, height, width), np.uint8))
        with memory.open() as source:
            rasterio.shutil.copy(source, cog.name, driver="COG", blocksize=128)
        return bytes(cog.getbuffer())


def described(data: bytes, **options: Any) -> tuple[gigapix.Image, dict[str, Any], Any]:
    with gigapix.open(data) as image:
        found = json.loads(json.dumps(tile_matrix_set(image, **options)))
    return image, found, morecantile.TileMatrixSet.model_validate(found)


def close(found: Any, expected: Any) -> bool:
    return np.allclose(found, expected, rtol=1e-12, atol=1e-9)


CASES = {
    "metres": ("EPSG:32631", NORTH_UP),
    "degrees, latitude first": ("EPSG:4326", Affine(0.01, 0, 5, 0, -0.01, 50)),
    "northing called X": ("EPSG:31467", Affine(10, 0, 3500000, 0, -10, 5600000)),
    "feet": ("EPSG:2263", Affine(10, 0, 980000, 0, -10, 200000)),
    "south polar": ("EPSG:3031", Affine(1000, 0, -500000, 0, -1000, 500000)),
    "of no registry": (POLAR, Affine(1000, 0, -500000, 0, -1000, 500000)),
    "with heights": ("EPSG:32631+5773", NORTH_UP),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_tiles_are_where_the_image_has_them(name: str) -> None:
    crs, transform = CASES[name]
    image, found, tms = described(made(crs, transform))
    assert len(tms.tileMatrices) == len(image.levels) > 2
    assert (tms.minzoom, tms.maxzoom) == (0, len(image.levels) - 1)
    for level, zoom in zip(image.levels, range(tms.maxzoom, -1, -1), strict=True):
        for x, y in ((0, 0), (level.grid[1] - 1, level.grid[0] - 1)):
            a, _, c, _, e, f = level.transform[:6]
            bounds = (c + 128 * x * a, f - 128 * (y + 1) * a, c + 128 * (x + 1) * a, f - 128 * y * a)
            assert close(tms.xy_bounds(x, y, zoom), bounds)
            assert abs(128 * (y + 1) * (a + e)) <= a  # one cell size for both axes: less than a pixel off
    corners = (*found["boundingBox"]["lowerLeft"], *found["boundingBox"]["upperRight"])
    order = (1, 0, 3, 2) if tms._invert_axis else (0, 1, 2, 3)
    assert close([corners[place] for place in order], image.bounds)
    assert image.crs is not None
    assert tms.crs._pyproj_crs.is_exact_same(image.crs) or tms.crs._pyproj_crs == image.crs.sub_crs_list[0]
    assert tms.crs._pyproj_crs.axis_info[0].unit_name == image.crs.axis_info[0].unit_name


def test_figures() -> None:
    """17-083r4: scale denominator = cell size x metres per unit / 0.28 mm."""
    _, found, tms = described(made("EPSG:32631"), id="mine", title="Mine")
    assert (found["id"], found["title"], found["crs"]) == (
        "mine",
        "Mine",
        "http://www.opengis.net/def/crs/EPSG/0/32631",
    )
    assert found["orderedAxes"] == ["E", "N"]
    assert found["boundingBox"]["lowerLeft"] == [500000, 3991000]
    assert found["tileMatrices"][-1] == {
        "id": str(len(found["tileMatrices"]) - 1), "scaleDenominator": pytest.approx(10 / 0.28e-3), "cellSize": 10,
        "cornerOfOrigin": "topLeft", "pointOfOrigin": [500000, 4000000], "tileWidth": 128, "tileHeight": 128,
        "matrixWidth": 9, "matrixHeight": 8,
    }  # fmt: skip
    assert [matrix.id for matrix in tms.tileMatrices] == ["0", "1", "2", "3", "4"]


def test_latitude_comes_first_where_the_crs_says_so() -> None:
    _, found, _ = described(made("EPSG:4326", Affine(0.01, 0, 5, 0, -0.01, 50)))
    assert found["orderedAxes"] == ["Lat", "Lon"]
    assert found["tileMatrices"][0]["pointOfOrigin"] == [50, 5]
    degree = 2 * np.pi * 6378137 / 360
    assert found["tileMatrices"][-1]["scaleDenominator"] == pytest.approx(0.01 * degree / 0.28e-3)
    _, found, _ = described(made("EPSG:31467", Affine(10, 0, 3500000, 0, -10, 5600000)))
    assert found["orderedAxes"] == ["N", "E"]
    assert found["tileMatrices"][0]["pointOfOrigin"] == [5600000, 3500000]


def test_each_call_has_an_id_of_its_own() -> None:
    with gigapix.open(made("EPSG:3857")) as image:
        assert tile_matrix_set(image)["id"] != tile_matrix_set(image)["id"]


def test_an_image_stored_south_up_is_numbered_from_the_bottom() -> None:
    _, found, tms = described(made("EPSG:3857", Affine(10, 0, 0, 0, 10, 1000)))
    assert found["tileMatrices"][0]["cornerOfOrigin"] == "bottomLeft"
    assert close(tms.xy_bounds(0, 0, tms.maxzoom), (0, 1000, 1280, 2280))
    assert found["boundingBox"]["lowerLeft"] == [0, 1000]


@pytest.mark.parametrize(
    ("crs", "transform", "words"),
    [
        (None, NORTH_UP, "needs a CRS"),
        ("EPSG:3857", Affine(10, 0, 0, 0, -20, 0), "square cells"),
        ("EPSG:3857", Affine(10, 3, 0, 3, -10, 0), "rotated"),
        ("EPSG:3857", Affine(-10, 0, 0, 0, -10, 0), "mirrored"),
    ],
)
def test_what_has_no_such_grid_is_refused(crs: str | None, transform: Affine, words: str) -> None:
    with gigapix.open(made(crs, transform)) as image, pytest.raises(gigapix.UnsupportedError, match=words):
        tile_matrix_set(image)
