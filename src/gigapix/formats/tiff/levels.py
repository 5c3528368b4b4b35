"""IFDs as `LevelSpec`s: the planes of one resolution, and where their segments lie.

A level's `locate` reads of TileOffsets and TileByteCounts only the slices that the segments asked for need, both in one
batch. A plane's IFD is read when the plane is first touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.errors import FormatError, UnsupportedError
from gigapix.formats.model import UNCOMPRESSED, LevelSpec, Located, Range, Steps
from gigapix.formats.tiff.file import Tiff, load_old_jpeg
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.layout import OLD_JPEG, Layout, layout_of

JOIN_ENTRIES: Final = 512
"""Slices of a table that lie closer than this many entries (4 KiB of offsets) are read as one."""

SMALL_TABLE: Final = 1024
"""Segments up to which a plane's tables are read whole and kept: 4 to 8 kB each, less than one request for a slice."""

SLACK_BYTES: Final = 1 << 20
"""A compressed segment may exceed twice its decoded size by this much (tables, headers, metadata) and not more."""

OffsetOf = Callable[[int], Steps[int | None]]
"""The offset of the IFD that holds a plane; None where no file holds it: such a plane is sparse."""

Locate = Callable[[int, Sequence[int]], Steps[Located]]
"""See `LevelSpec.locate`."""


def layout_at(tiff: Tiff, offset: int) -> Steps[tuple[Ifd, Layout]]:
    """Read an IFD and its layout."""
    ifd = yield from tiff.ifd_at(offset)
    old = (yield from load_old_jpeg(ifd)) if ifd.integer(259, 1) == OLD_JPEG else None
    return ifd, layout_of(ifd, old)


def single_level(tiff: Tiff, offset: int, layout: Layout) -> LevelSpec:
    """The level that one IFD makes: axes CYX, CZYX where it is a volume."""

    def offset_of(plane: int) -> Steps[int | None]:
        return offset
        yield

    return stacked_level(layout, "", (), located(tiff, layout, offset_of))


def stacked_level(layout: Layout, plane_axes: str, plane_shape: tuple[int, ...], locate: Locate) -> LevelSpec:
    """The level of planes stacked along `plane_axes`, all with the layout of the first."""
    sizes = dict(zip(plane_axes, plane_shape, strict=True))
    depth, height, width = layout.volume
    sizes["C"] = sizes.get("C", 1) * layout.samples
    if depth > 1:
        if "Z" in sizes:
            raise UnsupportedError("a stack along Z of images that are volumes themselves")
        sizes["Z"] = depth
    sizes |= {"Y": height, "X": width}
    axes = "".join(axis for axis in "TCZYX" if axis in sizes)
    return LevelSpec(
        axes=axes,
        shape=tuple(sizes[axis] for axis in axes),
        dtype=layout.encoding.dtype,
        segment=layout.segment,
        volume=layout.volume,
        samples=layout.samples,
        planar=layout.planar,
        tiled=layout.tiled,
        planes=math.prod(plane_shape),
        plane_axes=plane_axes,
        plane_shape=plane_shape,
        locate=locate,
        encoding=layout.encoding,
    )


def located(tiff: Tiff, first: Layout, offset_of: OffsetOf) -> Locate:
    """`locate` for planes that have IFDs of their own."""
    latest: dict[int, tuple[Ifd, Layout, Tables | None]] = {}

    def locate(plane: int, segments: Sequence[int]) -> Steps[Located]:
        offset = yield from offset_of(plane)
        if offset is None:
            return Located(encoding=first.encoding, ranges=(None,) * len(segments))
        known = latest.get(offset)
        if known is None:
            known = yield from _plane_at(tiff, first, plane, offset)
            latest.clear()
            latest[offset] = known
        ifd, layout, tables = known
        if tables is not None:
            return Located(encoding=layout.encoding, ranges=tables.ranges(layout, segments))
        return Located(encoding=layout.encoding, ranges=(yield from segment_ranges(ifd, layout, segments)))

    return locate


def _plane_at(tiff: Tiff, first: Layout, plane: int, offset: int) -> Steps[tuple[Ifd, Layout, Tables | None]]:
    """A plane's IFD, its layout, which must be that of the first plane, and its tables where they are small."""
    ifd, layout = yield from layout_at(tiff, offset)
    mine, other = layout.encoding.dtype, first.encoding.dtype
    if (layout.volume, layout.samples, mine) != (first.volume, first.samples, other):
        raise FormatError(f"plane {plane} differs from the first one in size or type", offset=offset)
    if (layout.segment, layout.planar) != (first.segment, first.planar):
        raise UnsupportedError(f"plane {plane} is cut otherwise than the first one", offset=offset)
    return ifd, layout, (yield from _small_tables(ifd, layout))


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a plane with few segments, whole."""

    offsets: list[int]
    counts: list[int] | None

    def ranges(self, layout: Layout, segments: Sequence[int]) -> tuple[Range | None, ...]:
        """The byte range of each segment by index, None where it is sparse."""
        counts = self.counts
        return tuple(_range(layout, n, self.offsets[n], None if counts is None else counts[n]) for n in segments)


def _small_tables(ifd: Ifd, layout: Layout) -> Steps[Tables | None]:
    tags = [tag for tag in (layout.offsets_tag, layout.counts_tag) if tag]
    number = layout.segments
    if number > SMALL_TABLE or any(ifd.entries[tag].count < number for tag in tags):
        return None
    buffers = yield [r for tag in tags for r in ifd.slices(tag, [(0, number)])]
    columns = [ifd.table(tag, bytes(data)).tolist() for tag, data in zip(tags, buffers, strict=True)]
    if any(len(column) < number for column in columns):
        return None  # where the file ends before its tables do, `segment_ranges` says so, or finds what is wanted
    return Tables(columns[0], columns[1] if len(columns) > 1 else None)


def located_in_run(tiff: Tiff, layout: Layout, offset: int, places: NDArray[np.int64]) -> Locate:
    """`locate` for planes that follow the data of the IFD at `offset` without IFDs of their own (ImageJ's large
    stacks).

    places: the place of each plane in that run.
    """
    step = plane_bytes(layout)

    def locate(plane: int, segments: Sequence[int]) -> Steps[Located]:
        ifd, _ = yield from layout_at(tiff, offset)
        ranges = yield from segment_ranges(ifd, layout, segments)
        moved = tuple((r[0] + int(places[plane]) * step, r[1]) if r else None for r in ranges)
        return Located(encoding=layout.encoding, ranges=moved)

    return locate


def plane_bytes(layout: Layout) -> int:
    """Bytes of an uncompressed plane whose strips lie in one run."""
    depth, height, width = layout.volume
    grids = layout.samples if layout.planar else 1
    return grids * depth * height * -(-width * sum(layout.encoding.bits) // 8)


def segment_ranges(ifd: Ifd, layout: Layout, segments: Sequence[int]) -> Steps[tuple[Range | None, ...]]:
    """The byte range of each segment by index, None where it is sparse (offset or byte count 0).

    Raises FormatError where a table has no entry for a segment.
    """
    wanted = np.asarray(segments, np.int64)
    spans = _spans(np.unique(wanted))
    tables = [tag for tag in (layout.offsets_tag, layout.counts_tag) if tag]
    for tag in tables:
        have = ifd.entries[tag].count
        if spans and spans[-1][1] > have:
            raise FormatError(f"tag {tag} has {have} of {layout.segments} entries", offset=ifd.entries[tag].offset)
    buffers = yield [r for tag in tables for r in ifd.slices(tag, spans)]
    columns = []
    for place, tag in enumerate(tables):
        parts = [ifd.table(tag, bytes(data)) for data in buffers[place * len(spans) : (place + 1) * len(spans)]]
        for (start, stop), part in zip(spans, parts, strict=True):
            if len(part) != stop - start:
                raise FormatError(f"tag {tag} lies beyond the end of the file", offset=ifd.entries[tag].offset)
        columns.append(_pick(spans, parts, wanted))
    offsets = columns[0].tolist()
    counts = columns[1].tolist() if len(columns) > 1 else [None] * len(offsets)
    return tuple(_range(layout, index, at, n) for index, at, n in zip(wanted.tolist(), offsets, counts, strict=True))


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
    most = min(2 * raw + SLACK_BYTES, limits.MAX_DIMENSION)
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
