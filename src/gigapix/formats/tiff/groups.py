"""Which pages of a plain TIFF make one image: a full-resolution page, and the overviews and masks that follow it.

TIFF says of a page that it is a reduced version (NewSubfileType bit 0) or a mask (bit 2) "of another image in this
file" and not of which. Writers put them behind the image that they belong to; a reduced page of another shape or
another number of samples (a slide's label, a raw file's preview) is an image of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gigapix import limits
from gigapix.errors import GigapixError, LimitError
from gigapix.formats.model import Steps
from gigapix.formats.tiff.file import MASK, REDUCED, Page, Tiff, page_of


@dataclass(frozen=True, kw_only=True)
class Group:
    """The pages of one image: the first of `levels` is the full resolution."""

    levels: tuple[Page, ...]
    masks: tuple[Page, ...] = ()


def is_reduction(page: Page, of: Page) -> bool:
    """Whether a page can be a smaller version of another: same samples, and the same proportions within a pixel."""
    if page.samples != of.samples or not (0 < page.width <= of.width and 0 < page.height <= of.height):
        return False
    if (page.width, page.height) == (of.width, of.height):
        return False
    # One pixel of rounding along either axis, wherever the writer rounded.
    return (
        abs(page.width * of.height - page.height * of.width) <= max(of.width, of.height)
        or abs(page.width - of.width * page.height / of.height) <= 1
        or abs(page.height - of.height * page.width / of.width) <= 1
    )


def attach(group: Group, page: Page) -> Group | None:
    """The group with this page in it; None where the page belongs to no image before it."""
    if page.subfile & MASK:
        sizes = {(level.width, level.height) for level in group.levels}
        fits = (page.width, page.height) in sizes
        return Group(levels=group.levels, masks=(*group.masks, page)) if fits else None
    if page.subfile & REDUCED and is_reduction(page, group.levels[0]):
        return Group(levels=(*group.levels, page), masks=group.masks)
    return None


def group_at(tiff: Tiff, index: int) -> Steps[Group | None]:
    """Image `index` of a plain file: those of the chain first, then full images among the SubIFDs (DNG's raw data).

    None behind the last one.
    """
    seen, group, place = 0, None, 0
    with_subifds: list[Page] = []
    while (page := (yield from tiff.page(place))) is not None:
        place += 1
        if page.has_subifds:
            with_subifds.append(page)
        grown = attach(group, page) if group is not None else None
        if grown is None and group is not None:
            if seen == index:
                return group
            seen += 1
        group = grown or Group(levels=(page,))
    if seen == index:
        return group
    beneath = yield from _images_beneath(tiff, with_subifds)
    place = index - seen - 1
    return Group(levels=(beneath[place],)) if place < len(beneath) else None


def count_groups(tiff: Tiff) -> Steps[int]:
    """How many images a plain file holds."""
    count, group, place = 0, None, 0
    with_subifds: list[Page] = []
    while (page := (yield from tiff.page(place))) is not None:
        place += 1
        if page.has_subifds:
            with_subifds.append(page)
        grown = attach(group, page) if group is not None else None
        count += grown is None
        group = grown or Group(levels=(page,))
    return count + len((yield from _images_beneath(tiff, with_subifds)))


def _images_beneath(tiff: Tiff, pages: Sequence[Page]) -> Steps[list[Page]]:
    """The full images among the SubIFDs of pages, each once however many pages name it."""
    found: list[Page] = []
    seen: set[int] = set()
    named = 0
    for page in pages:
        offsets = yield from sub_offsets(tiff, page.offset)
        named += len(offsets)
        if named > limits.MAX_IFDS:
            tiff.note(f"more than {limits.MAX_IFDS} SubIFDs: those of the IFDs from byte {page.offset} on are not read")
            break
        fresh = [offset for offset in dict.fromkeys(offsets) if offset not in seen]
        seen.update(fresh)
        found += [sub for sub in (yield from _pages_at(tiff, page, fresh)) if not is_sub_level(sub, page)]
    return found


def is_sub_level(sub: Page, page: Page) -> bool:
    """Whether a SubIFD is an overview of its parent (OME-TIFF 6, COG-like writers) and not an image of its own."""
    return is_reduction(sub, page) and (bool(sub.subfile & REDUCED) or sub.width < page.width)


def sub_offsets(tiff: Tiff, offset: int) -> Steps[tuple[int, ...]]:
    """The offsets of the SubIFDs of the IFD at `offset`."""
    ifd = yield from tiff.ifd_at(offset)
    try:
        offsets = ifd.integers(330)
    except GigapixError as error:
        tiff.note(f"SubIFDs: {error.message}")
        return ()
    if len(offsets) > limits.MAX_SUBIFDS:
        raise LimitError(f"{len(offsets)} SubIFDs", offset=offset)
    return offsets


def sub_pages(tiff: Tiff, page: Page) -> Steps[tuple[Page, ...]]:
    """The SubIFDs of a page, without those that can't be read (they are named in `Tiff.problems`)."""
    return (yield from _pages_at(tiff, page, (yield from sub_offsets(tiff, page.offset))))


def _pages_at(tiff: Tiff, page: Page, offsets: Sequence[int]) -> Steps[tuple[Page, ...]]:
    found = []
    for offset in offsets:
        try:
            found.append(page_of((yield from tiff.ifd_at(offset))))
        except GigapixError as error:
            tiff.note(f"a SubIFD of the IFD at {page.offset} can't be read: {error.message}")
    return tuple(found)
