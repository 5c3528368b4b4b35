"""What a read will do, before it does it: the level, the segments that it touches, and where each one lands.

A plan is a pure function of a `LevelSpec` and of what was asked for. It lists its segments lazily, so that the plan
of a million tiles is as small as that of one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, product
from operator import index
from typing import Any

import numpy as np

from gigapix.errors import RequestError
from gigapix.formats.model import LevelSpec
from gigapix.image.window import Window

Selection = Mapping[str, int | slice]
"""Positions along the axes in front: ``{"Z": 3, "T": slice(0, 10)}``. A single position drops its axis."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Interleaved samples of one plane, and where they go in the output."""

    plane: int
    samples: tuple[int, ...]
    """Samples of the plane, in the order in which they land."""
    target: tuple[Any, ...]
    """Indexes the full-rank output down to (samples, [depth,] height, width)."""
    turned: bool = False
    """Depth comes before samples there."""


@dataclass(frozen=True, slots=True)
class SegmentRead:
    """One segment of one piece: which box of it lands where."""

    piece: Piece
    index: int
    """In the plane's tables."""
    shape: tuple[int, int, int]
    """(depth, height, width) of the segment as it is stored."""
    origin: tuple[int, int, int]
    """First voxel of the segment that is wanted."""
    box: tuple[slice, slice, slice]
    """Where it lands, in the (depth, height, width) of the piece's target."""
    samples: tuple[int, ...]
    """Samples within the segment: all zeros where planar."""
    bands: slice
    """Where they land, in the piece's samples."""

    @property
    def size(self) -> tuple[int, int, int]:
        """(depth, height, width) of what is wanted."""
        d, h, w = self.box
        return d.stop - d.start, h.stop - h.start, w.stop - w.start

    def is_whole(self, samples: int) -> bool:
        """Whether all of the segment is wanted, with all of its interleaved samples in their order."""
        return self.size == self.shape and self.samples == tuple(range(samples))


@dataclass(frozen=True, kw_only=True)
class Means:
    """What there is to carry a plan out with."""

    memory: int = 256 << 20
    workers: int = 1
    window: int = 64 << 10
    """Bytes that are read of a stream at a time."""
    piece: int = 1 << 20
    """Bytes that are read of uncompressed rows at a time."""
    file_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class ReadPlan:
    """A read of `window` of one level. `shape` and `axes` are those of the result."""

    level: LevelSpec = field(repr=False)
    window: Window
    depths: range
    """Depths read of each plane: positions along Z where planes are volumes, else 0."""
    chosen: Mapping[str, Sequence[int]] = field(repr=False)
    """Positions along each of the axes in front of Y."""
    full_shape: tuple[int, ...]
    """Shape of the output before axes with a single position are dropped."""
    shape: tuple[int, ...]
    axes: str
    means: Means = field(default=Means(), repr=False)

    @property
    def access(self) -> str:
        """How its segments are got at within the memory: addressable, chunked, stream or opaque (`image.access`)."""
        from gigapix.image.outlook import outlook

        return outlook(self).access.kind

    @property
    def peak_bytes(self) -> int:
        """Most bytes held at once when it is walked by `Image.blocks`, or, where it is opaque, that it would take.
        `Image.read` holds the result beside them."""
        from gigapix.image.outlook import outlook

        return outlook(self).peak_bytes

    @property
    def requests(self) -> int:
        """How many requests it takes at most; fewer where segments lie close together or are cached."""
        from gigapix.image.outlook import outlook

        return outlook(self).requests

    def __str__(self) -> str:
        from gigapix.image.outlook import described

        return described(self)

    @property
    def nbytes(self) -> int:
        """Bytes of the result."""
        return math.prod(self.shape) * self.level.dtype.itemsize

    @property
    def segments(self) -> int:
        """How many segments are read."""
        level = self.level
        stacked = math.prod(len(self.chosen[axis]) for axis in level.plane_axes if axis != "C")
        groups = len(self.chosen["C"]) if level.planar else len(_runs(level, self.chosen["C"]))
        return math.prod(len(cuts) for cuts in self._cuts()) * stacked * groups

    @property
    def segment_bytes(self) -> int:
        """Decoded bytes of one segment."""
        if self.level.encoding.packing is not None:
            return self.level.encoding.packing.nbytes
        interleaved = 1 if self.level.planar else self.level.samples
        return math.prod(self.level.segment) * interleaved * self.level.dtype.itemsize

    def _wanted(self) -> tuple[range, range, range]:
        """The pixels wanted along (depth, height, width)."""
        window = self.window
        rows = range(window.row_off, window.row_off + window.height)
        return self.depths, rows, range(window.col_off, window.col_off + window.width)

    def _cuts(self) -> tuple[_Cuts, _Cuts, _Cuts]:
        level = self.level
        d, h, w = (
            _Cuts(*each)
            for each in zip(self._wanted(), level.segment, level.volume, [not level.tiled] * 3, strict=True)
        )
        return d, h, w

    def reads(self) -> Iterator[SegmentRead]:
        """The segments, piece by piece, each piece in the order of its tables."""
        _, down, across = self._grid()
        depths, rows, columns = self._cuts()
        for piece, samples, bands, base in self._groups():
            for d, d_size, d_origin, d_box in depths:
                for h, h_size, h_origin, h_box in rows:
                    row = base + (d * down + h) * across
                    for w, w_size, w_origin, w_box in columns:
                        shape, origin = (d_size, h_size, w_size), (d_origin, h_origin, w_origin)
                        yield SegmentRead(piece, row + w, shape, origin, (d_box, h_box, w_box), samples, bands)

    def whole_grids(self) -> Iterator[tuple[range, SegmentRead, SegmentRead]]:
        """`reads` in short, where each segment of the level is wanted and none is padded; nothing elsewhere.

        The segments of one grid after the other: their indices, and how one of them is read. That of the last row of
        strips, which may be lower, is given apart. `index` and the place where a segment lands are to be disregarded.
        """
        level = self.level
        wanted = zip(self._wanted(), level.volume, level.segment, strict=True)
        if any(len(span) < whole or (level.tiled and whole % step) for span, whole, step in wanted):
            return
        if not level.tiled and self._grid()[0] > 1:
            return
        depth, height, width = level.segment
        last_height = height if level.tiled else (level.volume[1] - 1) % height + 1
        for piece, samples, bands, base in self._groups():
            full, last = (
                SegmentRead(piece, base, (depth, rows, width), (0, 0, 0), box, samples, bands)
                for rows in (height, last_height)
                for box in [(slice(0, depth), slice(0, rows), slice(0, width))]
            )
            yield range(base, base + math.prod(self._grid())), full, last

    def _grid(self) -> tuple[int, ...]:
        """Segments along (depth, height, width), of one sample where planar."""
        return tuple(-(-size // step) for size, step in zip(self.level.volume, self.level.segment, strict=True))

    def _groups(self) -> Iterator[tuple[Piece, tuple[int, ...], slice, int]]:
        """Each piece, or of planar ones each of its samples: samples in the segment, where they land in the piece,
        and the index of the grid's first segment."""
        per_sample = math.prod(self._grid())
        for piece in _pieces(self.level, self.chosen):
            if self.level.planar:
                for n, sample in enumerate(piece.samples):
                    yield piece, (0,), slice(n, n + 1), sample * per_sample
            else:
                yield piece, piece.samples, slice(0, len(piece.samples)), 0


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Along one axis, the segments that wanted pixels lie in: each one's place, its size, the first of its pixels that
    is wanted, and where the wanted ones land. Iterated as often as needed, since there may be too many to list."""

    wanted: range
    step: int
    total: int
    cropped: bool
    """Whether the last segment is cut at the image's edge."""

    def __len__(self) -> int:
        return -(-self.wanted.stop // self.step) - self.wanted.start // self.step

    def __iter__(self) -> Iterator[tuple[int, int, int, slice]]:
        first, last, step = self.wanted.start, self.wanted.stop, self.step
        for place in range(first // step, -(-last // step)):
            corner = place * step
            size = min(step, self.total - corner) if self.cropped else step
            low, high = max(corner, first), min(corner + size, last)
            yield place, size, low - corner, slice(low - first, high - first)


def plan_read(
    level: LevelSpec,
    window: Window,
    bands: int | Sequence[int] | None = None,
    select: Selection | None = None,
    *,
    means: Means = Means(),  # frozen
) -> ReadPlan:
    """Plan the read of a window of a level.

    bands: positions along C (from 0), in the order wanted; an int drops the axis.
    select: positions along the other axes in front.

    Raises RequestError where a band, an axis or a position does not exist.
    """
    chosen: dict[str, Sequence[int]] = {}
    dropped = set()
    select = dict(select or {})
    if bands is not None:
        if "C" in select:
            raise RequestError("bands and select={'C': ...} say the same thing; give one")
        select["C"] = bands  # type: ignore[assignment]
    for axis, size in zip(level.axes[:-2], level.shape[:-2], strict=True):
        wanted = select.pop(axis, slice(None))
        position = _position(wanted)
        if position is not None:
            dropped.add(axis)
        chosen[axis] = _positions(axis, size, wanted if position is None else (position,))
    if select:
        raise RequestError(
            f"the image has no axis {', '.join(map(repr, select))} to select along; its axes are {level.axes}"
        )
    depths = range(1)
    if level.volume[0] > 1:
        positions = chosen[level.depth_axis]
        depths = range(positions[0], positions[-1] + 1)
        consecutive = isinstance(positions, range) and positions.step == 1
        if not consecutive and (len(positions) != len(depths) or list(positions) != list(depths)):
            raise RequestError(f"of a volume only consecutive positions along {level.depth_axis} can be read at once")
    full = (*(len(p) for p in chosen.values()), window.height, window.width)
    kept = [n for n, axis in enumerate(level.axes) if axis not in dropped]
    return ReadPlan(
        level=level,
        window=window,
        depths=depths,
        chosen=chosen,
        full_shape=full,
        shape=tuple(full[n] for n in kept),
        axes="".join(level.axes[n] for n in kept),
        means=means,
    )


def _position(wanted: Any) -> int | None:
    """A single position, None for several (of which an array has an `__index__` too, that raises)."""
    try:
        return index(wanted)
    except TypeError:
        return None


def _positions(axis: str, size: int, wanted: Any) -> Sequence[int]:
    if isinstance(wanted, slice):
        positions: Sequence[int] = range(size)[wanted]
    else:
        try:
            positions = tuple(index(p) for p in wanted)
        except TypeError:
            raise RequestError(f"{wanted!r:.60} are no positions along {axis}") from None
    if not positions:
        raise RequestError(f"nothing is selected along {axis}")
    if min(positions) < 0 or max(positions) >= size:
        raise RequestError(
            f"position {min(positions) if min(positions) < 0 else max(positions)} along {axis} of {size}"
        )
    return positions


def _runs(level: LevelSpec, bands: Sequence[int]) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """Bands that come from one plane in a row: the plane's place along C, and (place, band) of each."""
    grouped = groupby(enumerate(bands), key=lambda item: item[1] // level.samples)
    return [(channel, tuple(run)) for channel, run in grouped]


def _pieces(level: LevelSpec, chosen: Mapping[str, Sequence[int]]) -> Iterator[Piece]:
    """Planes and their samples, bands from one plane in a row together."""
    runs = _runs(level, chosen["C"])
    stacked = [axis for axis in level.plane_axes if axis != "C"]
    turned = level.volume[0] > 1 and level.axes.index(level.depth_axis) < level.axes.index("C")
    for places in product(*(range(len(chosen[axis])) for axis in stacked)):
        for channel, run in runs:
            at = {axis: chosen[axis][place] for axis, place in zip(stacked, places, strict=True)} | {"C": channel}
            places_of_plane = [at[axis] for axis in level.plane_axes]
            target: list[Any] = [slice(None)] * len(level.axes)
            for axis, place in zip(stacked, places, strict=True):
                target[level.axes.index(axis)] = place
            target[level.axes.index("C")] = slice(run[0][0], run[-1][0] + 1)
            plane = int(np.ravel_multi_index(places_of_plane, level.plane_shape)) if places_of_plane else 0
            yield Piece(plane, tuple(band % level.samples for _, band in run), tuple(target), turned)
