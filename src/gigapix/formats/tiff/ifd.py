"""One image file directory: its entries as they stand in the file, and the values that were asked for.

An entry's value lies in the entry itself where it is small, anywhere in the file where it is not. `read_ifd` reads the
entries and no value beside them; `Ifd.load` fetches values by tag, all in one batch; `Ifd.table` fetches a slice of
TileOffsets or the like, so that of a million entries only those that a read touches are ever seen.

A directory may lie: entries with unknown types, values beyond the end of the file, tags twice. What can't be read is
kept in `problems` as a sentence, and raises only when its value is asked for, so that a broken date doesn't cost the
pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.model import Range, Steps
from gigapix.formats.tiff.header import Header
from gigapix.formats.tiff.tags import name_of
from gigapix.formats.tiff.values import TYPES, Value, decode_table, decode_value

LIKELY_BYTES: Final = 1024
"""Read of an IFD at once: 84 entries, or 50 of a BigTIFF; few have more than 30."""


class Entry(NamedTuple):
    """An entry of an IFD: what the value is and where its bytes are."""

    code: int
    type: int
    count: int  # type: ignore[assignment]  # TIFF's name, before tuple's
    offset: int
    """Of the value's first byte in the file, also where it stands in the entry itself."""
    nbytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Ifd:
    """A directory. `values` fills up as tags are loaded; all else is fixed."""

    header: Header
    offset: int
    next: int
    """Offset of the next IFD of the chain; 0 where this is the last."""
    entries: Mapping[int, Entry]
    values: dict[int, Value] = field(repr=False)
    problems: list[str] = field(default_factory=list)

    def __contains__(self, code: int) -> bool:
        return code in self.entries

    def get(self, code: int, default: Value = None) -> Value:
        """The value of a tag that is loaded, `default` where the file has no such tag.

        Raises FormatError where the file has the tag and its value could not be read.
        """
        if code in self.values:
            return self.values[code]
        if code not in self.entries:
            return default
        raise FormatError(f"the value of {name_of(code)} can't be read", offset=self.entries[code].offset)

    def integer(self, code: int, default: int) -> int:
        """The value as one int (the first of several), `default` where the tag is missing."""
        value = self.get(code)
        if value is None:
            return default
        if isinstance(value, (tuple, np.ndarray, bytes)) and len(value):
            value = value[0]
        if not isinstance(value, (int, np.integer)):
            raise FormatError(
                f"{name_of(code)} must be an integer, and is {value!r:.60}", offset=self.entries[code].offset
            )
        return int(value)

    def integers(self, code: int) -> tuple[int, ...]:
        """All values as ints, () where the tag is missing."""
        value = self.get(code)
        if value is None:
            return ()
        several = value if isinstance(value, (tuple, np.ndarray, bytes)) else (value,)
        if not all(isinstance(v, (int, np.integer)) for v in several):
            raise FormatError(
                f"{name_of(code)} must be integers, and is {value!r:.60}", offset=self.entries[code].offset
            )
        return tuple(int(v) for v in several)

    def numbers(self, code: int) -> tuple[float, ...]:
        """All values as floats, () where the tag is missing or holds no numbers."""
        value = self.get(code)
        several = value if isinstance(value, (tuple, np.ndarray)) else (value,)
        return tuple(float(v) for v in several if isinstance(v, (int, float, np.number)))

    def text(self, code: int) -> str:
        """The value as text, "" where the tag is missing or is no text."""
        value = self.get(code, "")
        return value if isinstance(value, str) else ""

    def load(self, codes: Iterable[int], most: int = limits.MAX_TAG_BYTES) -> Steps[None]:
        """Fetch the values of these tags, those that the file has and that are not loaded yet, in one batch."""
        wanted = []
        for code in codes:
            entry = self.entries.get(code)
            if entry is None or code in self.values:
                continue
            if entry.nbytes > most:
                self.problems.append(f"{name_of(code)} claims {entry.nbytes} bytes, more than {most}")
            else:
                wanted.append(entry)
        if not wanted:
            return
        buffers = yield [(entry.offset, entry.nbytes) for entry in wanted]
        for entry, data in zip(wanted, buffers, strict=True):
            if len(data) < entry.nbytes:
                self.problems.append(f"{name_of(entry.code)} lies beyond the end of the file")
                continue
            self.values[entry.code] = decode_value(entry.code, entry.type, entry.count, data, self.header.byteorder)

    def value(self, code: int) -> Steps[Value]:
        """Fetch and return one tag's value whole; None where the file has no such tag.

        Raises LimitError over `limits.MAX_TAG_BYTES`, TruncatedError where the file ends before it.
        """
        entry = self.entries.get(code)
        if entry is None:
            return None
        if entry.nbytes > limits.MAX_TAG_BYTES:
            raise LimitError(f"{name_of(code)} claims {entry.nbytes} bytes", offset=entry.offset)
        yield from self.load([code])
        if code not in self.values:
            raise TruncatedError(f"{name_of(code)} lies beyond the end of the file", offset=entry.offset)
        return self.values[code]

    def slices(self, code: int, spans: Iterable[tuple[int, int]]) -> list[Range]:
        """The byte ranges of slices ``[start, stop)`` of a table of integers."""
        entry = self.entries[code]
        size = TYPES[entry.type][2]
        return [(entry.offset + start * size, (stop - start) * size) for start, stop in spans]

    def table(self, code: int, data: bytes) -> NDArray[np.uint64]:
        """The entries that a range of `slices` holds, as uint64."""
        return decode_table(code, self.entries[code].type, data, self.header.byteorder)


def read_ifd(header: Header, offset: int) -> Steps[Ifd]:
    """Read the directory at `offset`: its entries, and the values that stand in them.

    Raises TruncatedError where the file ends within it, LimitError where it claims more entries than
    `limits.MAX_IFD_ENTRIES`, FormatError where it has none.
    """
    width = 8 if header.bigtiff else 2
    (data,) = yield [(offset, LIKELY_BYTES)]
    if len(data) < width:
        raise TruncatedError("an IFD lies beyond the end of the file", offset=offset)
    (count,) = struct.unpack_from(header.count_format, data)
    if count == 0:
        raise FormatError("an IFD without entries", offset=offset)
    if count > limits.MAX_IFD_ENTRIES:
        raise LimitError(f"an IFD of {count} entries, more than {limits.MAX_IFD_ENTRIES}", offset=offset)
    start, size = offset + width, count * header.entry_bytes
    pointer = struct.calcsize(header.offset_format)
    if width + size + pointer <= LIKELY_BYTES:
        data = data[width : width + size + pointer]
    else:
        (data,) = yield [(start, size + pointer)]
    if len(data) < size:
        raise TruncatedError("the file ends within an IFD", offset=offset)
    # A file cut right behind its last entry still has all its tags.
    (following,) = struct.unpack_from(header.offset_format, data, size) if len(data) == size + pointer else (0,)
    return _parse(header, offset, following, start, bytes(data[:size]))


def _parse(header: Header, offset: int, following: int, start: int, data: bytes) -> Ifd:
    entries: dict[int, Entry] = {}
    values: dict[int, Value] = {}
    problems: list[str] = []
    inline, step = header.inline_bytes, header.entry_bytes
    for place, (code, kind, count, field_bytes) in enumerate(struct.iter_unpack(header.entry_format, data)):
        if kind not in TYPES:
            problems.append(f"{name_of(code)} has the unknown type {kind}")
            continue
        if code in entries:
            problems.append(f"{name_of(code)} stands twice; the first one counts")
            continue
        nbytes = count * TYPES[kind][2]
        if nbytes <= inline:
            entry = Entry(code, kind, count, start + place * step + step - inline, nbytes)
            if count:
                values[code] = decode_value(code, kind, count, field_bytes[:nbytes], header.byteorder)
            else:
                problems.append(f"{name_of(code)} has no value")
                continue
        else:
            (where,) = struct.unpack(header.offset_format, field_bytes)
            entry = Entry(code, kind, count, where, nbytes)
        entries[code] = entry
    return Ifd(header=header, offset=offset, next=following, entries=entries, values=values, problems=problems)
