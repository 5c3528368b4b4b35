import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix.errors import FormatError, GigapixError, LimitError, TruncatedError
from gigapix.formats.tiff.directory import read_ifd
from gigapix.formats.tiff.header import parse_header
from gigapix.formats.tiff.tags import name_of, number_of
from tests.formats.tiff.steps import answer
from tests.hostile import build as b

ORDERS = pytest.mark.parametrize("order", ["<", ">"])
FORMS = pytest.mark.parametrize("big", [False, True])


def first_ifd(data):
    header = parse_header(data[:16])
    return answer(read_ifd(header, header.first_ifd), data)


@ORDERS
@FORMS
def test_header_names_the_first_ifd(order, big):
    data = b.build(b.baseline(), data=bytes(256), order=order, big=big)
    header = parse_header(data)
    assert (header.byteorder, header.bigtiff, header.first_ifd) == (order, big, 272)


@pytest.mark.parametrize(
    "data", [b"", b"I", b"II*", b"II*\0\0\0\0", b"\x89PNG\r\n\x1a\n" + bytes(8), b"II+\0\x04\0\0\0" + bytes(8),
             b"II+\0\x08\0\0\0", b"XX*\0" + bytes(12), b"MM\0\x2c" + bytes(12)],
)  # fmt: skip
def test_what_is_no_tiff_is_refused(data):
    with pytest.raises(FormatError):
        parse_header(data)


@ORDERS
@FORMS
@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (b.BYTE, (7,), 7),
        (b.BYTE, (1, 2, 3), b"\1\2\3"),
        (b.SHORT, (1, 65535, 3), (1, 65535, 3)),
        (b.LONG, (2**32 - 1,), 2**32 - 1),
        (b.RATIONAL, (1, 3), (1, 3)),
        (b.RATIONAL, (1, 0, 7, 2), ((1, 0), (7, 2))),
        (b.SBYTE, (-1, 2), (-1, 2)),
        (b.UNDEFINED, (9,), b"\t"),
        (b.SSHORT, (-2, 2), (-2, 2)),
        (b.SLONG, (-(2**31),), -(2**31)),
        (b.SRATIONAL, (-1, 3), (-1, 3)),
        (b.FLOAT, (0.5, -2.0), (0.5, -2.0)),
        (b.DOUBLE, (0.1,), 0.1),
        (b.IFD, (12,), 12),
        (b.LONG8, (2**40, 1), (2**40, 1)),
        (b.SLONG8, (-(2**40),), -(2**40)),
        (b.IFD8, (2**33,), 2**33),
    ],
)
def test_values_of_every_type(order, big, kind, values, expected):
    data = b.build(b.amended(b.baseline(), t65000=b.tag(65000, kind, *values)), order=order, big=big)
    header = parse_header(data)
    ifd = answer(read_ifd(header, header.first_ifd), data)
    assert answer(ifd.value(65000), data) == expected


@pytest.mark.parametrize("kind", [b.ASCII, b.BYTE, b.UNDEFINED])
@pytest.mark.parametrize("text", ["a", "abc", "naïve µm", "x" * 1000])
def test_text_is_str_however_it_is_declared(kind, text):
    data = b.build(b.amended(b.baseline(), t270=b.tag(270, kind, text)))
    assert answer(first_ifd(data).value(270), data) == text


def test_text_that_is_not_utf8_is_latin1():
    data = b.build(b.amended(b.baseline(), t270=b.tag(270, b.ASCII, b"5 \xb5m\0")))
    assert answer(first_ifd(data).value(270), data) == "5 µm"


def test_many_values_are_an_array_in_native_order():
    data = b.build(b.amended(b.baseline(), t65000=b.tag(65000, b.SHORT, *range(5000))), order=">")
    value = answer(first_ifd(data).value(65000), data)
    assert isinstance(value, np.ndarray) and value.dtype == np.dtype("=u2") and value[-1] == 4999


def test_entries_alone_are_read_and_values_on_request_in_one_batch():
    data = b.build(b.amended(b.baseline(), t270=b.tag(270, b.ASCII, "d" * 500), t305=b.tag(305, b.ASCII, "s" * 50)))
    header, asked = parse_header(data), []
    ifd = answer(read_ifd(header, header.first_ifd), data, asked)
    assert [length for _, length in asked] == [1024]
    steps = ifd.load([270, 305, 256, 9999])
    assert [length for _, length in next(steps)] == [501, 51]


def test_a_slice_of_a_table_is_read_and_not_the_table():
    offsets = [1000 + n for n in range(100_000)]
    data = b.build(b.tiled(16 * 100_000, 16, offsets=offsets, counts=offsets))
    ifd = first_ifd(data)
    ((offset, length),) = ifd.slices(324, [(70_000, 70_002)])
    assert length == 8
    assert ifd.table(324, data[offset : offset + length]).tolist() == [71_000, 71_001]


def test_what_is_wrong_with_one_entry_costs_only_that_entry():
    directory = b.baseline()
    odd = (b.Tag(code=65001, type=99, values=(1,)), b.tag(65002, b.LONG, count=0), b.tag(256, b.LONG, 7),
           b.tag(65003, b.LONG, *range(9), offset=10**6))  # fmt: skip
    data = b.build(b.Directory(tags=directory.tags + odd))
    ifd = first_ifd(data)
    assert ifd.integer(256, 0) == 16  # the first of two
    assert len(ifd.problems) == 3
    with pytest.raises(TruncatedError, match="Tag65003") as error:
        answer(ifd.value(65003), data)
    assert error.value.offset == 10**6


def test_a_value_of_a_size_that_can_not_be_is_refused_before_it_is_read():
    data = b.build(b.amended(b.baseline(), t270=b.tag(270, b.ASCII, "x", count=2**32 - 1, offset=8)))
    with pytest.raises(LimitError, match="ImageDescription"):
        answer(first_ifd(data).value(270), data)


def test_a_bigtiff_ifd_with_2_to_the_60_entries_is_refused():
    data = b.build(b.amended(b.baseline()), big=True)
    start = parse_header(data).first_ifd
    data = data[:start] + struct.pack("<Q", 2**60) + data[start + 8 :]
    with pytest.raises(LimitError):
        first_ifd(data)


@given(st.integers(0, 2**16), st.binary(max_size=64))
def test_any_bytes_are_an_ifd_or_an_error(offset, noise):
    data = b"II*\0" + struct.pack("<I", offset) + noise
    header = parse_header(data)
    try:
        ifd = answer(read_ifd(header, offset), data)
        answer(ifd.load(list(ifd.entries)), data)
    except GigapixError as error:
        place = error.offset
        if place is None:
            raise


def test_names_and_numbers():
    assert number_of("TileOffsets") == 324 and name_of(324) == "TileOffsets"
    assert name_of(65001) == "Tag65001" and number_of("Tag65001") == 65001 and number_of("Nothing") is None


def test_properties_are_the_tags_with_the_specifications_defaults():
    directory = b.amended(
        b.baseline(7, 9, bits=16), t270=b.tag(270, b.ASCII, "a picture"), t282=b.tag(282, b.RATIONAL, 300, 2),
        t339=b.tag(339, b.SHORT, 2), t530=b.tag(530, b.SHORT, 4, 1),
    )  # fmt: skip
    data = b.build(b.without(directory, 277, 278))
    ifd = first_ifd(data)
    answer(ifd.load(list(ifd.entries)), data)
    assert (ifd.image_width, ifd.image_length, ifd.bits_per_sample, ifd.sample_format) == (7, 9, (16,), (2,))
    assert (ifd.image_description, ifd.x_resolution, ifd.y_resolution) == ("a picture", 150.0, None)
    assert (ifd.compression, ifd.predictor, ifd.planar_configuration, ifd.fill_order, ifd.orientation) == (1,) * 5
    assert (ifd.samples_per_pixel, ifd.rows_per_strip, ifd.resolution_unit) == (1, 2**32 - 1, 2)
    assert (ifd.tile_width, ifd.extra_samples, ifd.software, ifd.jpeg_tables) == (None, (), "", b"")
    assert ifd.ycbcr_subsampling == (4, 1)
    named = [name for name in vars(type(ifd)) if isinstance(vars(type(ifd))[name], property)]
    assert len(named) > 35 and all(getattr(ifd, name) is not NotImplemented for name in named)


def test_a_property_whose_tag_is_broken_says_so():
    data = b.build(b.amended(b.baseline(), t305=b.tag(305, b.ASCII, "x", count=99, offset=10**6)))
    ifd = first_ifd(data)
    answer(ifd.load([305]), data)
    with pytest.raises(FormatError, match="Software"):
        _ = ifd.software
