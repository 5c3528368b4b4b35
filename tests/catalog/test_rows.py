"""What a row says, against other readers; and that a template's row is the parser's."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.warp import transform_bounds

from gigapix.catalog.headers import CODES, Listed, Place, read_header
from gigapix.catalog.parts import table_of
from gigapix.catalog.schema import GEOKEYS, schema
from gigapix.catalog.tables import packed, unpacked
from gigapix.catalog.templates import Templates
from gigapix.errors import GigapixError, SourceError
from gigapix.formats.tiff import geokeys
from tests.remote.images import cog


class Forgetful(Templates):
    """Learns nothing: every file is parsed."""

    def learn(self, *args):
        pass


def rows_of(folder: Path, paths, templates=None, **chosen):
    place, templates = Place(name=str(folder), **chosen), templates or Forgetful()
    rows = [read_header(place, templates, Listed(str(path), None, None, None)) for path in paths]
    return table_of(rows, headers=place.headers, tiles=place.tiles).to_pylist()


def images(folder: Path):
    return sorted(
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix.lower() in (".tif", ".tiff", ".png")
    )


def test_rasterio_says_the_same(folder):
    paths = [p for p in images(folder) if "ome" not in p and p not in ("broken.tif", "empty.tif")]
    for row in rows_of(folder, paths):
        with rasterio.open(folder / row["path"]) as image:
            assert (row["image_width"], row["image_height"], row["bands"]) == (image.width, image.height, image.count)
            assert row["dtype"] == image.dtypes[0]
            assert row["levels"] == 1 + len(image.overviews(1))
            assert row["nodata"] == image.nodata
            if image.crs is None:
                assert row["crs"] is row["transform"] is row["geometry"] is None
                continue
            assert row["crs"] == f"EPSG:{image.crs.to_epsg()}"
            assert rasterio.CRS.from_wkt(row["crs_wkt"]) == image.crs
            assert row["transform"] == list(image.transform)[:6]
            assert row["bounds"] == list(image.bounds)
            box = transform_bounds(image.crs, "OGC:CRS84", *image.bounds, densify_pts=3)
            assert list(row["bbox"].values()) == pytest.approx(box, abs=1e-6)


def test_an_entry_for_each_directory(folder):
    (row,) = rows_of(folder, ["a/cog0.tif"])
    with tifffile.TiffFile(folder / "a/cog0.tif") as tif:
        wanted = [(p.offset, p.imagewidth, p.imagelength, p.tilewidth, len(p.dataoffsets)) for p in tif.pages]
    found = [(e["offset"], e["image_width"], e["image_height"], e["tile_width"], e["segments"]) for e in row["ifds"]]
    assert found == wanted and len(found) == 3
    assert [entry["kind"] for entry in row["ifds"]] == ["image", "overview", "overview"]
    assert row["layout"] == "cog" and row["level_shapes"] == [[1, 300, 300], [1, 150, 150], [1, 75, 75]]


def test_microscopy(folder):
    (row,) = rows_of(folder, ["stack.ome.tif"])
    assert (row["kind"], row["axes"], row["shape"]) == ("ome", "CZYX", [2, 3, 20, 30])
    assert row["channels"] == ["DAPI", "GFP"]
    assert {"axis": "X", "value": 0.5, "unit": "µm"} in row["pixel_size"]


def test_errors_are_rows(folder):
    rows = rows_of(folder, ["broken.tif", "empty.tif", "missing.tif", "notes.txt"])
    assert [row["error_code"] for row in rows] == ["truncated", "format", "not_found", "format"]
    assert all(row["error"] and row["image_width"] is None and row["path"] for row in rows)


def test_every_error_has_a_code():
    def below(kind):
        return {kind}.union(*map(below, kind.__subclasses__()))

    assert {kind for kind in below(GigapixError) if not {*kind.__mro__} & CODES.keys()} <= {
        kind for kind in below(GigapixError) if not issubclass(kind, SourceError)
    }


def test_geokeys_have_tiff_dumpers_names():
    assert {number for number, _ in GEOKEYS.values()} <= geokeys.NAMES.keys() | {3095}
    assert len({number for number, _ in GEOKEYS.values()}) == len(GEOKEYS)


# Templates


def without_reading(rows):
    return [{k: v for k, v in row.items() if k not in ("requests", "bytes")} for row in rows]


def test_a_template_gives_the_parsers_row(folder):
    paths = images(folder)
    templates = Templates()
    chosen = {"headers": True, "tiles": True}
    parsed = rows_of(folder, paths, **chosen)
    assert rows_of(folder, paths, templates, **chosen) == parsed
    assert rows_of(folder, paths, templates, **chosen) == parsed
    known = {p: structure_of(templates, (folder / p).read_bytes()) for p in paths}
    assert len({known[f"a/cog{n}.tif"] for n in range(6)}) == 1
    assert None not in (known["a/cog0.tif"], known["plain.tif"], known["big.tiff"], known["a/rgb.TIF"])


def structure_of(templates, data):
    outline = templates.outline(data[:16384], len(data), 1024)
    return None if outline is None else templates.find(outline)


def test_a_file_of_another_size_has_the_same_structure(tmp_path):
    """One parse for all sizes: levels, masks and tables of tiles may differ, and the rows are the parser's."""
    sizes = [(700, 650), (699, 650), (650, 700), (1300, 520), (513, 513), (600, 599)]
    for n, (height, width) in enumerate(sizes):
        cog(tmp_path / f"{n}.tif", np.arange(height * width).reshape(1, height, width) % 251, BLOCKSIZE="128")
    paths, templates = images(tmp_path), Templates()
    rows = rows_of(tmp_path, paths, templates, headers=True, tiles=True)
    assert rows == rows_of(tmp_path, paths, headers=True, tiles=True)
    known = [structure_of(templates, (tmp_path / path).read_bytes()) for path in paths]
    assert None not in known and len(set(known)) < len(sizes)
    assert [row["shape"] for row in rows] == [[1, *size] for size in sizes]


@given(data=st.data())
def test_whatever_byte_differs_the_row_is_the_parsers(folder, tmp_path_factory, data):
    """Templates of the good files, then a damaged one: with templates and without, the row is the same."""
    whole = (folder / data.draw(st.sampled_from(["a/cog0.tif", "plain.tif", "big.tiff"]))).read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, min(len(whole), 1500) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(whole)))]
    place = tmp_path_factory.mktemp("damaged")
    (place / "good.tif").write_bytes(whole)
    (place / "x.tif").write_bytes(damaged)
    templates = Templates()
    rows_of(place, ["good.tif"], templates)
    assert repr(rows_of(place, ["x.tif"], templates)) == repr(rows_of(place, ["x.tif"]))


def test_the_whole_corpus(corpus):
    root = corpus.parent
    paths = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
    templates = Templates()
    place = Place(name=str(root), headers=True, tiles=True)
    rows = [read_header(place, templates, Listed(p, None, None, None)) for p in paths]
    table = table_of(rows, headers=True, tiles=True)
    table.validate(full=True)
    assert table.schema.equals(schema()) and table.num_rows == len(paths)
    assert "internal" not in table.column("error_code").to_pylist()
    assert sum(row.error_code is None for row in rows) > 700


# The tile index


@given(
    hnp.arrays(np.uint64, st.integers(0, 50), elements=st.integers(0, 2**40)),
    st.none() | st.integers(0, 2**32),
)
def test_the_tile_index_holds_every_tile(offsets, seed):
    counts = None if seed is None else np.random.default_rng(seed).integers(0, 3, len(offsets)).astype(np.uint64) * 977
    gaps, sizes = packed(offsets, counts)
    found = unpacked(gaps, sizes)
    stored = np.ones(len(offsets), bool) if counts is None else (counts > 0) & (offsets > 0)
    assert (found[stored] == offsets[stored].astype(np.int64)).all()
    assert sizes is None or ((sizes == 0) == ~stored).all()


def test_the_tile_index_is_tifffiles(folder):
    for row in rows_of(folder, ["a/cog1.tif", "last.tif", "big.tiff"], tiles=True):
        with tifffile.TiffFile(folder / row["path"]) as tif:
            for table, page in zip(row["tiles"], tif.pages, strict=True):
                gaps, counts = np.array(table["gaps"]), np.array(table["counts"])
                assert table["ifd"] == page.offset
                assert tuple(counts) == page.databytecounts
                assert tuple(unpacked(gaps, counts)) == page.dataoffsets


def test_numbers_that_no_column_holds_are_null(tmp_path):
    """A tag may hold what it likes; the table must not be lost for it."""
    data = bytearray()
    entries = [(256, 4, 1, 5), (257, 4, 1, 5), (259, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 25), (274, 12, 1, 300)]
    entries += [(338, 5, 1, 300), (280, 16, 1, 300), (282, 2, 4, 0x41414141)]
    entries.sort()
    data += struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries))
    data += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    data += bytes(300 - len(data)) + b"\xff" * 40
    (tmp_path / "x.tif").write_bytes(data)
    (row,) = rows_of(tmp_path, ["x.tif"])
    assert row["error_code"] in (None, "format")
    assert row["orientation"] is None and row["min_sample_value"] is None


def test_a_table_of_gigabytes_is_claimed(tmp_path):
    """Eight bytes of a BigTIFF say that its tables have 32 GB: they are neither kept nor counted block by block."""
    entries = [(256, 4, 1, 1 << 20), (257, 4, 1, 1 << 20), (258, 3, 1, 8), (259, 3, 1, 1)]
    entries += [(322, 3, 1, 16), (323, 3, 1, 16), (324, 16, 1 << 32, 1 << 40), (325, 16, 1 << 32, 1 << 50)]
    data = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + struct.pack("<Q", len(entries))
    data += b"".join(struct.pack("<HHQQ", *entry) for entry in entries) + bytes(8)
    (tmp_path / "x.tif").write_bytes(data)
    (row,) = rows_of(tmp_path, ["x.tif"], headers=True, tiles=True)
    assert row["header"] is row["tiles"] is None and row["ifds"][0]["segments"] == 1 << 32
