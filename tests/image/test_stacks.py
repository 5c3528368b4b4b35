"""Stacks, slides and sets of files: every fixture reads as the pixels that it was made of."""

import os

import numpy as np
import pytest
import tifffile

import gigapix
from tests.fixtures_micro import MICRO, ome_set


@pytest.mark.parametrize("name", [name for name in MICRO if name != "svs_focal_planes"])
def test_fixture_reads_as_it_was_made(name, tmp_path):
    path = tmp_path / f"{name}.tif"
    expected = MICRO[name](path)
    with gigapix.open(path) as image:
        found = image.read()
        index = [n for n, axis in enumerate(image.axes) if axis == "C" and found.ndim > expected.ndim]
        tolerance = 2 if image.levels[0].spec.encoding.compression == 7 else 0
        np.testing.assert_allclose(
            found.squeeze(tuple(index)), expected.reshape(found.squeeze(tuple(index)).shape), atol=tolerance
        )


def test_levels_of_a_stack_have_its_planes(tmp_path):
    MICRO["ome_pyramid"](tmp_path / "x.ome.tif")
    with gigapix.open(tmp_path / "x.ome.tif") as image:
        assert len(image.levels) > 1
        for level, spec in enumerate(image.levels):
            whole = image.read(level=level)
            assert whole.shape == spec.shape and spec.shape[:-2] == image.shape[:-2]
            last = {axis: size - 1 for axis, size in zip(image.axes[:-2], spec.shape, strict=False) if axis != "C"}
            one = image.read(level=level, select=last, bands=0)
            np.testing.assert_array_equal(one, whole[tuple(last.get(axis, 0) for axis in image.axes[:-2])])


def test_planes_in_other_files_are_read_from_there(tmp_path):
    expected = ome_set(tmp_path)
    files = sorted(tmp_path.glob("*.tif"))
    assert len(files) > 1
    for file in files:
        with gigapix.open(file) as image:
            found = image.read()
            np.testing.assert_array_equal(found, expected.reshape(found.shape))


def test_a_missing_part_is_named_and_the_others_are_read(tmp_path):
    expected = ome_set(tmp_path)
    files = sorted(tmp_path.glob("*.tif"))
    files[-1].unlink()
    with gigapix.open(files[0]) as image:
        with pytest.raises(gigapix.MissingPartError, match=files[-1].name):
            image.read()
        found = image.read(select={"Z": 0}) if "Z" in image.axes else image.read(select={"T": 0})
        assert found.size and found.size < expected.size


def test_a_set_in_memory_misses_its_parts(tmp_path):
    ome_set(tmp_path)
    with gigapix.open(min(tmp_path.glob("*.tif")).read_bytes()) as image, pytest.raises(gigapix.MissingPartError):
        image.read()


def test_a_slide_has_pictures_beside_it(tmp_path):
    MICRO["svs"](tmp_path / "x.svs")
    with gigapix.open(tmp_path / "x.svs") as image:
        assert image.kind == "svs" and len(image.levels) > 1 and image.count > 1
        count = image.count
    names = []
    for index in range(count):
        with gigapix.open(tmp_path / "x.svs", index=index) as image:
            names.append(image.metadata.get("name"))
            assert image.read().shape == image.shape
    assert names[0] == "slide" and {"thumbnail", "label", "macro"} <= set(names)


@pytest.mark.parametrize("index", [-1, 1, 10**9])
def test_an_image_that_is_not_there(index, tmp_path):
    MICRO["ome_rgb"](tmp_path / "x.ome.tif")
    with pytest.raises(gigapix.RequestError, match="no image"):
        gigapix.open(tmp_path / "x.ome.tif", index=index)


def test_focal_planes_of_a_slide_are_images_with_levels_of_their_own(tmp_path):
    expected = MICRO["svs_focal_planes"](tmp_path / "x.svs")  # (C, Z, Y, X), as tifffile stacks them
    for focus in range(3):
        with gigapix.open(tmp_path / "x.svs", index=focus) as image:
            assert image.metadata["name"] == (f"slide, focal plane {focus}" if focus else "slide")
            assert len(image.levels) > 1
            np.testing.assert_allclose(image.read(), expected[:, focus], atol=2)


def test_bands_of_a_stack_have_their_meanings(tmp_path):
    MICRO["ome_pyramid"](tmp_path / "x.ome.tif")
    with gigapix.open(tmp_path / "x.ome.tif") as image:
        assert image.color_interpretation == ("gray",) * image.bands


def test_subifds_that_are_no_reductions_are_no_levels(tmp_path):
    path = tmp_path / "x.ome.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (3, 32, 48), np.uint8)
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(pixels, subifds=3, metadata={"axes": "ZYX"}, tile=(16, 16))
        writer.write(pixels[:, ::2, ::2], subfiletype=1, tile=(16, 16))
        writer.write(np.zeros((3, 64, 96), np.uint8), tile=(16, 16))
        writer.write(np.zeros((3, 16, 24), np.uint16), subfiletype=1, tile=(16, 16))
    with gigapix.open(path) as image:
        assert [level.shape for level in image.levels] == [(1, 3, 32, 48), (1, 3, 16, 24)]
        np.testing.assert_array_equal(image.read(level=1)[0], pixels[:, ::2, ::2])
        assert len(image.metadata["problems"]) == 2


def test_a_fault_in_another_file_names_that_file(tmp_path):
    ome_set(tmp_path)
    first, *_, last = sorted(tmp_path.glob("*.tif"))
    with tifffile.TiffFile(last) as file:
        offset = file.pages[0].dataoffsets[0]
    os.truncate(last, offset)
    with gigapix.open(first) as image, pytest.raises(gigapix.FormatError, match=last.name):
        image.read()


def test_a_set_of_more_files_than_may_be_open(tmp_path, monkeypatch):
    from gigapix.source import header_cache

    monkeypatch.setattr(header_cache, "MAX_BESIDE", 1)
    expected = ome_set(tmp_path)
    with gigapix.open(min(tmp_path.glob("*.tif"))) as image:
        for _ in range(2):
            np.testing.assert_array_equal(image.read().reshape(expected.shape), expected)
        assert len(image.cache._siblings) == 1
