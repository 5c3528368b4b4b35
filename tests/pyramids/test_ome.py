from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from pyproj import CRS

from gigapix.pyramids.metadata import group_attributes
from gigapix.pyramids.ome import image_label, is_ome, labels_attributes, ome_attributes, omero, unit_of
from tests.pyramids.groups import MICROMETERS, ON_A_MAP, levels_of, made, write

EXTENTS = {0: (3, 900), 1: (4, 90)}


def by_yaozarrs(path: Path, version: str) -> None:
    pytest.importorskip("yaozarrs").validate_zarr_store(str(path))


def by_ome_zarr_models(path: Path, version: str) -> None:
    models = pytest.importorskip("ome_zarr_models")
    group = zarr.open_group(str(path), mode="r")
    if version == "0.4":  # 1.6 left it half defined
        from ome_zarr_models.v04.image import Image
        from pydantic_zarr.v2 import ArraySpec

        Image.model_rebuild(_types_namespace={"ArraySpec": ArraySpec})
        Image.from_zarr(group)
    else:
        models.open_ome_zarr(group, version=version)


def by_ngff_zarr(path: Path, version: str) -> None:
    pytest.importorskip("ngff_zarr").from_ngff_zarr(str(path), validate=True, version=version)


VALIDATORS = [by_yaozarrs, by_ome_zarr_models, by_ngff_zarr]
IMAGES: dict[str, dict[str, Any]] = {
    "on a map": {**ON_A_MAP, "about": {"crs": CRS.from_epsg(32632), "extents": EXTENTS, "units": (None, "metre", "metre")}},
    "micrometers": {**MICROMETERS, "about": {"extents": EXTENTS, "units": (None, "µm", "µm"), "name": "cells"}},
    "several reducers": {"reducers": ("mean", "max", "count"), "dtypes": {"count": "uint32"}},
    "picked": {"reducers": ("nearest",), "dims": ("t", "z", "y", "x"), "shape": (2, 3, 50, 40)},
    "every axis": {"dims": ("t", "c", "z", "y", "x"), "shape": (2, 3, 5, 50, 40), "factors": (1, 1, 2, 2, 2), "about": {"extents": EXTENTS}},
    "one level": {"count": 1},
    "floats": {"dtype": "float32", "dims": ("y", "x"), "shape": (64, 60), "about": {"extents": {0: (-1.5, 2.5)}, "nodata": -9999.0}},
    "labels' pixels": {"reducers": ("mode",), "dtype": "int32", "dims": ("y", "x"), "shape": (64, 60)},
}  # fmt: skip


@pytest.mark.parametrize("validator", VALIDATORS)
@pytest.mark.parametrize("zarr_format", [3, 2])
@pytest.mark.parametrize("image", IMAGES)
def test_others_accept_it(tmp_path: Path, image: str, zarr_format: int, validator: Callable[[Path, str], None]):
    path = made(tmp_path / "a.zarr", zarr_format=zarr_format, **IMAGES[image])
    validator(path, {3: "0.5", 2: "0.4"}[zarr_format])


@pytest.mark.parametrize("validator", VALIDATORS)
def test_others_accept_labels(tmp_path: Path, validator: Callable[[Path, str], None]):
    path = made(tmp_path / "a.zarr", dims=("y", "x"), shape=(64, 60))
    add_labels(path)
    validator(path, "0.5")
    validator(path / "labels" / "cells", "0.5")


def add_labels(path: Path, *, dtype: str = "uint32", count: int = 3, **more: Any) -> None:
    levels = levels_of(dims=("y", "x"), shape=(64, 60), reducers=("mode",), dtype=dtype, count=count)
    attributes = group_attributes(levels)
    attributes["ome"] |= image_label(colors={1: (255, 0, 0, 255), 2: (0, 0, 0, 0)}, properties={1: {"class": "a"}})
    attributes["ome"] |= more
    zarr.open_group(str(path / "labels"), mode="w", zarr_format=3).attrs.update(labels_attributes(["cells"]))
    write(path / "labels" / "cells", levels, attributes)


def test_labels_of_04_carry_their_version():
    assert image_label(version="0.4") == {"image-label": {"version": "0.4", "source": {"image": "../../"}}}
    assert labels_attributes(["a"], version="0.4") == {"labels": ["a"]}


@pytest.mark.parametrize(
    ("dims", "can"),
    [
        ("yx", True), ("zyx", True), ("cyx", True), ("tczyx", True), ("tyx", True), ("zx", True),
        ("xy", False), ("ctyx", False), ("cx", False), ("x", False), ("byx", False), ("tbczyx", False),
    ],
)  # fmt: skip
def test_axes_that_ome_has_a_place_for(dims: str, can: bool):
    assert is_ome(tuple(dims)) == can


@pytest.mark.parametrize(
    ("given", "name"),
    [("µm", "micrometer"), ("μm", "micrometer"), ("metre", "meter"), ("Å", "angstrom"), ("nm", "nanometer"),
     ("degree", None), ("pixel", None), ("", None), (None, None), ("Millimeter", "millimeter"), ("h", "hour")],
)  # fmt: skip
def test_units(given: str | None, name: str | None):
    assert unit_of(given) == name


def test_a_unit_belongs_to_its_kind_of_axis():
    image = ome_attributes(levels_of(dims=("t", "y", "x")), units=("µm", "s", "µm"))["ome"]["multiscales"][0]
    assert [axis.get("unit") for axis in image["axes"]] == [None, None, "micrometer"]


def transformations(attributes: dict[str, Any], image: int = 0) -> list[tuple[list[float], list[float]]]:
    datasets = attributes["ome"]["multiscales"][image]["datasets"]
    return [(each[0]["scale"], each[1]["translation"]) for each in (d["coordinateTransformations"] for d in datasets)]


def test_scales_and_half_pixels():
    found = transformations(ome_attributes(levels_of(**MICROMETERS)))
    assert found == [
        ([1, 0.5, 0.25], [0, 0, 0]), ([1, 1, 0.5], [0, 0.25, 0.125]), ([1, 2, 1], [0, 0.75, 0.375]),
    ]  # fmt: skip
    found = transformations(ome_attributes(levels_of(**MICROMETERS, reducers=("nearest",))))
    assert [translation for _, translation in found] == [[0, 0, 0]] * 3


def test_an_axis_that_falls_is_counted_backwards():
    found = transformations(ome_attributes(levels_of(**ON_A_MAP)))
    assert found[1] == ([1, 20, 20], [0, -4999990, 500010])


def test_each_reducer_is_an_image_and_other_quantities_are_none():
    levels = levels_of(reducers=("mean", "max", "count"), dtypes={"count": "uint32"})
    images = group_attributes(levels, name="a")["ome"]["multiscales"]
    assert [(each["name"], each["type"]) for each in images] == [("a (mean)", "mean"), ("a (max)", "max")]
    assert [each["path"] for each in images[1]["datasets"]] == ["0", "max/1", "max/2"]
    alone = group_attributes(levels_of(reducers=("count",), dtypes={"count": "uint32"}))["ome"]["multiscales"]
    assert [[each["path"] for each in image["datasets"]] for image in alone] == [["0"]]


def test_how_it_was_made():
    image = group_attributes(levels_of(), nodata=7)["ome"]["multiscales"][0]
    assert image["metadata"]["kwargs"] == {"reducers": "mean", "nodata": 7}
    assert image["metadata"]["method"] == "gigapix.pyramid"
    json.dumps(group_attributes(levels_of(dtype="float32"), nodata=float("nan")), allow_nan=False)


def test_channels():
    level = levels_of(dtype="uint16", shape=(3, 8, 8))[0]
    shown = omero(
        level,
        [{"label": "DAPI", "color": (0, 0, 255, 255)}, {"label": None, "color": "00ff00"}],
        {0: (5, 90), 2: (7, 7)},
    )
    assert [each["label"] for each in shown["channels"]] == ["DAPI", "1", "2"]
    assert [each["color"] for each in shown["channels"]] == ["0000FF", "00ff00", "0000FF"]
    assert [each["window"] for each in shown["channels"]] == [
        {"min": 0, "max": 65535, "start": 5, "end": 90},
        {"min": 0, "max": 65535, "start": 0, "end": 65535},  # not known
        {"min": 0, "max": 65535, "start": 0, "end": 65535},  # a window of nothing
    ]  # fmt: skip
    assert shown["rdefs"]["model"] == "color"


def test_a_photograph_is_shown_as_it_is():
    level = levels_of(dtype="uint8", shape=(4, 8, 8))[0]
    colors = [{"label": name, "color": None} for name in ("red", "green", "blue", "alpha")]
    shown = omero(level, colors, dict.fromkeys(range(4), (10, 20)))["channels"]
    assert [each["window"]["end"] for each in shown] == [255] * 4
    assert [each["active"] for each in shown] == [True, True, True, False]


@pytest.mark.parametrize("extent", [(np.nan, np.nan), (-np.inf, 3.0), (2.0, 2.0)])
def test_windows_of_floats_are_finite(extent: tuple[float, float]):
    shown = omero(levels_of(dtype="float32", shape=(8, 8), dims=("y", "x"))[0], [], {0: extent})
    window = json.loads(json.dumps(shown, allow_nan=False))["channels"][0]["window"]
    assert window["min"] <= window["start"] < window["end"] <= window["max"]


def test_04_leaves_no_room_for_the_conventions():
    attributes = group_attributes(levels_of(**ON_A_MAP), version="0.4")
    assert set(attributes) == {"multiscales"}
    assert attributes["multiscales"][0]["version"] == "0.4"


def test_other_axes_have_the_conventions_alone():
    for version in ("0.4", "0.5"):
        attributes = group_attributes(levels_of(dims=("a", "b", "y", "x"), shape=(2, 2, 8, 8)), version=version)  # type: ignore[arg-type]
        assert set(attributes) == {"zarr_conventions", "multiscales"}


def test_windows_of_booleans_are_numbers():
    shown = omero(levels_of(dtype="bool", shape=(8, 8), dims=("y", "x"))[0], [], {0: (False, True)})
    assert json.dumps(shown["channels"][0]["window"]) == '{"min": 0, "max": 1, "start": 0, "end": 1}'
