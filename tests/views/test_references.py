"""References are read by zarr-python alone: every level, of every kind of file, equal to what gigapix reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from http.server import ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import Any

import icechunk as icechunk_package
import numpy as np
import obstore
import pytest
import tifffile
import zarr
from obstore.store import S3Store

import gigapix
from gigapix.errors import RequestError, SourceError, TruncatedError, UnsupportedError
from gigapix.views import icechunk, references, references_bands
from gigapix.views.references import plan_references
from tests.fixtures import FIXTURES, pixels
from tests.fixtures_micro import MICRO, ome_set
from tests.fixtures_png import noise, png
from tests.hostile import layout
from tests.remote.servers import MissingError, ministack
from tests.views.references_readers import READERS, icechunk_group, kerchunk_json, opened
from tests.views.references_server import Ranges

FORMS = tuple(READERS)

FILES: Mapping[str, Callable[[Path], Any]] = {**FIXTURES, **MICRO}

ALWAYS = ("sparse", "masked", "cog", "overviews", "planar_of", "volume", "svs", "ome_pyramid", "ycbcr", "pages", "webp")
"""Parts of names: of these kinds, all."""

WHOLE = 16 << 20
"""Bytes of a level that is compared as a whole; of larger ones its corners."""


def check(path: Path, folder: Path, form: str = "o.json", **options: Any) -> zarr.Group:
    """Write and read again; compare all levels and masks."""
    with gigapix.open(path) as image:
        out = folder / form
        gigapix.write_references(image, out, overwrite=True, **options)
        group = READERS[form](out)
        for number, level in enumerate(image.levels):
            if level.nbytes > WHOLE:
                for y, x in ((0, 0), (level.height - 256, level.width - 256)):
                    same(group[str(number)][..., y : y + 256, x : x + 256], image.read((x, y, 256, 256), level=number))
                continue
            same(group[str(number)], image.read(level=number))
            if level.has_mask:
                same(group[f"masks/{number}"], image.read_mask(level=number))
    return group


def same(array: Any, wanted: Any) -> None:
    assert array.dtype == wanted.dtype
    np.testing.assert_array_equal(array[...], wanted)


@pytest.mark.parametrize("form", FORMS)
def test_fixtures(form: str, tmp_path: Path) -> None:
    """Each kind of file in one of the forms."""
    number = FORMS.index(form)
    names = [
        name
        for n, name in enumerate(sorted(FILES))
        if n % 3 == number and (n % 11 == 0 or any(part in name for part in ALWAYS))
    ]
    assert len(names) > 20
    for name in names:
        path = tmp_path / f"{name}.tif"
        FILES[name](path)
        check(path, tmp_path, form)


@pytest.mark.parametrize("form", FORMS)
def test_sparse_segments_and_masks(form: str, tmp_path: Path) -> None:
    for name in ("gdal_sparse_nodata", "gdal_sparse_nan", "gdal_sparse_band", "gdal_sparse_strips", "cog_masked"):
        path = tmp_path / f"{name}.tif"
        FILES[name](path)
        check(path, tmp_path, form)


def test_pyramids_of_the_corpus(pyramids: Sequence[Path], tmp_path: Path) -> None:
    sound = [path for path in pyramids if path.name != "corrupt.tif"]
    for number, path in enumerate(sound):
        check(path, tmp_path, FORMS[number % 3])


def test_png(tmp_path: Path) -> None:
    for interlaced in (False, True):
        path = tmp_path / "a.png"
        path.write_bytes(png(noise(2, 16), 16, 2, interlaced=interlaced))
        check(path, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_several_files(form: str, tmp_path: Path) -> None:
    """A multi-file OME-TIFF: references to each of its files."""
    ome_set(tmp_path)
    check(tmp_path / "z0.ome.tif", tmp_path, form)


@pytest.mark.parametrize("form", FORMS)
def test_odd_names(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "a b%20ü"
    folder.mkdir()
    path = folder / "c#d?%41 ü.tif"
    FILES["deflate_tiles_rgb"](path)
    check(path, tmp_path, form)


def test_batches_and_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the tables are cut, the same comes out."""
    monkeypatch.setattr(references, "BATCH", 5)
    monkeypatch.setattr(icechunk, "COMMIT", 7)
    monkeypatch.setattr(icechunk, "MANIFEST", 3)
    monkeypatch.setattr("gigapix.views.kerchunk.RECORD", 4)
    for name in ("lzw_tiles_planar", "ome_CZT"):
        path = tmp_path / f"{name}.tif"
        FILES[name](path)
        for form in FORMS:
            check(path, tmp_path, form)
    repository = icechunk._icechunk().Repository
    storage = icechunk._icechunk().local_filesystem_storage(str(tmp_path / "o.icechunk"))
    assert repository.open(storage).list_branches() == {"main"}


def test_giant_uncompressed_strips_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references_bands, "GIANT_BYTES", 100)
    monkeypatch.setattr(references_bands, "BAND_BYTES", 300)
    path = tmp_path / "a.tif"
    names = ("none_one_strip_gray", "none_one_strip_rgb", "none_one_strip_planar", "bits_12_3_be", "bits_7_3_le")
    for name in names:
        FILES[name](path)
        with gigapix.open(path) as image:
            assert plan_references(image).arrays[0].array.chunks[1] < image.levels[0].chunks[1]
        check(path, tmp_path)
    tifffile.imwrite(path, pixels("u2")[:36], rowsperstrip=36)
    assert check(path, tmp_path)["0"].chunks == (1, 3, 45)  # 12 bands of 3 rows
    assert "gigapix.tiff" not in (tmp_path / "o.json").read_text()


PLAIN = {
    "none": ("bytes",), "zlib": ("bytes", "numcodecs.zlib"), "zstd": ("bytes", "zstd"),
    "lzma": ("bytes", "numcodecs.lzma"),
}  # fmt: skip


@pytest.mark.parametrize("compression", PLAIN)
def test_plain_chains_need_no_codec_of_ours(compression: str, tmp_path: Path) -> None:
    for order, samples in (("<", 1), (">", 3)):
        path = tmp_path / "a.tif"
        how = {"compression": None if compression == "none" else compression, "tile": (16, 32)}
        tifffile.imwrite(path, pixels("u2", samples), byteorder=order, **how)
        check(path, tmp_path)
        text = json.loads((tmp_path / "o.json").read_text())["refs"]["0/zarr.json"]
        names = tuple(codec["name"] for codec in json.loads(text)["codecs"])
        assert names == (*(("transpose",) if samples > 1 else ()), *PLAIN[compression])


def test_metadata_are_those_of_the_view(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    FILES["ome_pyramid"](path)
    group = check(path, tmp_path)
    with gigapix.virtual(path) as store:
        assert dict(group.attrs) == dict(zarr.open_group(store, mode="r").attrs)
    assert group["1"].metadata.dimension_names == ("t", "c", "z", "y", "x")


def test_what_can_not_be_referenced(tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "o.json"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8))
    with pytest.raises(UnsupportedError, match="url="):
        gigapix.write_references(path.read_bytes(), out)
    assert gigapix.write_references(path.read_bytes(), out, url=f"file://{path}").references == 1
    same(kerchunk_json(out)["0"], np.zeros((1, 16, 16), np.uint8))
    with pytest.raises(RequestError, match="exists"):
        gigapix.write_references(path, out)
    for place in (path, tmp_path):
        with pytest.raises(RequestError, match="it is the image, or a folder"):
            gigapix.write_references(path, place, format="icechunk", overwrite=True)
    with pytest.raises(RequestError, match="it is a file"):
        gigapix.write_references(path, out, format="icechunk", overwrite=True)
    with pytest.raises(RequestError, match="it is a folder"):
        gigapix.write_references(path, tmp_path, format="kerchunk-json", overwrite=True, url="s3://a/b.tif")
    for form in ("icechunk", "kerchunk-parquet", "kerchunk-json"):
        with pytest.raises(SourceError):  # its folder is a file
            gigapix.write_references(path, out / "o", format=form)
    with pytest.raises(RequestError, match="format"):
        gigapix.write_references(path, tmp_path / "o")
    FILES["gdal_sparse_nodata"](path)
    with gigapix.open(path) as image:
        plan = plan_references(image)
        other = references.replace(plan.arrays[0], array=references.replace(plan.arrays[0].array, fill=3))
        with pytest.raises(UnsupportedError, match=r"sparse segments are -7.*fill value is 3"):
            list(plan.batches(other))
        assert list(plan.faults) == []
        assert len(str(plan).splitlines()) == 2


def test_planes_that_are_encoded_in_different_ways(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    data = np.arange(2 * 16 * 16, dtype=np.uint16).reshape(2, 16, 16)
    with tifffile.TiffWriter(path) as writer:
        text = tifffile.OmeXml()
        text.addimage(np.uint16, (2, 16, 16), (2, 1, 1, 16, 16, 1), axes="ZYX")
        writer.write(data[0], compression="zlib", description=text.tostring(declaration=True).encode(), metadata=None)
        writer.write(data[1], compression="zlib", predictor=2, metadata=None)
    with gigapix.open(path) as image:
        assert image.shape == (1, 2, 16, 16)
    for form in FORMS:
        with pytest.raises(UnsupportedError, match="plane 1 is encoded otherwise"):
            gigapix.write_references(path, tmp_path / form)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_has_changed(tmp_path: Path) -> None:
    """Icechunk knows the file's age."""
    path = tmp_path / "a.tif"
    FILES["deflate_tiles_gray"](path)
    check(path, tmp_path, "o.icechunk")
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))
    with pytest.raises(Exception, match=r"changed|modified|updated"):
        icechunk_group(tmp_path / "o.icechunk")["0"][...]


@pytest.mark.parametrize("form", FORMS)
def test_http(form: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.tif"
    FILES["cog_deflate"](path)
    with gigapix.open(path) as image:
        wanted = [image.read(level=n) for n in range(len(image.levels))]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/a%20b.tif"
        out = tmp_path / form
        if "ice" in form and int(version("icechunk").partition(".")[0]) < 2:
            with pytest.raises(
                UnsupportedError, match="this version of Icechunk takes no references to http"
            ):  # with a port
                gigapix.write_references(url, out)
            return
        assert gigapix.write_references(url, out).references > 4
        group = icechunk_group(out, "HttpAccess") if "ice" in form else READERS[form](out, "http")  # type: ignore[call-arg]
        for number, level in enumerate(wanted):
            same(group[str(number)], level)
    finally:
        server.shutdown()
        server.server_close()


def test_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image and the repository in a bucket; an image that is replaced is an error."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    path = tmp_path / "a.tif"
    FILES["cog_deflate"](path)
    place: dict[str, Any] = {"region": "us-east-1", "allow_http": True}
    try:
        server = ExitStack()
        url = server.enter_context(ministack(tmp_path))
    except MissingError as reason:
        pytest.skip(str(reason))
    with server:
        monkeypatch.setenv("GIGAPIX_ENDPOINT", url)
        monkeypatch.setenv("GIGAPIX_REGION", "us-east-1")
        bucket = S3Store("data", endpoint=url, client_options={"allow_http": True}, region="us-east-1")
        obstore.put(bucket, "a b.tif", path.read_bytes())
        written = gigapix.write_references("s3://data/a b.tif", "s3://data/o.icechunk")
        place |= {"bucket": "data", "endpoint_url": url, "force_path_style": True, "from_env": True}
        group = opened(
            icechunk_package.s3_storage(prefix="o.icechunk", **place), icechunk_package.s3_from_env_credentials()
        )
        with gigapix.open(path) as image:
            same(group["1"], image.read(level=1))
        assert written.container == "s3://data/"
        obstore.put(bucket, "a b.tif", path.read_bytes() + b"0")
        with pytest.raises(Exception, match="has changed"):
            group["1"][...]
        for form in ("o.json", "o.parquet"):
            gigapix.write_references("s3://data/a b.tif", f"s3://data/{form}")
        assert b'["s3://data/a b.tif", ' in bytes(obstore.get(bucket, "o.json").bytes())


def test_segments_beyond_any_file(tmp_path: Path) -> None:
    """A BigTIFF can name offsets that no file has."""
    path = tmp_path / "a.tif"
    data = np.zeros((16, 16), np.uint8)
    tifffile.imwrite(path, data, bigtiff=True, tile=(16, 16))
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags[324].offset + 12
    text = bytearray(path.read_bytes())
    text[at : at + 8] = (2**64 - 16).to_bytes(8, "little")
    path.write_bytes(text)
    for form in FORMS:
        with pytest.raises(TruncatedError, match="beyond the end"):
            gigapix.write_references(path, tmp_path / form)
    assert list(tmp_path.iterdir()) == [path]


def test_sizes_that_no_file_has(tmp_path: Path) -> None:
    """Whatever size a file claims, there are as many references as its tables have entries."""
    path = tmp_path / "a.tif"
    cases = [case for case in layout.cases() if case.name.startswith("size_")]
    assert len(cases) > 5
    for case in cases:
        path.write_bytes(case.data)
        with suppress(gigapix.GigapixError):
            assert gigapix.write_references(path, tmp_path / "o.json", overwrite=True).references < 100
