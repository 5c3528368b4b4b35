"""What a view says of an image: arrays, chunks, places; and that those who read Zarr agree with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

import gigapix
from gigapix import RequestError, UnsupportedError
from gigapix.views.documents import documents_of
from gigapix.views.model import Array, Group, described
from tests.giants import million_tiles
from tests.pyramids.test_ome import by_ngff_zarr, by_ome_zarr_models, by_yaozarrs
from tests.views.sources import SOURCES


def view_of(path: Path, levels: object = None) -> Group:
    with gigapix.open(path) as image:
        return described(image, levels)  # type: ignore[arg-type]


def write(root: Group, folder: Path) -> Path:
    """The metadata, for those who read folders."""
    for key, document in documents_of(root).items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_text(json.dumps(document, allow_nan=False))
    return folder


def check(root: Group, folder: Path) -> None:
    """Raise what a validator raises."""
    write(root, folder)
    zarr_cm = pytest.importorskip("zarr_cm")
    for group in (node for node in root.nodes() if isinstance(node, Group)):
        at = folder / group.path
        for validator in (by_yaozarrs, by_ome_zarr_models, by_ngff_zarr):
            validator(at, "0.5")
        document = json.loads((at / "zarr.json").read_text())
        for each in document["attributes"]["zarr_conventions"]:
            getattr(zarr_cm, each["name"]).validate_group_metadata(document)
        try:
            import geozarr_toolkit
        except ImportError:  # needs Python 3.12
            continue
        found = geozarr_toolkit.validate_group(zarr.open_group(at, mode="r"))
        assert found and not any(found.values())


@pytest.mark.parametrize("levels", [None, 6])
@pytest.mark.parametrize("name", SOURCES)
def test_others_accept_it(name: str, levels: int | None, sources: Mapping[str, Path], tmp_path: Path):
    check(view_of(sources[name], levels), tmp_path)


def test_others_accept_the_corpus(pyramids: Sequence[Path], tmp_path: Path):
    assert len(pyramids) >= 20
    for n, path in enumerate(pyramids):
        check(view_of(path), tmp_path / str(n))


def test_gigapix_accepts_it(sources: Mapping[str, Path], tmp_path: Path):
    for name, path in sources.items():
        report = gigapix.validate(write(view_of(path, 6), tmp_path / f"{name}.zarr"))
        assert report.valid, report


def arrays_of(root: Group) -> dict[str, Array]:
    return {node.path: node for node in root.nodes() if isinstance(node, Array)}


def test_arrays_of_a_cog(sources: Mapping[str, Path]):
    root = view_of(sources["cog_masked"], 5)
    arrays = arrays_of(root)
    assert list(arrays) == [*map(str, range(6)), *(f"masks/{n}" for n in range(6))]
    assert [each.shape for each in arrays.values()][:6] == [
        (3, 500, 700), (3, 250, 350), (3, 125, 175), (3, 62, 87), (3, 31, 44), (3, 16, 22)
    ]  # fmt: skip
    assert [each.factor for each in arrays.values()] == 2 * [1, 1, 1, 1, 2, 4]
    assert arrays["0"].chunks == (3, 128, 128) and arrays["0"].dimension_names == ("c", "y", "x")
    assert arrays["masks/2"].shape == (125, 175) and arrays["masks/2"].dtype == np.uint8
    assert root.attributes["proj:code"] == "EPSG:32632"
    assert [channel["label"] for channel in root.attributes["ome"]["omero"]["channels"]] == ["red", "green", "blue"]


def test_places_of_a_cog(sources: Mapping[str, Path]):
    """The ratio of the shapes: all levels cover the same ground."""
    root = view_of(sources["cog_nodata"], 5)
    layout = root.attributes["multiscales"]["layout"]
    transforms = [each["spatial:transform"] for each in layout]
    shapes = [each["spatial:shape"] for each in layout]
    assert shapes[2:] == [[125, 175], [62, 87], [31, 44], [16, 22]]
    assert transforms[:2] == [[10, 0, 500000, 0, -10, 5000000], [20, 0, 500000, 0, -20, 5000000]]
    assert transforms[3] == pytest.approx([10 * 700 / 87, 0, 500000, 0, -10 * 500 / 62, 5000000])
    # Computed: twice as large whatever the shape.
    assert transforms[5] == pytest.approx([4 * 10 * 700 / 87, 0, 500000, 0, -4 * 10 * 500 / 62, 5000000])
    assert [each.get("resampling_method") for each in layout] == [None, None, None, None, "average", "average"]
    assert [each["transform"]["scale"] for each in layout[4:]] == [[1, 2, 2]] * 2
    datasets = root.attributes["ome"]["multiscales"][0]["datasets"]
    scale, shift = (
        each[name]
        for each, name in zip(datasets[1]["coordinateTransformations"], ("scale", "translation"), strict=True)
    )
    assert scale == [1, 20, 20] and shift == [0, -4999990, 500010]
    assert root.attributes["multiscales"]["gigapix"]["nodata"] == 7
    assert arrays_of(root)["0"].fill == 7


def test_a_level_that_is_no_half(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((100, 90), "u2"), subifds=1, tile=(16, 16))
        writer.write(np.zeros((33, 30), "u2"), subfiletype=1, tile=(16, 16))
    root = view_of(tmp_path / "a.tif")
    dataset = root.attributes["ome"]["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert dataset[0]["scale"] == pytest.approx([1, 100 / 33, 3])
    assert dataset[1]["translation"] == pytest.approx([0, (100 / 33 - 1) / 2, 1])


def test_an_ome_tiff(sources: Mapping[str, Path]):
    root = view_of(sources["ome_subifds"])
    image = root.attributes["ome"]["multiscales"][0]
    assert [axis["name"] for axis in image["axes"]] == ["t", "c", "z", "y", "x"]
    assert [axis.get("unit") for axis in image["axes"]][-1] == "micrometer"
    assert [each["coordinateTransformations"][0]["scale"][-1] for each in image["datasets"]] == [0.5, 1, 2]
    assert [each["label"] for each in root.attributes["ome"]["omero"]["channels"]] == ["a", "b", "c"]
    assert arrays_of(root)["0"].chunks == (1, 1, 1, 16, 16)


def test_a_slide(sources: Mapping[str, Path]):
    axes = view_of(sources["svs"]).attributes["ome"]["multiscales"][0]["axes"]
    assert axes[1:] == [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    first = view_of(sources["svs"]).attributes["ome"]["multiscales"][0]["datasets"][0]
    assert first["coordinateTransformations"][0]["scale"] == [1, 0.499, 0.499]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"rowsperstrip": 1}, 2097),  # 1000 bytes
        ({"rowsperstrip": 600}, 1800),
        ({"rowsperstrip": 20_000}, 2097),  # any rows can be read alone
        ({"rowsperstrip": 5000, "compression": "zlib"}, 5000),  # 5 MB
        ({"rowsperstrip": 20_000, "compression": "zlib"}, 2097),  # 20 MB: a giant, whose rows come one after the other
    ],
)
def test_chunks_of_strips(options: dict[str, object], rows: int, tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20_000, 1000), "u1"), **options)
    with gigapix.open(tmp_path / "a.tif") as image:
        assert described(image).arrays[0].chunks == (1, rows, 1000)
        assert described(image, segments=True).arrays[0].chunks == (1, options["rowsperstrip"], 1000)


def test_levels(tmp_path: Path):
    million_tiles(tmp_path / "a.tif", side=20)
    counts = {levels: len(view_of(tmp_path / "a.tif", levels).arrays) for levels in (None, "auto", 0, 3, 100)}
    assert counts == {None: 1, "auto": 5, 0: 1, 3: 4, 100: 14}  # 5120, and half of it down to 320, or to one
    for wrong in (-1, 1.5, True, "all"):
        with pytest.raises(RequestError, match="levels are"):
            view_of(tmp_path / "a.tif", wrong)
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((600, 600), "c8"))
    assert len(view_of(tmp_path / "c.tif").arrays) == 1
    with pytest.raises(UnsupportedError, match="complex64"):
        view_of(tmp_path / "c.tif", "auto")


@pytest.mark.parametrize(
    ("dtype", "nodata", "fill"),
    [("u1", "7", 7), ("u1", "-1", 0), ("u1", "nan", 0), ("i2", "-32768", -32768), ("f4", "nan", "NaN"),
     ("f4", "-inf", "-Infinity"), ("f4", "1.5", 1.5), ("u1", "inf", 0), ("c8", None, [0.0, 0.0]), ("f2", None, 0.0)],
)  # fmt: skip
def test_fill_values(dtype: str, nodata: str | None, fill: object, tmp_path: Path):
    tags = [] if nodata is None else [(42113, "s", 0, nodata, True)]
    tifffile.imwrite(tmp_path / "a.tif", np.ones((9, 9), dtype), extratags=tags)
    folder = write(view_of(tmp_path / "a.tif"), tmp_path / "a.zarr")
    assert json.loads((folder / "0" / "zarr.json").read_text())["fill_value"] == fill
    assert zarr.open_group(folder)["0"].dtype == np.dtype(dtype)
