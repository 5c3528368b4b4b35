from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix import limits
from gigapix.errors import FormatError, LimitError
from gigapix.formats.png.chunks import last_chunks
from gigapix.formats.png.metadata import read_metadata
from gigapix.formats.png.texts import inflate, text_of
from tests import fixtures_png as made
from tests.formats.tiff.steps import answer


def metadata(*chunks: tuple[str, bytes]) -> tuple[dict[str, Any], list[str]]:
    data = b"".join(made.chunk(*each) for each in chunks) + made.chunk("IEND")
    return answer(read_metadata(last_chunks(data, 0), True), data)


def itxt(keyword: str, text: str, *, packed: bool) -> tuple[str, bytes]:
    body = text.encode()
    return "iTXt", keyword.encode() + bytes([0, packed, 0]) + b"de\0Wort\0" + (zlib.compress(body) if packed else body)


@pytest.mark.parametrize(
    ("kind", "data", "name", "value"),
    [
        ("gAMA", struct.pack(">I", 45455), "gamma", 0.45455),
        ("cHRM", struct.pack(">8I", *range(100_000, 900_000, 100_000)), "chromaticities",
         {"white": (1, 2), "red": (3, 4), "green": (5, 6), "blue": (7, 8)}),
        ("sRGB", b"\2", "srgb", "saturation"),
        ("cICP", bytes([9, 16, 0, 1]), "cicp", (9, 16, 0, 1)),
        ("sBIT", b"\5\6\5", "significant_bits", (5, 6, 5)),
        ("bKGD", b"\7", "background", (7,)),
        ("bKGD", b"\1\2\3\4\5\6", "background", (0x102, 0x304, 0x506)),
        ("hIST", b"\0\1\1\0", "palette_histogram", (1, 256)),
        ("pHYs", struct.pack(">IIB", 4000, 2000, 1), "pixel_size", {"X": (0.00025, "m"), "Y": (0.0005, "m")}),
        ("pHYs", struct.pack(">IIB", 1, 4, 0), "pixel_size", {"X": (1, ""), "Y": (0.25, "")}),
        ("tIME", struct.pack(">H5B", 2024, 2, 29, 23, 59, 60), "time", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
        ("eXIf", b"II*\0\x08\0\0\0", "exif", b"II*\0\x08\0\0\0"),
        ("tEXt", b"Title\0caf\xe9", "text", {"Title": "café"}),
        ("zTXt", b"Title\0\0" + zlib.compress(b"caf\xe9"), "text", {"Title": "café"}),
        (*itxt("Title", "café, ☕", packed=False), "text", {"Title": "café, ☕"}),
        (*itxt("Title", "café, ☕", packed=True), "text", {"Title": "café, ☕"}),
    ],
)  # fmt: skip
def test_values(kind: str, data: bytes, name: str, value: Any) -> None:
    assert metadata((kind, data)) == ({name: value}, [])
    found, problems = metadata((kind, b""), ("tEXt", b"a\0b"))
    assert found["text"] == {"a": "b"} and (problems or kind in ("eXIf", "sBIT", "bKGD", "hIST"))


def test_icc_profile() -> None:
    profile = bytes(range(256)) * 20
    assert metadata(("iCCP", b"mine\0\0" + zlib.compress(profile))) == ({"icc_name": "mine", "icc": profile}, [])


def test_several_of_one() -> None:
    texts = [("tEXt", b"a\0" + text) for text in (b"1", b"2", b"3")]
    found, _ = metadata(*texts, ("tEXt", b"b\0x"), ("gAMA", bytes(4)), ("gAMA", b"\0\0\0\1"))
    assert found == {"text": {"a": ["1", "2", "3"], "b": "x"}, "gamma": 0}


def test_private_chunks_are_no_metadata() -> None:
    assert metadata(("prVt", b"x"), ("sPLT", b"y")) == ({}, [])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("tEXt", b"no keyword"), ("tEXt", b"\0empty"), ("tEXt", b"x" * 80 + b"\0long"), ("zTXt", b"a\0"),
        ("zTXt", b"a\0\1" + zlib.compress(b"x")), ("zTXt", b"a\0\0garbage"), ("zTXt", b"a\0\0" + zlib.compress(b"x" * 99)[:-5]),
        ("iTXt", b"a\0\0"), ("iTXt", b"a\0\0\0"), ("iTXt", b"a\0\0\0en\0"), ("iTXt", b"a\0\1\1\0\0" + zlib.compress(b"x")),
        ("iCCP", b"a\0"), ("sRGB", b"\4"), ("pHYs", bytes(9)), ("pHYs", struct.pack(">IIB", 1, 1, 2)),
        ("tIME", bytes(7)), ("tIME", b"\0\1\2\3"), ("cHRM", bytes(31)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence(kind: str, data: bytes) -> None:
    found, problems = metadata((kind, data), ("gAMA", bytes(4)))
    assert found == {"gamma": 0}
    assert len(problems) == 1 and problems[0].startswith(f"{kind} at byte 0 is passed over: ")


@given(st.sampled_from(["tEXt", "zTXt", "iTXt"]), st.binary(max_size=60))
def test_any_text(kind: str, data: bytes) -> None:
    try:
        keyword, text = text_of(kind, data, 1000)
    except FormatError:
        return
    assert keyword and len(text) <= 1000


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zlib.compress(bytes(1 << 20), 9)
    assert len(inflate(bomb, 1 << 20)) == 1 << 20
    with pytest.raises(LimitError):
        inflate(bomb, (1 << 20) - 1)
    monkeypatch.setattr(limits, "MAX_PNG_TEXT_BYTES", 3 << 19)
    chunks = [("zTXt", b"a\0\0" + bomb), ("zTXt", b"b\0\0" + bomb), ("iCCP", b"c\0\0" + bomb), ("tEXt", b"d\0e")]
    found, problems = metadata(*chunks)
    assert {key: len(text) for key, text in found["text"].items()} == {"a": 1 << 20, "d": 1}
    assert len(problems) == 2
