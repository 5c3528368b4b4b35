"""Bombs and lies: each runs in a child process whose memory is measured, and ends in one of our errors or in pixels."""

import lzma
import os
import struct
import zlib

import imagecodecs
import numpy as np
import pytest

from gigapix.decode import isolate
from gigapix.errors import DecodeError, GigapixError
from gigapix.formats.model import OldJpeg
from tests import guard
from tests.decode.build import decoded, encoding, picture

MOST = 100 << 20
"""Bytes that a decoder may take for a tile of 16 x 16, libraries loaded on the way included."""

BOMB = 160_000_000
HUGE = 30_000


def patched(data: bytes, fmt: str, at: int, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(fmt, changed, at, *values)
    return bytes(changed)


def streams():
    """name: (encoding, data, whether the first bytes are an image all the same)."""
    grey, colour = picture(16, 16), picture(16, 16, 3)
    zeros = bytes(BOMB)
    deflate, zstd = zlib.compress(zeros, 1), imagecodecs.zstd_encode(zeros, level=1)
    yield "deflate", encoding(8), deflate, True
    yield "zstd", encoding(50000), zstd, True
    yield "lzma", encoding(34925), lzma.compress(zeros, preset=0), True
    yield "lzw", encoding(5), imagecodecs.lzw_encode(zeros), True
    yield "packbits", encoding(32773), b"\x81\x00" * (BOMB // 128), True
    yield "pixarlog", encoding(32909), deflate, True
    yield "lerc in zstd", encoding(34887, lerc_parameters=(4, 2)), zstd, False
    yield "lerc in deflate", encoding(34887, lerc_parameters=(4, 1)), deflate, False
    yield "png", encoding(34933), patched(imagecodecs.png_encode(grey), ">II", 16, HUGE, HUGE), False
    jpeg = imagecodecs.jpeg8_encode(grey)
    at = jpeg.index(b"\xff\xc0") + 5
    yield "jpeg", encoding(7), patched(jpeg, ">HH", at, HUGE, HUGE), False
    yield "tall jpeg", encoding(7, samples=1), patched(jpeg, ">H", at, 65500), True
    progressive = patched(jpeg, ">BB", at - 5, 0xFF, 0xC2)
    yield "progressive jpeg", encoding(7), patched(progressive, ">HH", at, HUGE, HUGE), False
    old = encoding(6, samples=3, photometric=6, old_jpeg=OldJpeg(interchange=patched(jpeg, ">HH", at, HUGE, HUGE)))
    yield "old jpeg", old, b"\x12\x34" * 9, False
    j2k = imagecodecs.jpeg2k_encode(grey, codecformat="j2k")
    yield "j2k", encoding(34712), patched(j2k, ">II", 8, HUGE, HUGE), False
    jp2 = imagecodecs.jpeg2k_encode(grey, codecformat="jp2")
    yield "jp2", encoding(34712), patched(jp2, ">II", jp2.index(b"\xff\x4f\xff\x51") + 8, HUGE, HUGE), False
    webp = imagecodecs.webp_encode(colour, level=50, lossless=False)
    yield "webp", encoding(50001, samples=3), patched(webp, "<HH", 26, 16000, 16000), False
    lossless = imagecodecs.webp_encode(colour, lossless=True)
    yield "webp lossless", encoding(50001, samples=3), patched(lossless, "<I", 21, 0x0FFFFFFF), False
    yield "jpegxl", encoding(50002), imagecodecs.jpegxl_encode(np.zeros((9000, 9000), "u1"), effort=1), False
    planar = imagecodecs.jpegxl_encode(np.zeros((6, 16, 16), "u1"), planar=True, photometric="GRAY")
    yield "jpegxl channels", encoding(50002), planar, False
    lerc = imagecodecs.lerc_encode(grey)
    yield "lerc", encoding(34887), patched(lerc, "<ii", 14, HUGE, HUGE), False
    flat = imagecodecs.lerc_encode(np.zeros((256, 256), "u1"))
    yield "bands of lerc", encoding(34887), imagecodecs.lerc_encode(np.zeros((16, 16), "u1")) * 700_000, True
    yield "lerc bands too large", encoding(34887), bytes(flat) * 5000, False
    yield "constant lerc", encoding(34887), imagecodecs.lerc_encode(np.zeros((9000, 9000), "u1")), False
    yield "fax", encoding(4, bits=(1,)), b"\xff" * 100_000, True


def attempt(item):
    how, data = item
    yield "decode"
    with guard.measured() as peak:
        try:
            decoded(data, how, (16, 16))
            outcome = "pixels"
        except GigapixError as error:
            outcome = type(error).__name__
    return outcome, peak.bytes


def test_bombs_in_a_tile_of_256_pixels():
    items = list(streams())
    outcomes = guard.run_all(attempt, [(how, bytes(data)) for _, how, data, _ in items])
    for (name, _, _, readable), outcome in zip(items, outcomes, strict=True):
        assert outcome.fault is None, f"{name}: {outcome.fault} {outcome.detail}"
        what, peak = outcome.value
        assert what in (("pixels", "DecodeError") if readable else ("DecodeError", "LimitError")), f"{name}: {what}"
        assert peak < MOST, f"{name}: {peak >> 20} MiB"


def mutants(item):
    """Decode damaged copies of a stream; anything but pixels and our own errors gets out."""
    how, data, seed = item
    rng = np.random.default_rng(seed)
    yield "decode"
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(int(rng.choice([1, 2, 4, 16]))):
            damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        if rng.random() < 0.2:
            del damaged[int(rng.integers(len(damaged))) :]
        try:
            decoded(bytes(damaged), how, (16, 16))
        except GigapixError:
            continue
    return "done"


def sound():
    grey, colour = picture(16, 16), picture(16, 16, 3)
    yield encoding(5), imagecodecs.lzw_encode(grey.tobytes())
    yield encoding(8, predictor=2), zlib.compress(grey.tobytes())
    yield encoding(50000, "u1", 3), imagecodecs.zstd_encode(colour.tobytes())
    yield encoding(32773), imagecodecs.packbits_encode(grey.tobytes())
    yield encoding(34925), imagecodecs.lzma_encode(grey.tobytes())
    yield encoding(7, samples=3, photometric=6), imagecodecs.jpeg8_encode(colour)
    yield encoding(7, "u2", photometric=32803), imagecodecs.ljpeg_encode(grey.astype("u2"))
    yield encoding(34712, samples=3), imagecodecs.jpeg2k_encode(colour)
    yield encoding(34712), imagecodecs.htj2k_encode(grey)
    yield encoding(34887, "f4"), imagecodecs.lerc_encode(grey.astype("f4"), level=0.1)
    yield encoding(34933, samples=3), imagecodecs.png_encode(colour)
    yield encoding(50001, samples=3), imagecodecs.webp_encode(colour, level=50, lossless=False)
    yield encoding(50001, samples=3), imagecodecs.webp_encode(colour, lossless=True)
    yield encoding(50002, samples=3), imagecodecs.jpegxl_encode(colour)
    yield encoding(4, bits=(1,)), bytes(range(100, 256)) * 2


def test_damaged_streams_end_in_pixels_or_our_errors():
    items = [(how, bytes(data), seed) for seed in range(4) for how, data in sound()]
    for (how, _, seed), outcome in zip(items, guard.run_all(mutants, items), strict=True):
        assert (outcome.fault, outcome.value) == (None, "done"), f"{how.compression} {seed}: {outcome}"


@pytest.mark.parametrize("child", ["import os; os.abort()", "import time; time.sleep(60)"])
def test_a_codec_that_kills_its_process_is_a_decode_error(child, monkeypatch):
    data = imagecodecs.jpegxr_encode(picture(16, 16))
    monkeypatch.setattr(isolate, "_IDLE", [])
    with monkeypatch.context() as patch:
        patch.setattr(isolate, "CHILD", child)
        patch.setattr(isolate, "TIMEOUT", 0.2)
        with pytest.raises(DecodeError, match="dies"):
            decoded(data, encoding(34934), (16, 16))
    assert not isolate._IDLE
    np.testing.assert_array_equal(decoded(data, encoding(34934), (16, 16))[0, 0], picture(16, 16))
    (first,) = isolate._IDLE
    with pytest.raises(DecodeError):
        decoded(data[:40], encoding(34934), (16, 16))
    decoded(data, encoding(34934), (16, 16))
    assert first in isolate._IDLE


def test_a_fork_starts_a_worker_of_its_own_and_leaves_the_other_alone(monkeypatch):
    data = imagecodecs.jpegxr_encode(picture(16, 16))
    monkeypatch.setattr(isolate, "_IDLE", [])
    isolate.jpegxr(data)
    (first,) = isolate._IDLE
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)  # as a fork would see it
        isolate.jpegxr(data)
        first.end()
        (second,) = isolate._IDLE
        assert second is not first
        second.end()
    assert first.ask(data, -1) is not None
