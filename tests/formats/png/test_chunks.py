from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix import limits
from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.png.chunks import Chunk, chunk_at, last_chunks, read_chunk
from tests import fixtures_png as made
from tests.formats.tiff.steps import answer

TYPES = st.sampled_from(["IDAT", "tEXt", "tIME", "eXIf", "prVt"])


def test_a_chunk() -> None:
    data = b"__" + made.chunk("tEXt", b"hello") + b"rest"
    chunk = answer(chunk_at(2), data)
    assert chunk == Chunk("tEXt", 2, 5)
    assert (chunk.end, chunk.is_critical) == (len(data) - 4, False)
    assert answer(read_chunk(chunk), data) == b"hello"
    assert Chunk("IDAT", 0, 0).is_critical


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", TruncatedError),
        (b"\0\0\0\1tEX", TruncatedError),
        (b"\0\0\0\1tE1t", FormatError),
        (b"\x80\0\0\0tEXt", FormatError),
    ],
)
def test_no_chunk(head: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        answer(chunk_at(0), head)


def test_a_damaged_chunk() -> None:
    data = made.chunk("tEXt", b"hello", crc=1)
    with pytest.raises(FormatError, match="CRC of a chunk tEXt"):
        answer(read_chunk(Chunk("tEXt", 0, 5)), data)
    assert answer(read_chunk(Chunk("tEXt", 0, 5), verify=False), data) == b"hello"
    with pytest.raises(TruncatedError):
        answer(read_chunk(Chunk("tEXt", 0, 5)), data[:-1])


def test_a_long_chunk_is_not_read() -> None:
    with pytest.raises(LimitError):
        answer(read_chunk(Chunk("iCCP", 0, limits.MAX_PNG_CHUNK_BYTES + 1)), b"")


@given(st.lists(st.tuples(TYPES, st.binary(max_size=40)), max_size=6), st.binary(max_size=400), st.binary(max_size=9))
def test_last_chunks_are_found_behind_noise(chunks: list[tuple[str, bytes]], noise: bytes, after: bytes) -> None:
    data = noise + b"".join(made.chunk(*each) for each in chunks) + made.chunk("IEND") + after
    found = last_chunks(data, 1000)
    place, expected = 1000 + len(noise), []
    for kind, value in chunks:
        expected.append(Chunk(kind, place, len(value)))
        place = expected[-1].end
    assert found == [*expected, Chunk("IEND", place, 0)]


def test_last_chunks_without_an_end() -> None:
    assert last_chunks(made.chunk("tEXt", b"hello"), 0) == []
    assert last_chunks(made.chunk("IEND", crc=0), 0) == []
    assert last_chunks(b"", 0) == []


def test_damage_costs_only_the_chunks_before_it() -> None:
    sound = made.chunk("tIME", b"1234567") + made.chunk("IEND")
    damaged = made.chunk("tEXt", b"x", crc=5)
    assert [chunk.type for chunk in last_chunks(made.chunk("tEXt", b"y") + damaged + sound, 0)] == [
        "tEXt",
        "tEXt",
        "tIME",
        "IEND",
    ]
    assert [chunk.type for chunk in last_chunks(damaged + sound, 0)] == ["tIME", "IEND"]


@pytest.mark.parametrize("end", [b"", made.chunk("IEND", crc=0), made.chunk("IEND")])
def test_each_place_is_looked_at_once(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of chunks that lead nowhere, or nowhere proven, would take a square of their number."""
    from gigapix.formats.png import chunks as module

    calls = 0
    parse = module.parse_chunk

    def counted(*given: object) -> Chunk:
        nonlocal calls
        calls += 1
        return parse(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "parse_chunk", counted)
    data = struct.pack(">I4sI", 0, b"aaaa", 1) * 5000 + end
    last_chunks(data, 0)
    assert calls <= 3 * 5000
