from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_json_of_the_images_own_grid(run: Run, cog: Path) -> None:
    found = json.loads(run("create-tms", cog).output)
    assert found["crs"] == "http://www.opengis.net/def/crs/EPSG/0/32631"
    assert [matrix["id"] for matrix in found["tileMatrices"]] == ["0", "1", "2", "3"]
    assert found["tileMatrices"][-1]["cellSize"] == 10
    assert json.loads(run("create-tms", cog).output)["id"] != found["id"]
    named = json.loads(run("create-tms", cog, "--id", "mine", "--title", "Mine").output)
    assert (named["id"], named["title"]) == ("mine", "Mine")


def test_no_grid_is_one_line(run: Run, strips: Path) -> None:
    result = run("create-tms", strips, code=1)
    assert result.output.count("\n") == 1
    assert "needs a CRS" in result.output
