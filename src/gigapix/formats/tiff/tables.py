"""Where segments lie: TileOffsets and TileByteCounts, or StripOffsets and StripByteCounts (TIFF 6.0 sections 8 and 15).

Of a table only the slices that the segments asked for need are read, of both tables in one batch. Small tables are read
whole and kept; of a large COG by GDAL's driver the byte counts are not read at all, since they follow from the offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.errors import FormatError
from gigapix.formats.model import UNCOMPRESSED, Range, Steps
from gigapix.formats.tiff.ghost import Ghost
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.layout import Layout

JOIN_ENTRIES: Final = 512
"""Slices of a table that lie closer than this many entries (4 KiB of offsets) are read as one."""

SMALL_TABLE: Final = 1024
"""Segments up to which a plane's tables are read whole and kept: 4 to 8 kB each, less than one request for a slice."""

SLACK_BYTES: Final = 1 << 20
"""A compressed segment may exceed twice its decoded size by this much (tables, headers, metadata) and not more."""

AROUND_BYTES: Final = 8
"""Between two segments of a COG: the trailer of one and the leader of the next, 4 bytes each."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a plane with few segments, whole."""

    offsets: list[int]
    counts: list[int] | None

    def ranges(self, layout: Layout, segments: Sequence[int]) -> tuple[Range | None, ...]:
        """The byte range of each segment by index, None where it is sparse."""
        counts = self.counts
        return tuple(_range(layout, n, self.offsets[n], None if counts is None else counts[n]) for n in segments)


def small_tables(ifd: Ifd, layout: Layout) -> Steps[Tables | None]:
    """The tables of a plane of up to `SMALL_TABLE` segments, None where it has more or its tables are not whole."""
    tags = [tag for tag in (layout.offsets_tag, layout.counts_tag) if tag]
    number = layout.segments
    if number > SMALL_TABLE or any(ifd.entries[tag].count < number for tag in tags):
        return None
    buffers = yield [r for tag in tags for r in ifd.slices(tag, [(0, number)])]
    columns = [ifd.table(tag, bytes(data)).tolist() for tag, data in zip(tags, buffers, strict=True)]
    if any(len(column) < number for column in columns):
        return None  # where the file ends before its tables do, `segment_ranges` says so, or finds what is wanted
    return Tables(columns[0], columns[1] if len(columns) > 1 else None)


def segment_ranges(
    ifd: Ifd, layout: Layout, segments: Sequence[int], ghost: Ghost | None = None
) -> Steps[tuple[Range | None, ...]]:
    """The byte range of each segment by index, None where it is sparse (offset or byte count 0).

    ghost: the file's ghost area; where it says how segments follow one another, byte counts are not looked up.

    Raises FormatError where a table has no entry for a segment.
    """
    wanted = np.asarray(segments, np.int64)
    if ghost is not None and ghost.has_gapless_order:
        found = yield from _by_order(ifd, layout, wanted)
        if found is not None:
            return found
    tags = [tag for tag in (layout.offsets_tag, layout.counts_tag) if tag]
    columns = [column.tolist() for column in (yield from _entries(ifd, layout, tags, wanted))]
    counts = columns[1] if len(columns) > 1 else [None] * len(wanted)
    return tuple(_range(layout, *entry) for entry in zip(wanted.tolist(), columns[0], counts, strict=True))


def _by_order(ifd: Ifd, layout: Layout, wanted: NDArray[Any]) -> Steps[tuple[Range | None, ...] | None]:
    """The ranges by offsets alone: a segment ends 8 bytes before the next one begins, behind them its trailer and the
    next one's leader. None where that can't be told: of the last segment, and of one before a sparse one."""
    following = wanted + 1
    if not len(wanted) or following.max() >= min(layout.segments, ifd.entries[layout.offsets_tag].count):
        return None
    both = np.concatenate((wanted, following))
    (offsets,) = yield from _entries(ifd, layout, [layout.offsets_tag], both)
    starts, ends = offsets[: len(wanted)].tolist(), offsets[len(wanted) :].tolist()
    ranges: list[Range | None] = []
    for index, start, end in zip(wanted.tolist(), starts, ends, strict=True):
        length = end - start - AROUND_BYTES
        if start and not 0 < length <= 2 * _raw_bytes(layout, index) + SLACK_BYTES:
            return None
        ranges.append((start, length) if start else None)
    return tuple(ranges)


def _entries(ifd: Ifd, layout: Layout, tags: Sequence[int], wanted: NDArray[Any]) -> Steps[list[NDArray[Any]]]:
    """The entries of tables for the segments `wanted`, of all tables in one batch."""
    spans = _spans(np.unique(wanted))
    for tag in tags:
        have = ifd.entries[tag].count
        if spans and spans[-1][1] > have:
            raise FormatError(f"tag {tag} has {have} of {layout.segments} entries", offset=ifd.entries[tag].offset)
    buffers = yield [r for tag in tags for r in ifd.slices(tag, spans)]
    columns = []
    for place, tag in enumerate(tags):
        parts = [ifd.table(tag, bytes(data)) for data in buffers[place * len(spans) : (place + 1) * len(spans)]]
        for (start, stop), part in zip(spans, parts, strict=True):
            if len(part) != stop - start:
                raise FormatError(f"tag {tag} lies beyond the end of the file", offset=ifd.entries[tag].offset)
        columns.append(_pick(spans, parts, wanted))
    return columns


def _spans(indices: NDArray[Any]) -> list[tuple[int, int]]:
    """Sorted indices as ``[start, stop)`` runs, joined over gaps of up to `JOIN_ENTRIES`."""
    if not len(indices):
        return []
    cuts = np.flatnonzero(np.diff(indices) > JOIN_ENTRIES)
    starts = indices[np.concatenate(([0], cuts + 1))]
    stops = indices[np.concatenate((cuts, [len(indices) - 1]))] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _pick(spans: list[tuple[int, int]], parts: list[NDArray[Any]], wanted: NDArray[Any]) -> NDArray[Any]:
    if not spans:
        return np.empty(0, np.uint64)
    starts = np.array([start for start, _ in spans])
    places = np.concatenate(([0], np.cumsum([len(part) for part in parts])))
    which = np.searchsorted(starts, wanted, "right") - 1
    picked: NDArray[Any] = np.concatenate(parts)[places[which] + wanted - starts[which]]
    return picked


def _range(layout: Layout, index: int, offset: int, count: int | None) -> Range | None:
    raw = _raw_bytes(layout, index)
    if layout.encoding.compression in (2, 3, 4) and layout.segments == 1 and count == 0:
        count = None  # some fax writers leave the byte count of their only strip at 0
    if offset == 0 or count == 0:
        return None
    if layout.encoding.compression == UNCOMPRESSED:
        # The byte count of an only segment tells nothing that its size does not, and is often wrong.
        return offset, raw if count is None or layout.segments == 1 else min(count, raw)
    most = min(2 * raw + SLACK_BYTES, limits.MAX_SEGMENT_BYTES)
    return offset, most if count is None else min(count, most)


def _raw_bytes(layout: Layout, index: int) -> int:
    depth, rows, width = layout.segment
    if not layout.tiled:
        rows = min(rows, layout.volume[1] - (index % layout.grid[1]) * rows)
    encoding = layout.encoding
    row_bits = width * sum(encoding.bits)
    if encoding.subsampling != (1, 1):
        row_bits *= 2  # a bound is enough: chroma rows are padded to whole units
    return depth * rows * -(-row_bits // 8)
