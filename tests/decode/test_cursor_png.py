"""PNG's rows by cursor: filters, Adam7, chunks cut anywhere, checkpoints, and files that end or lie."""

import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.decode import decode_into
from gigapix.decode.cursor import cursor_bytes, is_streamable
from gigapix.errors import DecodeError, GigapixError, LimitError, TruncatedError, UnsupportedError
from gigapix.formats.model import PNG_FILTERS
from tests.decode.build import encoding, planes
from tests.decode.streams import drive, opened, resumed, rows
from tests.fixtures_png import KINDS, SAMPLES, chunk, noise, pieces, raw, stream


def png_encoding(color_type, depth, *, interlaced=False, framing="IDAT"):
    samples = SAMPLES[color_type]
    dtype = ">u2" if depth == 16 else "u1"
    more = {"predictor": PNG_FILTERS, "framing": framing, "interlaced": interlaced, "byteorder": ">"}
    return encoding(8, dtype, samples, bits=(depth,) * samples, **more)


def chunks(data, cuts, kind="IDAT"):
    numbers = itertools.count(1)
    parts = pieces("", data, cuts)
    if kind == "fdAT":
        return b"".join(chunk(kind, next(numbers).to_bytes(4, "big") + part) for _, part in parts)
    return b"".join(chunk(kind, part) for _, part in parts)


def whole(data, how, shape):
    target = np.full((how.samples, *shape), 77, how.dtype)
    decode_into(data, how, shape, target)
    return target


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color_type", "depth"), KINDS)
def test_every_kind_of_png(color_type, depth, interlaced):
    how = png_encoding(color_type, depth, interlaced=interlaced)
    for height, width in [(21, 19), (1, 1), (1, 40), (40, 1), (2, 3), (5, 5)]:
        pixels = noise(color_type, depth, height, width)
        file = chunks(stream(pixels, depth, (0, 1, 2, 3, 4), interlaced), (50, 1, 0)) + chunk("IEND")
        assert np.array_equal(whole(file, how, (1, height, width)), planes(pixels))
        for portions in ([], [1] * height, [3, 8, 1]):
            found, error = rows(opened(file, how, (1, height, width)), file, how, width, portions)
            assert error is None
            assert np.array_equal(found, planes(pixels))


@settings(max_examples=150)
@given(st.data())
def test_any_portions_windows_columns_samples_and_checkpoints(data):
    color_type, depth = data.draw(st.sampled_from(KINDS))
    interlaced, framing = data.draw(st.booleans()), data.draw(st.sampled_from(["IDAT", "fdAT"]))
    how = png_encoding(color_type, depth, interlaced=interlaced, framing=framing)
    height, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 40))
    filters = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=7))
    cuts = data.draw(st.sampled_from([(1 << 16,), (1,), (0, 7), (100, 3)]))
    pixels = noise(color_type, depth, height, width, seed=data.draw(st.integers(0, 99)))
    head = data.draw(st.binary(max_size=20))
    behind = data.draw(st.sampled_from([chunk("IEND"), chunk("tEXt", b"a\0b"), b"rubbish", b""]))
    file = head + chunks(stream(pixels, depth, filters, interlaced), cuts, framing) + behind
    where = {"start": len(head), "window": data.draw(st.sampled_from([1, 5, 100, 65536]))}
    shape = (1, height, width)
    column = data.draw(st.integers(0, width - 1))
    samples = data.draw(st.lists(st.integers(0, how.samples - 1), min_size=1, max_size=3))
    cursor = opened(file, how, shape, **where)
    passed = data.draw(st.integers(0, height))
    drive(cursor.skip(passed), file)
    mark = cursor.checkpoint()
    portions = data.draw(st.lists(st.integers(1, 20), max_size=8))
    expected = planes(pixels)[samples, :, passed:, column:]
    for one in (cursor, resumed(file, how, shape, mark, **where)):
        found, error = rows(one, file, how, width, portions, column, samples)
        assert error is None
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("interlaced", [False, True])
def test_truncation_at_every_byte(interlaced):
    how = png_encoding(2, 8, interlaced=interlaced)
    pixels = noise(2, 8, 20, 9)
    complete = chunks(stream(pixels, 8, (1, 4, 2), interlaced), (40,)) + chunk("IEND")
    counts = []
    for size in range(len(complete)):
        file = complete[:size]
        found, error = rows(opened(file, how, (1, 20, 9), end=len(complete), window=30), file, how, 9, [3] * 20)
        assert np.array_equal(found, planes(pixels)[:, :, : found.shape[2]])
        assert error is None if found.shape[2] == 20 else type(error) is TruncatedError
        counts.append(found.shape[2])
        target = np.zeros((3, 1, 20, 9), np.uint8)
        if error:
            with pytest.raises(TruncatedError):
                decode_into(file, how, (1, 20, 9), target)
    assert counts == sorted(counts)
    assert len(set(counts)) > (3 if interlaced else 15)


@pytest.mark.parametrize("interlaced", [False, True])
def test_mutated_files_give_typed_errors_or_other_pixels(interlaced):
    how = png_encoding(6, 8, interlaced=interlaced)
    pixels = noise(6, 8, 20, 11)
    good = chunks(stream(pixels, 8, (1, 4, 2), interlaced), (70,)) + chunk("IEND")
    random = np.random.default_rng(4)
    errors = 0
    for verify in (True, False):
        for _ in range(200):
            broken = np.frombuffer(good, np.uint8).copy()
            places = random.integers(0, broken.size, random.integers(1, 4))
            broken[places] = random.integers(0, 256, places.size)
            file = broken.tobytes()
            try:
                cursor = opened(file, how, (1, 20, 11), window=int(random.integers(1, 300)), verify=verify)
            except GigapixError:
                continue
            found, error = rows(cursor, file, how, 11, [7] * 50)
            errors += error is not None
            if verify and error is None:
                assert np.array_equal(found, planes(pixels))
    assert errors > 200


def test_a_wrong_crc_or_adler_is_an_error_where_they_are_looked_at():
    pixels = noise(0, 8, 20, 11)
    zipped = stream(pixels, 8, (0,), False)
    how, shape = png_encoding(0, 8), (1, 20, 11)
    half = len(zipped) // 2
    for file, good in [
        (chunk("IDAT", zipped, crc=5), 20),
        (chunk("IDAT", zipped[:half], crc=5) + chunk("IDAT", zipped[half:]), None),
        (chunk("IDAT", zipped[:-1] + bytes([zipped[-1] ^ 1])), 20),
    ]:
        found, error = rows(opened(file, how, shape), file, how, 11, [1] * 20)
        assert type(error) is DecodeError
        assert found.shape[2] == good if good else 2 < found.shape[2] < 20
        assert np.array_equal(found, planes(pixels)[:, :, : found.shape[2]])
        found, error = rows(opened(file, how, shape, verify=False), file, how, 11)
        assert error is None
        assert np.array_equal(found, planes(pixels))


def test_chunks_end_at_the_first_of_another_type():
    pixels = noise(0, 8, 20, 11)
    zipped = stream(pixels, 8, (0,), False)
    file = chunk("IDAT", zipped[:100]) + chunk("tEXt") + chunk("IDAT", zipped[100:])
    _, error = rows(opened(file, png_encoding(0, 8), (1, 20, 11)), file, png_encoding(0, 8), 11, [1] * 20)
    assert type(error) is DecodeError
    assert "tEXt" in str(error)


def test_a_filter_that_there_is_not():
    pixels = noise(0, 8, 20, 11)
    data = bytearray(raw(pixels, 8, (0,), False))
    data[7 * 12] = 5
    file = chunk("IDAT", zlib.compress(data))
    found, error = rows(opened(file, png_encoding(0, 8), (1, 20, 11)), file, png_encoding(0, 8), 11)
    assert np.array_equal(found, planes(pixels)[:, :, :7])
    assert "row 7 has filter 5" in str(error)


def test_a_row_that_its_file_cannot_hold():
    file = chunk("IDAT", zlib.compress(bytes(100)))
    with pytest.raises(LimitError):
        opened(file, png_encoding(6, 16), (1, 10, (1 << 31) - 1))


def test_filters_are_png_s_alone():
    with pytest.raises(UnsupportedError, match="predictor 15"):
        decode_into(b"", encoding(8, predictor=PNG_FILTERS), (1, 1, 1), np.zeros((1, 1, 1, 1), np.uint8))


@pytest.mark.parametrize("interlaced", [False, True])
def test_memory_does_not_depend_on_the_height(interlaced):
    how = png_encoding(2, 8, interlaced=interlaced)
    width = 300
    most = []
    for height in (100, 1600):
        row = noise(2, 8, 1, width)
        pixels = np.broadcast_to(row, (height, width, 3))
        file = chunks(zlib.compress(raw(pixels, 8, (0,), interlaced)), (1000,))
        cursor = opened(file, how, (1, height, width), window=8192)
        target, held = np.zeros((3, 1, 16, width), np.uint8), 0
        while cursor.row < height:
            drive(cursor.read(target[:, :, : min(16, height - cursor.row)]), file)
            held = max(held, cursor.held)
        most.append(held)
        assert held <= cursor_bytes(how, (1, height, width), window=8192)
    assert most[1] <= most[0] * 1.2
    assert is_streamable(how, (1, 100, width))
