"""What opening and reading a tile costs in requests, bytes and memory, where the header or the file is huge."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import gigapix
from tests.giants import ifd_at_end, million_tiles

HOLDS = 2 << 20
READS = 100_000


@pytest.mark.parametrize("place", [(0, 0), (999, 999), (123, 456), (999, 0), (6, 0)])
@pytest.mark.parametrize("ifd_first", [True, False])
def test_one_tile_of_a_million(place: tuple[int, int], ifd_first: bool, tmp_path: Path) -> None:
    path = tmp_path / "million.tif"
    shapes = million_tiles(path, ifd_first=ifd_first)
    warm = tmp_path / "warm.tif"
    million_tiles(warm, side=3)
    with gigapix.open(warm) as image:  # what decoding imports is not this image's
        image.tile(0, 0)
    gc.collect()
    tracemalloc.start()
    try:
        with gigapix.open(path) as image:
            found = image.tile(*place)
            held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    number = place[1] * 1000 + place[0]
    expected = np.zeros_like(shapes[0]) if number % 7 == 6 else shapes[number % 3]
    np.testing.assert_array_equal(found, expected[None])
    assert image.stats.bytes < READS
    # The header with the IFD, an entry of each table, the tile; and the IFD where it does not follow the header.
    assert image.stats.requests <= (4 if ifd_first else 5)
    assert len(image.stats.ranges) == image.stats.requests
    assert sum(length for _, length in image.stats.ranges) == image.stats.bytes
    assert held < HOLDS
    assert most < HOLDS


def test_tiles_of_a_million_cost_their_entries(tmp_path: Path) -> None:
    path = tmp_path / "million.tif"
    shapes = million_tiles(path)
    with gigapix.open(path) as image:
        before = image.stats.bytes
        found = image.read((256 * 500, 256 * 500, 512, 512))
        assert image.stats.bytes - before < READS
    numbers = [[500_500, 500_501], [501_500, 501_501]]
    expected = np.block([[np.zeros_like(shapes[0]) if n % 7 == 6 else shapes[n % 3] for n in row] for row in numbers])
    np.testing.assert_array_equal(found, expected[None])


def test_ifd_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "end.tif"
    expected = ifd_at_end(path, gap=1 << 33)
    with gigapix.open(path) as image:
        assert image.stats.bytes < READS
        assert image.stats.requests <= 2
        np.testing.assert_array_equal(image.read(), expected[None])
        assert image.stats.bytes < READS


def test_opening_reads_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "end.tif"
    ifd_at_end(path, gap=1 << 22)
    with gigapix.open(path) as image:
        assert (image.shape, image.dtype, image.axes) == ((1, 16, 16), np.uint8, "CYX")
        assert image.header_bytes == image.stats.bytes
