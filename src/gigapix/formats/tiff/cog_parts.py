"""The directories of a file's first image as a COG has them: the image, its overviews, their masks.

Unlike `groups`, which makes levels that can be read, this takes the directories as they are marked, in the order of the
file and with sizes that make no sense: those are what a validator must see. Tables are read by slice, as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import FormatError, TruncatedError
from gigapix.formats.model import Steps
from gigapix.formats.tiff.file import MASK, REDUCED, Page, Tiff
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.layout import Layout
from gigapix.formats.tiff.levels import layout_at
from gigapix.formats.tiff.tags import name_of

MOST_PAGES: Final = 64
"""Overviews and masks that are looked at. A level per power of two makes 30; GDAL stops there."""

FIRST_ENTRIES: Final = 1024
"""Of a table of offsets that are read at first to find a segment that is stored; then 16 times as many, and so on."""

MOST_ENTRIES: Final = 1 << 18
"""Of a table that are read at once (2 MiB)."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One directory of the image."""

    name: str
    """For messages."""
    ifd: Ifd
    layout: Layout
    mask: Part | None = None

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.layout.volume[2]

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.layout.volume[1]


def parts_of(tiff: Tiff, errors: list[str]) -> Steps[list[Part]]:
    """The image and behind it its overviews in the order of the file; `errors` takes what is wrong with them.

    Raises FormatError where the image's own directory can't be read.
    """
    pages: list[Page] = []
    while len(pages) <= MOST_PAGES and (page := (yield from tiff.page(len(pages)))) is not None:
        if pages and not page.subfile & (REDUCED | MASK):
            break  # an image of its own
        pages.append(page)
    errors += tiff.problems
    masks = [page for page in pages[1:] if page.subfile & MASK]
    levels = [pages[0], *(p for p in pages[1:] if not p.subfile & MASK and p.samples == pages[0].samples)]
    parts = []
    for place, page in enumerate(levels):
        name = f"overview {place - 1}" if place else "the image"
        mask = next((m for m in masks if (m.width, m.height) == (page.width, page.height)), None)
        try:
            ifd, layout = yield from layout_at(tiff, page.offset)
            below = (yield from layout_at(tiff, mask.offset)) if mask is not None else None
        except FormatError as error:
            if not place:
                raise
            errors.append(f"{name}: {error.message}")
            continue
        below_part = Part(name=f"the mask of {name}", ifd=below[0], layout=below[1]) if below is not None else None
        parts.append(Part(name=name, ifd=ifd, layout=layout, mask=below_part))
    return parts


def columns(part: Part, tags: Sequence[int], start: int, stop: int) -> Steps[list[NDArray[np.uint64]]]:
    """Entries ``[start, stop)`` of tables as they stand. Raises FormatError where there are fewer."""
    for tag in tags:
        entry = part.ifd.entries[tag]
        if entry.count < stop:
            raise FormatError(
                f"{name_of(tag)} has {entry.count} of {part.layout.segments} entries", offset=entry.offset
            )
    buffers = yield [r for tag in tags for r in part.ifd.slices(tag, [(start, stop)])]
    found = [part.ifd.table(tag, bytes(data)) for tag, data in zip(tags, buffers, strict=True)]
    for tag, values in zip(tags, found, strict=True):
        if len(values) < stop - start:
            raise TruncatedError(f"{name_of(tag)} lies beyond the end of the file", offset=part.ifd.entries[tag].offset)
    return found


def first_data(part: Part) -> Steps[int]:
    """Where the first segment that is stored begins; 0 where all are sparse."""
    start, step = 0, FIRST_ENTRIES
    while start < part.layout.segments:
        stop = min(start + step, part.layout.segments)
        (offsets,) = yield from columns(part, [part.layout.offsets_tag], start, stop)
        stored = np.flatnonzero(offsets)
        if len(stored):
            return int(offsets[stored[0]])
        start, step = stop, min(16 * step, MOST_ENTRIES)
    return 0
