from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from gigapix.errors import FormatError, GigapixError, LimitError, RequestError, TruncatedError
from gigapix.formats.model import PNG_FILTERS, Range
from gigapix.formats.png import animation as animations
from tests import fixtures_png as made
from tests.formats.png.read import opened, raw_rows
from tests.formats.tiff.steps import answer


@pytest.mark.parametrize(("color_type", "depth"), made.KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_level(color_type: int, depth: int, interlaced: bool) -> None:
    pixels = made.noise(color_type, depth)
    data = made.png(pixels, depth, color_type, interlaced=interlaced, cuts=(9, 0, 4))
    image = opened(data)
    (level,) = image.levels
    height, width, samples = pixels.shape
    assert (level.axes, level.shape, level.dtype) == ("CYX", (samples, height, width), pixels.dtype)
    assert (level.segment, level.tiled, level.planes, level.planar) == ((1, height, width), False, 1, False)
    encoding = level.encoding
    assert (encoding.compression, encoding.predictor, encoding.framing) == (8, PNG_FILTERS, "IDAT")
    assert (encoding.bits, encoding.byteorder, encoding.interlaced) == ((depth,) * samples, ">", interlaced)
    assert encoding.extra_samples == ((2,) if color_type in (4, 6) else ())
    assert raw_rows(image, data) == made.raw(pixels, depth, made.ALL_FILTERS, interlaced)


def test_a_range_ends_with_the_file_or_an_honest_stream() -> None:
    data = made.png(made.noise(0, 8)) + bytes(1 << 20)
    offset, length = answer(opened(data).levels[0].locate(0, [0]), data).ranges[0]
    assert offset == 33 and len(data) > offset + length > len(data) - (1 << 20)
    data = made.png(made.noise(0, 8))
    assert answer(opened(data).levels[0].locate(0, [0]), data).ranges == ((33, len(data) - 33),)


FRAMES = [
    (made.noise(6, 8, *size, seed=seed), x, y)
    for seed, (size, x, y) in enumerate([((13, 11), 0, 0), ((5, 4), 7, 8), ((1, 11), 0, 12)])
]


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("cuts", [(1 << 16,), (7, 0, 50)])
def test_frames(separate: bool, interlaced: bool, cuts: tuple[int, ...]) -> None:
    default = made.noise(6, 8, seed=9) if separate else None
    data = made.apng(FRAMES, 6, default=default, interlaced=interlaced, cuts=cuts)
    shown = [*([(default, 0, 0)] if default is not None else []), *FRAMES]
    for index, (pixels, x, y) in enumerate(shown):
        image = opened(data, index)
        number = index - separate
        assert image.png.animation == animations.Animation(frames=3, plays=3)
        assert raw_rows(image, data) == made.raw(pixels, 8, made.ALL_FILTERS, interlaced)
        if number < 0:
            assert image.frame is None
            continue
        frame = image.frame
        assert frame is not None
        assert (frame.x, frame.y, frame.height, frame.width) == (x, y, *pixels.shape[:2])
        assert frame.delay == pytest.approx((number + 1) / 10)
        assert (frame.dispose, frame.blend) == (
            ["none", "background", "previous"][number],
            ["source", "over", "source"][number],
        )
        assert image.levels[0].shape == (4, *pixels.shape[:2])
        assert image.levels[0].encoding.framing == ("fdAT" if index else "IDAT")
    with pytest.raises(RequestError):
        opened(data, len(shown))


@pytest.mark.parametrize("separate", [False, True])
def test_frames_by_pillow(separate: bool) -> None:
    images = [Image.fromarray(made.noise(6, 8, 20, 20, seed=seed)) for seed in range(4)]
    file = io.BytesIO()
    images[0].save(
        file,
        "png",
        save_all=True,
        append_images=images[1:],
        default_image=separate,
        duration=[40] * (4 - separate),
        loop=2,
        disposal=1,
        blend=1,
    )
    with Image.open(file) as oracle:
        assert isinstance(oracle, PngImagePlugin.PngImageFile)
        count = oracle.n_frames
        boxes = []
        for index in range(count):
            oracle.seek(index)
            boxes.append(
                (
                    oracle.info.get("bbox"),
                    oracle.info.get("duration"),
                    oracle.info.get("disposal"),
                    oracle.info.get("blend"),
                )
            )
    for index in range(count):
        frame = opened(file.getvalue(), index).frame
        if frame is None:
            assert separate and index == 0
            continue
        assert (frame.delay * 1000, frame.dispose, frame.blend) == (40, "background", "over")
        assert boxes[index][1:] == (40, PngImagePlugin.Disposal.OP_BACKGROUND, PngImagePlugin.Blend.OP_OVER)


def corrupted(data: bytes, kind: bytes, nth: int, offset: int, value: bytes) -> bytes:
    """With a value within the nth chunk of a type, and the CRC of it."""
    at = -1
    for _ in range(nth):
        at = data.index(kind, at + 1)
    (length,) = struct.unpack_from(">I", data, at - 4)
    body = bytearray(data[at : at + 4 + length])
    body[4 + offset : 4 + offset + len(value)] = value
    return data[:at] + body + struct.pack(">I", zlib.crc32(body)) + data[at + 8 + length :]


@pytest.mark.parametrize(
    ("kind", "nth", "offset", "value", "said"),
    [
        (b"fcTL", 2, 3, b"\7", "fcTL number 7"), (b"fdAT", 1, 3, b"\7", "fdAT number 7"), (b"fcTL", 2, 4, bytes(4), "a frame of 0 x"),
        (b"fcTL", 2, 15, b"\x0a", "leaves the"), (b"fcTL", 2, 24, b"\3", "dispose 3"), (b"fcTL", 2, 25, b"\2", "blend 2"),
    ],
)  # fmt: skip
def test_damaged_frames(kind: bytes, nth: int, offset: int, value: bytes, said: str) -> None:
    data = corrupted(made.apng(FRAMES, 6), kind, nth, offset, value)
    assert opened(data).frame is not None
    with pytest.raises(FormatError, match=said) as caught:
        opened(data, 1)
    assert caught.value.offset is not None


def test_lost_frames() -> None:
    data = made.apng(FRAMES, 6)
    at = data.index(b"fcTL", data.index(b"IDAT")) - 4
    with pytest.raises(RequestError):
        opened(data[:at] + made.chunk("IEND"), 2)
    with pytest.raises(TruncatedError):
        opened(data[:at], 2)
    again = data[at : at + 38]
    with pytest.raises(FormatError, match="frame 1 has no pixels"):
        opened(data[:at] + again + again.replace(b"\0\0\0\1", b"\0\0\0\2", 1) + made.chunk("IEND"), 1)


def test_a_damaged_animation_is_a_still_image() -> None:
    for kind, offset, value in ((b"acTL", 0, bytes(4)), (b"fcTL", 3, b"\1"), (b"fcTL", 7, b"\1")):
        image = opened(corrupted(made.apng(FRAMES, 6), kind, 1, offset, value))
        assert image.frame is None and image.png.animation is None
        assert "the animation is passed over" in image.png.problems[0]


def test_a_walk_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made.apng(FRAMES, 6, cuts=(1,))
    monkeypatch.setattr(animations.limits, "MAX_PNG_WALK", 100)
    with pytest.raises(LimitError, match="behind more than 100 chunks"):
        opened(data, 2)


def test_what_opening_reads() -> None:
    asked: list[Range] = []
    data = made.png(
        made.noise(6, 8, 100, 100), 8, 6, before=[("iCCP", bytes(5000)), ("tEXt", b"a\0b"), ("gAMA", bytes(4))]
    )
    opened(data, asked=asked)
    assert sum(length for _, length in asked) < 120


@pytest.mark.parametrize(
    ("data", "index", "last"),
    [
        (made.png(made.noise(3, 4), 4, 3, before=[("tRNS", b"ab")]), 0, b"IDAT"),
        (made.apng(FRAMES, 6), 0, b"IDAT"),
        (made.apng(FRAMES, 6), 1, b"fdAT\0\0\0\2"),
    ],
)
def test_every_prefix(data: bytes, index: int, last: bytes) -> None:
    """It opens when the file reaches to where its pixels begin, and not before."""
    begin = data.index(last) + len(last)
    for length in range(len(data)):
        if length >= begin:
            opened(data[:length], index)
            continue
        with pytest.raises(FormatError):
            opened(data[:length], index)


@given(st.data())
def test_mutants(draw: st.DataObject) -> None:
    data = bytearray(made.apng(FRAMES[:2], 6, cuts=(60,)))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        image = opened(bytes(data), draw.draw(st.integers(0, 2)), verify=draw.draw(st.booleans()))
    except GigapixError:
        return
    assert np.prod(image.levels[0].shape) > 0
