from __future__ import annotations

import struct

import pytest

from gigapix import limits
from gigapix.errors import FormatError, GigapixError, LimitError, TruncatedError, UnsupportedError
from gigapix.formats.png.file import Png, is_png, read_png
from tests import fixtures_png as made
from tests.formats.tiff.steps import answer

PIXELS = made.chunk("IDAT", b"x")
GREY = made.ihdr(4, 3)


def read(*chunks: bytes, verify: bool = True) -> Png:
    return answer(read_png(verify), made.SIGNATURE + b"".join(chunks))


@pytest.mark.parametrize(("color_type", "depth"), made.KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_header(color_type: int, depth: int, interlaced: bool) -> None:
    plte = made.chunk("PLTE", made.palette(2))
    header = read(made.ihdr(7, 9, depth, color_type, interlaced), plte, PIXELS).header
    assert (header.width, header.height, header.depth, header.color_type) == (7, 9, depth, color_type)
    assert (header.interlaced, header.samples) == (interlaced, made.SAMPLES[color_type])


@pytest.mark.parametrize("color_type", range(8))
@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 5, 8, 12, 16, 32])
def test_what_png_does_not_have(color_type: int, depth: int) -> None:
    if (color_type, depth) not in made.KINDS:
        with pytest.raises(FormatError, match="which PNG"):
            read(made.ihdr(4, 3, depth, color_type), PIXELS)


@pytest.mark.parametrize(
    ("chunks", "kind", "said"),
    [
        ([made.ihdr(0, 3)], FormatError, "0 x 3"),
        ([made.ihdr(4, 1 << 31)], LimitError, "fewer than"),
        ([made.ihdr(4, 3, interlace=2)], FormatError, "interlace method 2"),
        ([made.ihdr(4, 3, method=64)], UnsupportedError, "filter method 64"),
        ([made.chunk("IHDR", bytes(12))], FormatError, "12 bytes"),
        ([made.chunk("IHDR", bytes(13), crc=7)], FormatError, "CRC of a chunk IHDR"),
        ([made.chunk("gAMA", bytes(4))], FormatError, "gAMA instead of IHDR"),
        ([made.chunk("CgBI", bytes(4)), GREY], UnsupportedError, "Apple"),
        ([GREY, GREY], FormatError, "second IHDR"),
        ([GREY, made.chunk("IEND")], FormatError, "no IDAT"),
        ([GREY], TruncatedError, "ends where a chunk"),
        ([GREY, b"garbage!"], FormatError, "no chunk begins here"),
        ([GREY, made.chunk("ABCD")], UnsupportedError, "critical chunk ABCD"),
        ([made.ihdr(4, 3, 8, 3)], FormatError, "without PLTE"),
        ([made.ihdr(4, 3, 8, 3), made.chunk("PLTE", bytes(7))], FormatError, "PLTE of 7"),
        ([made.ihdr(4, 3, 8, 3), made.chunk("PLTE")], FormatError, "PLTE of 0"),
        ([made.ihdr(4, 3, 8, 3), made.chunk("PLTE", bytes(771))], FormatError, "PLTE of 771"),
        ([made.ihdr(4, 3, 8, 3), made.chunk("PLTE", bytes(6), crc=0)], FormatError, "CRC of a chunk PLTE"),
    ],
)  # fmt: skip
def test_refused(chunks: list[bytes], kind: type[GigapixError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        read(*chunks, *([PIXELS] if kind is not TruncatedError else []))
    assert type(caught.value) is kind
    assert caught.value.offset is not None


@pytest.mark.parametrize("begin", [b"\x8aMNG\r\n\x1a\n", b"\x8bJNG\r\n\x1a\n"])
def test_relatives(begin: bytes) -> None:
    assert is_png(begin)
    with pytest.raises(FormatError, match=r"not a PNG but [MJ]NG"):
        answer(read_png(), begin + bytes(100))


@pytest.mark.parametrize(
    "begin", [b"\x89PNG\n\x1a\n\0", b"\tPNG\r\n\x1a\n", b"\x89QNG\r\n\x1a\n", b"\x89PNg\r\n\x1a\n", b"\x89PNG"]
)
def test_damaged_signatures(begin: bytes) -> None:
    assert is_png(begin)
    with pytest.raises(FormatError, match="a damaged PNG"):
        answer(read_png(), begin)


@pytest.mark.parametrize("begin", [b"", b"\x89", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"\xff\xd8\xff\xe0\0\x10JF"])
def test_others(begin: bytes) -> None:
    assert not is_png(begin)


def test_what_pixels_do_not_need_costs_no_image() -> None:
    bad = [made.chunk("tRNS", bytes(3)), made.chunk("gAMA", b"1", crc=0), made.chunk("acTL", bytes(8))]
    png = read(GREY, *bad, PIXELS)
    assert (png.transparency, png.animation) == (b"", None)
    assert [problem.split()[0] for problem in png.problems] == ["tRNS", "the"]
    assert [chunk.type for chunk in png.chunks] == ["IHDR", "tRNS", "gAMA", "acTL"]
    png = read(GREY, made.chunk("tRNS", bytes(2), crc=0), PIXELS)
    assert png.transparency == b"" and "CRC" in png.problems[0]
    png = read(made.ihdr(4, 3, 8, 4), made.chunk("tRNS", bytes(2)), PIXELS)
    assert png.transparency == b"" and png.problems


def test_checksums_are_a_setting() -> None:
    assert (
        read(made.chunk("IHDR", struct.pack(">IIBBBBB", 4, 3, 8, 0, 0, 0, 0), crc=7), PIXELS, verify=False).header.width
        == 4
    )


def test_the_first_of_two_counts() -> None:
    png = read(made.ihdr(4, 3, 8, 3), made.chunk("PLTE", b"abc"), made.chunk("PLTE", b"xyz"), PIXELS)
    assert png.palette == b"abc"


def test_a_palette_longer_than_its_indices() -> None:
    png = read(made.ihdr(4, 3, 2, 3), made.chunk("PLTE", made.palette(9)), made.chunk("tRNS", b"abcd"), PIXELS)
    assert (png.palette, png.transparency) == (made.palette(4), b"abcd")
    png = read(made.ihdr(4, 3, 2, 3), made.chunk("PLTE", made.palette(9)), made.chunk("tRNS", b"abcde"), PIXELS)
    assert (png.transparency, len(png.problems)) == (b"", 1)


def test_chunks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PNG_CHUNKS", 100)
    with pytest.raises(LimitError, match="more than 100 chunks"):
        read(GREY, made.chunk("tEXt") * 200, PIXELS)
