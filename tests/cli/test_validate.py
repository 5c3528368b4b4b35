from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_a_valid_file(run: Run, cog: Path) -> None:
    found = json.loads(run("validate", cog, "--json").output)
    assert list(found) == ["path", "valid", "errors", "warnings", "details"]
    assert (found["path"], found["valid"], found["errors"], found["warnings"]) == (str(cog), True, [], [])
    assert found["details"]["ghost"]["block_order"] == "ROW_MAJOR"
    assert found["details"]["segments_checked"] < found["details"]["segments"]
    full = json.loads(run("validate", cog, "--full", "--json").output)
    assert full["details"]["segments_checked"] == full["details"]["segments"]


def test_exit_code_4_where_it_is_not_valid(run: Run, pages: Path, cog: Path, tmp_path: Path) -> None:
    found = json.loads(run("validate", pages, "--json").output)
    assert found["valid"]  # a small image needs nothing
    path = tmp_path / "broken.tif"
    path.write_bytes(cog.read_bytes()[:100])
    result = run("validate", path, code=4)
    assert "not valid as a Cloud Optimized GeoTIFF" in result.output
    assert "error: " in result.output


def test_strict(run: Run, tmp_path: Path) -> None:
    import numpy as np
    import tifffile

    path = tmp_path / "no_overviews.tif"
    tifffile.imwrite(path, np.zeros((600, 600), np.uint8), tile=(256, 256), metadata=None)
    assert "warning: the image is larger than 512 pixels and has no overviews" in run("validate", path).output
    run("validate", path, "--strict", code=4)


def test_a_missing_file_is_a_failure_and_no_verdict(run: Run, tmp_path: Path) -> None:
    run("validate", tmp_path / "missing.tif", code=1)
