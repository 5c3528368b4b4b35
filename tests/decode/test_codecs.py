"""Byte codecs: whole, cut, too long, too short, followed by something else."""

import contextlib
import lzma
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix.decode import codecs, decode_into
from gigapix.errors import DecodeError
from tests.decode.build import decoded, encoding, picture, planes


def raw_zstd(data: bytes) -> bytes:
    return bytes(imagecodecs.zstd_encode(data))


ENCODERS = {
    5: lambda data: bytes(imagecodecs.lzw_encode(data)),
    8: zlib.compress,
    32946: zlib.compress,
    50013: zlib.compress,
    32773: lambda data: bytes(imagecodecs.packbits_encode(data)),
    34925: lzma.compress,
    34926: raw_zstd,
    50000: raw_zstd,
}

BOUNDED = [5, 8, 32773, 34925, 50000]


FLOATS = ["<f2", ">f4", "<f8"]
PREDICTED = [(dtype, predictor) for dtype in ["u1", "<u2", ">i2", "<u4", ">u8", *FLOATS] for predictor in (1, 2)]


@pytest.mark.parametrize(("dtype", "predictor"), PREDICTED + [(dtype, 3) for dtype in FLOATS])
@pytest.mark.parametrize("compression", ENCODERS)
def test_each_codec_with_each_predictor(compression, dtype, predictor):
    pixels = picture(13, 17, 3, dtype[-2:])
    stored = pixels.astype(dtype)
    if predictor == 2:
        bits = f"u{pixels.itemsize}"
        stored = imagecodecs.delta_encode(pixels.view(bits), axis=1).astype(dtype[0] + bits if dtype != "u1" else bits)
    if predictor == 3:
        stored = imagecodecs.floatpred_encode(pixels, axis=1)
    how = encoding(compression, dtype, 3, predictor=predictor)
    assert np.array_equal(decoded(ENCODERS[compression](stored.tobytes()), how, (13, 17)), planes(pixels))


@pytest.mark.parametrize("compression", BOUNDED)
@given(data=st.binary(max_size=600), size=st.integers(0, 700), behind=st.binary(max_size=200))
def test_never_more_than_asked_for_and_never_less_than_there_is(compression, data, size, behind):
    stream = ENCODERS[compression](data)
    if compression == 32773 and size > len(data):
        behind = b""  # a PackBits stream has no end of its own
    if not data:
        behind = b""
    found = codecs.decompress(stream + behind, compression, size)
    assert bytes(found) == data[:size]


@pytest.mark.parametrize("compression", BOUNDED)
@given(data=st.binary(min_size=1, max_size=600), cut=st.integers(1, 700))
def test_a_stream_cut_short_is_whole_all_the_same_or_an_error(compression, data, cut):
    stream = ENCODERS[compression](data)
    target = np.zeros((1, 1, 1, len(data)), "u1")
    try:
        decode_into(stream[: max(len(stream) - cut, 0)], encoding(compression), target.shape[1:], target)
    except DecodeError:
        return
    assert target.tobytes() == data


@pytest.mark.parametrize("compression", BOUNDED)
@given(data=st.binary(min_size=1, max_size=300))
def test_garbage_is_a_decode_error_or_some_pixels(compression, data):
    with contextlib.suppress(DecodeError):
        decoded(data, encoding(compression), (3, 5))


def test_a_deflate_stream_that_breaks_behind_the_segment_does_not_matter_but_one_within_does():
    noise = np.random.default_rng(2).bytes(5000)
    stream = bytearray(zlib.compress(noise))
    stream[-100] ^= 0xFF
    assert bytes(codecs.decompress(bytes(stream), 8, 1000)) == noise[:1000]
    with pytest.raises(DecodeError, match="deflate"):
        decoded(bytes(stream), encoding(8), (50, 100))


def test_zstd_frames_with_every_kind_of_header_stop_where_the_segment_does():
    content = picture(50, 100).tobytes()
    for level in (1, 22):
        for data in (content, content * 40, bytes(200_000), b"x"):
            frame = raw_zstd(data) if level == 1 else bytes(imagecodecs.zstd_encode(data, level=level))
            for size in (1, len(data) // 2, len(data)):
                assert bytes(codecs.decompress(frame + b"behind", 50000, size)) == data[:size]
    nothing = bytes.fromhex("28b52ffd 00 58 010000")  # a window, no content size, one empty block
    assert codecs.decompress(nothing, 50000, 10).size == 0


def old_lzw(data: bytes) -> bytes:
    """The old style: codes from the lowest bit, and one more code before they grow."""
    codes, table, prefix, width, packed, filled = [], {bytes([i]): i for i in range(256)}, b"", 9, 0, 0
    following = 258

    def put(code: int) -> None:
        nonlocal packed, filled
        packed |= code << filled
        filled += width
        codes.append(code)

    put(256)
    for byte in data:
        if prefix + bytes([byte]) in table:
            prefix += bytes([byte])
            continue
        put(table[prefix])
        table[prefix + bytes([byte])] = following
        following += 1
        if following > 1 << width and width < 12:
            width += 1
        prefix = bytes([byte])
    put(table[prefix])
    put(257)
    return packed.to_bytes((filled + 7) // 8, "little")


def test_old_lzw_is_recognised():
    pixels = picture(20, 30)
    stream = old_lzw(pixels.tobytes())
    assert bytes(imagecodecs.lzw_decode(stream, out=600)) == pixels.tobytes()  # the encoder above is right
    assert np.array_equal(decoded(stream, encoding(5), (20, 30)), planes(pixels))
