"""Every directory (IFD, or the chunks of a PNG) that an image is made of, and the beginning of any tag's value.

A tag may be an array of a million offsets: of those only the first few values are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gigapix.cli.opened import ask
from gigapix.errors import GigapixError, TruncatedError
from gigapix.formats.model import Buffer, Steps
from gigapix.formats.png.series import PngImage
from gigapix.formats.tiff.directory import read_ifd
from gigapix.formats.tiff.file import MASK, Page, Tiff
from gigapix.formats.tiff.groups import group_at, is_sub_level, sub_offsets, sub_pages
from gigapix.formats.tiff.ifd import Entry, Ifd
from gigapix.formats.tiff.tags import name_of
from gigapix.formats.tiff.values import TYPES, decode_value
from gigapix.formats.zarr.image import ZarrImage
from gigapix.image.image import Image
from gigapix.image.tiff_facts import spec_of

SHOWN_VALUES: Final = 16
SHOWN_TEXT: Final = 4096
"""Values of an array, and bytes of a text, that are read of a longer one."""


@dataclass(frozen=True, kw_only=True)
class TagLine:
    """One tag as ``gigapix tags`` shows it."""

    number: int
    """Of a PNG's chunk, the byte where it begins."""
    name: str
    type: str
    count: int
    value: Any
    """The first values only where `shortened`; None where it can't be read."""
    shortened: bool
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Directory:
    """One directory, whose tags are read as they are asked for."""

    role: str
    """Level, plane, mask."""
    title: str
    """Role and place, for people."""
    offset: int
    tags: Iterator[TagLine]
    problems: Sequence[str]


def directories(image: Image, index: int) -> Iterator[Directory]:
    """Those of the image's levels, planes and masks."""
    if isinstance(image.spec, PngImage):
        from gigapix.cli.chunks import chunk_directories

        yield from chunk_directories(image)
        return
    if isinstance(image.spec, ZarrImage):
        from gigapix.cli.attributes import attribute_directories

        yield from attribute_directories(image)
        return
    for role, ifd in _ifds(image, index):
        yield Directory(
            role=role, title=f"{role}, directory at byte {ifd.offset}", offset=ifd.offset, problems=ifd.problems,
            tags=tag_lines(image, ifd),
        )  # fmt: skip


def _ifds(image: Image, index: int) -> Iterator[tuple[str, Ifd]]:
    contents, stack = spec_of(image).contents, spec_of(image).stack
    tiff = contents.file
    if contents.stacks is not None and stack is not None:
        for plane, number in enumerate(stack.ifd.ravel().tolist()):
            here = number >= 0 and not (plane and stack.contiguous)
            page = ask(image, tiff.page(number)) if here else None
            if page is not None:
                yield f"plane {plane}", ask(image, read_ifd(tiff.header, page.offset))
                for level, offset in enumerate(ask(image, sub_offsets(tiff, page.offset)), 1):
                    yield f"plane {plane}, level {level}", ask(image, read_ifd(tiff.header, offset))
        return
    for role, page in ask(image, _pages(tiff, image, index)):
        yield role, ask(image, read_ifd(tiff.header, page.offset))


def _pages(tiff: Tiff, image: Image, index: int) -> Steps[list[tuple[str, Page]]]:
    groups = spec_of(image).contents.groups
    group = groups[index][1] if groups is not None else (yield from group_at(tiff, index))
    if group is None:
        return []
    full = group.levels[0]
    reduced = [*group.levels[1:], *(page for page in (yield from sub_pages(tiff, full)) if is_sub_level(page, full))]
    levels = [full, *sorted(reduced, key=lambda page: -page.width * page.height)]
    found = [(f"level {number}", page) for number, page in enumerate(levels)]
    return found + [(f"mask of {page.width} x {page.height}", page) for page in group.masks if page.subfile & MASK]


def tag_lines(image: Image, ifd: Ifd) -> Iterator[TagLine]:
    """The tags of a directory in the order of the file."""
    for entry in ifd.entries.values():
        problem, value, shortened = None, None, False
        try:
            value, shortened = ask(image, _beginning(ifd, entry))
        except GigapixError as error:
            problem = error.message
        yield TagLine(
            number=entry.code, name=name_of(entry.code), type=TYPES[entry.type][0], count=entry.count,
            value=_json(value), shortened=shortened, problem=problem,
        )  # fmt: skip


def _beginning(ifd: Ifd, entry: Entry) -> Steps[tuple[Any, bool]]:
    size = TYPES[entry.type][2]
    most = SHOWN_TEXT if entry.type in (1, 2, 7, 14) else SHOWN_VALUES
    if entry.count <= most:
        return (yield from ifd.value(entry.code)), False
    buffers = yield [(entry.offset, most * size)]
    data: Buffer = buffers[0]
    if len(data) < most * size:
        raise TruncatedError(f"{name_of(entry.code)} lies beyond the end of the file")
    return decode_value(entry.code, entry.type, most, data, ifd.header.byteorder), True


def _json(value: Any) -> Any:
    """Bytes as hexadecimal, arrays as lists."""
    if isinstance(value, bytes):
        return value.hex()
    return value.tolist() if isinstance(value, np.ndarray) else value
