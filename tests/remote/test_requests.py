"""What opening and reading cost, as nginx counts it."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from tests.giants import ifd_at_end, million_tiles
from tests.remote.images import cog, ifd_last, scene

PIXELS = scene(4096)
SMALL = scene(700, bands=3)


@pytest.fixture
def served(nginx):
    """A COG of 4096 x 4096 in tiles of 128, the same pixels with the IFD behind them, and a JPEG."""
    if not (nginx.root / "cog.tif").exists():
        cog(nginx.root / "cog.tif", PIXELS)
        ifd_last(nginx.root / "last.tif", PIXELS)
        cog(nginx.root / "small.tif", SMALL, COMPRESS="JPEG")
    nginx.lines()
    return nginx


def agrees(image, nginx):
    """The image's totals are the server's; returns them."""
    found = nginx.totals()
    assert (image.stats.requests, image.stats.bytes) == found
    image.stats.requests = image.stats.bytes = 0
    return found


def tile_bytes(path, tiles):
    with tifffile.TiffFile(path) as tif:
        return sum(tif.pages.first.databytecounts[n] for n in tiles)


@pytest.mark.parametrize(("name", "most"), [("cog.tif", 1), ("small.tif", 1), ("last.tif", 2)])
def test_opening(name, most, way, served):
    with way.open(f"{served.plain}/{name}") as image:
        requests, nbytes = agrees(image, served)
        assert requests <= most and nbytes <= 50_000
        assert image.header_bytes == nbytes


@pytest.mark.parametrize("size", [1 << 20, 1 << 33])
def test_opening_with_the_ifd_at_the_end_of_a_file_of_any_size(size, way, served):
    name = f"end-{size}.tif"
    expected = ifd_at_end(served.root / name, gap=size)
    with way.open(f"{served.plain}/{name}") as image:
        requests, nbytes = agrees(image, served)
        assert requests <= 3 and nbytes <= 40_000
        np.testing.assert_array_equal(way.read(image), expected[None])
        agrees(image, served)


def test_a_million_tiles(way, served):
    shapes = million_tiles(served.root / "million.tif")
    with way.open(f"{served.plain}/million.tif") as image:
        assert agrees(image, served)[0] <= 2
        np.testing.assert_array_equal(way.tile(image, 500, 500), shapes[500_500 % 3][None])
        requests, nbytes = agrees(image, served)
        assert requests <= 3 and nbytes < 50_000


@pytest.mark.parametrize("name", ["cog.tif", "last.tif"])
def test_a_column_costs_at_most_twice_its_bytes(name, way, served):
    own = tile_bytes(served.root / name, [y * 32 + 13 for y in range(32)])
    with way.open(f"{served.plain}/{name}") as image:
        agrees(image, served)
        np.testing.assert_array_equal(way.read(image, (13 * 128, 0, 128, 4096)), PIXELS[:, :, 13 * 128 : 14 * 128])
        requests, nbytes = agrees(image, served)
        assert requests <= 32 and nbytes <= 2 * own


@pytest.mark.parametrize("name", ["cog.tif", "last.tif"])
def test_a_row_costs_its_bytes(name, way, served):
    """GDAL puts 8 bytes between two tiles; where there is nothing between them, nothing else is fetched."""
    own = tile_bytes(served.root / name, range(5 * 32, 6 * 32))
    between = 31 * 8 if name == "cog.tif" else 0
    with way.open(f"{served.plain}/{name}") as image:
        way.tile(image, 0, 0)
        agrees(image, served)
        np.testing.assert_array_equal(way.read(image, (0, 5 * 128, 4096, 128)), PIXELS[:, 5 * 128 : 6 * 128])
        assert agrees(image, served) == (1, own + between)


def test_one_tile_costs_its_bytes(way, served):
    with way.open(f"{served.plain}/last.tif") as image:
        way.tile(image, 0, 0)
        agrees(image, served)
        np.testing.assert_array_equal(way.tile(image, 7, 9), PIXELS[:, 9 * 128 : 10 * 128, 7 * 128 : 8 * 128])
        assert agrees(image, served) == (1, tile_bytes(served.root / "last.tif", [9 * 32 + 7]))


@pytest.mark.parametrize(
    ("options", "limit"),
    [({"merge_gap": -1}, (8 * 8, 0.0)), ({"merge_gap": 1 << 20, "merge_waste": 1, "merge_size": 1 << 30}, (1, 1.0))],
)
def test_merging_is_settable(options, limit, way, served):
    own = tile_bytes(served.root / "cog.tif", [y * 32 + x for y in range(8) for x in range(8)])
    with way.open(f"{served.plain}/cog.tif", **options) as image:
        agrees(image, served)
        np.testing.assert_array_equal(way.read(image, (0, 0, 1024, 1024)), PIXELS[:, :1024, :1024])
        requests, nbytes = agrees(image, served)
        most, waste = limit
        tables = 1  # beyond the first 16 kB
        assert requests <= most + tables
        assert nbytes - 16384 <= own if waste == 0 else nbytes > 2 * own


@pytest.mark.parametrize("options", [{}, {"header_bytes": 100, "header_block": 100}, {"header_bytes": "64kB"}])
def test_header_requests_are_as_long_as_they_are_set(options, way, served):
    with way.open(f"{served.plain}/small.tif", **options) as image:
        first = served.lines()[0]
        # The header and GDAL's ghost area behind it take 571 bytes.
        length = {100: 600, "64kB": 65536}.get(options.get("header_bytes"), 16384)
        assert first.range == f"bytes=0-{length - 1}"
        np.testing.assert_allclose(way.read(image), SMALL, atol=60)


def test_reads_of_many_kinds_are_counted(way, served):
    with way.open(f"{served.plain}/cog.tif") as image:
        way.read(image, (100, 100, 3000, 700))
        way.read(image, bounds=image.bounds, shape=(100, 100), masked=True)
        way.read(image, (4000, 4000, 200, 200), boundless=True)
        way.tile(image, 3, 3, 2)
        assert image.tags["TileOffsets"] is not None and image.crs is not None
        agrees(image, served)


def test_refused_requests_are_counted(way, nginx):
    cog(nginx.root / "refused.tif", SMALL)
    nginx.lines()
    with way.open(f"{nginx.faulty}/refused.tif", retry_delay=0.001, retries=20) as image:
        for _ in range(40):
            np.testing.assert_array_equal(way.tile(image, 1, 1), SMALL[:, 128:256, 128:256])
        requests, _ = agrees(image, nginx)
        assert requests > 40


def test_latency_is_waited_for_once_where_requests_do_not_depend_on_one_another(served):
    import gigapix

    if not served.slow:
        pytest.skip("needs nginx with the echo module (libnginx-mod-http-echo)")
    with gigapix.open(f"{served.slow}/cog.tif") as image:
        image.read((0, 0, 2048, 2048))
        requests = image.stats.requests
        assert (requests, image.stats.bytes) == served.totals()
        assert image.stats.seconds >= 0.03 * requests
