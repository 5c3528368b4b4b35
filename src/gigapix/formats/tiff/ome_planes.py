"""Where the planes of an OME image lie: TiffData elements, spread over a table with one entry a plane.

The rules ("OME-TIFF specification", The TiffData element): an element begins at the plane FirstT, FirstC, FirstZ and
covers PlaneCount planes in the rasterization order of DimensionOrder, taken from consecutive IFDs of the file that its
UUID names. A later element wins over an earlier one. What the specification leaves open follows Bio-Formats: an element
without a count holds until the next one begins, as the number of IFDs may not be known; indices may count from 1; and
where the text and the pages disagree on the samples of a pixel, the pages are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import FormatError, UnsupportedError
from gigapix.formats.tiff.ome_model import OmeImage, Part

MAX_OVERLAP: Final = 4
"""How often TiffData elements name the same plane, on average: once is right. A million elements of a million planes
each would take hours."""

_BLOCK: Final = 1 << 18
"""Planes that are placed at a time, so that their indices take little memory."""


class PlanesElsewhere(Mapping[int, str]):
    """Plane to the file that holds it, of an image with planes in other files: an array that is looked at as a dict."""

    def __init__(
        self, part: NDArray[np.int32] | None = None, parts: tuple[Part, ...] = (), ifd: NDArray[np.int64] | None = None
    ) -> None:
        self._part = np.empty(0, np.int32) if part is None else part
        self._parts = parts
        self._ifd = np.empty(0, np.int64) if ifd is None else ifd

    def ifd(self, plane: int) -> int:
        """The index of the plane's IFD in the file that holds it."""
        return int(self._ifd[plane])

    def __getitem__(self, plane: int) -> str:
        index = int(self._part[plane]) if 0 <= plane < len(self._part) else -1
        if index < 0:
            raise KeyError(plane)
        return self._parts[index].file_name or self._parts[index].uuid

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self._part >= 0).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._part >= 0))


def planes_along_c(image: OmeImage, samples: int | None, pages: int | None) -> int:
    """Planes along C: SizeC counts samples, and an RGB plane has three of them.

    Raises UnsupportedError where channels differ in SamplesPerPixel.
    """
    stated = {channel.samples for channel in image.channels if channel.samples}
    if len(stated) > 1:
        raise UnsupportedError(f"an OME image whose channels have {sorted(stated)} samples")
    per_plane = next(iter(stated), None)
    if samples is not None and samples != per_plane:
        # SizeC counts planes, not samples, if there are as many pages: rendered channels that are RGB each.
        if samples == 1 or (pages is not None and image.size_t * image.size_z * image.size_c <= pages):
            return image.size_c
        if image.size_c % samples == 0:
            return image.size_c // samples
    return image.size_c // per_plane if per_plane and image.size_c % per_plane == 0 else image.size_c


def is_here(image: OmeImage, uuid: str, file_name: str | None) -> bool:
    """Whether any element names this file: cheap, where a text has ten thousands of images, most of them elsewhere."""
    rows = image.tiff_data
    if not image.parts or not len(rows):
        return bool(len(rows))
    return bool(np.isin(rows[:, 5], _own_parts(image, rows, uuid, file_name)).any())


def place_planes(
    image: OmeImage, sizes: Mapping[str, int], uuid: str, file_name: str | None, pages: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """For each plane in the file's order its IFD (-1: in no file), and the index of the file that has it (-1: this
    one).

    `sizes` are the planes along T, C and Z.

    Raises FormatError where elements overlap beyond measure.
    """
    total = math.prod(sizes.values())
    ifd, part = np.full(total, -1, np.int64), np.full(total, -1, np.int32)
    rows = image.tiff_data
    first = rows[:, 1:4].copy()
    for column, axis in enumerate("TCZ"):
        if len(rows) and first[:, column].min() >= 1 and first[:, column].max() >= sizes[axis]:
            first[:, column] -= 1
    inside = (first < [sizes[axis] for axis in "TCZ"]).all(axis=1)
    rows, first = rows[inside], first[inside]
    if not len(rows):
        return ifd, part
    steps, step = {}, 1
    for axis in image.dimension_order[2:]:
        steps[axis] = step
        step *= sizes[axis]
    start = first @ np.array([steps[axis] for axis in "TCZ"])
    where = np.full(len(rows), -1)
    if image.parts:
        where = np.where(np.isin(rows[:, 5], _own_parts(image, rows, uuid, file_name)), -1, rows[:, 5])
    count = np.minimum(rows[:, 4], total - start)
    open_ended = count < 0
    turn = np.arange(len(rows))
    if open_ended.any():
        begins = np.append(np.unique(start), total)
        following = begins[np.searchsorted(begins, start, "right")] - start
        here = following if pages is None else np.minimum(following, pages)
        count = np.where(open_ended, np.where(where < 0, here, following), count)
        # Elements without a count give way to those with one.
        turn = np.argsort(~open_ended, kind="stable")
    named = np.cumsum(count[turn])
    if named[-1] > MAX_OVERLAP * total + len(rows):
        raise FormatError(f"the TiffData elements of OME image {image.id!r:.80} overlap")
    for some in np.split(turn, np.flatnonzero(np.diff(named // _BLOCK)) + 1):
        each = count[some]
        offset = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        plane = np.repeat(start[some], each) + offset
        # Of an index that is assigned twice, the last one stays.
        part[plane] = np.repeat(where[some], each)
        ifd[plane] = np.repeat(rows[some, 0], each) + offset
    if pages is not None:
        ifd[(ifd >= pages) & (part < 0)] = -1
    return ifd, part


def _own_parts(image: OmeImage, rows: NDArray[np.int64], uuid: str, file_name: str | None) -> list[int]:
    """Which of the files that the elements name is this one; -1 stands for an element that names none."""
    used = [index for index in np.unique(rows[:, 5]).tolist() if index >= 0]
    name = _base_name(file_name or "")
    by_uuid = [index for index in used if uuid and image.parts[index].uuid.lower() == uuid.lower()]
    by_name = [index for index in used if name and _base_name(image.parts[index].file_name) == name]
    if by_uuid:
        # One UUID for several files is against the rules; their names then tell them apart.
        same = [index for index in by_uuid if index in by_name or not image.parts[index].file_name]
        return [-1, *(same or by_uuid)]
    if not by_name and not uuid and len(image.parts) == 1:
        return [-1, 0]  # the file was renamed
    return [-1, *by_name]


def _base_name(path: str) -> str:
    """The last part of a path of any system: old writers put whole paths into FileName."""
    return path.replace("\\", "/").rpartition("/")[2].lower()
