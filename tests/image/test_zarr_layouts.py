"""The layouts in which Zarr hierarchies hold images: which image is which, their levels, scales, place and names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

import gigapix

Attributes = dict[str, Any]


def array(
    path: Path, values: NDArray[Any], names: str | list[str] | None = None, version: int = 3, **more: Any
) -> None:
    """An array, with the names of its dimensions."""
    given: Attributes = {"dimension_names": list(names) if names is not None else None} if version == 3 else {}
    zarr.create_array(
        path, shape=values.shape, dtype=values.dtype, chunks=tuple(min(16, n) for n in values.shape), zarr_format=version,
        attributes=more, **given,
    )[...] = values  # fmt: skip


def group(path: Path, version: int = 3, **attributes: Any) -> None:
    """The documents of a group."""
    path.mkdir(parents=True, exist_ok=True)
    if version == 3:
        about = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (path / "zarr.json").write_text(json.dumps(about))
        return
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / ".zattrs").write_text(json.dumps(attributes))


def grey(height: int, width: int, start: int = 0) -> NDArray[np.uint16]:
    return (np.arange(height * width, dtype=np.uint16) + start).reshape(height, width)


def multiscale(count: int, name: str = "it", factor: float = 2.0, **more: Any) -> Attributes:
    """An entry of OME-Zarr: y and x in micrometers, level 0 of 0.5."""
    scales = [[0.5 * factor**n] * 2 for n in range(count)]
    return {
        "name": name,
        "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
        "datasets": [
            {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
            for n, scale in enumerate(scales)
        ],
        **more,
    }


def levels(path: Path, shapes: list[tuple[int, int]], version: int = 3, start: int = 0) -> list[NDArray[np.uint16]]:
    found = [grey(*shape, start) for shape in shapes]
    for n, values in enumerate(found):
        array(path / str(n), values, "yx", version)
    return found


SHAPES = [(33, 41), (17, 21), (9, 11)]


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr(tmp_path: Path, version: int) -> None:
    listed = [multiscale(3, "first"), multiscale(1, "second")]
    shown = {"channels": [{"label": "DAPI", "color": "0000FF", "window": {"min": 0, "max": 9, "start": 0, "end": 9}}]}
    about: Attributes = {"multiscales": listed, "omero": shown}
    group(tmp_path, version, **({"ome": {"version": "0.5", **about}} if version == 3 else about))
    expected = levels(tmp_path, SHAPES, version)
    with gigapix.open(tmp_path) as image:
        assert (image.kind, image.count, image.spec.name) == ("ome", 2, "first")
        for n, values in enumerate(expected):
            np.testing.assert_array_equal(image.read(level=n, bands=0), values)
        assert [level.scale for level in image.levels] == [(1, 1), (2, 2), (4, 4)]
        assert image.metadata["pixel_size"] == {"Y": (0.5, "micrometer"), "X": (0.5, "micrometer")}
        assert image.metadata["channels"][0]["label"] == "DAPI"
        assert image.transform.is_identity
        assert image.crs is None
        np.testing.assert_array_equal(image.read(shape=(9, 11), bands=0), expected[2])
    with gigapix.open(tmp_path, index=1) as image:
        assert (image.spec.name, len(image.levels)) == ("second", 1)
    with pytest.raises(gigapix.RequestError, match="no image 2 in a Zarr group of 2"):
        gigapix.open(tmp_path, index=2)


def test_a_scale_that_can_not_be_gives_way_to_the_shapes(tmp_path: Path) -> None:
    group(tmp_path, ome={"version": "0.5", "multiscales": [multiscale(3, factor=3)]})
    levels(tmp_path, SHAPES)
    with gigapix.open(tmp_path) as image:
        assert image.levels[1].scale == (33 / 17, 41 / 21)
        assert len(image.metadata["problems"]) == 2


def test_axes_without_names_and_names_without_axes(tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint8).reshape(2, 3, 4, 5, 6)
    group(tmp_path / "old", 2, multiscales=[{"version": "0.1", "datasets": [{"path": "0"}]}])
    array(tmp_path / "old/0", values, version=2)
    with gigapix.open(tmp_path / "old") as image:
        assert image.axes == "TCZYX"
        np.testing.assert_array_equal(image.read(select={"T": 1, "Z": 3}, bands=2), values[1, 2, 3])
    array(tmp_path / "more", values, ["angle", "run", "wavelength", "lat", "lon"])
    with gigapix.open(tmp_path / "more") as image:
        assert image.axes == "ARCYX"
        np.testing.assert_array_equal(image.read(select={"A": slice(0, 2), "R": 2}), values[:, 2])


def test_labels(tmp_path: Path) -> None:
    group(tmp_path, ome={"version": "0.5", "multiscales": [multiscale(1)]})
    levels(tmp_path, SHAPES[:1])
    group(tmp_path / "labels", ome={"version": "0.5", "labels": ["cells", "../../secret"]})
    colors = [{"label-value": 1, "rgba": [255, 0, 0, 255]}, {"label-value": "x"}]
    about = {"version": "0.5", "multiscales": [multiscale(1, "cells")], "image-label": {"colors": colors}}
    group(tmp_path / "labels/cells", ome=about)
    expected = levels(tmp_path / "labels/cells", SHAPES[:1], start=7)
    with gigapix.open(tmp_path, index=1) as image:
        assert (image.kind, image.count, image.colormap) == ("label", 2, {1: (255, 0, 0, 255)})
        np.testing.assert_array_equal(image.read(bands=0), expected[0])
    with gigapix.open(tmp_path / "labels") as image:
        assert image.kind == "label"


def test_bioformats2raw_and_plates(tmp_path: Path) -> None:
    group(tmp_path / "raw", 2, **{"bioformats2raw.layout": 3})
    plate = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    group(tmp_path / "plate", 2, plate=plate)
    for n in range(2):
        group(tmp_path / f"raw/{n}", 2, multiscales=[multiscale(1, f"series {n}")])
        levels(tmp_path / f"raw/{n}", SHAPES[:1], 2)
    for well in ("A/1", "B/2"):
        group(tmp_path / "plate" / well, 2, well={"images": [{"path": "0"}, {"path": "1"}]})
        for field in "01":
            group(tmp_path / "plate" / well / field, 2, multiscales=[multiscale(1, f"{well}/{field}")])
            levels(tmp_path / "plate" / well / field, SHAPES[:1], 2)
    with gigapix.open(tmp_path / "raw", index=1) as image:
        assert (image.spec.name, image.count) == ("series 1", 2)
    with gigapix.open(tmp_path / "plate", index=2) as image:
        assert (image.spec.name, image.count) == ("B/2/0", 4)
    with gigapix.open(tmp_path / "plate/A/1", index=1) as image:
        assert image.spec.name == "A/1/1"


PLACE = [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0]


def layout(keys: tuple[str, str] = ("asset", "derived_from"), *, nested: bool = True) -> list[Attributes]:
    """Three levels, each half of the one before."""
    asset, parent = keys
    found: list[Attributes] = [{asset: "0"}]
    for n in (1, 2):
        scale: Attributes = {"scale": [2.0, 2.0], "translation": [0.0, 0.0]}
        found.append({asset: str(n), parent: str(n - 1), **({"transform": scale} if nested else scale)})
    return found


@pytest.mark.parametrize(
    "entries", [layout(), layout(("group", "from_group"), nested=False)], ids=["version 0.1", "a draft"]
)
@pytest.mark.parametrize("version", [2, 3])
def test_the_convention_multiscales(tmp_path: Path, entries: list[Attributes], version: int) -> None:
    more: Attributes = {"proj:code": "EPSG:32632", "spatial:transform": PLACE, "spatial:dimensions": ["y", "x"]}
    group(tmp_path, version, multiscales={"layout": entries}, **more)
    expected = levels(tmp_path, SHAPES, version)
    with gigapix.open(tmp_path) as image:
        assert (image.kind, image.count, image.epsg) == ("multiscales", 1, 32632)
        assert image.bounds == (500_000, 5_000_000 - 330, 500_410, 5_000_000)
        assert [level.scale for level in image.levels] == [(1, 1), (2, 2), (4, 4)]
        assert image.levels[2].transform.a == 40
        for n, values in enumerate(expected):
            np.testing.assert_array_equal(image.read(level=n, bands=0), values)
        part = image.read(bounds=(500_000, 5_000_000 - 160, 500_080, 5_000_000), level=1, bands=0)
        np.testing.assert_array_equal(part, expected[1][:8, :4])
        assert image.crs is not None
        assert image.crs.is_projected


def test_one_level_0_and_two_ways_to_make_it_smaller(tmp_path: Path) -> None:
    entries = [{"asset": "0"}]
    for way, at in (("average", "1"), ("max", "2")):
        transform = {"scale": [2.0, 2.0]}
        entries.append({"asset": at, "derived_from": "0", "transform": transform, "resampling_method": way})  # type: ignore[dict-item]
    group(tmp_path, multiscales={"layout": entries})
    levels(tmp_path, [SHAPES[0], SHAPES[1], SHAPES[1]])
    with gigapix.open(tmp_path, index=1) as image:
        assert (image.spec.name, image.count, len(image.levels)) == ("(max)", 2, 2)
        assert image.spec.arrays[1].node.path == "2"


@pytest.mark.parametrize("ways", [("average", "nearest"), ("average", "average")], ids=["a chain", "a star"])
def test_levels_are_one_image_however_they_are_derived(tmp_path: Path, ways: tuple[str, str]) -> None:
    entries = layout()
    if ways[0] == ways[1]:
        entries[2] |= {"derived_from": "0", "transform": {"scale": [4.0, 4.0]}}
    for entry, way in zip(entries[1:], ways, strict=True):
        entry["resampling_method"] = way
    group(tmp_path, multiscales={"layout": entries})
    levels(tmp_path, SHAPES)
    with gigapix.open(tmp_path) as image:
        assert (image.count, [level.scale[0] for level in image.levels]) == (1, [1, 2, 4])


def variables(path: Path, side: int, version: int = 3) -> NDArray[Any]:
    """Two variables of a time, y and x, with their coordinates, as xarray writes them."""
    values = np.arange(2 * side * side, dtype=np.float32).reshape(2, side, side)
    step = 64 / side
    for name in ("rain", "wind"):
        array(path / name, values, ["time", "y", "x"], version, _ARRAY_DIMENSIONS=["time", "y", "x"], _FillValue=-1.0)
    array(path / "y", 100 - step / 2 - step * np.arange(side), "y", version, _ARRAY_DIMENSIONS=["y"])
    array(path / "x", 10 + step / 2 + step * np.arange(side), "x", version, _ARRAY_DIMENSIONS=["x"])
    array(path / "spatial_ref", np.zeros(1, np.int64), None, version, crs_wkt="EPSG:3857")
    return values


def test_ndpyramid(tmp_path: Path) -> None:
    datasets = [{"path": str(n), "level": n, "crs": "EPSG:3857"} for n in (0, 1)]
    group(tmp_path, 2, multiscales=[{"datasets": datasets, "type": "reduce"}])
    for n, side in enumerate((16, 32)):  # its level 0 is the coarsest
        group(tmp_path / str(n), 2)
        values = variables(tmp_path / str(n), side, 2)
    with gigapix.open(tmp_path, index=1) as image:
        assert (image.kind, image.spec.name, image.count) == ("ndpyramid", "wind", 2)
        assert [level.width for level in image.levels] == [32, 16]
        np.testing.assert_array_equal(image.read(bands=0), values)
        assert image.nodata == -1
        assert image.epsg == 3857
        assert image.bounds == pytest.approx((10, 36, 74, 100))


def test_xcube_levels(tmp_path: Path) -> None:
    folder = tmp_path / "it.levels"
    for n, side in enumerate((32, 16)):
        group(folder / f"{n}.zarr", 2)
        values = variables(folder / f"{n}.zarr", side, 2)
    with gigapix.open(folder) as image:
        assert (image.kind, image.spec.name, len(image.levels), image.count) == ("levels", "rain", 2, 2)
        np.testing.assert_array_equal(image.read(level=1, bands=0), values)
        assert image.levels[1].scale == (2, 2)
    (folder / ".zlevels").write_text('{"version": "1.0", "num_levels": 1}')
    with gigapix.open(folder) as image:
        assert len(image.levels) == 1


def test_plain_groups(tmp_path: Path) -> None:
    group(tmp_path)
    variables(tmp_path, 16)
    group(tmp_path / "deeper")
    array(tmp_path / "deeper/other", grey(5, 6))
    with gigapix.open(tmp_path) as image:
        assert (image.kind, image.count, image.spec.name) == ("array", 3, "rain")
    with gigapix.open(tmp_path, index=2) as image:
        np.testing.assert_array_equal(image.read(bands=0), grey(5, 6))
        assert image.nodata is None


def test_a_grid_mapping(tmp_path: Path) -> None:
    group(tmp_path)
    array(tmp_path / "dem", grey(8, 9), "yx", grid_mapping="crs")
    array(tmp_path / "crs", np.zeros(1, np.int64), None, spatial_ref="EPSG:32633", GeoTransform="100 2 0 500 0 -2")
    with gigapix.open(tmp_path) as image:
        assert (image.epsg, image.bounds) == (32633, (100, 484, 118, 500))


def test_consolidated_metadata_of_both_versions(tmp_path: Path) -> None:
    for version in (2, 3):
        path = tmp_path / f"v{version}"
        group(path, version)
        variables(path, 16, version)
        zarr.consolidate_metadata(str(path))
        with gigapix.open(path) as image:
            assert image.count == 2
            assert image.stats.requests == (1 if version == 3 else 5)


@pytest.mark.parametrize("path", ["../../etc", "/etc", "a//b", ".", "a/../..", "a\\b", 5, None])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: Any) -> None:
    group(tmp_path, ome={"version": "0.5", "multiscales": [{"datasets": [{"path": path}]}]})
    with pytest.raises(gigapix.FormatError, match="no path to a level"):
        gigapix.open(tmp_path)


def test_our_own_pyramids(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 999, (2, 70, 90)).astype(np.uint16)
    for version in (2, 3):
        target = tmp_path / f"v{version}.ome.zarr"
        gigapix.pyramid(values, target, axes="cyx", zarr_format=version, reducers=["mean", "max"], chunks=16).run()
        with gigapix.open(target) as image:
            np.testing.assert_array_equal(image.read(), values)
            assert [level.scale for level in image.levels] == [(2.0**n, 2.0**n) for n in range(len(image.levels))]
            again = gigapix.pyramid(image, tmp_path / f"again{version}.zarr", chunks=16)
            again.run()
        with gigapix.open(tmp_path / f"again{version}.zarr") as image:
            np.testing.assert_array_equal(image.read(), values)
