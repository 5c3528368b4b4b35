from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile

from tests.cli.conftest import Run


def test_every_directory_and_tag(run: Run, cog: Path) -> None:
    found = json.loads(run("tags", cog, "--json").output)["directories"]
    with tifffile.TiffFile(cog) as tiff:
        expected = {page.offset: {tag.code: tag for tag in page.tags} for page in tiff.pages}
    assert {directory["offset"] for directory in found} == set(expected)
    assert found[0]["role"] == "level 0"
    assert {directory["role"] for directory in found} >= {"level 1", "mask of 1100 x 900"}
    for directory in found:
        tags = expected[directory["offset"]]
        assert [tag["number"] for tag in directory["tags"]] == list(tags)
        for tag in directory["tags"]:
            assert (tag["type"], tag["count"]) == (tags[tag["number"]].dtype.name, tags[tag["number"]].count)
            assert list(tag) == ["number", "name", "type", "count", "value", "shortened", "problem"]
    values = {tag["name"]: tag["value"] for tag in found[0]["tags"]}
    assert (values["ImageWidth"], values["BitsPerSample"], values["Compression"]) == (1100, [8, 8, 8], 8)


def test_planes_and_their_levels(run: Run, stack: Path) -> None:
    roles = [d["role"] for d in json.loads(run("tags", stack, "--json").output)["directories"]]
    assert len(roles) == len(set(roles)) == 24
    assert roles[:2] == ["plane 0", "plane 0, level 1"]


def test_for_people(run: Run, cog: Path, strips: Path, pages: Path) -> None:
    output = run("tags", cog).output
    assert "level 0, directory at byte" in output
    assert any(line.split()[:4] == ["256", "ImageWidth", "SHORT", "1"] for line in output.splitlines())
    assert "GDAL_NODATA" in run("tags", strips).output
    assert "72/1" in run("tags", pages).output or "1/1" in run("tags", pages).output


def test_long_arrays_are_not_read(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    tifffile.imwrite(path, np.zeros((1600, 1600), np.uint8), tile=(16, 16), description="x" * 9000)
    (directory,) = json.loads(run("tags", path, "--json").output)["directories"]
    tags = {tag["name"]: tag for tag in directory["tags"]}
    assert tags["TileOffsets"]["count"] == 10_000
    assert tags["TileOffsets"]["shortened"]
    assert len(tags["TileOffsets"]["value"]) == 16
    assert len(tags["ImageDescription"]["value"]) == 4096
    assert all(len(line) < 200 for line in run("tags", path).output.splitlines())


def test_a_value_beyond_the_end(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), software=None, extratags=[(305, "s", 0, "a long name", True)])
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags[305].offset + 8
    data[place : place + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    assert "beyond the end of the file" in run("tags", path).output
    (directory,) = json.loads(run("tags", path, "--json").output)["directories"]
    (tag,) = [tag for tag in directory["tags"] if tag["number"] == 305]
    assert tag["value"] is None
    assert "beyond the end" in tag["problem"]


def test_texts_cannot_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "escape.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), description="\x1b[2J\x07 bell\nline")
    output = run("tags", path).output
    assert "\x1b" not in output
    assert r"\x1b[2J\x07 bell\nline" in output
