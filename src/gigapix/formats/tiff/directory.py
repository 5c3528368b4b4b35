"""Reading an IFD: its entries as they stand in the file, most often in one range (TIFF 6.0 section 2, BigTIFF)."""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from gigapix import limits
from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.model import Steps
from gigapix.formats.tiff.header import Header
from gigapix.formats.tiff.ifd import Entry, Ifd
from gigapix.formats.tiff.tags import name_of
from gigapix.formats.tiff.values import SIZES, UNSIGNED, Value, decode_value

LIKELY_BYTES: Final = 1024
"""Read of an IFD at once: 84 entries, or 50 of a BigTIFF; few have more than 30."""


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
    shift = 8 * inline if header.byteorder == ">" else 0
    made, where = partial(tuple.__new__, Entry), start - inline  # NamedTuple's own way is Python, and twice as slow
    for code, kind, count, field in struct.iter_unpack(header.entry_format, data):
        where += step
        size = SIZES.get(kind)
        if size is None:
            problems.append(f"{name_of(code)} has the unknown type {kind}")
            continue
        if code in entries:
            problems.append(f"{name_of(code)} stands twice; the first one counts")
            continue
        nbytes = count * size
        if nbytes > inline:
            entry = made((code, kind, count, field, nbytes))
        else:
            entry = made((code, kind, count, where, nbytes))
            if count == 1 and kind in UNSIGNED:  # most of them: of the field as a number, the bytes that come first
                values[code] = field >> shift - 8 * size if shift else field & (1 << 8 * size) - 1
            elif count:
                raw = data[where - start : where - start + nbytes]
                values[code] = decode_value(code, kind, count, raw, header.byteorder)
            else:
                problems.append(f"{name_of(code)} has no value")
                continue
        entries[code] = entry
    return Ifd(header=header, offset=offset, next=following, entries=entries, values=values, problems=problems)
