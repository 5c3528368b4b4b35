"""Cursors against whole decoding: any codec, predictor and sample, read in any portions through any window."""

import lzma
import zlib

import imagecodecs
import numpy as np
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.decode import decode_into
from gigapix.decode.cursor import is_streamable, open_cursor
from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError, TruncatedError
from gigapix.kernels import lzw
from tests.decode.build import encoding, picture
from tests.decode.streams import drive, opened, resumed, rows

ENCODERS = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: zlib.compress,
    32773: imagecodecs.packbits_encode,
    34925: lambda raw: lzma.compress(raw, check=lzma.CHECK_CRC32),
    50000: zstd.compress,
}
SAVED = [1, 5, 8, 32773]
HEIGHT, WIDTH = 61, 37


def stored(raw, how):
    """The bytes of a segment: compressed, and its bits the other way round where the encoding says so."""
    data = ENCODERS[how.compression](raw)
    return imagecodecs.bitorder_encode(data) if how.fill_order == 2 else data


KINDS = {
    "u1": encoding(),
    "RGB": encoding(samples=3),
    "RGB differences": encoding(samples=3, predictor=2),
    "big-endian u2": encoding(1, ">u2", 2),
    "u2 differences": encoding(1, ">u2", 1, predictor=2),
    "f4": encoding(1, "<f4", 1, predictor=3),
    "f8": encoding(1, ">f8"),
    "c8": encoding(1, ">c8"),
    "1 bit": encoding(bits=(1,)),
    "12 bits": encoding(1, "u2", 3, bits=(12,) * 3),
    "12 bits differences": encoding(1, "u2", bits=(12,), predictor=2),
    "DNG": encoding(samples=3, predictor=34892),
    "turned": encoding(samples=2, fill_order=2),
}


def raw_bytes(how, height, width, seed=0):
    """Any bytes are some image; half of them repeat, so that there is something to compress."""
    from gigapix.decode.support import row_bytes

    size = height * row_bytes(how, width)
    random = np.random.default_rng(seed)
    raw = random.integers(0, 256, size, np.uint8)
    raw[size // 3 : size // 2] = 7
    raw[: size // 4] = np.arange(size // 4) // 9 & 3
    return raw.tobytes()


def whole(data, how, shape):
    target = np.zeros((how.samples, *shape), how.dtype)
    decode_into(data, how, shape, target)
    return target.reshape(how.samples, 1, -1, shape[2])


def with_codec(kind, compression):
    from dataclasses import replace

    return replace(KINDS[kind], compression=compression)


@pytest.mark.parametrize("compression", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cursor_gives_what_whole_decoding_gives(kind, compression):
    how = with_codec(kind, compression)
    data = stored(raw_bytes(how, HEIGHT, WIDTH), how)
    shape = (1, HEIGHT, WIDTH)
    expected = whole(data, how, shape)
    for portions in ([], [1] * HEIGHT, [5, 1, 20, 2]):
        found, error = rows(opened(data, how, shape, window=100), data, how, WIDTH, portions)
        assert error is None
        assert found.tobytes() == expected.tobytes()


@settings(max_examples=150)
@given(st.data())
def test_any_portions_windows_columns_samples_and_checkpoints(data):
    compression = data.draw(st.sampled_from(list(ENCODERS)))
    how = with_codec(data.draw(st.sampled_from(list(KINDS))), compression)
    height, width, depth = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 60)), data.draw(st.integers(1, 2))
    shape = (depth, height, width)
    head = data.draw(st.binary(max_size=20))
    segment = stored(raw_bytes(how, depth * height, width, data.draw(st.integers(0, 99))), how)
    expected = whole(segment, how, shape)
    file = head + segment + b"something else"
    window = data.draw(st.sampled_from([1, 2, 7, 100, 65536]))
    where = {"start": len(head), "end": len(head) + len(segment), "window": window}
    column = data.draw(st.integers(0, width - 1))
    samples = data.draw(st.lists(st.integers(0, how.samples - 1), min_size=1, max_size=3))
    cursor = opened(file, how, shape, **where)
    passed = data.draw(st.integers(0, cursor.rows))
    drive(cursor.skip(passed), file)
    mark = cursor.checkpoint()
    assert (mark is None) is (compression not in SAVED)
    portions = data.draw(st.lists(st.integers(1, 20), max_size=8))
    found, error = rows(cursor, file, how, width, portions, column, samples)
    assert error is None
    assert found.tobytes() == expected[samples, :, passed:, column:].tobytes()
    if mark:
        again = resumed(file, how, shape, mark, **where)
        assert again.checkpoint() == mark
        found, error = rows(again, file, how, width, portions, column, samples)
        assert error is None
        assert found.tobytes() == expected[samples, :, passed:, column:].tobytes()
        other = {**where, "window": window + 3}
        second = resumed(file, how, shape, mark, **other)
        later = data.draw(st.integers(0, cursor.rows - passed))
        drive(second.skip(later), file)
        found, _ = rows(resumed(file, how, shape, second.checkpoint(), **other), file, how, width)
        assert found.tobytes() == expected[:, :, passed + later :].tobytes()


@pytest.mark.parametrize("compression", ENCODERS)
def test_truncation_at_every_byte(compression):
    how = with_codec("RGB differences", compression)
    segment = stored(raw_bytes(how, 20, 9), how)
    expected = whole(segment, how, (1, 20, 9))
    counts = []
    for size in range(len(segment)):
        file = segment[:size]
        for end, kind in ((len(segment), TruncatedError), (size, DecodeError)):
            found, error = rows(opened(file, how, (1, 20, 9), 0, end, window=64), file, how, 9, [3] * 20)
            assert found.tobytes() == expected[:, :, : found.shape[2]].tobytes()
            assert error is None if found.shape[2] == 20 else type(error) is kind
        counts.append(found.shape[2])
    assert counts == sorted(counts)
    if compression in SAVED:
        assert len(set(counts)) > 10


@pytest.mark.parametrize("compression", ENCODERS)
def test_mutated_streams_give_typed_errors(compression):
    how = with_codec("u1", compression)
    random = np.random.default_rng(4)
    segment = stored(raw_bytes(how, 50, 40), how)
    for _ in range(150):
        broken = np.frombuffer(segment, np.uint8).copy()
        places = random.integers(0, broken.size, random.integers(1, 4))
        broken[places] = random.integers(0, 256, places.size)
        file = broken.tobytes()
        cursor = opened(file, how, (1, 50, 40), window=int(random.integers(1, 300)))
        _, error = rows(cursor, file, how, 40, [7] * 50)
        if error:
            assert cursor.checkpoint() is None
            with pytest.raises(type(error)):
                drive(cursor.skip(0), file)


def test_the_same_error_again_and_the_good_rows_of_one_read():
    raw = raw_bytes(KINDS["u1"], 50, 40)
    file = zlib.compress(raw, 0)[:1500]
    how = encoding(8)
    cursor = opened(file, how, (1, 50, 40), end=5000)
    target = np.zeros((1, 1, 50, 40), np.uint8)
    for _ in range(2):
        with pytest.raises(TruncatedError, match="ends before"):
            drive(cursor.read(target[:, :, : 50 - cursor.row]), file)
    assert cursor.row == (1500 - 7) // 40
    assert target[0, 0, : cursor.row].tobytes() == raw[: cursor.row * 40]


def test_a_wrong_checksum_comes_after_the_last_row():
    raw = raw_bytes(KINDS["u1"], 50, 40)
    file = zlib.compress(raw)[:-1] + b"?"
    found, error = rows(opened(file, encoding(8), (1, 50, 40)), file, encoding(8), 40)
    assert found.tobytes() == raw
    assert isinstance(error, DecodeError)
    found, error = rows(opened(file, encoding(8), (1, 50, 40), verify=False), file, encoding(8), 40)
    assert found.tobytes() == raw
    assert error is None


def test_rows_without_predictor_go_straight_into_the_target():
    """Nothing else is allocated: the cursor holds its window and the state of its codec."""
    raw = raw_bytes(KINDS["u1"], 50, 40)
    file = imagecodecs.packbits_encode(raw)
    cursor = opened(file, encoding(32773), (1, 50, 40), window=256)
    target = np.zeros((1, 1, 50, 40), np.uint8)
    drive(cursor.read(target), file)
    assert target.tobytes() == raw
    assert cursor.held <= 256 + 16


@pytest.mark.parametrize("compression", ENCODERS)
def test_what_is_asked_for_follows_and_is_small(compression):
    how = with_codec("RGB", compression)
    file = stored(raw_bytes(how, 300, 200), how)
    asked = []
    cursor = opened(file, how, (1, 300, 200), window=1000)
    drive(cursor.skip(300), file, asked)
    assert all(size <= 1000 for _, size in asked)
    assert [at for at, _ in asked] == [0, *np.cumsum([size for _, size in asked])[:-1].tolist()]
    assert sum(size for _, size in asked) == len(file)


def test_an_lzw_checkpoint_is_tiny_and_costs_one_table():
    raw = raw_bytes(KINDS["u1"], 3000, 400)
    file = imagecodecs.lzw_encode(raw)
    how, shape = encoding(5), (1, 3000, 400)
    cursor = opened(file, how, shape, window=4096)
    for _ in range(10):
        drive(cursor.skip(290), file)
        mark = cursor.checkpoint()
        assert len(mark.state) < 100
        asked = []
        again = resumed(file, how, shape, mark, window=4096)
        target = np.zeros((1, 1, 1, 400), np.uint8)
        drive(again.read(target), file, asked)
        assert target.tobytes() == raw[mark.row * 400 :][:400]
        assert sum(size for _, size in asked) <= 3 * 4096


def test_old_style_lzw_resumes_in_its_order():
    codes = [256]
    raw = bytes(range(200)) * 20
    for start in range(0, len(raw), 200):
        codes += [*raw[start : start + 200], 256]
    from tests.kernels.test_lzw import pack

    file = pack([*codes, 257], lsb=True)
    assert lzw.decode(file, bytearray(len(raw)), lsb=True) == len(raw)
    how, shape = encoding(5), (1, 20, 200)
    cursor = opened(file, how, shape, window=50)
    drive(cursor.skip(7), file)
    for one in (cursor, resumed(file, how, shape, cursor.checkpoint())):
        found, error = rows(one, file, how, 200)
        assert error is None
        assert found.tobytes() == raw[7 * 200 :]


@pytest.mark.parametrize("compression", SAVED)
def test_a_damaged_checkpoint_is_refused(compression):
    how, shape = with_codec("RGB", compression), (1, 50, 40)
    file = stored(raw_bytes(how, 50, 40), how)
    cursor = opened(file, how, shape)
    drive(cursor.skip(20), file)
    mark = cursor.checkpoint()
    random = np.random.default_rng(1)
    broken = [mark.state[:n] for n in (0, 3, 8, 20, len(mark.state) - 1)] + [mark.state + b"x"]
    for at in random.integers(0, len(mark.state), 50):
        changed = bytearray(mark.state)
        changed[at] ^= 1 << random.integers(8)
        broken.append(bytes(changed))
    for state in broken:
        with pytest.raises(DecodeError, match="checkpoint"):
            opened(file, how, shape, at=type(mark)(row=mark.row, state=state))
    for other in ((1, 51, 40), (1, 50, 41)):
        with pytest.raises(DecodeError, match="checkpoint"):
            opened(file, how, other, at=mark)
    with pytest.raises(DecodeError, match="checkpoint"):
        opened(file, how, shape, at=type(mark)(row=21, state=mark.state))
    with pytest.raises(DecodeError, match="checkpoint"):
        opened(file + file, how, shape, start=len(file), at=mark)


@pytest.mark.parametrize("compression", SAVED)
def test_a_damaged_checkpoint_with_a_right_checksum_is_harmless(compression):
    """Nobody writes such a one by accident; it must not crash all the same."""
    from gigapix.decode.streams.model import seal, unseal

    how, shape = with_codec("RGB", compression), (1, 50, 40)
    file = stored(raw_bytes(how, 50, 40), how)
    cursor = opened(file, how, shape)
    drive(cursor.skip(20), file)
    mark = cursor.checkpoint()
    random = np.random.default_rng(1)
    body = bytes(unseal(mark.state))
    for _ in range(200):
        changed = bytearray(body)
        changed[random.integers(len(body))] = random.integers(256)
        if random.random() < 0.2:
            changed = changed[: random.integers(len(body))]
        try:
            again = opened(file, how, shape, at=type(mark)(row=mark.row, state=seal(bytes(changed))))
            rows(again, file, how, 40, [3] * 50)
        except GigapixError:
            pass


def test_what_is_not_streamed_says_how_much_it_would_take():
    how = encoding(34712, samples=3)
    assert not is_streamable(how, (1, 1000, 1000))
    with pytest.raises(MemoryBudgetError, match="3000000 bytes"):
        drive(open_cursor(how, (1, 1000, 1000), (0, 10)), bytes(10))


@pytest.mark.parametrize("compression", [34925, 50000])
def test_a_window_that_is_too_large_names_its_bytes(compression):
    raw = np.random.default_rng(0).bytes(20 << 20)
    if compression == 50000:
        options = {zstd.CompressionParameter.compression_level: 1, zstd.CompressionParameter.window_log: 27}
        file = zstd.compress(raw + raw, options=options)[:200_000]
    else:
        file = lzma.compress(raw[:100_000], preset=9)
    how = encoding(compression)
    with pytest.raises(MemoryBudgetError, match=r"more than \d+ bytes"):
        drive(opened(file, how, (1, 40 << 10, 1 << 10)).skip(10), file)


def test_rows_or_columns_that_are_not_there():
    file = picture(10, 10).tobytes()
    cursor = opened(file, encoding(), (1, 10, 10))
    with pytest.raises(ValueError, match="leaves"):
        drive(cursor.read(np.zeros((1, 1, 11, 10), np.uint8)), file)
    with pytest.raises(ValueError, match="leaves"):
        drive(cursor.read(np.zeros((1, 1, 1, 10), np.uint8), column=1), file)
    with pytest.raises(ValueError, match="row 11"):
        drive(cursor.skip(11), file)
