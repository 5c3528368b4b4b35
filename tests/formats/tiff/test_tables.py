"""Where segments lie: by both tables, by slices of them, and by GDAL's order alone."""

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given
from hypothesis import strategies as st

import gigapix
from gigapix.errors import FormatError
from gigapix.formats.tiff.file import open_tiff
from gigapix.formats.tiff.ghost import Ghost, parse_ghost
from gigapix.formats.tiff.levels import layout_at
from gigapix.formats.tiff.tables import SMALL_TABLE, segment_ranges
from tests.formats.tiff.steps import answer
from tests.hostile import build as b

GHOST = Ghost(
    layout="IFDS_BEFORE_DATA", block_order="ROW_MAJOR", block_leader="SIZE_AS_UINT4", block_trailer="LAST_4_BYTES_REPEATED"
)  # fmt: skip


def many(offsets, counts):
    """A file of len(offsets) deflated tiles of 16 x 16, and what `segment_ranges` needs of it."""
    data = b.build(b.tiled(16 * len(offsets), 16, offsets=offsets, counts=counts, t259=b.tag(259, b.SHORT, 8)))

    def plane():
        tiff = yield from open_tiff()
        return (yield from layout_at(tiff, tiff.header.first_ifd))

    return data, *answer(plane(), data)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 200)), min_size=1, max_size=3000), st.data())
def test_ranges_are_the_entries_of_both_tables(entries, data):
    offsets = [1000 * n * (kind > 0) for n, (kind, _) in enumerate(entries, 1)]
    counts = [count for _, count in entries]
    file, ifd, layout = many(offsets, counts)
    wanted = data.draw(st.lists(st.integers(0, len(entries) - 1), max_size=30))
    expected = tuple((offsets[n], counts[n]) if offsets[n] and counts[n] else None for n in wanted)
    assert answer(segment_ranges(ifd, layout, wanted), file) == expected


def test_no_more_of_a_table_is_read_than_the_runs_that_are_wanted():
    number = 100_000
    file, ifd, layout = many([8 * n + 8 for n in range(number)], [8] * number)
    asked = []
    answer(segment_ranges(ifd, layout, [5, 6, 50_000, 99_999]), file, asked)
    assert sum(length for _, length in asked) == 2 * 4 * 4


def test_byte_counts_follow_from_the_order_of_a_cog():
    sizes = [50 + n % 7 for n in range(2000)]
    offsets = (1000 + np.cumsum([0, *(size + 8 for size in sizes)])).tolist()[:-1]
    file, ifd, layout = many(offsets, [1] * 2000)  # counts that would tell if they were looked at
    asked = []
    found = answer(segment_ranges(ifd, layout, [0, 7, 1998], GHOST), file, asked)
    assert found == tuple((offsets[n], sizes[n]) for n in (0, 7, 1998))
    table = ifd.entries[325]
    assert all(offset + length <= table.offset or offset >= table.offset + table.nbytes for offset, length in asked)
    assert answer(segment_ranges(ifd, layout, [1999], GHOST), file) == ((offsets[1999], 1),)


@pytest.mark.parametrize("places", [(0, 1), (1, 0), (2, 1)])
def test_where_the_order_is_broken_the_byte_counts_are_looked_up(places):
    offsets = [1000 + 100 * n for n in range(2000)]
    first, second = places
    offsets[500], offsets[501] = (0, 1000, 10**9)[first], (0, 2000, 5)[second]
    file, ifd, layout = many(offsets, [77] * 2000)
    (found,) = answer(segment_ranges(ifd, layout, [500], GHOST), file)
    assert found == (None if offsets[500] == 0 else (offsets[500], 77))


@pytest.mark.parametrize("tag", ["t324", "t325"])
def test_a_table_that_ends_before_a_segment(tag):
    short = {tag: b.tag(int(tag[1:]), b.LONG, 8)}
    directory = b.tiled(64, 16, offsets=[8] * 4, counts=[8] * 4)
    data = b.build(b.amended(directory, **short))
    with gigapix.open(data) as image, pytest.raises(FormatError, match="1 of 4 entries"):
        image.tile(2, 0)


def test_a_large_cog_by_gdal_is_read_without_its_byte_counts(tmp_path):
    path = tmp_path / "cog.tif"
    side = 64 * 34
    assert SMALL_TABLE < 34 * 34
    data = np.random.default_rng(0).integers(0, 9, (1, side, side)).astype("u1")
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8"}
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(data)
        rasterio.shutil.copy(memory.name, path, driver="COG", blocksize=64, compress="DEFLATE", overviews="NONE")
    with gigapix.open(path) as image:
        np.testing.assert_array_equal(image.tile(33, 33), data[:, -64:, -64:])  # the last one needs its byte count
        np.testing.assert_array_equal(image.tile(5, 3), data[:, 192:256, 320:384])
        np.testing.assert_array_equal(image.read(), data)


def test_the_ghost_area_of_gdal():
    text = (
        b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
        b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n MASK_INTERLEAVED_WITH_IMAGERY=YES\n"
    )
    area = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(text) + text
    ghost = parse_ghost(area)
    assert ghost is not None and ghost.has_leaders and ghost.mask_interleaved and not ghost.has_gapless_order
    assert parse_ghost(area.replace(b" MASK_INTERLEAVED_WITH_IMAGERY=YES", b"")).has_gapless_order
    edited = parse_ghost(area.replace(b"EDITION=NO\n ", b"EDITION=YES\n"))
    assert edited.incompatible_edition and not edited.has_leaders
    assert parse_ghost(b"II*\0") is None and parse_ghost(b"") is None
