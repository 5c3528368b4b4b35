from __future__ import annotations

import asyncio
import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from pyproj import CRS

import gigapix
from gigapix.errors import FormatError, GigapixError, LimitError, NotFoundError, UnsupportedError
from gigapix.pyramids.plan import pyramid
from tests.cli.conftest import Run, run  # noqa: F401  # a fixture
from tests.pyramids.groups import ON_A_MAP, made
from tests.pyramids.test_conventions import GROUPS
from tests.pyramids.test_ome import IMAGES, add_labels
from tests.remote import servers
from tests.remote.conftest import nginx  # noqa: F401  # a fixture

MAP: dict[str, Any] = {**ON_A_MAP, "about": {"crs": CRS.from_epsg(32632), "extents": {0: (3, 900), 1: (4, 90)}}}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A group of Zarr v3 with everything in it, and one of v2."""
    folder = tmp_path_factory.mktemp("good")
    groups = {3: made(folder / "3.zarr", **MAP), 2: made(folder / "2.zarr", zarr_format=2, **MAP)}
    levels = {"dims": ("y", "x"), "shape": (64, 60)}
    add_labels(made(folder / "labelled.zarr", **levels))
    return groups | {0: folder / "labelled.zarr"}


@pytest.mark.parametrize("zarr_format", [3, 2])
@pytest.mark.parametrize("image", [*IMAGES, *GROUPS])
def test_what_we_write_has_no_fault_and_no_doubt(tmp_path: Path, image: str, zarr_format: int):
    path = made(tmp_path / "a.zarr", zarr_format=zarr_format, **(IMAGES | GROUPS)[image])
    report = gigapix.validate(path, strict=True)
    assert (report.valid, report.errors, report.warnings) == (True, (), ())


def test_details(good: dict[int, Path]):
    report = gigapix.validate(good[3])
    assert report.path == str(good[3])
    assert report.details["levels"][1] == {"path": "1", "shape": [2, 51, 39], "dtype": "uint16"}
    assert report.details["conventions"] == ["multiscales", "spatial", "proj"]
    assert (report.details["ome"], report.details["zarr_format"], report.details["requests"]) == ("0.5", 3, 4)
    assert gigapix.validate(good[2]).details["ome"] == "0.4"
    assert gigapix.validate(good[0]).details["labels"] == ["cells"]


# Defects

Change = Callable[[dict[str, Any]], Any]


def changed(path: Path, to: Path, name: str, change: Change, key: str = "attributes") -> Path:
    """A copy with one metadata file changed."""
    shutil.copytree(path, to)
    file = to / name
    document = json.loads(file.read_text())
    change(document[key] if key else document)
    file.write_text(json.dumps(document))
    return to


def ome(attributes: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = attributes.get("ome", attributes)
    return found


def image(attributes: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = ome(attributes)["multiscales"][0]
    return found


def transformations(attributes: dict[str, Any], level: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = image(attributes)["datasets"][level]["coordinateTransformations"]
    return found


def swap(values: list[Any]) -> None:
    values[0], values[1] = values[1], values[0]


IN_OME: dict[str, tuple[Change, str]] = {
    # the table of research 4.6
    "translation before scale": (lambda a: transformations(a, 1).reverse(), "it must be one scale, then at most one"),
    "no scale": (lambda a: transformations(a, 1).pop(0), "it must be one scale"),
    "a bad path": (lambda a: image(a)["datasets"][1].update(path="zz1"), "there is no array 'zz1'"),
    "order of axes": (lambda a: swap(image(a)["axes"]), "the order must be time, channel"),
    "small to large": (lambda a: image(a)["datasets"].reverse(), "from largest to smallest"),
    "a color's name": (lambda a: ome(a)["omero"]["channels"][0].update(color="red"), "'red', not six hexadecimal"),
    "a window without start": (lambda a: ome(a)["omero"]["channels"][1]["window"].pop("start"), "must have the numbers"),
    # further
    "no multiscales": (lambda a: ome(a).update(multiscales=[]), "multiscales is no list of images"),
    "an image that is none": (lambda a: ome(a).update(multiscales=[7]), "multiscales[0] is no object"),
    "no axes": (lambda a: image(a).pop("axes"), "no list of two to five axes"),
    "six axes": (lambda a: image(a).update(axes=image(a)["axes"] * 2), "no list of two to five axes"),
    "an axis without a name": (lambda a: image(a)["axes"][0].pop("name"), "axes[0] has no name"),
    "a type that is none": (lambda a: image(a)["axes"][0].update(type=[1]), "axes[0].type is [1], no text"),
    "two axes of a name": (lambda a: image(a)["axes"][1].update(name="x"), "two have the same name"),
    "one space": (lambda a: image(a)["axes"][1].update(type="channel"), "1 are of type space"),
    "two channels": (lambda a: image(a)["axes"].insert(0, {"name": "k"}), "2 are of type channel"),
    "two times": (lambda a: [each.update(type="time") for each in image(a)["axes"][:2]], "2 are of type time"),
    "fewer axes": (lambda a: image(a)["axes"].pop(0), "array 0 has 3 dimensions; there are 2 axes"),
    "no datasets": (lambda a: image(a).update(datasets=[]), "datasets is no list of arrays"),
    "a path out of the group": (lambda a: image(a)["datasets"][1].update(path="../1"), "has no path of an array"),
    "an absolute path": (lambda a: image(a)["datasets"][1].update(path="/1"), "has no path of an array"),
    "a group as a level": (lambda a: image(a)["datasets"][1].update(path="."), "has no path of an array"),
    "no transformations": (lambda a: image(a)["datasets"][1].pop("coordinateTransformations"), "no list of transf"),
    "two scales": (lambda a: transformations(a, 1).append(transformations(a, 1)[0]), "it must be one scale"),
    "another type": (lambda a: transformations(a, 1)[1].update(type="affine"), "it must be one scale"),
    "a short scale": (lambda a: transformations(a, 1)[0]["scale"].pop(), "scale is no list of one number an axis"),
    "a long translation": (lambda a: transformations(a, 1)[1]["translation"].append(0), "translation is no list of"),
    "a scale of texts": (lambda a: transformations(a, 1)[0].update(scale=["1", "2", "2"]), "scale is no list of one"),
    "an infinite scale": (lambda a: transformations(a, 1)[0]["scale"].__setitem__(1, 10**400), "scale is no list of"),
    "a scale of 0": (lambda a: transformations(a, 0)[0]["scale"].__setitem__(1, 0), "is not positive"),
    "a negative scale": (lambda a: transformations(a, 1)[0]["scale"].__setitem__(1, -20), "is not positive"),
    "the scale of level 0": (lambda a: transformations(a, 1)[0].update(scale=transformations(a, 0)[0]["scale"]), "51 samples of 10 along y don't cover the 101 of 10"),
    "a shift of a sample": (lambda a: transformations(a, 1)[1]["translation"].__setitem__(2, 0), "is shifted along x by"),
    "a scale for all that is none": (lambda a: image(a).update(coordinateTransformations=[{"type": "scale"}]), "scale is no list"),
    "no channels": (lambda a: ome(a).update(omero={}), "omero has no list of channels"),
    "a channel that is none": (lambda a: ome(a)["omero"]["channels"].append(None), "omero.channels[2] is no object"),
}  # fmt: skip


@pytest.mark.parametrize("zarr_format", [3, 2])
@pytest.mark.parametrize("defect", IN_OME)
def test_faults_in_ome(good: dict[int, Path], tmp_path: Path, defect: str, zarr_format: int):
    change, message = IN_OME[defect]
    name, key = {3: ("zarr.json", "attributes"), 2: (".zattrs", "")}[zarr_format]
    report = gigapix.validate(changed(good[zarr_format], tmp_path / "a", name, change, key))
    assert not report.valid and any(message in each for each in report.errors), report


IN_CONVENTIONS: dict[str, tuple[Change, str]] = {
    "not declared": (lambda a: a["zarr_conventions"].pop(1), "zarr_conventions does not name it"),
    "no list": (lambda a: a.update(zarr_conventions={}), "zarr_conventions is no list"),
    "declared and not there": (lambda a: a.pop("multiscales"), "has multiscales, but nothing of it is there"),
    "another schema": (lambda a: a["zarr_conventions"][0].update(schema_url="https://x"), "schema_url of multiscales"),
    "no layout": (lambda a: a["multiscales"].update(layout=[]), "layout is no list of levels"),
    "a bad asset": (lambda a: a["multiscales"]["layout"][1].update(asset="../1"), "asset is no path"),
    "a missing asset": (lambda a: a["multiscales"]["layout"][1].update(asset="9"), "there is no '9'"),
    "twice": (lambda a: a["multiscales"]["layout"][1].update(asset="0"), "'0' is there twice"),
    "no transform": (lambda a: a["multiscales"]["layout"][1].pop("transform"), "has no transform"),
    "from nowhere": (lambda a: a["multiscales"]["layout"][1].update(derived_from="7"), "from '7', which is no level"),
    "in a circle": (lambda a: a["multiscales"]["layout"][1].update(derived_from="2"), "is derived in a circle"),
    "from itself": (lambda a: a["multiscales"]["layout"][1].update(derived_from="1"), "is derived in a circle"),
    "a scale that is none": (lambda a: a["multiscales"]["layout"][1]["transform"].update(scale="2"), "no list of numbers"),
    "a wrong scale": (lambda a: a["multiscales"]["layout"][1]["transform"].update(scale=[1, 3, 2]), "don't cover level 0"),
    "a negative scale": (lambda a: a["multiscales"]["layout"][1]["transform"].update(scale=[1, -2, 2]), "is not positive"),
    "an empty scale": (lambda a: a["multiscales"]["layout"][1]["transform"].update(scale=[]), "is not positive"),
    "a method that is none": (lambda a: a["multiscales"].update(resampling_method=1), "resampling_method is no text"),
    "a level elsewhere": (lambda a: a["multiscales"]["layout"][2]["spatial:transform"].__setitem__(2, 499950), "make it cover [499950"),
    "a level too large": (lambda a: a["multiscales"]["layout"][2]["spatial:transform"].__setitem__(0, 80), "make it cover [500000"),
    "five numbers": (lambda a: a["spatial:transform"].pop(), "spatial:transform is no list of six"),
    "a long bbox": (lambda a: a["spatial:bbox"].append(1), "spatial:bbox is no list of four"),
    "a wrong bbox": (lambda a: a["spatial:bbox"].__setitem__(0, 0), "transform and shape make it"),
    "an empty shape": (lambda a: a.update({"spatial:shape": [0, 5]}), "spatial:shape is no height and width"),
    "another shape": (lambda a: a["multiscales"]["layout"][1].update({"spatial:shape": [50, 39]}), "that of the array [51, 39]"),
    "no such axis": (lambda a: a.update({"spatial:dimensions": ["lat", "lon"]}), "have not all of spatial:dimensions"),
    "three axes": (lambda a: a.update({"spatial:dimensions": ["z", "y", "x"]}), "spatial:dimensions are no two names"),
    "a registration": (lambda a: a.update({"spatial:registration": "corner"}), "neither pixel nor node"),
    "no CRS": (lambda a: a.pop("proj:code"), "has proj, but nothing of it is there"),
    "a bare code": (lambda a: a.update({"proj:code": "32632"}), "no AUTHORITY:CODE"),
    "a code alone of others": (lambda a: a.update({"proj:x": 1}) or a.pop("proj:code"), "one of proj:code"),
    "a wkt that is none": (lambda a: a.update({"proj:wkt2": 1}), "proj:wkt2 is no text"),
    "a projjson that is none": (lambda a: a.update({"proj:projjson": "x"}), "proj:projjson is no object"),
}  # fmt: skip


@pytest.mark.parametrize("defect", IN_CONVENTIONS)
def test_faults_in_conventions(good: dict[int, Path], tmp_path: Path, defect: str):
    change, message = IN_CONVENTIONS[defect]
    report = gigapix.validate(changed(good[3], tmp_path / "a", "zarr.json", change))
    assert not report.valid and any(message in each for each in report.errors), report


IN_ARRAYS: dict[str, tuple[Change, str]] = {
    "other names": (lambda a: a.update(dimension_names=["c", "y1", "x1"]), "array 1: dimension_names ('c', 'y1', 'x1')"),
    "no names": (lambda a: a.pop("dimension_names"), "array 1 has no dimension_names"),
    "too few names": (lambda a: a.update(dimension_names=["y", "x"]), "dimension_names are no list of one name an axis"),
    "fewer dimensions": (lambda a: a.update(shape=[51, 39], dimension_names=["y", "x"]), "array 1 has 2 dimensions"),
    "a negative size": (lambda a: a.update(shape=[2, -51, 39]), "its shape is no list of sizes"),
    "an empty array": (lambda a: a.update(shape=[2, 0, 39]), "is empty"),
    "another size": (lambda a: a.update(shape=[2, 40, 39]), "don't cover"),
    "no type": (lambda a: a.pop("data_type"), "it has no data_type"),
    "a group": (lambda a: a.update(node_type="group"), "there is no array '1'"),
    "another format": (lambda a: a.update(zarr_format=4), "no group and no array of Zarr v3"),
}  # fmt: skip


@pytest.mark.parametrize("defect", IN_ARRAYS)
def test_faults_in_arrays(good: dict[int, Path], tmp_path: Path, defect: str):
    change, message = IN_ARRAYS[defect]
    report = gigapix.validate(changed(good[3], tmp_path / "a", "1/zarr.json", change, ""))
    assert not report.valid and any(message in each for each in report.errors), report


IN_LABELS: dict[str, tuple[str, Change, str]] = {
    "no list": ("labels", lambda a: a["ome"].pop("labels"), "the group labels has no list of labels"),
    "out of the group": ("labels", lambda a: a["ome"].update(labels=["../.."]), "has no list of labels"),
    "missing": ("labels", lambda a: a["ome"].update(labels=["nuclei"]), "labels/nuclei: there is no image"),
    "fewer levels": ("labels/cells", lambda a: image(a)["datasets"].pop(), "labels have 2 levels, the image 3"),
    "no color": ("labels/cells", lambda a: a["ome"]["image-label"]["colors"][0].update(rgba=[256, 0, 0, 0]), "rgba is [256"),
    "a label twice": ("labels/cells", lambda a: a["ome"]["image-label"]["colors"][0].update({"label-value": 2}), "two have the same label-value"),
    "a label that is none": ("labels/cells", lambda a: a["ome"]["image-label"]["colors"][0].update({"label-value": "a"}), "must have a number"),
    "no object": ("labels/cells", lambda a: a["ome"].update({"image-label": 1}), "image-label is no object"),
    "another version": ("labels/cells", lambda a: a["ome"].update(version="0.4"), "has version '0.4'"),
    "an image's fault": ("labels/cells", lambda a: transformations(a, 0).clear(), "labels/cells: multiscales[0].datasets[0]"),
}  # fmt: skip


@pytest.mark.parametrize("defect", IN_LABELS)
def test_faults_in_labels(good: dict[int, Path], tmp_path: Path, defect: str):
    name, change, message = IN_LABELS[defect]
    report = gigapix.validate(changed(good[0], tmp_path / "a", f"{name}/zarr.json", change))
    assert not report.valid and any(message in each for each in report.errors), report


def test_labels_are_integers(tmp_path: Path):
    add_labels(made(tmp_path / "a", dims=("y", "x"), shape=(64, 60)), dtype="float32")
    assert (
        "labels/cells: array 0 is of type float32; labels must be integers" in gigapix.validate(tmp_path / "a").errors
    )


DOUBTS: dict[str, tuple[Change, str]] = {
    "no translation": (lambda a: [transformations(a, n).pop() for n in range(3)], "averages of 2 lie at 0.5"),
    "a draft's schema": (lambda a: a["zarr_conventions"][0].update(schema_url=a["zarr_conventions"][0]["schema_url"].replace("v0.1", "v1")), "that of a draft"),
    "relative to level 0": (lambda a: a["multiscales"]["layout"][2]["transform"].update(scale=[1, 4, 4]), "is relative to level 0"),
    "a strange unit": (lambda a: image(a)["axes"][1].update(unit="cubit"), "unit 'cubit' is none of those"),
    "more channels": (lambda a: ome(a)["omero"]["channels"].append(ome(a)["omero"]["channels"][0]), "has 3 channels, the image 2"),
    "no method": (lambda a: image(a).pop("type"), "has no type"),
    "no name": (lambda a: image(a).pop("name"), "has no name"),
}  # fmt: skip


@pytest.mark.parametrize("doubt", DOUBTS)
def test_doubts(tmp_path: Path, doubt: str):
    change, message = DOUBTS[doubt]
    made(tmp_path / "a", **{**MAP, "scale": (1.0, 10.0, 10.0), "origin": (0.0, 0.0, 0.0)})
    path = changed(tmp_path / "a", tmp_path / "b", "zarr.json", change)
    report = gigapix.validate(path)
    assert report.valid and any(message in each for each in report.warnings), report
    assert not gigapix.validate(path, strict=True).valid


def test_another_type_is_a_doubt(good: dict[int, Path], tmp_path: Path):
    path = changed(good[3], tmp_path / "a", "1/zarr.json", lambda a: a.update(data_type="uint8"), "")
    assert "array 1 is of type uint8, the one before uint16" in gigapix.validate(path).warnings


def test_flat_chunks_are_none_of_04(good: dict[int, Path], tmp_path: Path):
    path = changed(good[2], tmp_path / "a", "1/.zarray", lambda a: a.pop("dimension_separator"), "")
    assert gigapix.validate(path).errors == ('array 1 has not the dimension separator "/"',)


@pytest.mark.parametrize("version", ["0.4", 0.5, None, "x"])
def test_a_version_that_does_not_belong(good: dict[int, Path], tmp_path: Path, version: Any):
    path = changed(good[3], tmp_path / "a", "zarr.json", lambda a: a["ome"].update(version=version))
    assert "in Zarr v3 it must be 0.5" in gigapix.validate(path).errors[0]


@pytest.mark.parametrize("version", ["0.3", "0.6rc0", "0.6"])
def test_versions_that_are_not_checked(good: dict[int, Path], tmp_path: Path, version: str):
    path = changed(good[3], tmp_path / "a", "zarr.json", lambda a: a["ome"].update(version=version))
    with pytest.raises(UnsupportedError, match=r"0\.4 and 0\.5 are"):
        gigapix.validate(path)


def test_a_plate_is_not_checked(good: dict[int, Path], tmp_path: Path):
    path = changed(good[3], tmp_path / "a", "zarr.json", lambda a: a.update(ome={"version": "0.5", "plate": {}}))
    with pytest.raises(UnsupportedError, match="it holds plate"):
        gigapix.validate(path)


def test_axes_of_no_type_and_of_a_type_of_ones_own(good: dict[int, Path], tmp_path: Path):
    for n, axis in enumerate([{"name": "c"}, {"name": "c", "type": None}, {"name": "c", "type": "angle"}]):
        path = changed(
            good[3], tmp_path / str(n), "zarr.json", lambda a, axis=axis: image(a)["axes"].__setitem__(0, axis)
        )
        assert gigapix.validate(path, strict=True).valid


def test_true_ratios_of_a_foreign_pyramid(tmp_path: Path):
    """ome-zarr-py leaves the last sample out, and says so by a scale of 2.02."""
    made(tmp_path / "a", shape=(2, 101, 77))
    for level, sizes in ((1, (50, 38)), (2, (25, 19))):
        document = json.loads((tmp_path / f"a/{level}/zarr.json").read_text())
        (tmp_path / f"a/{level}/zarr.json").write_text(json.dumps(document | {"shape": [2, *sizes]}))

    def ratios(attributes: dict[str, Any]) -> None:
        del attributes["multiscales"], attributes["zarr_conventions"]
        image(attributes)["type"] = "local_mean"
        for level, sizes in ((1, (50, 38)), (2, (25, 19))):
            steps = [101 / sizes[0], 77 / sizes[1]]
            transformations(attributes, level)[0]["scale"] = [1, *steps]
            transformations(attributes, level)[1]["translation"] = [0, *((step - 1) / 2 for step in steps)]

    report = gigapix.validate(changed(tmp_path / "a", tmp_path / "b", "zarr.json", ratios), strict=True)
    assert report.valid, report


# Hostile


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("zarr.json", b"", "zarr.json: no JSON"), ("zarr.json", b"\xff\xfe", "zarr.json: no JSON"),
        ("zarr.json", b"[" * 100_000, "zarr.json: no JSON"), ("zarr.json", b"[]", "zarr.json: no JSON object"),
        ("zarr.json", b'{"a": ' + b"9" * 5000 + b"}", "zarr.json: no JSON"),
        ("zarr.json", b"{}", "no group and no array"),
        ("zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": 3}', "attributes are no JSON object"),
        ("zarr.json", b'{"zarr_format": 3, "node_type": "group"}', "it has no multiscales"),
        ("zarr.json", b'{"zarr_format":3,"node_type":"array","shape":[1],"data_type":"int8"}', "it is an array"),
        (".zgroup", b'{"zarr_format": 3}', "zarr_format is 3, not 2"),
        (".zgroup", b'{"zarr_format": 2}', "it has no multiscales"),
        (".zarray", b'{"zarr_format": 2, "shape": [1], "dtype": "|u1"}', "it is an array"),
    ],
)  # fmt: skip
def test_broken_metadata(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    report = gigapix.validate(tmp_path)
    assert not report.valid and message in report.errors[0]


def test_not_there(tmp_path: Path):
    with pytest.raises(NotFoundError, match="there is no Zarr group"):
        gigapix.validate(tmp_path)
    with pytest.raises(NotFoundError):
        gigapix.validate(tmp_path / "missing.zarr")
    (tmp_path / "zarr.json").mkdir()
    with pytest.raises(GigapixError):
        gigapix.validate(tmp_path)


def test_metadata_that_are_too_long(good: dict[int, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gigapix.pyramids.validate.MAX_BYTES", 500)
    with pytest.raises(LimitError, match=r"zarr\.json has more than 500 bytes"):
        gigapix.validate(good[3])


def test_a_million_levels_are_not_asked_for(good: dict[int, Path], tmp_path: Path):
    def many(attributes: dict[str, Any]) -> None:
        image(attributes)["datasets"] = [{"path": f"x{n}"} for n in range(20_000)]

    report = gigapix.validate(changed(good[3], tmp_path / "a", "zarr.json", many))
    assert "it has more than 1024 arrays" in report.errors


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["0", "1", "c", "scale", "space"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "type", "name", "scale", "a"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of everything in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_ends_in_a_report(good: dict[int, Path], tmp_path: Path, data: st.DataObject):
    source = data.draw(st.sampled_from([good[3], good[2], good[0]]))
    names = [
        name
        for name in ("zarr.json", ".zattrs", "1/zarr.json", "1/.zarray", "labels/cells/zarr.json")
        if (source / name).exists()
    ]
    name = data.draw(st.sampled_from(names))
    document = json.loads((source / name).read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(document)[1:]))
        at = document
        for key in place[:-1]:
            at = at[key]
        if data.draw(st.booleans()):
            at[place[-1]] = copy.deepcopy(data.draw(ODD))
        elif isinstance(at, dict):
            del at[place[-1]]
        if not places(document)[1:]:
            break
    target = tmp_path / "a"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    (target / name).write_text(json.dumps(document))
    try:
        report = gigapix.validate(target, pixels=data.draw(st.booleans()))
    except GigapixError:
        return
    assert report.valid == (not report.errors)


# Where groups are


def test_in_a_store(good: dict[int, Path]):
    store = MemoryStore()
    for file in good[3].rglob("*"):
        if file.is_file():
            store.put(f"a/b.zarr/{file.relative_to(good[3]).as_posix()}", file.read_bytes())
            store.put(f"c/d/{file.relative_to(good[3]).as_posix()}", file.read_bytes())
    for path in ("a/b.zarr", "a/b.zarr/", "c/d", "c/d/"):
        report = gigapix.validate(path, store=store, pixels=True)
        assert report.valid and report.details["compared"] == ["1", "2"] and report.path == path
        assert asyncio.run(gigapix.validate_async(path, store=store)).valid
    for path in ("a/none.zarr", "a/none"):
        with pytest.raises(NotFoundError):
            gigapix.validate(path, store=store)
        with pytest.raises(NotFoundError):
            asyncio.run(gigapix.validate_async(path, store=store))


def test_by_a_url(good: dict[int, Path], tmp_path: Path):
    assert gigapix.validate(f"file://{good[3]}").valid
    shutil.copytree(good[3], tmp_path / "a b")
    assert gigapix.validate(f"file://{tmp_path}/a%20b", pixels=True).valid
    assert gigapix.validate(f"file://{good[3]}/", pixels=True).details["compared"] == ["1", "2"]


def test_over_http(good: dict[int, Path], nginx: servers.Nginx):  # noqa: F811
    shutil.copytree(good[3], nginx.root / "a.zarr")
    shutil.copytree(good[3], nginx.root / "b")
    nginx.lines()
    report = gigapix.validate(f"{nginx.plain}/a.zarr")
    assert report.valid
    # Four files, and three that labels could have begun with.
    assert (len(nginx.lines()), report.details["requests"]) == (7, 7)
    for name in ("a.zarr", "a.zarr/", "b/", "b"):
        report = gigapix.validate(f"{nginx.plain}/{name}", pixels=True)
        assert report.valid and report.details["compared"] == ["1", "2"]
    with pytest.raises(NotFoundError):
        gigapix.validate(f"{nginx.plain}/c.zarr")
    with pytest.raises(NotFoundError):
        gigapix.validate(f"{nginx.plain}/c.tif")


# Pixels


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "bool"])
@pytest.mark.parametrize(
    "reducer",
    ["mean", "sum", "min", "max", "count", "std", "var", "any", "all", "nearest", "mode", "median", "q0.3", "gauss"],
)
def test_what_pyramid_makes(tmp_path: Path, reducer: str, dtype: str):
    pixels = random(dtype if dtype != "bool" else "uint8", (2, 75, 61))
    if dtype == "float32":
        pixels[0, 5:9, 3:40] = np.nan
    plan = pyramid(
        pixels > 5 if dtype == "bool" else pixels, tmp_path / "a", reducers=reducer, levels=3, axes="cyx", chunks=16
    )
    plan.run()
    report = gigapix.validate(tmp_path / "a", pixels=True, strict=True)
    assert report.valid and report.details["compared"] == ["1", "2", "3"], report


METHODS = {"mean": "mean", "median": "median", "mode": "mode", "min": "min", "max": "max", "nearest": "stride"}


def by_tensorstore(pixels: np.ndarray, reducer: str, factors: tuple[int, ...]) -> np.ndarray:
    return np.asarray(ts.downsample(ts.array(pixels), list(factors), METHODS[reducer]).read().result())


def random(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    generator = np.random.default_rng(5)
    if dtype.startswith("float"):
        return generator.normal(size=shape).astype(dtype)
    return generator.integers(0, 12 if dtype == "uint8" else 60000, shape).astype(dtype)


def pyramid_of(
    dtype: str, reducer: str, *, cascade: bool, shape: tuple[int, ...] = (2, 101, 77)
) -> dict[str, np.ndarray]:
    base = random(dtype, shape)
    pixels = {"0": base}
    for level in (1, 2):
        above, factor = (pixels[str(level - 1)], 2) if cascade else (base, 2**level)
        pixels[str(level)] = by_tensorstore(above, reducer, (1, factor, factor))
    return pixels


@pytest.mark.parametrize("zarr_format", [3, 2])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
@pytest.mark.parametrize("reducer", METHODS)
def test_pixels(tmp_path: Path, reducer: str, dtype: str, zarr_format: int):
    cascade = reducer in ("median", "mode")
    pixels = pyramid_of(dtype, reducer, cascade=cascade)
    path = made(tmp_path / "a", pixels=pixels, reducers=(reducer,), dtype=dtype, zarr_format=zarr_format)
    report = gigapix.validate(path, pixels=True, strict=True)
    assert report.valid and report.details["compared"] == ["1", "2"], report
    # One sample is changed, in a corner that has part of a window.
    zarr.open_array(str(path / "2"), mode="r+")[1, 25, 19] += 1
    errors = gigapix.validate(path, pixels=True).errors
    assert errors == (f"level 2: 1 of 1040 samples are not the {reducer} of level 1; the first is at (1, 25, 19)",)


def test_a_mean_of_means_is_one_too(tmp_path: Path):
    pixels = pyramid_of("uint16", "mean", cascade=True, shape=(2, 96, 80))
    assert not np.array_equal(pixels["2"], by_tensorstore(pixels["0"], "mean", (1, 4, 4)))
    assert gigapix.validate(made(tmp_path / "a", pixels=pixels, shape=(2, 96, 80)), pixels=True).valid


def windows(pixels: np.ndarray, factor: int) -> list[list[np.ndarray]]:
    rows = range(0, pixels.shape[0], factor)
    return [[pixels[y : y + factor, x : x + factor] for x in range(0, pixels.shape[1], factor)] for y in rows]


@pytest.mark.parametrize(
    ("reducer", "function", "dtype"),
    [
        ("sum", lambda w: w.sum(), "uint64"), ("count", lambda w: w.size, "uint32"), ("std", lambda w: w.std(), "float32"),
        ("quantile(0.25)", lambda w: np.sort(w, None)[int((w.size - 1) * 0.25)], "uint16"),
    ],
)  # fmt: skip
def test_pixels_of_other_quantities(tmp_path: Path, reducer: str, function: Callable[[np.ndarray], Any], dtype: str):
    base = random("uint16", (33, 29))
    pixels = {"0": base}
    for level in (1, 2):
        above, factor = (pixels["1"], 2) if level == 2 and "quantile" in reducer else (base, 2**level)
        pixels[str(level)] = np.array([[function(w) for w in row] for row in windows(above, factor)], dtype)
    of = {"dims": ("y", "x"), "shape": (33, 29), "reducers": (reducer,), "dtypes": {reducer: dtype}}
    report = gigapix.validate(made(tmp_path / "a", pixels=pixels, **of), pixels=True)
    assert report.valid and report.details["compared"] == ["1", "2"], report
    pixels["2"][3, 3] += 1
    assert not gigapix.validate(made(tmp_path / "b", pixels=pixels, **of), pixels=True).valid


def test_pixels_of_gauss(tmp_path: Path):
    """Against scipy's correlation, inside; at the border weights are scaled up."""
    base = random("uint16", (41, 30)).astype(np.float64)
    pixels = {"0": base}
    for level in (1, 2):
        values = pixels[str(level - 1)]
        for axis in (0, 1):
            lines = np.moveaxis(values, axis, 0)
            padded = np.concatenate(
                [np.full((1, *lines.shape[1:]), np.nan), lines, np.full((3, *lines.shape[1:]), np.nan)]
            )
            count = -(-len(lines) // 2)
            taps = np.stack([padded[n : n + 2 * count : 2] for n in range(4)])
            weights = np.array([1, 3, 3, 1]).reshape(4, 1, 1) * ~np.isnan(taps)
            values = np.moveaxis((np.nan_to_num(taps) * weights).sum(0) / weights.sum(0), 0, axis)
        pixels[str(level)] = values
    of = {"dims": ("y", "x"), "shape": (41, 30), "reducers": ("gauss",), "dtype": "float64"}
    report = gigapix.validate(made(tmp_path / "a", pixels=pixels, **of), pixels=True)
    assert report.valid and report.details["compared"] == ["1", "2"], report
    pixels["1"][0, 0] += 1
    assert not gigapix.validate(made(tmp_path / "b", pixels=pixels, **of), pixels=True).valid


@pytest.mark.parametrize("dims", [("y", "x"), ("a", "b")])
def test_nodata_is_left_out(tmp_path: Path, dims: tuple[str, ...]):
    base = random("uint16", (32, 32))
    base[::3] = 7
    pixels = {"0": base}
    for level in (1, 2):
        rows = windows(base, 2**level)
        pixels[str(level)] = np.array([[w[w != 7].max(initial=0) or 7 for w in row] for row in rows], "uint16")
    of = {"dims": dims, "shape": (32, 32), "reducers": ("max",), "factors": (2, 2)}
    assert gigapix.validate(made(tmp_path / "a", pixels=pixels, about={"nodata": 7}, **of), pixels=True).valid
    base[1::3] = 60001
    base[::3] = 60002
    assert not gigapix.validate(made(tmp_path / "b", pixels=pixels, about={"nodata": 7}, **of), pixels=True).valid


def foreign(path: Path, to: Path, method: str) -> Path:
    def change(attributes: dict[str, Any]) -> None:
        del attributes["multiscales"], attributes["zarr_conventions"], image(attributes)["metadata"]
        image(attributes)["type"] = method

    return changed(path, to, "zarr.json", change)


def test_pixels_of_others(tmp_path: Path):
    pixels = pyramid_of("uint16", "mean", cascade=True, shape=(2, 96, 80))
    pixels["1"] = (pixels["0"].reshape(2, 48, 2, 40, 2).sum((2, 4)) // 4).astype("uint16")  # cut, not rounded
    path = made(tmp_path / "a", pixels=pixels, shape=(2, 96, 80))
    assert not gigapix.validate(path, pixels=True).valid
    report = gigapix.validate(foreign(path, tmp_path / "b", "mean"), pixels=True)
    assert report.valid and report.details["compared"] == ["1", "2"]
    report = gigapix.validate(foreign(path, tmp_path / "c", "gaussian"), pixels=True)
    assert report.details["compared"] == [] and "'gaussian' is no method that is known exactly" in report.warnings[-1]


def test_several_reducers(tmp_path: Path):
    base = random("uint16", (2, 101, 77))
    pixels = {"0": base} | {
        f"{r}/{n}": by_tensorstore(base, r, (1, 2**n, 2**n)) for r in ("mean", "max") for n in (1, 2)
    }
    report = gigapix.validate(made(tmp_path / "a", pixels=pixels, reducers=("mean", "max")), pixels=True)
    assert report.valid and sorted(report.details["compared"]) == ["max/1", "max/2", "mean/1", "mean/2"]
    pixels["max/2"] = pixels["mean/2"]
    report = gigapix.validate(made(tmp_path / "b", pixels=pixels, reducers=("mean", "max")), pixels=True)
    assert len(report.errors) == 1 and report.errors[0].startswith("level max/2: ")


def test_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gigapix.pyramids.check_pixels.BLOCK", 500)
    pixels = pyramid_of("uint16", "mean", cascade=False)
    path = made(tmp_path / "a", pixels=pixels)
    assert gigapix.validate(path, pixels=True).valid
    zarr.open_array(str(path / "1"), mode="r+")[0, 17, 23] += 1
    assert gigapix.validate(path, pixels=True).errors[0].endswith("the first is at (0, 17, 23)")


def test_a_layout_that_begins_with_the_coarsest(tmp_path: Path):
    pixels = pyramid_of("uint16", "mean", cascade=False)
    path = made(tmp_path / "a", pixels=pixels)

    def change(attributes: dict[str, Any]) -> None:
        del attributes["ome"]
        attributes["multiscales"]["layout"].reverse()

    report = gigapix.validate(changed(path, tmp_path / "b", "zarr.json", change), pixels=True)
    assert report.valid and report.details["compared"] == ["1", "2"], report


def test_a_broken_chunk(tmp_path: Path):
    path = made(tmp_path / "a", pixels=pyramid_of("uint16", "mean", cascade=False))
    (path / "1/c/0/0/0").write_bytes(b"nothing")
    assert gigapix.validate(path).valid
    assert any(each.startswith("array 1 can't be read: ") for each in gigapix.validate(path, pixels=True).errors)


def test_pickles_are_not_opened(tmp_path: Path):
    path = made(tmp_path / "a", zarr_format=2, pixels=pyramid_of("uint16", "mean", cascade=False))
    broken = changed(path, tmp_path / "b", "1/.zarray", lambda a: a.update(filters=[{"id": "pickle"}]), "")
    assert "array 1 has the codec pickle, which runs code" in gigapix.validate(broken, pixels=True).errors


def test_a_chunk_that_is_too_large(tmp_path: Path):
    path = made(tmp_path / "a")

    def change(document: dict[str, Any]) -> None:
        document["chunk_grid"]["configuration"]["chunk_shape"] = [1, 1 << 20, 1 << 20]

    report = gigapix.validate(changed(path, tmp_path / "b", "0/zarr.json", change, ""), pixels=True)
    assert report.details["compared"] == []
    assert any("a chunk of array 0 has 1099511627776 samples" in each for each in report.warnings)


# The command line


def test_command(run: Run, good: dict[int, Path], tmp_path: Path):  # noqa: F811
    output = run("validate", good[3], "--pixels").output
    assert "valid as OME-Zarr 0.5 and a group of the conventions multiscales, spatial, proj" in output
    assert "pixels of 2 levels were compared" in output
    assert "valid as OME-Zarr 0.4" in run("validate", good[2]).output
    broken = changed(good[3], tmp_path / "a", "zarr.json", lambda a: transformations(a, 1).reverse())
    assert "not valid as OME-Zarr 0.5" in run("validate", broken, code=4).output
    found = json.loads(run("validate", broken, "--json", code=4).output)
    assert list(found) == ["path", "valid", "errors", "warnings", "details"] and len(found["errors"]) == 1
    run("validate", tmp_path, code=1)


def test_a_file_is_one_still(tmp_path: Path):
    (tmp_path / "a.tif").write_bytes(b"nothing")
    assert gigapix.validate(tmp_path / "a.tif").errors
    assert asyncio.run(gigapix.validate_async(b"nothing")).errors
    assert asyncio.run(gigapix.validate_async(tmp_path / "a.tif")).errors
    assert issubclass(FormatError, GigapixError)
