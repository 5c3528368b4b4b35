"""Where segments lie: TileOffsets and TileByteCounts, or StripOffsets and StripByteCounts (TIFF 6.0 sections 8 and 15).

Of a table only the slices that the segments asked for need are read, of both tables in one batch. Small tables are read
whole and kept; of a large COG by GDAL's driver the byte counts are not read at all, since they follow from the offsets.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

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
        counts = None if self.counts is None else [self.counts[n] for n in segments]
        return _ranges(layout, segments, [self.offsets[n] for n in segments], counts)


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
    if ghost is not None and ghost.has_gapless_order:
        found = yield from _by_order(ifd, layout, segments)
        if found is not None:
            return found
    tags = [tag for tag in (layout.offsets_tag, layout.counts_tag) if tag]
    columns = yield from _entries(ifd, layout, tags, segments)
    return _ranges(layout, segments, columns[0], columns[1] if len(columns) > 1 else None)


def _by_order(ifd: Ifd, layout: Layout, wanted: Sequence[int]) -> Steps[tuple[Range | None, ...] | None]:
    """The ranges by offsets alone: a segment ends 8 bytes before the next one begins, behind them its trailer and the
    next one's leader. None where that can't be told: of the last segment, and of one before a sparse one."""
    if not wanted or max(wanted) + 1 >= min(layout.segments, ifd.entries[layout.offsets_tag].count):
        return None
    (offsets,) = yield from _entries(ifd, layout, [layout.offsets_tag], [*wanted, *(n + 1 for n in wanted)])
    whole, last = (2 * raw + SLACK_BYTES for raw in _raw_bytes(layout))
    ranges: list[Range | None] = []
    for index, start, end in zip(wanted, offsets[: len(wanted)], offsets[len(wanted) :], strict=True):
        length = end - start - AROUND_BYTES
        if start and not 0 < length <= (last if (index + 1) % layout.grid[1] == 0 else whole):
            return None
        ranges.append((start, length) if start else None)
    return tuple(ranges)


def _entries(ifd: Ifd, layout: Layout, tags: Sequence[int], wanted: Sequence[int]) -> Steps[list[list[int]]]:
    """The entries of tables for the segments `wanted`, of all tables in one batch."""
    spans = _spans(wanted)
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


# Without numpy: a batch is small, and what numpy has for this would bring half a megabyte of code into memory.


def _spans(wanted: Sequence[int]) -> list[tuple[int, int]]:
    """The indices as sorted ``[start, stop)`` runs, joined over gaps of up to `JOIN_ENTRIES`."""
    spans: list[tuple[int, int]] = []
    for index in sorted(wanted):
        if spans and index <= spans[-1][1] - 1 + JOIN_ENTRIES:
            spans[-1] = spans[-1][0], index + 1
        else:
            spans.append((index, index + 1))
    return spans


def _pick(spans: Sequence[tuple[int, int]], parts: Sequence[NDArray[Any]], wanted: Sequence[int]) -> list[int]:
    starts = [start for start, _ in spans]
    if not spans:
        return []
    (first, stop), *others = spans
    if not others and stop - first == len(wanted) and list(wanted) == list(range(first, stop)):  # as most are
        found: list[int] = parts[0].tolist()
        return found
    places = ((bisect_right(starts, index) - 1, index) for index in wanted)
    return [parts[place].item(index - starts[place]) for place, index in places]


def _ranges(
    layout: Layout, segments: Sequence[int], offsets: Sequence[int], counts: Sequence[int] | None
) -> tuple[Range | None, ...]:
    plain = layout.encoding.compression == UNCOMPRESSED
    if layout.segments == 1 and counts and (plain if counts[0] else layout.encoding.compression in (2, 3, 4)):
        # Of an only segment the byte count tells nothing that its size does not, where that is not compressed, and is
        # often wrong; some fax writers leave it at 0.
        counts = None
    # An uncompressed segment may be said to be longer than it is, a compressed one may truly be so, within reason.
    whole, last = (raw if plain else min(2 * raw + SLACK_BYTES, limits.MAX_SEGMENT_BYTES) for raw in _raw_bytes(layout))
    most = [whole] * len(segments)
    if last != whole:
        down = layout.grid[1]
        most = [last if (n + 1) % down == 0 else whole for n in segments]
    if counts is None:
        return tuple((at, size) if at else None for at, size in zip(offsets, most, strict=True))
    return tuple(
        (at, min(count, size)) if at and count else None for at, count, size in zip(offsets, counts, most, strict=True)
    )


def _raw_bytes(layout: Layout) -> tuple[int, int]:
    """Of a segment, and of the last one of a column: strips are cut at the end of the image, tiles are not."""
    depth, rows, width = layout.segment
    encoding = layout.encoding
    row_bits = width * sum(encoding.bits)
    if encoding.subsampling != (1, 1):
        row_bits *= 2  # a bound is enough: chroma rows are padded to whole units
    row_bytes = -(-row_bits // 8)
    last = rows if layout.tiled else min(rows, layout.volume[1] - (layout.grid[1] - 1) * rows)
    return depth * rows * row_bytes, depth * last * row_bytes
