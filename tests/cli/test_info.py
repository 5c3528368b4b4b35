from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tifffile

from tests.cli.conftest import Run

KEYS = [
    "path", "size", "format", "byte_order", "kind", "layout", "images", "name", "axes", "shape", "width", "height",
    "bands",
    "dtype", "bits", "compression", "predictor", "photometric", "interleave", "color_interpretation", "colormap",
    "nodata",
    "mask", "crs", "transform", "origin", "resolution", "bounds", "gcps", "channels", "pixel_size", "levels",
    "header_bytes",
    "requests", "problems", "index",
]  # fmt: skip


def info(run: Run, path: Path, *options: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("info", path, "--json", *options).output)
    return found


def test_a_cog(run: Run, cog: Path) -> None:
    found = info(run, cog)
    assert list(found) == KEYS
    assert found["size"] == cog.stat().st_size
    assert (found["format"], found["byte_order"], found["layout"], found["kind"]) == ("TIFF", "little", "COG", "plain")
    assert (found["axes"], found["shape"], found["dtype"], found["bits"]) == ("CYX", [3, 900, 1100], "uint8", [8, 8, 8])
    assert (found["compression"], found["predictor"]) == ("deflate", "horizontal differences")
    assert (found["photometric"], found["interleave"]) == ("rgb", "pixel")
    assert found["color_interpretation"] == ["red", "green", "blue"]
    assert found["crs"] == {"epsg": 32631, "name": "WGS 84 / UTM zone 31N"}
    assert (found["origin"], found["resolution"]) == ([500000, 4000000], [10, 10])
    assert found["bounds"] == [500000, 3991000, 511000, 4000000]
    assert found["transform"] == [10, 0, 500000, 0, -10, 4000000]
    assert found["mask"]
    assert (found["nodata"], found["images"], found["index"], found["problems"]) == (None, 1, 0, [])
    assert 0 < found["header_bytes"] < 100_000
    assert found["requests"] >= 1


def test_levels(run: Run, cog: Path) -> None:
    with tifffile.TiffFile(cog) as tiff:
        expected = [page for page in tiff.pages if not page.subfiletype & 4]
    levels = info(run, cog)["levels"]
    assert len(levels) == len(expected)
    for level, page in zip(levels, expected, strict=True):
        sizes = [size for size in page.databytecounts if size]
        assert (level["width"], level["height"]) == (page.imagewidth, page.imagelength)
        assert level["segment"] == {"width": 256, "height": 256, "depth": 1}
        assert level["segments"] == len(page.databytecounts)
        stored = {"min": min(sizes), "mean": sum(sizes) / len(sizes), "max": max(sizes)}
        assert level["segment_bytes"] == {**stored, "sparse": level["segments"] - len(sizes)}
        assert level["mask"]
        assert level["nbytes"] == 3 * page.imagewidth * page.imagelength
    assert levels[0]["decimation"] == [1.0, 1.0]
    assert levels[1]["decimation"] == pytest.approx([2, 2], abs=0.01)


def test_strips(run: Run, strips: Path) -> None:
    found = info(run, strips)
    assert (found["byte_order"], found["layout"], found["dtype"], found["nodata"]) == (
        "big",
        "strips",
        "float32",
        -9999,
    )
    assert (found["crs"], found["bounds"], found["mask"]) == (None, None, False)
    (level,) = found["levels"]
    assert (level["segments"], level["segment"], level["tiled"]) == (7, {"width": 222, "height": 50, "depth": 1}, False)


def test_palette_and_pages(run: Run, palette: Path, pages: Path) -> None:
    assert info(run, palette)["colormap"] == 256
    assert info(run, pages)["images"] == 2
    second = info(run, pages, "--index", 1)
    assert (second["index"], second["shape"], second["dtype"]) == (1, [1, 50, 40], "complex128")


def test_a_stack(run: Run, stack: Path) -> None:
    found = info(run, stack)
    assert (found["kind"], found["axes"], found["shape"]) == ("ome", "TCZYX", [2, 2, 3, 96, 128])
    assert [channel["name"] for channel in found["channels"]] == ["DAPI", "GFP"]
    assert found["pixel_size"]["X"] == {"value": 0.25, "unit": "µm"}
    assert [level["planes"] for level in found["levels"]] == [12, 12]
    assert [level["segments"] for level in found["levels"]] == [12 * 12, 12 * 4]


def test_for_people(run: Run, cog: Path, strips: Path, stack: Path) -> None:
    output = run("info", cog).output
    for words in (str(cog), "COG", "3 x 900 x 1100 (CYX), uint8", "EPSG:32631 WGS 84 / UTM zone 31N", "1:2", "stored"):
        assert words in output
    assert "-9999" in run("info", strips).output
    output = run("info", stack).output
    assert "DAPI, GFP" in output
    assert "X 0.25 µm" in output


def test_too_many_segments_are_not_looked_at(run: Run, cog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gigapix.cli.describe.MOST_SEGMENTS", 10)
    found = info(run, cog)
    assert found["levels"][0]["segment_bytes"] is None
    assert "?" in run("info", cog).output


def test_a_fault_in_one_figure_does_not_cost_the_others(run: Run, cog: Path, tmp_path: Path) -> None:
    """The table of byte counts points beyond the end of the file: the pixels are lost, and info says all else."""
    data = bytearray(cog.read_bytes())
    with tifffile.TiffFile(cog) as tiff:
        tag = tiff.pages[0].tags[325]
    data[tag.offset + 8 : tag.offset + 12] = (1 << 30).to_bytes(4, "little")
    path = tmp_path / "broken.tif"
    path.write_bytes(data)
    found = info(run, path)
    assert found["width"] == 1100
    assert found["levels"][0]["segment_bytes"] is None
    assert any("beyond the end" in problem for problem in found["problems"])
