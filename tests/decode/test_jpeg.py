"""JPEG segments: tables, colours, subsampling, lossless processes, and streams that end early."""

import imagecodecs
import numpy as np
import pytest

from gigapix.decode import decode_into, jpeg
from gigapix.errors import DecodeError
from tests.decode.build import decoded, encoding, picture, planes


def split(stream: bytes) -> tuple[bytes, bytes]:
    """(tables, the rest) as TIFF keeps them: both abbreviated streams."""
    tables, rest, at = b"", b"", 2
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4])
        if stream[at + 1] in (0xDB, 0xC4):
            tables += stream[at:end]
        else:
            rest += stream[at:end]
        at = end
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + stream[at:]


def mean_difference(a, b):
    return np.abs(a.astype("f8") - b).mean()


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "411", "440"])
@pytest.mark.parametrize("tables", [False, True])
def test_ycbcr_becomes_rgb(subsampling, tables):
    pixels = picture(37, 50, 3)
    stream = imagecodecs.jpeg8_encode(pixels, level=95, subsampling=subsampling)
    header, data = split(stream) if tables else (b"", stream)
    across, down = {"444": (1, 1), "422": (2, 1), "420": (2, 2), "411": (4, 1), "440": (1, 2)}[subsampling]
    how = encoding(7, samples=3, photometric=6, subsampling=(across, down), jpeg_tables=header)
    found = decoded(data, how, (37, 50))
    assert np.array_equal(found, planes(imagecodecs.jpeg8_decode(stream)))
    if tables:
        with pytest.raises(DecodeError):
            decoded(data, encoding(7, samples=3, photometric=6), (37, 50))


def test_rgb_without_jfif_is_rgb_and_with_jfif_what_the_stream_says():
    pixels = picture(37, 50, 3)
    raw = imagecodecs.jpeg8_encode(pixels, level=95, colorspace="RGB", outcolorspace="RGB")
    plain = raw[:2] + raw[raw.index(b"\xff\xdb") :]  # no Adobe marker: component names alone, or nothing, tell
    frame = bytearray(plain)
    at = frame.index(b"\xff\xc0")
    names = [at + 10 + 3 * i for i in range(3)]
    scan = frame.index(b"\xff\xda") + 5
    for i, name in enumerate(names):
        frame[name] = frame[scan + 2 * i] = i + 1  # what libjpeg takes for YCbCr
    found = decoded(bytes(frame), encoding(7, samples=3, photometric=2), (37, 50))
    assert mean_difference(found, planes(pixels)) < 2
    jfif = imagecodecs.jpeg8_encode(pixels, level=95)
    assert jfif[6:10] == b"JFIF"
    found = decoded(jfif, encoding(7, samples=3, photometric=2), (37, 50))
    assert mean_difference(found, planes(pixels)) < 2


@pytest.mark.parametrize("inside", ["CMYK", "YCCK"])
def test_cmyk(inside):
    pixels = picture(37, 50, 4)
    stream = imagecodecs.jpeg8_encode(pixels, level=95, colorspace="CMYK", outcolorspace=inside)
    found = decoded(stream, encoding(7, samples=4, photometric=5), (37, 50))
    assert mean_difference(found, planes(pixels)) < 3


def test_four_samples_with_alpha_are_left_alone():
    pixels = picture(37, 50, 4)
    stream = imagecodecs.jpeg8_encode(pixels, level=95)
    found = decoded(stream, encoding(7, samples=4, photometric=2, extra_samples=(2,)), (37, 50))
    assert mean_difference(found, planes(pixels)) < 2


def test_components_stored_apart_are_grey():
    pixels = picture(37, 50)
    stream = imagecodecs.jpeg8_encode(pixels, level=95)
    for photometric in (1, 2, 6):
        found = decoded(stream, encoding(7, photometric=photometric, planar=True), (37, 50))
        assert mean_difference(found, planes(pixels)) < 2


def test_12_bits():
    pixels = picture(37, 50, dtype="u2") * 16
    stream = imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=12)
    found = decoded(stream, encoding(7, "u2", bits=(12,)), (37, 50))
    assert mean_difference(found, planes(pixels)) < 20


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_lossless_of_any_bits(bits):
    dtype = "u1" if bits == 8 else "u2"
    pixels = (picture(37, 50, dtype="u2") * 257 >> (16 - bits)).astype(dtype)
    for stream in (
        imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits),
        imagecodecs.ljpeg_encode(pixels, bitspersample=bits),
    ):
        for photometric in (1, 32803, 34892):
            how = encoding(7, dtype, bits=(bits,), photometric=photometric)
            assert np.array_equal(decoded(stream, how, (37, 50)), planes(pixels))


def test_lossless_streams_of_dng_hold_the_samples_in_another_shape():
    pixels = picture(16, 24, dtype="u2") * 100
    halves = imagecodecs.jpeg8_encode(pixels.reshape(16, 12, 2), lossless=True, bitspersample=16)
    tall = imagecodecs.jpeg8_encode(pixels.reshape(8, 24, 2), lossless=True, bitspersample=16)
    how = encoding(7, "u2", photometric=32803)
    for stream in (halves, tall):
        assert np.array_equal(decoded(stream, how, (16, 24)), planes(pixels))
        with pytest.raises(DecodeError, match="number of samples"):
            decoded(stream, how, (16, 23))


@pytest.mark.parametrize("compression", [7, 33007, 34892])
def test_a_stream_that_ends_early_is_an_error_and_not_grey(compression):
    pixels = picture(64, 64, 3)
    stream = imagecodecs.jpeg8_encode(pixels, level=90)
    scan = stream.index(b"\xff\xda")
    how = encoding(compression, samples=3, photometric=6)
    whole = decoded(stream, how, (64, 64))
    assert np.array_equal(decoded(stream[:-2], how, (64, 64)), whole)  # complete but for EOI
    for length in (scan + 20, scan + (len(stream) - scan) // 2, len(stream) - 60):
        with pytest.raises(DecodeError, match="ends before"):
            decoded(stream[:length], how, (64, 64))


def test_sizes_that_do_not_fit():
    stream = imagecodecs.jpeg8_encode(picture(32, 30, 3))
    how = encoding(7, samples=3, photometric=6)
    assert np.array_equal(decoded(stream, how, (9, 30)), planes(imagecodecs.jpeg8_decode(stream)[:9]))
    target = np.zeros((3, 1, 32, 30), "u1")
    decode_into(stream, how, (1, 48, 48), target)
    assert np.array_equal(target, planes(imagecodecs.jpeg8_decode(stream)))
    for shape in ((32, 29), (33, 30), (16, 16)):
        with pytest.raises(DecodeError, match="holds 32 rows of 30"):
            decoded(stream, how, shape)
    with pytest.raises(DecodeError, match="3 samples"):
        decoded(stream, encoding(7), (32, 30))
    grey = imagecodecs.jpeg8_encode(picture(32, 30))
    assert decoded(grey, how, (32, 30)).shape == (3, 1, 32, 30)  # libjpeg turns grey into RGB
    with pytest.raises(DecodeError, match="1 samples"):
        decoded(grey, encoding(7, samples=4, photometric=5), (32, 30))


def test_garbage_between_markers_is_skipped():
    stream = imagecodecs.jpeg8_encode(picture(8, 8))
    at = stream.index(b"\xff\xc0")
    assert jpeg.frame(stream[:at] + b"\x12\x34\xff\xff" + stream[at:]).height == 8


def test_a_segment_that_is_no_jpeg():
    for data in (b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xda\x00\x02", b"\x00" * 50):
        with pytest.raises(DecodeError):
            decoded(data, encoding(7), (8, 8))
