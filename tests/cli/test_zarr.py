"""The commands on a Zarr group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.cli.conftest import Run


@pytest.fixture
def group(tmp_path: Path) -> Path:
    group = zarr.open_group(tmp_path / "x.zarr", mode="w")
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "meter"} for n in "yx")]
    scale: dict[str, Any] = {"type": "scale", "scale": [1, 2, 3]}
    listed = [{"path": "0", "coordinateTransformations": [scale]}]
    shown = {"channels": [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "green"}]}
    about = {"version": "0.5", "multiscales": [{"name": "it", "axes": axes, "datasets": listed}], "omero": shown}
    group.attrs.update({"ome": about, "proj:code": "EPSG:32631", "spatial:transform": [3, 0, 10, 0, -2, 20]})
    array = group.create_array("0", shape=(2, 50, 60), dtype="uint16", chunks=(1, 16, 16), shards=(2, 32, 32))
    array[...] = np.arange(6000).reshape(2, 50, 60)
    return tmp_path / "x.zarr"


def test_info(run: Run, group: Path) -> None:
    found = json.loads(run("info", group, "--json").output)
    assert (found["format"], found["byte_order"], found["layout"], found["kind"]) == (
        "Zarr v3",
        "little",
        "shards",
        "ome",
    )
    assert (found["axes"], found["shape"], found["compression"], found["name"]) == ("CYX", [2, 50, 60], "zstd", "it")
    assert found["channels"] == [{"name": "DAPI", "color": [0, 0, 255]}, {"name": "GFP", "color": None}]
    assert found["pixel_size"]["X"] == {"value": 3, "unit": "meter"}
    assert (found["crs"]["epsg"], found["bounds"]) == (32631, [10, -80, 190, 20])
    assert found["levels"][0]["segment"] == {"width": 16, "height": 16, "depth": 1}
    assert found["levels"][0]["segment_bytes"]["sparse"] == 0
    assert "Zarr v3, little-endian, shards, OME-Zarr" in run("info", group).output


def test_tags(run: Run, group: Path) -> None:
    found = json.loads(run("tags", group, "--json").output)["directories"]
    assert [each["role"] for each in found] == ["group", "level 0"]
    assert {"ome", "proj:code"} <= {tag["name"] for tag in found[0]["tags"]}
    assert "group, zarr.json" in run("tags", group).output


def test_stats_and_read(run: Run, group: Path, tmp_path: Path) -> None:
    bands = json.loads(run("stats", group, "--json").output)["bands"]
    assert [band["max"] for band in bands] == [2999, 5999]
    out = tmp_path / "out.npy"
    run("read", group, "--window", "10,20,7,5", "-o", out)
    np.testing.assert_array_equal(np.load(out), np.arange(6000).reshape(2, 50, 60)[:, 20:25, 10:17])
