"""Files that are built alike: a header whose structure was parsed before is recognised, and not parsed again.

The files of a bucket are built in a few ways. What says how one is built (tags, types, encodings, GeoKeys, GDAL's ghost
area, which directories are overviews of which) a compiled loop puts together as a key (`gigapix.kernels.directory`);
what differs from file to file it puts aside: sizes, places, lengths of tables, and the values that `values.VALUES`
names. A key that the parser has seen before has the structure that it gave then. Nothing is assumed: what the loop
does not know as ordinary is parsed, and so is the first file of each key, whose numbers the loop must have found too.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigapix.catalog.rows import Found, Structure
from gigapix.catalog.values import VALUES
from gigapix.formats.model import ByteOrder
from gigapix.formats.tiff.descriptions import kind_of
from gigapix.formats.tiff.header import Header
from gigapix.formats.tiff.ifd import Entry, Ifd
from gigapix.formats.tiff.tags import STRUCTURE, TABLES
from gigapix.formats.tiff.values import SIZES, decode_text, decode_value
from gigapix.kernels.directory import NUMBERS, walk

MOST: Final = 2048
"""Structures that are kept, some 10 kB each. Then all are forgotten, which costs as many parses."""

KEY_BYTES: Final = 1 << 14

_DOUBLES: Final = {(order, n): struct.Struct(f"{order}{n}d").unpack_from for order in "<>" for n in (3, 6)}
HEAD: Final = 5
"""Numbers in front of those of a row."""


class Outline(NamedTuple):
    """What the loop has found in a file's first bytes."""

    key: bytes
    facts: bytes
    """`Found.facts`."""
    values: dict[int, Any]
    """Of `VALUES`, as far as the file has them."""
    numbers: NDArray[np.int64]
    blocks: bytearray
    """A byte for each block of the bytes that a parser looks at; those that it does are 1. This and `numbers` are
    written to again by the thread's next outline."""

    def ifds(self) -> list[Ifd]:
        """The directories, with their tables and nothing else."""
        count, levels, values, big_endian, bigtiff = self.numbers[:HEAD].tolist()
        start = HEAD + 1 + 3 * levels
        offsets = self.numbers[start : start + 4 * count : 4].tolist()
        tables = self.numbers[start + 4 * (count + values) :][: 8 * count].reshape(count, 2, 4).tolist()
        order: ByteOrder = ">" if big_endian else "<"
        header = Header(byteorder=order, bigtiff=bool(bigtiff), first_ifd=offsets[0])
        return [
            Ifd(
                header=header,
                offset=offset,
                next=0,
                entries={t: Entry(t, kind, n, place, n * SIZES[kind]) for t, kind, n, place in pair if t},
                values={},
            )
            for offset, pair in zip(offsets, tables, strict=True)
        ]


class _Room(threading.local):
    """Where a thread's outlines are written."""

    def __init__(self) -> None:
        self.key = np.empty(KEY_BYTES, np.uint8)
        self.numbers = np.empty(NUMBERS, np.int64)
        self.blocks = bytearray()


class Templates:
    """Those of one process. Threads share it: each change is one operation on a dictionary."""

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[Structure, frozenset[int]]] = {}
        self._room = _Room()
        tags = bytearray(1 << 16)
        for role, codes in ((1, VALUES), (2, TABLES), (4, STRUCTURE)):
            for code in codes:
                tags[code] |= role
        self._tags = bytes(tags)

    def outline(self, data: bytes, size: int | None, block: int) -> Outline | None:
        """What is in the first bytes of a file of `size` bytes; None where they are not ordinary."""
        room = self._room
        key, numbers = room.key, room.numbers
        if len(room.blocks) * block < len(data):
            room.blocks = bytearray(-(-len(data) // block))
        used = walk(data, len(data) == size, self._tags, block, key, numbers, room.blocks)
        if not used:
            return None
        count, levels, several, big_endian, _ = numbers[:HEAD].tolist()
        end = HEAD + 1 + 3 * levels + 4 * count
        return Outline(
            key[:used].tobytes(),
            numbers[HEAD:end].tobytes(),
            _values(data, ">" if big_endian else "<", numbers[end : end + 4 * several].tolist()),
            numbers,
            room.blocks,
        )

    def find(self, outline: Outline) -> Structure | None:
        """The structure of a file that was parsed before."""
        found = self._found.get(outline.key)
        if found is None:
            return None
        structure, tags = found
        if 270 in tags or 305 in tags:
            description, software = (v if isinstance(v := outline.values.get(code), str) else "" for code in (270, 305))
            if kind_of(description, software, tags) != "plain":
                return None
        return structure

    def learn(self, outline: Outline, found: Found) -> None:
        """Keep what the parser says of a file, if it agrees and files of its kind can be told by their keys."""
        columns = found.structure.columns
        # Of other kinds the texts decide, and what is wrong with a file may depend on where it ends.
        if found.first is None or columns["kind"] != "plain" or columns["problems"] or not columns["ifds_complete"]:
            return
        if found.facts != outline.facts or set(found.structure.dims or ()) != {3}:
            return
        if len(self._found) >= MOST:
            self._found = {}
        self._found[outline.key] = found.structure, frozenset(found.first.entries)


def _values(data: bytes, order: ByteOrder, entries: Sequence[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for n in range(0, len(entries), 4):
        code, kind, count, place = entries[n : n + 4]
        if kind == 2:
            found[code] = decode_text(data[place : place + count])
        elif kind == 12 and count in (3, 6):  # of a pixel's size and of a tiepoint, as `decode_value` has them
            found[code] = _DOUBLES[order, count](data, place)
        else:
            found[code] = decode_value(code, kind, count, data[place : place + count * SIZES[kind]], order)
    return found
