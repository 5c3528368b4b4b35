"""PNGs on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import fixtures_png as made
from tests.cli.conftest import Run


@pytest.fixture
def animated(tmp_path: Path) -> Path:
    path = tmp_path / "animated.png"
    path.write_bytes(made.apng([(made.noise(3, 4, seed=n), 0, 0) for n in range(3)], 3, depth=4, interlaced=True))
    return path


@pytest.fixture
def described(tmp_path: Path) -> Path:
    path = tmp_path / "described.png"
    before = [
        ("pHYs", b"\0\0\x0f\xa0\0\0\x0f\xa0\1"),
        ("tRNS", b"\0\7"),
        ("prVt", bytes(9000)),
        ("tEXt", b"a\0" + b"b" * 9000),
    ]
    path.write_bytes(
        made.png(made.noise(0, 8), before=before, behind=[("tIME", b"\x07\xe8\1\2\3\4\5"), ("sRGB", b"\7")])
    )
    return path


def test_info(run: Run, animated: Path, described: Path) -> None:
    found = json.loads(run("info", animated, "--json").output)
    assert (found["format"], found["layout"], found["kind"], found["images"]) == ("APNG", "interlaced", "png", 3)
    assert (found["photometric"], found["colormap"], found["bits"], found["predictor"]) == (
        "palette",
        16,
        [4],
        "png filters",
    )
    found = json.loads(run("info", described, "--json").output)
    assert (found["format"], found["layout"], found["byte_order"], found["nodata"]) == ("PNG", "rows", "big", 7.0)
    assert found["pixel_size"] == {axis: {"value": 0.00025, "unit": "m"} for axis in "XY"}
    assert found["levels"][0]["segment_bytes"] is None
    assert found["problems"] == [problem for problem in found["problems"] if problem.startswith("sRGB")] != []
    assert "X 0.00025 m, Y 0.00025 m" in run("info", described).output
    assert "APNG, big-endian, interlaced" in run("info", animated, "--index", "2").output


def test_tags(run: Run, described: Path) -> None:
    (directory,) = json.loads(run("tags", described, "--json").output)["directories"]
    assert (directory["role"], directory["offset"], directory["problems"]) == ("chunks", 8, [])
    tags = {tag["name"]: tag for tag in directory["tags"]}
    assert list(tags) == ["IHDR", "pHYs", "tRNS", "prVt", "tEXt", "tIME", "sRGB"]
    assert tags["IHDR"]["value"] == {"width": 11, "height": 13, "depth": 8, "color_type": 0, "interlaced": False}
    assert (tags["tRNS"]["value"], tags["tRNS"]["count"], tags["tRNS"]["number"]) == ("0007", 2, 54)
    assert tags["prVt"]["shortened"] and tags["prVt"]["value"] == "00" * 4096
    assert tags["tEXt"]["shortened"] and tags["tEXt"]["value"] == "a: " + "b" * 4093
    assert tags["tIME"]["value"] == "2024-01-02T03:04:05+00:00"
    assert tags["sRGB"]["value"] is None and "rendering intent 7" in tags["sRGB"]["problem"]
    output = run("tags", described).output
    assert output.splitlines()[0] == "chunks"
    assert "(rendering intent 7)" in output
