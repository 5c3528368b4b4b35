"""``gigapix virtual``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

import gigapix
from gigapix.cli import virtual
from tests.cli.conftest import Run
from tests.views.references_readers import kerchunk_json


def test_the_tree(run: Run, cog: Path) -> None:
    lines = run("virtual", cog).output.splitlines()
    assert lines[0] == f"{cog}: 8 arrays"
    assert lines[1] == "  0  3 x 900 x 1100 uint8, chunks of 3 x 256 x 256: gigapix.tiff (deflate)"
    assert lines[-1].startswith("  masks/3  112 x 137 uint8")
    found = json.loads(run("virtual", cog, "--json").output)["arrays"]
    assert [each["path"] for each in found] == ["0", "1", "2", "3", "masks/0", "masks/1", "masks/2", "masks/3"]
    assert found[1]["shape"] == [3, 450, 550] and found[1]["codecs"] == ["gigapix.tiff"] and found[1]["fault"] is None


def test_references(run: Run, cog: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.json"
    assert f"{out}: 8 arrays, 5" in run("virtual", cog, out).output
    with gigapix.open(cog) as image:
        np.testing.assert_array_equal(kerchunk_json(out)["1"][...], image.read(level=1))
    assert "exists" in run("virtual", cog, out, code=1).output
    told = json.loads(run("virtual", cog, tmp_path / "o", "--format", "icechunk", "--json").output)
    assert told["format"] == "icechunk" and f"file://{cog.parent}".startswith(told["container"].rstrip("/"))
    run("virtual", cog, out, "--overwrite", "--url", "s3://bucket/cog.tif")
    assert '["s3://bucket/cog.tif", ' in out.read_text()
    assert "format" in run("virtual", cog, tmp_path / "o.txt", code=1).output
    run("virtual", cog, out, "--format", "zip", code=2)


def test_a_large_chunk_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), rowsperstrip=64, compression="zlib")
    monkeypatch.setattr(virtual, "LARGE_CHUNK", 4000)
    assert "a chunk has 4.0 KiB" in run("virtual", path).stderr


def test_what_can_not_be_referenced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), compression="zlib")
    data = bytearray(path.read_bytes())
    at = data.index(b"\x03\x01\x03\x00\x01\x00\x00\x00\x08\x00")
    data[at + 8 : at + 10] = (34676).to_bytes(2, "little")  # SGILog
    path.write_bytes(data)
    assert "compression 34676 (SGILog) is not supported" in run("virtual", path).output
    failed = run("virtual", path, tmp_path / "o.json", code=1).output
    assert "can't be written as references: array 0: compression 34676" in failed
