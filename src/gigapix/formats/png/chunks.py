"""The chunks that a PNG is made of: length, type, data, CRC (PNG section 5.3).

A walk reads the eight bytes in front of each chunk and none of its data, so that it costs the same whatever the chunks
hold. Data is read chunk by chunk, and checked against its CRC then.
"""

from __future__ import annotations

import struct
from binascii import crc32
from dataclasses import dataclass
from typing import Final

from gigapix import limits
from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.model import Buffer, Steps

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

MAX_LENGTH: Final = (1 << 31) - 1
"""Of a chunk's data, by PNG section 5.3."""

_HEAD: Final = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's place in the file."""

    type: str
    offset: int
    """Of its first byte, that of its length."""
    length: int
    """Bytes of its data."""

    @property
    def end(self) -> int:
        """Where the next chunk begins."""
        return self.offset + 12 + self.length

    @property
    def is_critical(self) -> bool:
        """Whether an image can't be shown without knowing what it means (section 5.4)."""
        return self.type[0].isupper()


def parse_chunk(head: Buffer, offset: int) -> Chunk:
    """The chunk whose first eight bytes are `head`. Raises FormatError where no chunk begins there."""
    if len(head) < _HEAD.size:
        raise TruncatedError("the file ends where a chunk should begin", offset=offset)
    length, kind = _HEAD.unpack_from(head)
    if not kind.isalpha():
        raise FormatError(f"no chunk begins here: {kind!r} is no type", offset=offset)
    if length > MAX_LENGTH:
        raise FormatError(f"a chunk {kind.decode()} of {length} bytes, more than PNG allows", offset=offset)
    return Chunk(kind.decode(), offset, length)


def chunk_at(offset: int) -> Steps[Chunk]:
    """The chunk that begins at `offset`."""
    (head,) = yield [(offset, _HEAD.size)]
    return parse_chunk(head, offset)


def read_chunk(chunk: Chunk, verify: bool = True) -> Steps[bytes]:
    """A chunk's data. Raises FormatError where its CRC is another and `verify`."""
    if chunk.length > limits.MAX_PNG_CHUNK_BYTES:
        raise LimitError(
            f"a chunk {chunk.type} of {chunk.length} bytes, more than {limits.MAX_PNG_CHUNK_BYTES}", offset=chunk.offset
        )
    (data,) = yield [(chunk.offset + 4, chunk.length + 8)]
    if len(data) < chunk.length + 8:
        raise TruncatedError(f"the file ends within a chunk {chunk.type}", offset=chunk.offset)
    if verify and not _is_whole(data):
        raise FormatError(f"the CRC of a chunk {chunk.type} is wrong: its data is damaged", offset=chunk.offset)
    return bytes(data[4:-4])


def _is_whole(data: Buffer) -> bool:
    """Whether type, data and CRC agree."""
    return crc32(data[:-4]) == int.from_bytes(data[-4:], "big")


def last_chunks(data: Buffer, offset: int) -> list[Chunk]:
    """The longest run of chunks in `data` that ends with an IEND, and whose first one is proven by its CRC.

    A file's end may be read so without what is before it: that bytes which are no chunks lead to IEND from chunk to
    chunk, and their CRC is right, does not happen by chance. Each place is looked at once.

    offset: of `data` in the file.
    """
    import re

    dead: set[int] = set()
    for match in re.finditer(rb"(?=[A-Za-z]{4})", data):
        path: list[Chunk] = []
        at = offset + match.start() - 4
        while at >= offset and at not in dead:
            dead.add(at)
            try:
                path.append(parse_chunk(data[at - offset : at - offset + _HEAD.size], at))
            except FormatError:
                break
            if path[-1].type == "IEND":
                parts = (data[chunk.offset - offset + 4 : chunk.end - offset] for chunk in path)
                return path[next((n for n, part in enumerate(parts) if _is_whole(part)), len(path)) :]
            at = path[-1].end
    return []
