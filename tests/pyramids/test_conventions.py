from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zarr
from pyproj import CRS

from gigapix.pyramids.conventions import bbox_of, convention_attributes, method_of
from tests.pyramids.groups import ON_A_MAP, UTM, levels_of, made

GROUPS: dict[str, dict[str, Any]] = {
    "on a map": {**ON_A_MAP, "about": {"crs": CRS.from_epsg(32632)}},
    "picked on a map": {**ON_A_MAP, "reducers": ("nearest",), "about": {"crs": CRS.from_epsg(32632)}},
    "its own CRS": {**ON_A_MAP, "about": {"crs": CRS.from_proj4("+proj=laea +lat_0=5 +lon_0=7 +ellps=GRS80")}},
    "no CRS": ON_A_MAP,
    "no map": {},
    "several reducers": {"reducers": ("mean", "max", "count", "quantile(0.3)"), "dtypes": {"count": "uint32"}},
    "six axes": {"dims": ("t", "c", "a", "z", "y", "x"), "shape": (1, 2, 3, 4, 8, 8)},
    "one axis": {"dims": ("x",), "shape": (100,)},
}


ON_MAPS = {"on a map", "picked on a map", "its own CRS"}


@pytest.mark.parametrize("group", GROUPS)
def test_zarr_cm_accepts_it(tmp_path: Path, group: str):
    zarr_cm = pytest.importorskip("zarr_cm")
    document = json.loads((made(tmp_path / "a.zarr", **GROUPS[group]) / "zarr.json").read_text())
    zarr_cm.multiscales.validate_group_metadata(document)
    for name in ("spatial", "proj"):
        declared = name in [each["name"] for each in document["attributes"]["zarr_conventions"]]
        assert declared == (group in {"spatial": ON_MAPS | {"no CRS"}, "proj": ON_MAPS}[name])
        if declared:
            getattr(zarr_cm, name).validate_group_metadata(document)


@pytest.mark.parametrize("group", GROUPS)
def test_geozarr_toolkit_accepts_it(tmp_path: Path, group: str):
    toolkit = pytest.importorskip("geozarr_toolkit", reason="geozarr-toolkit needs Python 3.12")
    found = toolkit.validate_group(zarr.open_group(str(made(tmp_path / "a.zarr", **GROUPS[group])), mode="r"))
    assert found and not any(found.values())


def test_layout():
    layout = convention_attributes(levels_of(**ON_A_MAP))["multiscales"]["layout"]
    assert layout[0] == {"asset": "0", "spatial:shape": [101, 77], "spatial:transform": list(UTM)}
    assert layout[2] == {
        "asset": "2",
        "derived_from": "1",
        "transform": {"scale": [1, 2, 2], "translation": [0, 0, 0]},
        "resampling_method": "average",
        "spatial:shape": [26, 20],
        "spatial:transform": [40, 0, 500000, 0, -40, 5000000],
    }


def test_corners_move_where_first_samples_are_picked():
    levels = levels_of(**ON_A_MAP, reducers=("nearest",), factors=(1, 3, 2))
    entry = convention_attributes(levels)["multiscales"]["layout"][2]
    assert entry["transform"] == {"scale": [1, 3, 2], "translation": [0, -1, -0.5]}
    # X_source = X_level * scale + translation is what the transforms of both levels say.
    a, _, c, _, e, f = levels[1].transform or ()
    assert entry["spatial:transform"] == [2 * a, 0, c - 0.5 * a, 0, 3 * e, f - e]


def test_several_reducers_share_level_0():
    multiscales = convention_attributes(levels_of(reducers=("max", "median")))["multiscales"]
    found = [(each["asset"], each.get("derived_from"), each.get("resampling_method")) for each in multiscales["layout"]]
    assert found == [
        ("0", None, None), ("max/1", "0", "max"), ("max/2", "max/1", "max"),
        ("median/1", "0", "med"), ("median/2", "median/1", "med"),
    ]  # fmt: skip
    assert "resampling_method" not in multiscales


def test_a_code_only_where_it_is_this_very_crs():
    assert convention_attributes(levels_of(**ON_A_MAP), crs=CRS.from_epsg(32632))["proj:code"] == "EPSG:32632"
    other = CRS.from_proj4("+proj=utm +zone=32 +ellps=GRS80")
    found = convention_attributes(levels_of(**ON_A_MAP), crs=other)
    assert "proj:code" not in found and CRS.from_json_dict(found["proj:projjson"]).equals(other)


def test_bbox_of_a_turned_image():
    assert bbox_of((0, 2, 10, -1, 0, 20), 3, 4) == (10, 16, 16, 20)
    assert convention_attributes(levels_of(**ON_A_MAP))["spatial:bbox"] == [500000, 4998990, 500770, 5000000]


@pytest.mark.parametrize(
    ("reducer", "method"),
    [("mean", "average"), ("median", "med"), ("quantile(0.25)", "q1"), ("my_function", "my_function")],
)
def test_methods(reducer: str, method: str):
    assert method_of(reducer) == method
