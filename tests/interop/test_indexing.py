"""``image[...]`` against numpy's own indexing of the same pixels, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import gigapix
from gigapix.image import indexing
from tests.fixtures_micro import ome_pyramid


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A stack with levels, a volume in voxel tiles, RGB tiles, strips, one compressed strip; each with its pixels."""
    folder = tmp_path_factory.mktemp("indexing")
    noise = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    ome_pyramid(folder / "stack.ome.tif")
    tifffile.imwrite(folder / "volume.tif", noise[:48, :64].transpose(2, 0, 1).repeat(6, 0), tile=(16, 16, 16))
    tifffile.imwrite(folder / "rgb.tif", noise, tile=(16, 32), photometric="rgb", compression="zlib")
    tifffile.imwrite(folder / "strips.tif", noise, rowsperstrip=7, photometric="rgb")
    tifffile.imwrite(folder / "one.tif", noise[..., 0], compression="zlib")
    opened = [gigapix.open(path) for path in sorted(folder.iterdir())]
    yield [(level, image.read(level=n)) for image in opened for n, level in enumerate(image.levels)]
    for image in opened:
        image.close()


@given(data=st.data(), band=st.sampled_from([1, 3000, 16 << 20]))
@settings(max_examples=60)
def test_as_numpy_does_it(images, data, band):
    level, pixels = data.draw(st.sampled_from(images))
    key = data.draw(basic_indices(pixels.shape, allow_newaxis=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexing, "BAND_BYTES", band)
        patch.setattr(indexing, "SKIP_BYTES", band)
        found = level[key]
    expected = pixels[key]
    assert np.shape(found) == np.shape(expected) and found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "key", [None, [0, 1], np.array([0]), True, 1.5, "x", (0, 0, 0, 0), (..., ...), (0, slice(None, None, 0)), 3, -4]
)
def test_what_is_no_index(images, key):
    rgb = next(level for level, pixels in images if pixels.shape == (3, 70, 90))
    with pytest.raises(gigapix.IndexingError) as caught:
        rgb[key]
    assert isinstance(caught.value, IndexError) and caught.value.path is not None


def test_iterating_ends(images):
    for level, pixels in images:
        assert len(level) == len(pixels) and all(map(np.array_equal, level, pixels))
        assert (level.ndim, level.size, level.nbytes) == (pixels.ndim, pixels.size, pixels.nbytes)


@pytest.fixture
def tiled(tmp_path):
    """64 tiles of 64 x 64 that don't get smaller by being compressed, and its pixels."""
    pixels = np.random.default_rng(1).integers(0, 60000, (512, 512), np.uint16)
    tifffile.imwrite(tmp_path / "tiled.tif", pixels, tile=(64, 64), compression="zlib")
    return tmp_path / "tiled.tif", pixels


@pytest.mark.parametrize(("key", "tiles"), [((0, 70, 70), 1), ((0, slice(64, 192), -1), 2), ((0, slice(5, 5)), 0)])
def test_reads_only_what_it_names(tiled, key, tiles):
    path, pixels = tiled
    with gigapix.open(path) as image:
        image.read((0, 0, 1, 1))  # the tables
        before = image.stats.bytes
        np.testing.assert_array_equal(image[key], pixels[None][key])
        assert image.stats.bytes - before == pytest.approx(tiles * 64 * 64 * 2, rel=0.1)


def test_rows_far_apart_leave_out_the_tiles_between(tiled, monkeypatch):
    monkeypatch.setattr(indexing, "SKIP_BYTES", 1000)
    path, pixels = tiled
    with gigapix.open(path) as image:
        np.testing.assert_array_equal(image[:, 10::200], pixels[None, 10::200])
        assert image.stats.bytes < pixels.nbytes / 2


def test_as_an_array(tiled):
    path, pixels = tiled
    with gigapix.open(path) as image:
        for whole in (np.asarray(image), np.array(image.levels[0]), np.from_dlpack(image)):
            np.testing.assert_array_equal(whole, pixels[None])
        np.testing.assert_array_equal(np.asarray(image, "f4"), pixels[None].astype("f4"))
        assert (image.ndim, image.size, image.nbytes, len(image)) == (3, pixels.size, pixels.nbytes, 1)
        with pytest.raises(ValueError, match="could share"):
            np.asarray(image, copy=False)
        with pytest.raises(ValueError, match="could share"):
            np.from_dlpack(image, copy=False)


@pytest.mark.parametrize("convert", [np.asarray, np.from_dlpack, lambda image: np.asarray(image.levels[0], "f8")])
def test_an_array_over_budget_is_refused_before_it_is_read(tiled, convert):
    path, pixels = tiled
    with gigapix.open(path, memory=pixels.nbytes - 1) as image:
        before = image.stats.bytes
        with pytest.raises(gigapix.MemoryBudgetError, match=r"takes \d{6,} bytes"):
            convert(image)
        assert image.stats.bytes == before
        np.testing.assert_array_equal(image[0, 100:200], pixels[100:200])
