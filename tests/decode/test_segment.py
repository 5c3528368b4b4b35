"""The flow: boxes, strides, samples, byte orders, and segments that hold less or more than their shape."""

import threading
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix import limits
from gigapix.decode import decode_into, expected_bytes, segment, supported
from gigapix.errors import DecodeError, LimitError, MemoryBudgetError, UnsupportedError
from tests.decode.build import decoded, encoding, picture, planes

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_samples_of_every_type_and_order(dtype, compression, order):
    values = np.random.default_rng(1).bytes(5 * 7 * 3 * np.dtype(dtype).itemsize)
    stored = np.frombuffer(values, order + dtype).reshape(5, 7, 3)
    data = zlib.compress(values) if compression == 8 else values
    found = decoded(data, encoding(compression, order + dtype, 3), (5, 7))
    assert found.tobytes() == planes(stored.astype(dtype)).tobytes()


@given(st.data())
def test_any_box_of_any_samples(data):
    depth, height, width, samples = (data.draw(st.integers(1, n)) for n in (3, 6, 7, 4))
    origin = tuple(data.draw(st.integers(0, n - 1)) for n in (depth, height, width))
    box = tuple(data.draw(st.integers(0, n - at)) for n, at in zip((depth, height, width), origin, strict=True))
    select = data.draw(st.lists(st.integers(0, samples - 1), max_size=5))
    pixels = np.arange(depth * height * width * samples, dtype="u2").reshape(depth, height, width, samples)
    compression = data.draw(st.sampled_from([1, 8]))
    stored = pixels.astype(">u2").tobytes()
    stored = zlib.compress(stored) if compression == 8 else stored
    # A view with strides of its own, as a window in a larger array has.
    target = np.zeros((box[0], len(select), box[2] * 2, box[1] + 3), "u2").transpose(1, 0, 3, 2)[:, :, 3:, ::2]
    decode_into(stored, encoding(compression, ">u2", samples), pixels.shape[:3], target, origin=origin, samples=select)
    inside = tuple(slice(at, at + size) for at, size in zip(origin, box, strict=True))
    assert np.array_equal(target, np.moveaxis(pixels[inside][..., select], -1, 0))


def test_a_strip_of_one_band_goes_straight_into_a_contiguous_target():
    pixels = picture(9, 11)
    whole = np.zeros((1, 1, 30, 11), "u1")
    decode_into(zlib.compress(pixels.tobytes()), encoding(8), (1, 9, 11), whole[:, :, 9:18])
    assert np.array_equal(whole[0, 0, 9:18], pixels)
    assert not whole[:, :, :9].any()
    assert not whole[:, :, 18:].any()


@pytest.mark.parametrize("compression", [1, 8])
def test_a_segment_with_fewer_rows_gives_those_that_it_has(compression):
    pixels = picture(10, 6, 3)
    data = pixels[:7].tobytes()
    data = zlib.compress(data) if compression == 8 else data
    target = np.zeros((3, 1, 7, 4), "u1")
    decode_into(data, encoding(compression, samples=3), (1, 10, 6), target)
    assert np.array_equal(target, planes(pixels[:7, :4]))
    with pytest.raises(DecodeError, match=r"7 rows .* of the 8"):
        decode_into(data, encoding(compression, samples=3), (1, 10, 6), np.zeros((3, 1, 8, 4), "u1"))


@pytest.mark.parametrize("compression", [1, 8])
def test_a_row_that_is_not_whole_is_not_a_row(compression):
    data = bytes(7 * 6 - 1)
    data = zlib.compress(data) if compression == 8 else data
    with pytest.raises(DecodeError):
        decode_into(data, encoding(compression), (1, 7, 6), np.zeros((1, 1, 7, 1), "u1"))


@pytest.mark.parametrize("compression", [1, 8])
def test_what_goes_beyond_the_segment_is_left_alone(compression):
    pixels = picture(10, 6)
    data = zlib.compress(pixels.tobytes()) if compression == 8 else pixels.tobytes()
    assert np.array_equal(decoded(data, encoding(compression), (4, 6)), planes(pixels[:4]))


def test_bytes_and_bytearrays_are_data_too():
    pixels = picture(4, 5)
    target = np.zeros((1, 1, 4, 5), "u1")
    for kind in (bytes, bytearray):
        for compression, data in ((1, pixels.tobytes()), (8, zlib.compress(pixels.tobytes()))):
            target[:] = 0
            decode_into(kind(data), encoding(compression), (1, 4, 5), target)
            assert np.array_equal(target, planes(pixels))


def test_fill_order_2_turns_bits_round_before_anything_else():
    pixels = picture(4, 5, dtype="u2")
    data = zlib.compress(pixels.tobytes())
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    assert np.array_equal(decoded(data.translate(reverse), encoding(8, "u2", fill_order=2), (4, 5)), planes(pixels))


def test_many_threads_at_once():
    pixels = picture(64, 64, 3)
    how = encoding(8, samples=3, predictor=2)
    difference = np.diff(pixels, axis=1, prepend=np.zeros((64, 1, 3), "u1"))
    data = zlib.compress(difference.tobytes())
    target = np.zeros((3, 1, 64, 64 * 16), "u1")

    def work(tile: int) -> None:
        decode_into(data, how, (1, 64, 64), target[..., 64 * tile : 64 * tile + 64])

    threads = [threading.Thread(target=work, args=(tile,)) for tile in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(target, np.tile(planes(pixels), 16))


@pytest.mark.parametrize(
    ("target", "more"),
    [
        (np.zeros((1, 4, 5), "u1"), {}),
        (np.zeros((1, 1, 4, 5), "u2"), {}),
        (np.zeros((2, 1, 4, 5), "u1"), {}),
        (np.zeros((1, 1, 5, 5), "u1"), {}),
        (np.zeros((1, 1, 4, 4), "u1"), {"origin": (0, 0, 2)}),
        (np.zeros((1, 1, 4, 4), "u1"), {"origin": (0, -1, 0)}),
    ],
)
def test_a_box_that_can_not_be_is_the_callers_fault(target, more):
    with pytest.raises(ValueError, match=r".") as caught:
        decode_into(bytes(20), encoding(), (1, 4, 5), target, **more)
    assert not isinstance(caught.value, DecodeError)


def test_a_large_segment_of_hardly_any_bytes_is_refused_before_it_is_allocated():
    side = int(limits.SEGMENT_TRUST_BYTES**0.5) * 64
    for compression in (1, 5, 8, 7, 32773, 34712, 50000):
        with pytest.raises(LimitError, match="can't hold"):
            decode_into(bytes(8000), encoding(compression), (1, side, side), np.zeros((1, 1, 1, 1), "u1"))


def test_no_memory_is_a_matter_of_budget(monkeypatch):
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(segment, "_decode", fails)
    with pytest.raises(MemoryBudgetError, match="20 bytes"):
        decoded(bytes(20), encoding(8), (4, 5))


def test_expected_bytes():
    assert expected_bytes(encoding(8, "u2", 3), (2, 4, 5)) == 2 * 4 * 5 * 3 * 2
    assert expected_bytes(encoding(5, "u2", 3, bits=(11, 11, 11)), (1, 4, 5)) == 4 * 21
    assert expected_bytes(encoding(4, bits=(1,)), (1, 4, 9)) == 8
    assert expected_bytes(encoding(7, samples=3, bits=(8, 8, 8)), (1, 4, 5)) == 60


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (encoding(34676), r"34676 \(SGILog\)"),
        (encoding(12345), r"12345 \(unknown\)"),
        (encoding(8, predictor=9), "predictor 9"),
        (encoding(8, predictor=3), "predictor 3"),
        (encoding(8, "c16", predictor=2), "predictor 2"),
        (encoding(8, "f4", bits=(24,), predictor=3), "predictor 3"),
        (encoding(8, "u2", 3, bits=(5, 6, 5), predictor=2), "predictor 2"),
        (encoding(8, sample_format=7), "SampleFormat 7"),
        (encoding(8, "f4", bits=(16,)), "16,"),
        (encoding(8, bits=(9,)), "9,"),
        (encoding(8, samples=3, bits=(8, 8)), "2 bit depths"),
        (encoding(5, samples=3, photometric=6, subsampling=(2, 2)), "subsampling"),
        (encoding(4, samples=3, bits=(1, 1, 1)), "CCITT G4"),
    ],
)
def test_what_is_not_supported_is_said_early(how, why):
    with pytest.raises(UnsupportedError, match=why):
        supported(how)


def test_a_codec_that_this_imagecodecs_lacks(monkeypatch):
    import imagecodecs

    def missing(*_: object, **__: object) -> None:
        raise imagecodecs.DelayedImportError("zstd_decode")

    monkeypatch.setattr(imagecodecs, "zstd_decode", missing)
    with pytest.raises(UnsupportedError, match="lacks"):
        decoded(b"", encoding(50000), (4, 5))
