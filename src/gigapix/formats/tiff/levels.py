"""IFDs as `LevelSpec`s: the planes of one resolution, and where their segments lie.

A plane's IFD is read when the plane is first touched; where its segments lie is looked up by `tables`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import FormatError, UnsupportedError
from gigapix.formats.model import LevelSpec, Located, Steps
from gigapix.formats.tiff.file import Tiff, load_old_jpeg
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.layout import OLD_JPEG, Layout, layout_of
from gigapix.formats.tiff.tables import Tables, segment_ranges, small_tables

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
        return Located(encoding=layout.encoding, ranges=(yield from segment_ranges(ifd, layout, segments, tiff.ghost)))

    return locate


def _plane_at(tiff: Tiff, first: Layout, plane: int, offset: int) -> Steps[tuple[Ifd, Layout, Tables | None]]:
    """A plane's IFD, its layout, which must be that of the first plane, and its tables where they are small."""
    ifd, layout = yield from layout_at(tiff, offset)
    mine, other = layout.encoding.dtype, first.encoding.dtype
    if (layout.volume, layout.samples, mine) != (first.volume, first.samples, other):
        raise FormatError(f"plane {plane} differs from the first one in size or type", offset=offset)
    if (layout.segment, layout.planar) != (first.segment, first.planar):
        raise UnsupportedError(f"plane {plane} is cut otherwise than the first one", offset=offset)
    return ifd, layout, (yield from small_tables(ifd, layout))


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
