"""The XML of GDAL_METADATA (tag 42112), taken apart into its items: the <Item> elements right below <GDALMetadata>.

It comes from a file that nobody vouches for. So expat reads it as a stream, in time and memory that grow only with its
length: a document type is refused (there are no entities but XML's own five, hence no "billion laughs"), nesting is
bounded, and of a text that breaks off, or is no XML from some point on, the items before that point count.
"""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from gigapix import limits

_MAX_DEPTH: Final = 64


class _RefusedError(Exception):
    """Raised out of expat's callbacks, to stop it."""


def items_of(xml: str) -> tuple[list[tuple[dict[str, str], str]], tuple[str, ...]]:
    """Attributes (names in lower case) and text of each item in its order, and what went wrong, a sentence each."""
    if len(xml) > limits.MAX_XML_BYTES:
        return [], (f"GDAL_METADATA is {len(xml)} characters of XML, more than are read",)
    found: list[tuple[dict[str, str], str]] = []
    path: list[str] = []
    attributes: dict[str, str] = {}
    texts: list[str] = []

    def refuse(*_: object) -> None:
        raise _RefusedError("it declares a document type")

    def start(name: str, given: dict[str, str]) -> None:
        nonlocal attributes
        if len(path) == _MAX_DEPTH:
            raise _RefusedError(f"it nests deeper than {_MAX_DEPTH} elements")
        path.append(name.lower())
        attributes = {key.lower(): value for key, value in given.items()}
        texts.clear()

    def end(_: str) -> None:
        if path == ["gdalmetadata", "item"]:
            found.append((attributes, _unescape("".join(texts))))
        path.pop()
        texts.clear()

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.CharacterDataHandler = texts.append
    parser.EndElementHandler = end
    try:
        parser.Parse(xml.strip("\0 \t\r\n").encode("utf-8", "replace"), True)
    except (expat.ExpatError, _RefusedError) as error:
        return found, (f"GDAL_METADATA is not sound XML: {error}",)
    return found, ()


def _unescape(text: str) -> str:
    """GDAL escapes a value before it writes it into XML, which escapes it again."""
    names = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}

    def character(match: re.Match[str]) -> str:
        name = match[1]
        if not name.startswith("#"):
            return names[name]
        code = int("0" + name[1:], 16) if name[1] in "xX" else int(name[1:])
        return chr(code) if code <= 0x10FFFF else match[0]

    return re.sub(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos);", character, text)
