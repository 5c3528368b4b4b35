"""The tile index: where every tile lies, compact enough for a column.

Tiles mostly follow one another, so what is kept of an offset is its gap from the end of the tile before, in the order
of the table. The gaps of a file are nearly all alike, and a dictionary of Parquet's holds them; the byte counts are cut
into planes of equal significance (BYTE_STREAM_SPLIT). Together they take about 2 bytes a tile. A sparse tile has the
count 0 and the gap 0, and the next one follows the one before it. Where a file has no byte counts they are null, and
gaps are from one offset to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigapix.formats.model import Range, Steps
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.values import INTEGERS

MAX_ENTRIES: Final = 1 << 17
"""Tiles of a file that are indexed: a thousand rows are in memory at once."""


class Table(NamedTuple):
    """The index of one directory."""

    ifd: int
    """Its offset in the file."""
    gaps: NDArray[np.int64]
    counts: NDArray[np.int64] | None


def table_tags(ifd: Ifd) -> list[int]:
    """The tags of the tables of offsets and of byte counts, as far as the directory has them."""
    offsets = next((tag for tag in (324, 273) if tag in ifd.entries), None)
    counts = next((tag for tag in (325, 279) if tag in ifd.entries), None)
    tags = [tag for tag in (offsets, counts) if tag is not None]
    return tags if offsets is not None and all(ifd.entries[tag].type in INTEGERS for tag in tags) else []


def table_ranges(ifd: Ifd) -> list[Range]:
    """Where the tables lie."""
    return [(ifd.entries[tag].offset, ifd.entries[tag].nbytes) for tag in table_tags(ifd)]


def tables_of(ifds: Sequence[Ifd]) -> Steps[list[Table] | None]:
    """Read the tables of all directories; None where they are too long."""
    tags = [(ifd, tag) for ifd in ifds for tag in table_tags(ifd)]
    if sum(ifd.entries[tag].count for ifd, tag in tags) > 2 * MAX_ENTRIES:
        return None
    buffers: Any = (yield [(ifd.entries[tag].offset, ifd.entries[tag].nbytes) for ifd, tag in tags]) if tags else []
    columns: dict[int, list[NDArray[np.uint64]]] = {}
    for (ifd, tag), data in zip(tags, buffers, strict=True):
        columns.setdefault(ifd.offset, []).append(ifd.table(tag, bytes(data)))
    return [Table(offset, *packed(*each)) for offset, each in columns.items()]


def packed(
    offsets: NDArray[np.uint64], counts: NDArray[np.uint64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Gaps and byte counts."""
    starts = offsets.astype(np.int64)
    if counts is None:
        return np.diff(starts, prepend=np.int64(0)), None
    number = min(len(starts), len(counts))
    starts, sizes = starts[:number], counts[:number].astype(np.int64)
    stored = (starts != 0) & (sizes != 0)
    gaps = np.zeros(number, np.int64)
    ends = (starts + sizes)[stored]
    gaps[stored] = starts[stored] - np.concatenate((np.zeros(1, np.int64), ends[:-1]))[: len(ends)]
    return gaps, np.where(stored, sizes, 0)


def unpacked(gaps: NDArray[np.int64], counts: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The offsets again, 0 where a tile is sparse."""
    if counts is None:
        return np.cumsum(gaps)
    offsets = np.cumsum(gaps) + np.cumsum(counts) - counts
    return np.where(counts > 0, offsets, 0)
