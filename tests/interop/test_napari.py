"""napari's reader by npe2, which is what napari calls; without its windows."""

from __future__ import annotations

import importlib.metadata
import pickle

import dask.array as da
import npe2
import numpy as np
import pytest
import rasterio
import tifffile

import gigapix
from tests.fixtures_micro import MICRO, ome_pyramid


@pytest.fixture(scope="module")
def manager():
    """npe2's registry, which finds plugins as napari does: by the entry points of installed packages."""
    found = npe2.PluginManager.instance()
    found.discover()
    found.get_manifest("gigapix").validate_imports()
    return found


@pytest.fixture
def layers(manager, tmp_path):
    """Writes a fixture, and gives the layers that napari would show, and the image."""
    opened = []

    def read(name, write):
        path = tmp_path / name
        write(path)
        found = npe2.read([str(path)], stack=False, plugin_name="gigapix")
        opened.append(gigapix.open(path))
        return found, opened[-1]

    yield read
    for image in opened:
        image.close()


def test_the_manifest_is_in_the_package(manager):
    assert [each.name for each in importlib.metadata.entry_points(group="napari.manifest")].count("gigapix") == 1
    for name in ("x.tif", "a/b.OME.TIFF", "s.svs", "p.png", "https://host/x.zarr"):
        assert [each.plugin_name for each in manager.iter_compatible_readers(name.lower())] == ["gigapix"]
    assert not list(manager.iter_compatible_readers("x.txt"))


def test_a_pyramid_of_channels(layers):
    [(data, shown, kind)], image = layers("x.ome.tif", ome_pyramid)
    assert kind == "image" and shown["multiscale"] and all(isinstance(level, da.Array) for level in data)
    assert [level.shape for level in data] == [level.shape for level in image.levels]
    assert shown["channel_axis"] == 1 and shown["name"] == ["a", "b", "c"]
    assert shown["axis_labels"] == ("t", "z", "y", "x") and shown["scale"] == (1, 1, 1, 0.5)
    assert shown["units"] == ("pixel", "pixel", "pixel", "micrometer")
    np.testing.assert_array_equal(data[2].compute(), image.read(level=2))


def test_what_imagej_says_of_its_channels(layers):
    [(data, shown, _)], image = layers("x.tif", MICRO["imagej_hyperstack"])
    assert not shown["multiscale"] and shown["contrast_limits"] == [[0, 255]] * 3
    assert shown["colormap"] == ["#ff0000", "#00ff00", "#0000ff"]
    assert shown["scale"] == (1.5, 0.25, 0.25, 0.25)
    assert shown["units"] == ("second", "micrometer", "micrometer", "micrometer")
    np.testing.assert_array_equal(data[1, :, 3].compute(), image.read(select={"T": 1, "Z": 3}))


@pytest.mark.parametrize(("name", "levels"), [("svs", 3), ("ome_rgb", 1), ("ome_rgb_planar", 1)])
def test_rgb_is_one_layer_whose_samples_come_last(name, levels, layers):
    [(data, shown, _)], image = layers("x.svs", MICRO[name])
    data = data if levels > 1 else [data]
    assert shown["rgb"] and shown["multiscale"] == (levels > 1) and "channel_axis" not in shown
    assert len(data) == levels and len(shown["axis_labels"]) == data[0].ndim - 1
    np.testing.assert_array_equal(data[-1].compute(), np.moveaxis(image[...] if levels == 1 else image.levels[-1][...], image.axes.index("C"), -1))  # fmt: skip
    if name == "svs":
        assert shown["scale"] == (0.499, 0.499) and shown["units"] == ("micrometer", "micrometer")


def test_one_channel_has_no_axis_of_its_own(layers):
    [(data, shown, _)], image = layers("x.tif", MICRO["ome_two_images"])
    assert data.shape == image.shape[1:] and shown["name"] == "first"
    assert "channel_axis" not in shown and len(shown["axis_labels"]) == data.ndim
    np.testing.assert_array_equal(data.compute(), image.read(bands=0))


def test_an_ome_zarr(manager, tmp_path):
    ome_pyramid(tmp_path / "x.ome.tif")
    gigapix.pyramid(tmp_path / "x.ome.tif", tmp_path / "x.ome.zarr", levels=2).run()
    [(data, shown, _)] = npe2.read([str(tmp_path / "x.ome.zarr")], stack=False, plugin_name="gigapix")
    assert [level.shape[-1] for level in data] == [96, 48, 24] and shown["name"] == ["a", "b", "c"]
    assert shown["colormap"] == ["#ff0000", "#00ff00", "#0000ff"] and shown["scale"] == (1, 1, 1, 0.5)
    with gigapix.open(tmp_path / "x.ome.zarr") as image:
        np.testing.assert_array_equal(data[1].compute(), image.levels[1][...])
        windows = [each["window"] for each in image.metadata["channels"]]
        assert shown["contrast_limits"] == [[each["start"], each["end"]] for each in windows]
        sent = pickle.dumps(image.to_dask())  # a folder has no version: it is opened again all the same
        np.testing.assert_array_equal(pickle.loads(sent).compute(), image[...])


def test_bands_of_a_scene(layers):
    def write(path):
        place = {"crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)}
        with rasterio.open(path, "w", driver="GTiff", count=2, dtype="int16", height=20, width=30, **place) as file:
            file.write(np.arange(1200, dtype="i2").reshape(2, 20, 30))
            file.descriptions = ("red", "nir")
            file.update_tags(1, STATISTICS_MINIMUM=0, STATISTICS_MAXIMUM=599)
            file.update_tags(2, STATISTICS_MINIMUM=600, STATISTICS_MAXIMUM=1199)

    [(data, shown, _)], _ = layers("x.tif", write)
    assert data.shape == (2, 20, 30) and shown["channel_axis"] == 0 and shown["name"] == ["red", "nir"]
    assert shown["contrast_limits"] == [[0, 599], [600, 1199]] and "scale" not in shown


def test_what_it_does_not_read(manager, tmp_path):
    from gigapix.interop.napari import get_reader

    assert get_reader(["a.tif", "b.tif"]) is None
    (tmp_path / "x.tif").write_bytes(b"no image")
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((2, 2), "u1"))
    with pytest.raises(gigapix.FormatError):
        npe2.read([str(tmp_path / "x.tif")], stack=False, plugin_name="gigapix")
