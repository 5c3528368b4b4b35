from __future__ import annotations

import pytest

from gigapix.formats.model import Range
from gigapix.formats.png.behind import MAX_STEPS, TAIL_BYTES, chunks_behind
from tests import fixtures_png as made
from tests.formats.png.read import opened
from tests.formats.tiff.steps import answer

PIXELS = made.noise(2, 8, 200, 300)
TEXTS = [("tEXt", b"a\0b"), ("tIME", bytes(7)), ("prVt", b"x")]


def behind(data: bytes, size: int | None = -1) -> tuple[list[str], str, list[Range]]:
    asked: list[Range] = []
    png = opened(data).png
    chunks, missing = answer(chunks_behind(png, len(data) if size == -1 else size), data, asked)
    return [chunk.type for chunk in chunks], missing, asked


@pytest.mark.parametrize("cuts", [(100,), (8192,), (1 << 20,)])
@pytest.mark.parametrize("texts", [TEXTS, []])
def test_one_request_whatever_the_size(cuts: tuple[int, ...], texts: made.Chunks) -> None:
    data = made.png(PIXELS, 8, 2, filters=(0,), cuts=cuts, behind=texts)
    assert len(data) > 2 * TAIL_BYTES
    found, missing, asked = behind(data)
    assert (found, missing) == ([kind for kind, _ in texts], "")
    # An IDAT over the tail's length hides what is before it: then the chunks are walked over, of which there are few.
    assert asked[0][1] == TAIL_BYTES and len(asked) <= (1 if cuts[0] < TAIL_BYTES else 6)


def test_a_small_file_is_looked_at_whole() -> None:
    data = made.png(made.noise(0, 8), behind=TEXTS)
    found, missing, asked = behind(data)
    assert (found, missing) == (["tEXt", "tIME", "prVt"], "")
    assert asked == [(33, len(data) - 33)]


def test_an_unknown_size() -> None:
    data = made.png(PIXELS, 8, 2, behind=TEXTS)
    found, missing, _ = behind(data, None)
    assert (found, missing) == (["tEXt", "tIME", "prVt"], "")


def test_rubbish_behind_the_end() -> None:
    data = made.png(PIXELS, 8, 2, cuts=(8192,), behind=TEXTS) + b"rubbish" * 9
    assert behind(data)[:2] == (["tEXt", "tIME", "prVt"], "")


def test_a_text_longer_than_the_tail() -> None:
    long = ("tEXt", b"a\0" + b"b" * 2 * TAIL_BYTES)
    data = made.png(PIXELS, 8, 2, cuts=(1 << 16,), behind=[long, *TEXTS])
    assert behind(data)[:2] == (["tEXt", "tEXt", "tIME", "prVt"], "")
    # Behind many IDATs it is out of reach, and that is said.
    data = made.png(PIXELS, 8, 2, cuts=(1000,), behind=[long, *TEXTS])
    found, missing, asked = behind(data)
    assert found == ["tEXt", "tIME", "prVt"]
    assert "only the last 65536 bytes" in missing
    assert len(asked) <= MAX_STEPS


def test_every_prefix() -> None:
    data = made.png(made.noise(0, 8), behind=TEXTS)
    for length in range(data.index(b"IDAT") + 4, len(data)):
        found, missing, _ = behind(data[:length])
        assert found == ["tEXt", "tIME", "prVt"][: len(found)]
        assert (missing == "") == (length >= len(data) - 4), "only a CRC is missing" if missing else length
        assert missing == "" or missing.startswith("what stands behind the pixels can't be told")
