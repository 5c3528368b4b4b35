"""Tiles against the decoders of imagecodecs and tifffile."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
import tifffile

from gigapix.formats.tiff.encode import codec_tags, encode_tile
from gigapix.formats.tiff.write import DEFLATE, JPEG, LERC, LZW, MASK, NONE, PALETTE, WEBP, ZSTD, TiffFile


def file(dtype: str = "u1", samples: int = 1, **options: object) -> TiffFile:
    return TiffFile(width=99, height=99, samples=samples, dtype=np.dtype(dtype), tile=32, **options)  # type: ignore[arg-type]


def test_an_edge_is_repeated() -> None:
    pixels = np.arange(30 * 20, dtype="u2").reshape(1, 30, 20)
    tile = np.frombuffer(encode_tile(file("u2", compression=NONE), pixels), "<u2").reshape(32, 32)
    np.testing.assert_array_equal(tile, np.pad(pixels[0], [(0, 2), (0, 12)], mode="edge"))


@pytest.mark.parametrize("compression", [LZW, DEFLATE, ZSTD])
@pytest.mark.parametrize(("dtype", "samples"), [("u1", 3), (">i2", 1), ("u4", 2), ("f2", 1), ("f4", 3), (">f8", 2)])
def test_predictors(compression: int, dtype: str, samples: int) -> None:
    pixels = (np.random.default_rng(0).random((samples, 32, 32)) * 100).astype(dtype)
    before = pixels.copy()
    what = file(dtype, samples, compression=compression)
    decode = {LZW: imagecodecs.lzw_decode, DEFLATE: imagecodecs.zlib_decode, ZSTD: imagecodecs.zstd_decode}
    raw = np.frombuffer(decode[compression](encode_tile(what, pixels)), np.dtype(dtype).newbyteorder("<"))
    undo = tifffile.TIFF.UNPREDICTORS[what.predictor]
    found = undo(raw.reshape(32, 32, samples).copy(), axis=-2)
    assert what.predictor == (3 if "f" in dtype else 2)
    np.testing.assert_array_equal(np.moveaxis(found, -1, 0), before)
    np.testing.assert_array_equal(pixels, before)


def test_no_predictor_of_names() -> None:
    assert file(photometric=PALETTE).predictor == file("c8").predictor == file("u2", compression=NONE).predictor == 1


def test_a_mask() -> None:
    mask = np.random.default_rng(0).random((1, 32, 32)) > 0.5
    data = imagecodecs.zlib_decode(encode_tile(file("?", photometric=MASK), mask))
    np.testing.assert_array_equal(np.unpackbits(np.frombuffer(data, "u1")).reshape(32, 32), mask[0])


def test_abbreviated_jpeg() -> None:
    pixels = (np.mgrid[:32, :32][0] * 5 + np.arange(3)[:, None, None] * 30).astype("u1")
    what = file(samples=3, compression=JPEG, level=90, photometric=6)
    data, tags = encode_tile(what, pixels), codec_tags(what)
    assert b"JFIF" not in data and b"\xff\xdb" not in data and data[:2] == b"\xff\xd8"
    found = imagecodecs.jpeg8_decode(data, tables=tags[347][1])
    assert np.abs(np.moveaxis(found, -1, 0).astype(int) - pixels).max() < 6


@pytest.mark.parametrize("level", [None, 90])
def test_webp(level: int | None) -> None:
    pixels = (np.mgrid[:32, :32][0] * 5 + np.arange(4)[:, None, None] * 30).astype("u1")
    found = np.moveaxis(
        imagecodecs.webp_decode(encode_tile(file(samples=4, compression=WEBP, level=level), pixels)), -1, 0
    )
    assert np.abs(found.astype(int) - pixels).max() <= (0 if level is None else 12)


@pytest.mark.parametrize("around", [NONE, DEFLATE, ZSTD])
def test_lerc(around: int) -> None:
    pixels = np.random.default_rng(0).random((2, 32, 32), np.float32) * 100
    what = file("f4", 2, compression=LERC, level=0.5, around=around)
    data = encode_tile(what, pixels)
    unpack = {NONE: bytes, DEFLATE: imagecodecs.zlib_decode, ZSTD: imagecodecs.zstd_decode}[around]
    blob = unpack(data)
    assert blob[:6] == b"Lerc2 " and codec_tags(what)[50674][1] == [4, {NONE: 0, DEFLATE: 1, ZSTD: 2}[around]]
    assert 0 < np.abs(np.moveaxis(imagecodecs.lerc_decode(blob), -1, 0) - pixels).max() <= 0.5
