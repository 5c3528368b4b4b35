"""Several images in one file, in order, against readers that are not ours."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile

import gigapix
from gigapix.formats.tiff.encode import encode_tile
from gigapix.formats.tiff.write import COMPRESSIONS, TiffFile
from gigapix.formats.tiff.writer import TiffWriter


def whole(images: list[np.ndarray], leave_out: tuple[int, int, int] | None = None, **options: Any) -> bytes:
    files = [
        TiffFile(width=p.shape[2], height=p.shape[1], samples=p.shape[0], dtype=p.dtype, tile=32, **options)
        for p in images
    ]
    writer = TiffWriter(files)
    out = io.BytesIO()
    out.write(writer.begin())
    for number, (file, pixels) in reversed(list(enumerate(zip(writer.images, images, strict=True)))):
        for row, column in np.ndindex(file.grid):
            if (number, row, column) != leave_out:
                y, x = row * 32, column * 32
                out.write(writer.tile(number, row, column, encode_tile(file, pixels[:, y : y + 32, x : x + 32])))
    out.write(writer.end())
    assert out.tell() == writer.size
    out.seek(0)
    out.write(writer.header())
    return out.getvalue()


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return (np.random.default_rng(shape[1]).random(shape) * 200).astype(dtype)


@pytest.mark.parametrize("big", [None, True])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_images_one_behind_the_other(compression: str, big: bool | None) -> None:
    images = [noise(1, 70, 41), noise(1, 35, 100, dtype="f4"), noise(1, 9, 9, dtype="i1")]
    data = whole(images, compression=COMPRESSIONS[compression], big=big)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.is_bigtiff == bool(big)
        for page, pixels in zip(file.pages, images, strict=True):
            np.testing.assert_array_equal(page.asarray(), pixels[0])
    with gigapix.open(data, index=1) as image:
        np.testing.assert_array_equal(image.read(), images[1])


def test_a_tile_that_is_not_given_is_sparse() -> None:
    pixels = noise(1, 64, 64)
    expected = pixels.copy()
    expected[:, 32:, :32] = 0
    with gigapix.open(whole([pixels], leave_out=(0, 1, 0))) as image:
        np.testing.assert_array_equal(image.read(), expected)


def test_images_that_are_too_large_together() -> None:
    one = TiffFile(width=40_000, height=40_000, samples=1, dtype=np.dtype("u1"))
    assert not TiffWriter([one]).images[0].bigtiff
    assert all(image.bigtiff for image in TiffWriter([one] * 3).images)
