"""One-segment JPEGs by their restart markers: pixel for pixel what the whole picture gives."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gigapix.decode import decode_into
from gigapix.decode.cursor import cursor_bytes, is_streamable, open_cursor
from gigapix.decode.streams import restarts
from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError
from tests.decode.build import encoding, picture
from tests.decode.streams import drive, opened, resumed, rows

PIECES = 30_000
"""Small pieces, so that small pictures have many."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(restarts, "PIECE_BYTES", PIECES)


def jpeg(height, width, samples=3, **more):
    pixels = picture(height, width, samples)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG", quality=80, **more)
        return file.getvalue()


def how_of(samples):
    return encoding(7, samples=samples, photometric=6 if samples == 3 else 1)


def whole(data, samples, height, width):
    target = np.zeros((samples, 1, height, width), np.uint8)
    decode_into(data, how_of(samples), (1, height, width), target)
    return target


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize(
    "restart", [{"restart_marker_rows": 1}, {"restart_marker_rows": 3}, {"restart_marker_blocks": 4}]
)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_cursor_gives_what_whole_decoding_gives(samples, restart, subsampling):
    for height, width in [(333, 203), (320, 192), (8, 8), (1, 300), (200, 1), (17, 33)]:
        data = jpeg(height, width, samples, subsampling=subsampling, **restart)
        how, shape = how_of(samples), (1, height, width)
        assert is_streamable(how, shape)
        expected = whole(data, samples, height, width)
        for portions, window in (([], 65536), ([1] * height, 5000), ([7, 100, 50], 333)):
            found, error = rows(opened(data, how, shape, window=window), data, how, width, portions)
            assert error is None
            assert np.array_equal(found, expected)


@settings(max_examples=60)
@given(st.data())
def test_any_portions_windows_columns_samples_and_checkpoints(data):
    subsampling = data.draw(st.integers(0, 2))
    height, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 80))
    restart = data.draw(st.sampled_from([{"restart_marker_rows": 1}, {"restart_marker_blocks": 3}]))
    head = data.draw(st.binary(max_size=20))
    segment = jpeg(height, width, subsampling=subsampling, **restart)
    expected = whole(segment, 3, height, width)
    how, shape, file = how_of(3), (1, height, width), head + segment + b"more"
    where = {"start": len(head), "end": len(file) - 4, "window": data.draw(st.sampled_from([1, 64, 65536]))}
    column = data.draw(st.integers(0, width - 1))
    samples = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=3))
    cursor = opened(file, how, shape, **where)
    first = data.draw(st.integers(0, height))
    drive(cursor.read(np.zeros((3, 1, first, width), np.uint8)), file)
    passed = data.draw(st.integers(0, height - first)) + first
    drive(cursor.skip(passed - first), file)
    mark = cursor.checkpoint()
    assert (mark is None) is (passed == height)
    for one in (cursor, resumed(file, how, shape, mark, **where)) if mark else (cursor,):
        assert one.checkpoint() == mark
        found, error = rows(one, file, how, width, [3, 40], column, samples)
        assert error is None
        assert np.array_equal(found, expected[samples, :, passed:, column:])


def test_truncation_gives_the_groups_before_it():
    data = jpeg(400, 60, subsampling=2, restart_marker_rows=1)
    expected, how = whole(data, 3, 400, 60), how_of(3)
    counts = []
    for size in range(700, len(data), 37):
        found, error = rows(opened(data[:size], how, (1, 400, 60), end=len(data)), data[:size], how, 60, [50] * 8)
        assert error is not None
        assert np.array_equal(found, expected[:, :, : found.shape[2]])
        counts.append(found.shape[2])
    assert counts == sorted(counts)
    assert len(set(counts)) > 20
    assert counts[-1] > 350


def test_mutated_files_give_typed_errors_or_other_pixels():
    random = np.random.default_rng(4)
    data = jpeg(200, 60, subsampling=2, restart_marker_rows=1)
    how = how_of(3)
    for _ in range(300):
        broken = np.frombuffer(data, np.uint8).copy()
        places = random.integers(0, broken.size, random.integers(1, 4))
        broken[places] = random.integers(0, 256, places.size)
        file = broken.tobytes()
        try:
            cursor = opened(file, how, (1, 200, 60), window=int(random.integers(1, 3000)))
        except GigapixError:
            continue
        rows(cursor, file, how, 60, [70] * 50)


@pytest.mark.parametrize("more", [{}, {"progressive": True, "restart_marker_rows": 1}])
def test_what_cannot_be_cut_says_how_much_it_would_take(more):
    data = jpeg(100, 100, **more)
    with pytest.raises(MemoryBudgetError, match="30000 bytes"):
        drive(open_cursor(how_of(3), (1, 100, 100), (0, len(data))), data)


def test_markers_too_far_apart():
    data = jpeg(1000, 100, restart_marker_rows=30)
    with pytest.raises(MemoryBudgetError, match="too few restart markers"):
        drive(open_cursor(how_of(3), (1, 1000, 100), (0, len(data)), room=1 << 20), data)


@pytest.mark.parametrize("width", [8192, 16384])
def test_markers_of_every_row_of_blocks_take_twelve_megabytes_at_any_usual_width(width):
    data = jpeg(64, width, restart_marker_rows=1)
    how, shape = how_of(3), (1, 64, width)
    need = cursor_bytes(how, shape, room=0)
    assert need < 12 << 20
    cursor = opened(data, how, shape, room=need)
    found, error = rows(cursor, data, how, width, [16] * 4)
    assert error is None
    assert np.array_equal(found, whole(data, 3, 64, width))


def test_a_missing_marker_is_found():
    data = jpeg(400, 60, restart_marker_rows=1)
    at = data.index(b"\xff\xd3")
    file = data[:at] + data[at + 2 :]
    _, error = rows(opened(file, how_of(3), (1, 400, 60)), file, how_of(3), 60, [50] * 8)
    assert isinstance(error, DecodeError)
