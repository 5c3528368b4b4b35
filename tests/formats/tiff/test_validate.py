"""COG validation against rio-cogeo, and what the ghost area promises against files that break it byte by byte."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile

import gigapix
from gigapix.formats.tiff.validate import Findings, check_cog
from tests.formats.tiff.steps import answer

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

MOST_SAMPLED = 5
"""Segments of one directory that are looked at by default."""


def oracle(path: Path) -> tuple[bool, list[str], list[str]]:
    rio_cogeo = pytest.importorskip("rio_cogeo", reason="needs rio-cogeo, which judges the same files")
    found: tuple[bool, list[str], list[str]] = rio_cogeo.cog_validate(str(path), quiet=True)
    return found


def made(
    path: Path, size: int = 900, mask: bool = False, driver: str = "COG", overviews: bool = True, **options: Any
) -> Path:
    """A file of GDAL's, three bands of noise with a corner of zeros."""
    pixels = np.random.default_rng(0).integers(1, 200, (3, size, size), np.uint8)
    pixels[:, : size // 3, : size // 3] = 0
    shape = {"count": 3, "height": size, "width": size, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff", transform=rasterio.Affine(10, 0, 0, 0, -10, 0), crs="EPSG:3857", **shape
        ) as out:
            out.write(pixels)
            if mask:
                out.write_mask(np.where(pixels[0] > 0, 255, 0).astype(np.uint8))
        with memory.open() as source:
            if driver == "COG":
                options |= {"overviews": "AUTO" if overviews else "NONE"}
            rasterio.shutil.copy(source, path, driver=driver, **options)
    if driver == "GTiff" and overviews:
        with rasterio.open(path, "r+") as file:
            file.build_overviews([2, 4])
    return path


MADE: dict[str, dict[str, Any]] = {
    "deflate": {"compress": "deflate", "blocksize": 128},
    "none": {"compress": "none", "blocksize": 256},
    "jpeg with mask": {"compress": "jpeg", "blocksize": 128, "mask": True},
    "mask": {"compress": "lzw", "blocksize": 128, "mask": True},
    "sparse": {"compress": "deflate", "blocksize": 128, "sparse_ok": True},
    "big": {"compress": "zstd", "blocksize": 128, "bigtiff": "YES"},
    "no overviews": {"compress": "deflate", "blocksize": 128, "overviews": False},
    "small": {"size": 300, "compress": "deflate", "blocksize": 128},
    "small strips": {"size": 300, "driver": "GTiff", "overviews": False},
    "strips": {"driver": "GTiff", "overviews": False},
    "strips with overviews": {"driver": "GTiff"},
    "tiles": {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "overviews": False},
    "tiles with overviews": {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256},
    "planar": {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band"},
}


@pytest.mark.parametrize("name", MADE)
def test_the_verdict_is_that_of_rio_cogeo(name: str, tmp_path: Path) -> None:
    path = made(tmp_path / "file.tif", **MADE[name])
    valid, errors, warnings = oracle(path)
    for full in (False, True):
        report = gigapix.validate(path, full=full)
        assert (report.valid, len(report.errors), len(report.warnings)) == (valid, len(errors), len(warnings)), report
        assert gigapix.validate(path, strict=True).valid == (valid and not warnings)
    assert (report.details["ghost"] is not None) == (MADE[name].get("driver") is None)
    assert report.details["segments_checked"] > 0 or report.details["ghost"] is None


BROKEN = {"crash-4f085cc12", "crash-86214e58d", "crash-63b1dffef", "multipage_single_frame_loop"}
"""Damaged files that GDAL makes something of, and that are not valid here."""


def test_the_corpus_is_judged_as_by_rio_cogeo(corpus: Path) -> None:
    """But for damaged files, and for what GDAL can't open."""
    compared, differing = 0, []
    for path in sorted(corpus.rglob("*.tif*")):
        try:
            valid, errors, warnings = oracle(path)
        except (rasterio.errors.RasterioError, ValueError, TypeError):
            continue
        report = gigapix.validate(path)
        if any(".ovr" in error for error in report.errors):
            assert errors[0].startswith("Overviews found in external .ovr"), path
            assert not report.valid
            continue  # rio-cogeo holds offsets in the one file against those in the other
        compared += 1
        same = (report.valid, len(report.errors), len(report.warnings)) == (valid, len(errors), len(warnings))
        if not same and not (report.valid == valid is False) and not any(path.name.startswith(name) for name in BROKEN):
            differing.append((path.name, errors, report.errors))
    assert compared > 500
    assert not differing


def test_the_truth_cases_of_rio_cogeo(corpus: Path) -> None:
    folder = corpus / "rio-cogeo/tests/fixtures/validate"
    said = {path.stem: gigapix.validate(path) for path in folder.glob("*.tif")}
    assert {name for name, report in said.items() if report.valid} == {
        "cog_no_offest", "image_COG_gdal3.1", "image_rioCOG_gdal3.1", "image_no_overview",
    }  # fmt: skip
    assert ".ovr" in said["image_external"].errors[0]
    assert "no smaller" in said["image_dec"].errors[0]
    assert any("not sorted" in error for error in said["image_sorted"].errors)
    assert "KNOWN_INCOMPATIBLE_EDITION" in said["image_known_incompatible_ghost_headers"].errors[0]
    assert said["image_no_overview"].warnings


@pytest.fixture(scope="module")
def cog(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("cog") / "cog.tif", **MADE["mask"]).read_bytes()


def check(data: bytes, full: bool = True) -> Findings:
    return answer(check_cog(full=full), data)


def table(data: bytes, page: int, tag: int) -> tuple[int, str, tuple[int, ...]]:
    """Where a table of a page lies, the format of an entry, and its entries."""
    import io

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages[page].tags[tag]  # type: ignore[union-attr]
        return found.valueoffset, "<" + {3: "H", 4: "I", 16: "Q"}[found.dtype], found.value


def put(data: bytes, offset: int, values: bytes) -> bytes:
    return data[:offset] + values + data[offset + len(values) :]


def set_entry(data: bytes, page: int, tag: int, index: int, value: int) -> bytes:
    where, kind, _ = table(data, page, tag)
    return put(data, where + index * struct.calcsize(kind), struct.pack(kind, value))


def test_a_whole_cog_is_sound(cog: bytes) -> None:
    findings = check(cog)
    assert findings.errors == findings.warnings == ()
    assert findings.details["segments_checked"] == findings.details["segments"] > 100
    assert findings.details["ghost"]["mask_interleaved"]


def breaks_a_leader(data: bytes, index: int) -> bytes:
    offset = table(data, 0, 324)[2][index]
    return put(data, offset - 4, b"\1\0\0\0")


def breaks_a_trailer(data: bytes, index: int) -> bytes:
    end = table(data, 0, 324)[2][index] + table(data, 0, 325)[2][index]
    return put(data, end, bytes(byte ^ 255 for byte in data[end : end + 4]))


def changes_the_order(data: bytes, index: int) -> bytes:
    """The segment's data stays sound: its table entry leads to that of the second one."""
    for tag in (324, 325):
        data = set_entry(data, 0, tag, index, table(data, 0, tag)[2][1])
    return data


def moves_the_mask(data: bytes, index: int) -> bytes:
    for tag in (324, 325):
        data = set_entry(data, 1, tag, index, table(data, 1, tag)[2][index - 1])
    return data


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (breaks_a_leader, "the size before a segment is not that of the table (segment 40: 1, not "),
        (breaks_a_trailer, "the bytes behind a segment don't repeat its last four (segment 40: "),
        (changes_the_order, "segments don't lie in row-major order (segment 40: "),
        (moves_the_mask, "the mask does not lie behind its pixels (segment 40: "),
    ],
)
def test_each_promise_is_checked(cog: bytes, edit: Callable[[bytes, int], bytes], words: str) -> None:
    errors = check(edit(cog, 40)).errors
    assert any(error.startswith(f"the image: {words}") for error in errors), errors


def test_faults_are_counted_and_the_first_is_told(cog: bytes) -> None:
    data = cog
    for index in range(10, 30):
        data = breaks_a_leader(data, index)
    (error,) = check(data).errors
    assert "segment 10: " in error
    assert error.endswith("; 20 such segments)")


def test_a_sample_finds_what_a_foreign_tool_did(cog: bytes) -> None:
    """A writer that knows nothing of leaders leaves none: any segment of its shows it."""
    segments = len(table(cog, 0, 324)[2])
    assert any("the size before" in error for error in check(breaks_a_leader(cog, 0), full=False).errors)
    assert any("the size before" in error for error in check(breaks_a_leader(cog, segments - 1), full=False).errors)
    assert check(breaks_a_leader(cog, 3), full=False).errors == ()


def test_an_invalidated_ghost_promises_nothing(cog: bytes) -> None:
    data = breaks_a_leader(cog, 0).replace(b"KNOWN_INCOMPATIBLE_EDITION=NO\n ", b"KNOWN_INCOMPATIBLE_EDITION=YES\n")
    findings = check(data)
    assert len(findings.errors) == 1
    assert "KNOWN_INCOMPATIBLE_EDITION=YES" in findings.errors[0]
    assert findings.details["segments_checked"] == 0


def test_gdals_own_edit_shows(tmp_path: Path) -> None:
    path = made(tmp_path / "cog.tif", **MADE["deflate"])
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.write(np.full((3, 256, 256), 7, np.uint8), window=((0, 256), (0, 256)))
    report = gigapix.validate(path)
    assert not report.valid
    assert any("KNOWN_INCOMPATIBLE_EDITION=YES" in error for error in report.errors)


def test_little_is_read_of_a_large_file() -> None:
    """A sample costs a bounded number of ranges whatever the number of tiles."""
    import io

    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((4096, 4096), np.uint8), tile=(16, 16), compression="packbits", metadata=None)
    data = out.getvalue()
    size = b"GDAL_STRUCTURAL_METADATA_SIZE=000098 bytes\n"
    keys = b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n".ljust(98)
    asked: list[tuple[int, int]] = []
    first = struct.unpack("<I", data[4:8])[0]
    assert first == 8
    # The ghost area stands before a copy of the first IFD, which lies at the end.
    entries = 2 + 12 * struct.unpack("<H", data[8:10])[0] + 4
    moved = put(data, 4, struct.pack("<I", len(data)))
    moved = put(moved, 8, size + keys) + data[8 : 8 + entries]
    findings = answer(check_cog(), moved, asked)
    assert findings.details["segments"] == 65536
    assert findings.details["segments_checked"] <= MOST_SAMPLED
    assert len(asked) < 30
    assert sum(length for _, length in asked) < 40_000
    assert any("the size before" in error for error in findings.errors)


def test_the_first_stored_segment_is_found_behind_sparse_ones(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    shape = {"count": 1, "height": 16 * 70, "width": 16 * 70, "dtype": "uint8"}
    with rasterio.open(
        path, "w", driver="GTiff", tiled=True, blockxsize=16, blockysize=16, sparse_ok=True, **shape
    ) as out:
        out.write(np.ones((1, 16, 16), np.uint8), window=((69 * 16, 70 * 16), (0, 16)))
    found = gigapix.validate(path).details["data_offsets"]["main"]
    with tifffile.TiffFile(path) as file:
        assert found == max(file.pages[0].dataoffsets)  # type: ignore[union-attr]


def test_one_tile_across_is_tiled(tmp_path: Path) -> None:
    """rio-cogeo takes an image as wide as one tile for strips."""
    path = tmp_path / "column.tif"
    tifffile.imwrite(path, np.zeros((2048, 512), np.uint8), tile=(512, 512), metadata=None)
    assert "not tiled" in oracle(path)[1][0]
    assert not any("not tiled" in error for error in gigapix.validate(path).errors)


def test_what_is_no_tiff_is_not_valid(tmp_path: Path) -> None:
    report = gigapix.validate(b"\x89PNG\r\n\x1a\n and so on")
    assert not report.valid
    assert "not a TIFF" in report.errors[0]
    assert report.path == "<bytes>"
    with pytest.raises(gigapix.NotFoundError):
        gigapix.validate(tmp_path / "missing.tif")


def test_async_says_the_same(tmp_path: Path) -> None:
    path = made(tmp_path / "cog.tif", **MADE["mask"])
    path.with_name("cog.tif.ovr").write_bytes(b"II*\0")
    report = asyncio.run(gigapix.validate_async(path, full=True))
    assert report == gigapix.validate(path, full=True)
    assert ".ovr" in report.errors[0]


def test_damage_never_escapes(cog: bytes) -> None:
    """Whatever byte of the header is wrong, the answer is a report or a typed error."""
    random_ = random.Random(1)
    header = min(table(cog, page, 324)[2][0] for page in range(6))
    for _ in range(400):
        data = bytearray(cog)
        for _ in range(random_.randint(1, 4)):
            data[random_.randrange(header)] = random_.randrange(256)
        try:
            report = gigapix.validate(bytes(data[: random_.choice([len(data), len(data), random_.randrange(header)])]))
        except gigapix.GigapixError:
            continue
        assert isinstance(report.valid, bool)
