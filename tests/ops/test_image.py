"""Statistics of an open image: its blocks, further axes and mask."""

import tracemalloc

import numpy as np
import tifffile

import gigapix
from gigapix.image.blocks import block_selections
from gigapix.ops.image import image_statistics
from tests.fixtures_micro import MICRO


def test_a_stack_is_measured_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("gigapix.ops.image.BLOCK_BYTES", 1 << 20)
    pixels = np.random.default_rng(0).integers(0, 65535, (200, 256, 256), np.uint16)
    path = tmp_path / "x.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "ZYX"}, compression="zlib", rowsperstrip=256)
    done = []
    with gigapix.open(path, threads=1) as image:
        image_statistics(image)  # what is imported and made once
        tracemalloc.start()
        try:
            (band,) = image_statistics(image, advance=done.append)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (band.min, band.max, band.valid) == (int(pixels.min()), int(pixels.max()), pixels.size)
    assert band.sum == int(pixels.sum(dtype=np.int64)) and sum(done) == pixels.size
    assert peak < pixels.nbytes / 3


def test_parts_of_a_stack_cover_it_once_whatever_their_size(tmp_path):
    for name in ("ome_pyramid", "imagej_hyperstack", "ome_rgb"):
        MICRO[name](tmp_path / "x.tif")
        with gigapix.open(tmp_path / "x.tif") as image:
            whole, front = image.read(), image.axes[:-2]
            for size in (1, 2000, 20000, 1 << 30):
                blank = np.full_like(whole, 77)
                for select in block_selections(image.levels[0].spec, size):
                    for window, block in image.blocks(select=select, block_bytes=size):
                        blank[(*(select.get(axis, slice(None)) for axis in front), *window.slices)] = block
                np.testing.assert_array_equal(blank, whole)


def test_parts_of_a_volume_are_as_deep_as_its_segments(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 32, 32), np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, tile=(16, 16, 16), volumetric=True, compression="zlib")
    with gigapix.open(tmp_path / "x.tif") as image:
        parts = list(block_selections(image.levels[0].spec, 1))
        assert parts == [{"Z": slice(0, 16)}, {"Z": slice(16, 32)}, {"Z": slice(32, 40)}]
        (band,) = image_statistics(image)
        assert band.sum == int(pixels.sum())
