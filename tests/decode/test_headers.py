"""Sizes read from the codecs' own headers, and headers that are cut short or lie."""

import contextlib
import struct

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.decode import headers, jpeg
from gigapix.decode.jpeg2000 import jpeg2000_size
from gigapix.errors import DecodeError, GigapixError, LimitError, UnsupportedError
from tests.decode.build import picture


def jpeg_size(data):
    return jpeg.size(jpeg.frame(data), None)


def lerc_size(data):
    size, length = headers.lerc_size(data)
    if length > len(data):
        raise DecodeError("cut short")
    return size


MAKERS = {
    "png": (headers.png_size, imagecodecs.png_encode, 1),
    "webp": (headers.webp_size, lambda p: imagecodecs.webp_encode(p, level=50, lossless=False), 3),
    "webp_lossless": (headers.webp_size, lambda p: imagecodecs.webp_encode(p, lossless=True), 3),
    "webp_alpha": (headers.webp_size, lambda p: imagecodecs.webp_encode(p, level=50, lossless=False), 4),
    "lerc": (lerc_size, imagecodecs.lerc_encode, 3),
    "lerc_v2": (lerc_size, lambda p: imagecodecs.lerc_encode(p, version=2), 1),
    "lerc_v3": (lerc_size, lambda p: imagecodecs.lerc_encode(p, version=3), 1),
    "jpegxr": (headers.jpegxr_size, imagecodecs.jpegxr_encode, 3),
    "jpegxl": (headers.jpegxl_size, lambda p: imagecodecs.jpegxl_encode(p, effort=1), 3),
    "jpegxl_box": (headers.jpegxl_size, lambda p: imagecodecs.jpegxl_encode(p, effort=1, usecontainer=True), 1),
    "jpeg": (jpeg_size, imagecodecs.jpeg8_encode, 3),
    "jpeg_lossless": (jpeg_size, lambda p: imagecodecs.jpeg8_encode(p, lossless=True), 1),
    "jp2": (jpeg2000_size, imagecodecs.jpeg2k_encode, 3),
    "j2k": (jpeg2000_size, lambda p: imagecodecs.jpeg2k_encode(p, codecformat="j2k"), 1),
    "htj2k": (jpeg2000_size, imagecodecs.htj2k_encode, 1),
}


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15)
@given(height=st.integers(1, 300), width=st.integers(1, 300))
def test_the_size_is_that_of_the_picture(name, height, width):
    reader, encode, samples = MAKERS[name]
    if name.startswith("htj2k"):
        height, width = max(height, 4), max(width, 4)
    size = reader(bytes(encode(picture(height, width, samples))))
    assert (size.height, size.width) == (height, width)
    assert size.samples >= samples


@pytest.mark.parametrize(
    "sides", [(8, 8), (256, 256), (80, 96), (120, 160), (100, 150), (90, 160), (100, 125), (64, 128)]
)
def test_jpegxl_writes_common_ratios_in_a_short_form(sides):
    size = headers.jpegxl_size(imagecodecs.jpegxl_encode(np.zeros(sides, "u1"), effort=1))
    assert (size.height, size.width) == sides


def test_jpegxl_extra_channels_are_counted():
    stream = imagecodecs.jpegxl_encode(np.zeros((6, 20, 30), "u1"), planar=True, photometric="GRAY")
    assert headers.jpegxl_size(stream).samples == 6


@pytest.mark.parametrize("name", MAKERS)
def test_a_header_cut_short_is_a_decode_error(name):
    reader, encode, samples = MAKERS[name]
    whole = bytes(encode(picture(20, 30, samples)))
    for length in range(min(len(whole), 90)):
        with contextlib.suppress(DecodeError, UnsupportedError):
            reader(whole[:length])


@given(data=st.binary(max_size=200), name=st.sampled_from(sorted(MAKERS)))
def test_garbage_raises_nothing_but_our_own(data, name):
    reader, encode, samples = MAKERS[name]
    for garbage in (data, bytes(encode(picture(2, 2, samples)))[:12] + data):
        with contextlib.suppress(GigapixError):
            reader(garbage)


def test_an_animation_is_not_a_segment():
    frames = np.zeros((3, 8, 8, 3), "u1")
    frames[1] = 200
    with pytest.raises(UnsupportedError, match="animation"):
        headers.jpegxl_size(imagecodecs.jpegxl_encode(frames))
    stream = bytearray(imagecodecs.webp_encode(picture(8, 8, 4), level=50, lossless=False))
    assert stream[12:16] == b"VP8X"
    stream[20] |= 2
    with pytest.raises(UnsupportedError, match="animated"):
        headers.webp_size(bytes(stream))


def test_jpegxr_container_and_codestream_must_agree():
    stream = bytearray(imagecodecs.jpegxr_encode(picture(20, 30)))
    struct.pack_into("<I", stream, stream.find(struct.pack("<HHI", 0xBC80, 4, 1)) + 8, 3000)
    with pytest.raises(DecodeError, match="differ"):
        headers.jpegxr_size(bytes(stream))


def with_precincts(stream: bytes, exponents: int) -> bytes:
    """The codestream with precincts of 2^n x 2^n pixels at each resolution."""
    at = stream.index(b"\xff\x52")
    length = struct.unpack_from(">H", stream, at + 2)[0]
    body = bytearray(stream[at + 4 : at + 2 + length])
    body[0] |= 1
    body += bytes([exponents * 17]) * (body[5] + 1)
    return stream[: at + 2] + struct.pack(">H", 2 + len(body)) + bytes(body) + stream[at + 2 + length :]


def test_jpeg2000_precincts_are_bounded():
    stream = imagecodecs.jpeg2k_encode(np.zeros((1024, 1024), "u1"), codecformat="j2k")
    assert jpeg2000_size(with_precincts(stream, 7)).height == 1024
    with pytest.raises(LimitError, match="precincts"):
        jpeg2000_size(with_precincts(stream, 1))


def test_jpeg2000_precincts_of_a_tile_part_are_bounded_too():
    stream = imagecodecs.jpeg2k_encode(np.zeros((1024, 1024), "u1"), codecformat="j2k")
    plain = bytes(stream)
    at = plain.index(b"\xff\x52")
    length = 2 + struct.unpack_from(">H", plain, at + 2)[0]
    rich = with_precincts(plain, 1)
    marker = rich[at : at + length + (len(rich) - len(plain))]
    data_begins = plain.index(b"\xff\x93")
    with pytest.raises(LimitError, match="precincts"):
        jpeg2000_size(plain[:data_begins] + marker + plain[data_begins:])


def test_a_jpeg2000_palette_is_refused():
    stream = imagecodecs.jpeg2k_encode(picture(20, 30), codecformat="jp2")
    with pytest.raises(UnsupportedError, match="palette"):
        jpeg2000_size(stream.replace(b"colr", b"pclr", 1))


def test_jpeg_markers_and_scans_are_bounded():
    stream = imagecodecs.jpeg8_encode(picture(8, 8))
    comment = b"\xff\xfe\x00\x02"
    assert jpeg.frame(stream[:2] + comment * 50 + stream[2:]).width == 8
    with pytest.raises(DecodeError, match="without"):
        jpeg.frame(stream[:2] + comment * 5000 + stream[2:])
    frame = stream.index(b"\xff\xc0")
    with pytest.raises(DecodeError, match="two frames"):
        jpeg.frame(stream[:frame] + stream[frame : frame + 2 + 11] + stream[frame:])
    progressive = stream[: frame + 1] + b"\xc2" + stream[frame + 2 :]
    with pytest.raises(LimitError, match="scans"):
        jpeg.frame(progressive + b"\xff\xda\x00\x02" * 101)
