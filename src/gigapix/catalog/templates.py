"""Files that are built alike: a header whose structure was parsed before is recognised, and not parsed again.

A parser without I/O is a function of the bytes that it asked for. So if all of those are the same in another file, its
answer is the same, and need not be worked out. The directories of a bucket are mostly equal in all bytes but a few: the
offsets and byte counts of tiles, which the parser never looked at, and the values that `rows.VALUES` names, which are
decoded for each file. A template is all bytes that were looked at without these; a file in which they are the same has
the template's structure. Nothing is assumed: whatever differs in any other byte is parsed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gigapix.catalog.rows import Found
from gigapix.catalog.values import VALUES
from gigapix.formats.model import Range
from gigapix.formats.tiff.descriptions import kind_of
from gigapix.formats.tiff.directory import LIKELY_BYTES
from gigapix.formats.tiff.ghost import GHOST_BYTES, parse_ghost
from gigapix.formats.tiff.header import HEADER_BYTES
from gigapix.formats.tiff.ifd import Entry, Ifd
from gigapix.formats.tiff.tags import TABLES
from gigapix.formats.tiff.values import FEW, SCALARS, decode_value

MOST: Final = 512
"""Templates that are kept, some 50 kB each. Then all are forgotten, which costs as many parses."""

OLD_JPEG: Final = 6


@dataclass(frozen=True, slots=True)
class Template:
    """What was found in a file, and the bytes that it follows from."""

    found: Found
    asked: tuple[Range, ...]
    """What the parser asked for."""
    head: bytes
    """The file's first bytes, up to the first one that may differ."""
    pieces: tuple[tuple[slice, bytes], ...]
    """The further bytes that must be the same."""
    values: tuple[tuple[Entry, Callable[[bytes, int], Any] | None], ...]
    """What is decoded for each file, with the quick way to do it where there is one."""
    reach: int
    """Where the last of these ends."""
    ghost: bool
    texts: bool
    """Whether there are texts that tell the kind of a file."""


class Templates:
    """Those of one process. Threads share it: each change is one operation on a dictionary."""

    def __init__(self) -> None:
        self._found: dict[int, dict[bytes, list[Template]]] = {}
        self._count = self._hits = 0
        self._useful = True

    def find(self, data: bytes) -> tuple[Template, dict[int, Any]] | None:
        """The template of a file that begins with `data`, and its own values."""
        for length, heads in list(self._found.items()):
            for template in heads.get(data[:length], ()):
                for where, same in template.pieces:
                    if data[where] != same:
                        break
                else:
                    values = _values(template, data)
                    if values is not None:
                        self._hits += 1
                        return template, values
        return None

    def learn(self, found: Found, data: bytes, asked: Sequence[Range]) -> None:
        """Make a template of a file that was parsed from `data` alone, if its structure can be told from its values."""
        template = _template(found, data, asked) if self._useful else None
        if template is None:
            return
        if self._count >= MOST:
            self._useful = self._hits > self._count  # in a bucket where no two are alike it would only cost
            self._found, self._count, self._hits = {}, 0, 0
            return
        self._found.setdefault(len(template.head), {}).setdefault(template.head, []).append(template)
        self._count += 1


def _values(template: Template, data: bytes) -> dict[int, Any] | None:
    """The file's own values; None where they make it a file of another kind after all."""
    first = template.found.first
    assert first is not None  # noqa: S101  # `_template` makes none without
    if len(data) < template.reach:
        return None
    order = first.header.byteorder
    found: dict[int, Any] = {}
    for (code, kind, count, offset, nbytes), unpack in template.values:
        if unpack is not None:
            found[code] = unpack(data, offset)
        else:
            found[code] = decode_value(code, kind, count, data[offset : offset + nbytes], order)
    if template.texts and kind_of(found.get(270, ""), found.get(305, ""), first.entries.keys()) != "plain":
        return None
    start = 16 if first.header.bigtiff else 8
    if not template.ghost and data[start : start + 4] == b"GDAL":
        return None
    return found


def _template(found: Found, data: bytes, asked: Sequence[Range]) -> Template | None:
    first, columns = found.first, found.structure.columns
    # Of other kinds the texts decide, and what is wrong with a file may depend on where it ends.
    if first is None or columns["kind"] != "plain" or columns["problems"] or not columns["ifds_complete"]:
        return None
    if any(ifd.values.get(259) == OLD_JPEG for ifd in found.ifds):
        return None  # its tables are read from places of their own
    begin = 16 if first.header.bigtiff else 8
    ghost = parse_ghost(data[begin : HEADER_BYTES + GHOST_BYTES])
    same = [(0, begin if ghost is None else min(HEADER_BYTES + GHOST_BYTES, first.offset))]
    known = {(0, 8), (0, HEADER_BYTES + GHOST_BYTES)}
    for ifd in found.ifds:
        whole, spared = _extent(ifd, data)
        same += _without(whole, spared)
        start = ifd.offset + (8 if ifd.header.bigtiff else 2)
        known |= {(ifd.offset, LIKELY_BYTES), (start, whole[1] - start)}  # a large one is read in two parts
        for entry in ifd.entries.values():
            if entry.code in ifd.values and entry.nbytes > ifd.header.inline_bytes:
                known.add((entry.offset, entry.nbytes))
                if entry.code not in VALUES:
                    same.append((entry.offset, entry.offset + entry.nbytes))
    values = [entry for code, entry in first.entries.items() if code in VALUES]
    if any(entry.code not in first.values for entry in values):
        return None
    rest = {(offset, length) for offset, length in asked if (offset, length) not in known}
    if any(not _inside(r, same) for r in rest) or any(stop > len(data) for _, stop in same):
        return None
    merged = _merged(same)
    if merged[0][0] != 0:
        return None
    return Template(
        found,
        tuple(asked),
        data[: merged[0][1]],
        tuple((slice(a, b), data[a:b]) for a, b in merged[1:]),
        tuple((entry, _unpack(entry, first.header.byteorder)) for entry in values),
        max((entry.offset + entry.nbytes for entry in values), default=0),
        ghost is not None,
        270 in first.entries or 305 in first.entries,
    )


def _unpack(entry: Entry, byteorder: str) -> Callable[[bytes, int], Any] | None:
    """What `decode_value` does for several numbers, prepared."""
    if not 1 < entry.count <= FEW or entry.type not in SCALARS:
        return None
    return struct.Struct(f"{byteorder}{entry.count}{SCALARS[entry.type]}").unpack_from


def _extent(ifd: Ifd, data: bytes) -> tuple[Range, list[Range]]:
    """Where a directory begins and ends, and the places in it that hold values which may differ."""
    width = 8 if ifd.header.bigtiff else 2
    count = int.from_bytes(data[ifd.offset : ifd.offset + width], "little" if ifd.header.byteorder == "<" else "big")
    inline = ifd.header.inline_bytes
    spared = [
        (entry.offset, entry.offset + inline)
        for code, entry in ifd.entries.items()
        if (code in TABLES or code in VALUES) and entry.nbytes <= inline
    ]
    return (ifd.offset, ifd.offset + width + count * ifd.header.entry_bytes + inline), sorted(spared)


def _without(whole: Range, spared: Sequence[Range]) -> list[Range]:
    """A stretch ``[start, stop)`` without some stretches in it."""
    left, start = [], whole[0]
    for a, b in spared:
        left.append((start, a))
        start = b
    return [(a, b) for a, b in (*left, (start, whole[1])) if b > a]


def _merged(stretches: Sequence[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, stop in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def _inside(r: Range, stretches: Sequence[Range]) -> bool:
    return any(start <= r[0] and r[0] + r[1] <= stop for start, stop in stretches)
