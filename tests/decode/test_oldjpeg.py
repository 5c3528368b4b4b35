"""Old-style JPEG: one picture kept in each of the ways that writers had."""

import imagecodecs
import numpy as np
import pytest

from gigapix.errors import DecodeError, UnsupportedError
from gigapix.formats.model import OldJpeg
from tests.decode.build import decoded, encoding, picture, planes

PIXELS = picture(32, 48, 3)
STREAM = imagecodecs.jpeg8_encode(PIXELS, level=90, subsampling="420")
TRUTH = planes(imagecodecs.jpeg8_decode(STREAM))


def parts() -> tuple[dict[int, list[bytes]], bytes, bytes]:
    """(segments by marker, the scan header, the scan's data) of STREAM."""
    segments: dict[int, list[bytes]] = {}
    at = 2
    while True:
        end = at + 2 + int.from_bytes(STREAM[at + 2 : at + 4])
        if STREAM[at + 1] == 0xDA:
            return segments, STREAM[at:end], STREAM[end:]
        segments.setdefault(STREAM[at + 1], []).append(STREAM[at + 4 : end])
        at = end


SEGMENTS, SCAN, DATA = parts()
HEADERS = STREAM[: STREAM.index(b"\xff\xda")]


def how(**old):
    return encoding(6, samples=3, photometric=6, subsampling=(2, 2), old_jpeg=OldJpeg(**old))


def table_tags() -> dict[str, tuple[bytes, ...]]:
    """The bodies of DQT and DHT as tags 519 to 521 have them: without the byte that numbers them."""
    quantization = b"".join(SEGMENTS[0xDB])
    huffman = [table for body in SEGMENTS[0xC4] for table in cut_huffman(body)]
    q = [quantization[i + 1 : i + 65] for i in range(0, len(quantization), 65)]
    return {
        "quantization": (q[0], q[1], q[1]),
        "dc_tables": tuple(dict(huffman)[i] for i in (0, 1, 1)),
        "ac_tables": tuple(dict(huffman)[i] for i in (16, 17, 17)),
    }


def cut_huffman(body: bytes) -> list[tuple[int, bytes]]:
    found = []
    while body:
        length = 17 + sum(body[1:17])
        found.append((body[0], body[1:length]))
        body = body[length:]
    return found


def test_a_segment_that_is_a_whole_stream():
    assert np.array_equal(decoded(STREAM, how(), (32, 48)), TRUTH)
    assert np.array_equal(decoded(STREAM, encoding(6, samples=3, photometric=2), (32, 48)), TRUTH)


def test_headers_in_the_interchange_stream_and_bare_data_in_the_segment():
    assert np.array_equal(decoded(DATA, how(interchange=HEADERS + SCAN), (32, 48)), TRUTH)
    assert np.array_equal(decoded(SCAN + DATA, how(interchange=HEADERS + SCAN), (32, 48)), TRUTH)
    assert np.array_equal(decoded(b"\xff\xd3" + DATA, how(interchange=HEADERS + SCAN), (32, 48)), TRUTH)


def test_the_whole_stream_in_the_interchange_and_a_segment_beside_the_point():
    assert np.array_equal(decoded(b"\0\0" + DATA, how(interchange=STREAM), (32, 48)), TRUTH)


def test_strips_share_headers_that_give_the_height_of_the_image():
    strip = imagecodecs.jpeg8_encode(np.ascontiguousarray(PIXELS[:16]), level=90, subsampling="420")
    data = strip[strip.index(b"\xff\xda") + len(SCAN) :]
    truth = planes(imagecodecs.jpeg8_decode(strip))
    assert np.array_equal(decoded(data, how(interchange=HEADERS + SCAN), (16, 48)), truth)


def test_tables_in_tags():
    assert np.array_equal(decoded(DATA, how(**table_tags()), (32, 48)), TRUTH)


def test_restart_intervals():
    # Two rows of MCUs of a picture that is the same below: restarting, the second has the data of the first.
    half = np.ascontiguousarray(PIXELS[:16])
    strip = imagecodecs.jpeg8_encode(half, level=90, subsampling="444")
    data = strip[strip.index(b"\xff\xda") + len(SCAN) : -2]
    top = imagecodecs.jpeg8_encode(np.ascontiguousarray(half[:8]), level=90, subsampling="444")
    data = top[top.index(b"\xff\xda") + len(SCAN) : -2]
    twice = data + b"\xff\xd0" + data + b"\xff\xd9"
    coding = encoding(6, samples=3, photometric=6, old_jpeg=OldJpeg(**table_tags(), restart_interval=6))
    found = decoded(twice, coding, (16, 48))
    once = planes(imagecodecs.jpeg8_decode(top))
    assert np.array_equal(found, np.concatenate([once, once], axis=2))


def test_what_is_missing_is_said():
    with pytest.raises(DecodeError, match="tables"):
        decoded(DATA, how(), (32, 48))
    with pytest.raises(DecodeError, match="tables"):
        decoded(DATA, encoding(6, samples=3, photometric=6), (32, 48))
    with pytest.raises(UnsupportedError, match="lossless"):
        decoded(DATA, how(process=14), (32, 48))
    with pytest.raises(DecodeError):
        decoded(DATA[: len(DATA) // 2], how(**table_tags()), (32, 48))
    with pytest.raises(DecodeError):
        decoded(DATA, how(interchange=HEADERS[:100]), (32, 48))
