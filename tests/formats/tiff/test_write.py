"""The small writer against three readers that are not ours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.errors import UnsupportedError
from gigapix.formats.tiff.encode import encode_tile
from gigapix.formats.tiff.write import DEFLATE, NONE, TiffFile, directory, header


def written(file: TiffFile, pixels: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO(header(file))
    out.seek(0, io.SEEK_END)
    offsets, sizes = [], []
    for y in range(0, file.height, file.tile):
        for x in range(0, file.width, file.tile):
            data = encode_tile(file, pixels[:, y : y + file.tile, x : x + file.tile])
            offsets.append(out.tell())
            sizes.append(out.write(data))
    out.write(bytes(out.tell() % 2))
    at = out.tell()
    out.write(directory(file, at, offsets, sizes))
    out.seek(0)
    out.write(header(file, at))
    return out.getvalue()


def read(data: bytes) -> np.ndarray[Any, Any]:
    pixels = tifffile.imread(io.BytesIO(data))
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16", ">u2"]
)
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_types(dtype: str, compression: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (2, 37, 50)).astype(dtype)
    file = TiffFile(
        width=50, height=37, samples=2, dtype=pixels.dtype, tile=16, compression=compression, extra_samples=(0,)
    )
    np.testing.assert_array_equal(read(written(file, pixels)), pixels)


@given(
    width=st.integers(1, 70), height=st.integers(1, 70), samples=st.integers(1, 5), tile=st.sampled_from([16, 32, 48]),
    compression=st.sampled_from([NONE, DEFLATE]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_shapes(width: int, height: int, samples: int, tile: int, compression: int) -> None:
    pixels = np.random.default_rng(width).integers(0, 60000, (samples, height, width), np.uint16)
    file = TiffFile(
        width=width, height=height, samples=samples, dtype=pixels.dtype, tile=tile, compression=compression,
        extra_samples=(0,) * (samples - 1),
    )  # fmt: skip
    np.testing.assert_array_equal(read(written(file, pixels)), pixels)


def test_the_pixels_are_left_as_they_were() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    encode_tile(TiffFile(width=16, height=16, samples=1, dtype=pixels.dtype, tile=16), pixels)
    np.testing.assert_array_equal(pixels.ravel(), np.arange(256))


def test_bigtiff_where_classic_might_not_hold_it() -> None:
    small = TiffFile(width=60_000, height=70_000, samples=1, dtype=np.dtype("u1"))
    large = TiffFile(width=60_000, height=72_000, samples=1, dtype=np.dtype("u1"))
    assert (small.bigtiff, large.bigtiff) == (False, True)
    assert header(large)[:4] == b"II\x2b\0"


def test_bigtiff_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TiffFile, "bigtiff", True)
    pixels = np.random.default_rng(0).random((3, 40, 40), np.float32)
    file = TiffFile(
        width=40,
        height=40,
        samples=3,
        dtype=pixels.dtype,
        tile=16,
        photometric=2,
        tags={42113: (2, "-1"), 305: (2, "x")},
    )
    data = written(file, pixels)
    np.testing.assert_array_equal(read(data), pixels)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        assert tiff.is_bigtiff
        assert [tag.code for tag in tiff.pages[0].tags] == sorted(tag.code for tag in tiff.pages[0].tags)
        assert tiff.pages[0].tags[42113].value == "-1"


def test_further_tags_and_gdal(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 40, 30), np.uint8)
    file = TiffFile(
        width=30, height=40, samples=4, dtype=pixels.dtype, tile=32, photometric=2, extra_samples=(2,),
        tags={33550: (12, [10, 10, 0]), 33922: (12, [0, 0, 0, 500000, 4000000, 0]), 42113: (2, "7")},
    )  # fmt: skip
    path = tmp_path / "a.tif"
    path.write_bytes(written(file, pixels))
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), pixels)
        assert dataset.nodata == 7
        assert tuple(dataset.transform)[:6] == (10, 0, 500000, 0, -10, 4000000)
        assert [c.name for c in dataset.colorinterp] == ["red", "green", "blue", "alpha"]


def test_values_begin_on_even_offsets() -> None:
    file = TiffFile(
        width=16,
        height=16,
        samples=1,
        dtype=np.dtype("u1"),
        tile=16,
        tags={305: (2, "odd length!!"), 700: (1, b"12345")},
    )
    data = written(file, np.zeros((1, 16, 16), np.uint8))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        assert all(tag.valueoffset % 2 == 0 for tag in tiff.pages[0].tags if tag.valuebytecount > 4)


def test_a_type_without_a_sample_format() -> None:
    with pytest.raises(UnsupportedError, match="U3"):
        directory(TiffFile(width=1, height=1, samples=1, dtype=np.dtype("U3")), 8, [8], [1])
