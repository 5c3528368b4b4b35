"""Texts and the ICC profile: keyword, then text or a zlib stream of it (PNG sections 11.3.3 and 11.3.2.3).

Bytes that decompress to more than there is room for are not decompressed further: a chunk of 1 MB may hold a gigabyte.
"""

from __future__ import annotations

import zlib

from gigapix.errors import FormatError, LimitError


def text_of(kind: str, data: bytes, room: int) -> tuple[str, str]:
    """Keyword and text of a tEXt, zTXt or iTXt. Raises FormatError, LimitError where it is longer than `room`."""
    keyword, rest = _split(data, kind)
    if kind == "tEXt":
        return keyword, rest.decode("latin-1")
    if kind == "zTXt":
        return keyword, inflate(_method(rest, kind), room).decode("latin-1")
    if len(rest) < 2:
        raise FormatError("iTXt ends within its header")
    _, zero, tagged = rest[2:].partition(b"\0")  # the language
    _, second, body = tagged.partition(b"\0")  # the keyword in that language
    if not zero or not second:
        raise FormatError("iTXt ends within its header")
    if rest[0]:
        body = inflate(_method(rest[1:2] + body, kind), room)
    return keyword, body.decode("utf-8", "replace")


def profile_of(data: bytes, room: int) -> tuple[str, bytes]:
    """Name and bytes of an ICC profile, from iCCP."""
    name, rest = _split(data, "iCCP")
    return name, inflate(_method(rest, "iCCP"), room)


def _split(data: bytes, kind: str) -> tuple[str, bytes]:
    keyword, zero, rest = data.partition(b"\0")
    if not zero or not 0 < len(keyword) < 80:
        raise FormatError(f"{kind} without a keyword")
    return keyword.decode("latin-1"), rest


def _method(data: bytes, kind: str) -> bytes:
    """What follows the compression method, of which there is one."""
    if data[:1] != b"\0":
        raise FormatError(f"{kind} with compression method {data[0] if data else 'missing'}")
    return data[1:]


def inflate(data: bytes, room: int) -> bytes:
    """A whole zlib stream. Raises FormatError where it is damaged, LimitError where it makes more than `room` bytes."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, max_length=room + 1)
    except zlib.error as error:
        raise FormatError(f"its zlib stream is damaged: {error}") from None
    if len(found) > room:
        raise LimitError(f"its text is longer than the {room} bytes that are left for it")
    if not stream.eof:
        raise FormatError("its zlib stream ends early")
    return found
