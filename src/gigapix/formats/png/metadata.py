"""What a PNG says of itself beside its structure, from all chunks that hold no pixels.

A chunk that is damaged, and one that would be too much, costs itself: what is wrong with it is a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gigapix import limits
from gigapix.errors import FormatError
from gigapix.formats.model import Steps
from gigapix.formats.png.chunks import Chunk, read_chunk
from gigapix.formats.png.texts import profile_of, text_of
from gigapix.formats.png.values import VALUES

TEXTS: Final = ("tEXt", "zTXt", "iTXt")


def read_metadata(chunks: Sequence[Chunk], verify: bool) -> Steps[tuple[dict[str, Any], list[str]]]:
    """The values of `chunks` by name, and what is wrong with them. Where a chunk stands twice, the first one counts.

    ``text`` is a dictionary of keywords, with a list where a keyword stands several times; ``icc`` the profile's bytes
    and ``icc_name`` its name; the other names are those of `VALUES`.
    """
    found: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    problems: list[str] = []
    room = limits.MAX_PNG_TEXT_BYTES
    for chunk in chunks:
        kind = chunk.type
        name, parse = VALUES.get(kind, ("icc" if kind == "iCCP" else "", None))
        if kind not in TEXTS and (not name or name in found):
            continue
        try:
            if chunk.length > room:
                raise FormatError(f"it is longer than the {room} bytes that are left for it")
            data = yield from read_chunk(chunk, verify)
            if parse is not None:
                found[name] = parse(data)
            elif kind == "iCCP":
                found["icc_name"], found["icc"] = profile_of(data, room)
                room -= len(found["icc"])
            else:
                keyword, text = text_of(kind, data, room)
                room -= len(text)
                _add(texts, keyword, text)
        except FormatError as error:
            problems.append(f"{kind} at byte {chunk.offset} is passed over: {error.message}")
    return (found | {"text": texts} if texts else found), problems


def _add(texts: dict[str, Any], keyword: str, text: str) -> None:
    known = texts.get(keyword)
    if known is None:
        texts[keyword] = text
    elif isinstance(known, list):
        known.append(text)
    else:
        texts[keyword] = [known, text]
