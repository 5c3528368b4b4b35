"""Images of a TIFF, as its kind of file defines them.

A plain file has an image a page, with the overviews and masks behind it (`groups`). An OME-TIFF has the images of its
OME-XML, each a stack of pages; an ImageJ file is one stack; an Aperio slide is a pyramid of pages and three pictures
beside it. Where a description can't be made sense of, the pages still can: the file is then read as a plain one, and
`ImageSpec.problems` says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np

from gigapix.errors import FormatError, GigapixError, MissingPartError, RequestError
from gigapix.formats.model import UNCOMPRESSED, Elsewhere, LevelSpec, Located, Steps
from gigapix.formats.tiff import aperio, imagej, ome, shaped
from gigapix.formats.tiff.descriptions import kind_of
from gigapix.formats.tiff.file import Page, Tiff, open_tiff, page_of
from gigapix.formats.tiff.groups import (
    Group,
    count_groups,
    group_at,
    is_sub_level,
    sub_offsets,
    sub_pages,
)
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.layout import Layout
from gigapix.formats.tiff.levels import (
    Locate,
    OffsetOf,
    layout_at,
    located,
    located_in_run,
    plane_bytes,
    single_level,
    stacked_level,
)
from gigapix.formats.tiff.ome_planes import is_here
from gigapix.formats.tiff.stack import Stack, stack_of_imagej, stack_of_ome, stack_of_shaped
from gigapix.formats.tiff.tables import segment_ranges
from gigapix.formats.tiff.tags import DESCRIPTION

MAX_RUN_SEGMENTS: Final = 1 << 16
"""Strips of a plane that are looked at to see whether they lie in one run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """What a file holds: stacks where its description names them, groups of pages where they are known beforehand.

    Both are None for a plain file, whose pages are grouped as they are asked for.
    """

    file: Tiff
    kind: str
    stacks: tuple[Callable[[], Stack], ...] | None = None
    """Made when they are asked for: an OME-XML may name ten thousands."""
    groups: tuple[tuple[str, Group], ...] | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSpec:
    """One image of a TIFF: its levels, and the IFD that describes it."""

    contents: Contents
    name: str = ""
    ifd: Ifd
    """Of level 0 (of its first plane), with `tags.DESCRIPTION` loaded."""
    levels: tuple[LevelSpec, ...]
    stack: Stack | None = None
    problems: tuple[str, ...] = field(default=())


def read_image(index: int, file_name: str) -> Steps[ImageSpec]:
    """Read the header of image `index`. `file_name` tells an OME-TIFF which of its files this one is."""
    if index < 0:
        raise RequestError(f"no image {index}")
    contents = yield from read_contents(file_name)
    if contents.stacks is not None:
        if index >= len(contents.stacks):
            raise RequestError(f"no image {index} in a file of {len(contents.stacks)}")
        return (yield from _stacked(contents, contents.stacks[index]()))
    if contents.groups is not None:
        name, group = contents.groups[index] if index < len(contents.groups) else ("", None)
    else:
        name, group = "", (yield from group_at(contents.file, index))
    if group is None:
        chain = "; ".join(contents.file.problems)
        raise RequestError(f"no image {index} in the file" + (f" ({chain})" if chain else ""))
    return (yield from _grouped(contents, name, group))


def count_images(contents: Contents) -> Steps[int]:
    """How many images the file holds."""
    if contents.stacks is not None:
        return len(contents.stacks)
    if contents.groups is not None:
        return len(contents.groups)
    return (yield from count_groups(contents.file))


def read_contents(file_name: str) -> Steps[Contents]:
    """Find out what kind of file this is, from its first IFD."""
    tiff = yield from open_tiff()
    page = yield from tiff.page(0)
    if page is None:
        raise FormatError("a TIFF without an image")
    ifd = yield from tiff.ifd_at(page.offset)
    yield from ifd.load(DESCRIPTION)
    description = ifd.text(270) if 270 in ifd.values else ""
    kind = kind_of(description, ifd.text(305) if 305 in ifd.values else "", ifd.entries.keys())
    plain = Contents(file=tiff, kind=kind)
    try:
        if kind == "ome":
            return (yield from _ome(plain, description, ifd, file_name))
        if kind == "imagej":
            return (yield from _imagej(plain, description, ifd))
        if kind == "shaped":
            return (yield from _shaped(plain, description, ifd))
        if kind == "svs":
            return (yield from _svs(plain))
    except GigapixError as error:
        return replace(plain, problems=(f"read as plain pages: {error.message}",))
    return plain


def _ome(plain: Contents, description: str, ifd: Ifd, file_name: str) -> Steps[Contents]:
    metadata = ome.parse(description)
    if metadata.metadata_file is not None:
        return replace(plain, problems=(f"read as plain pages: its OME-XML lies in {metadata.metadata_file}",))
    images = [image for image in metadata.images if is_here(image, metadata.uuid, file_name)]
    if not images:
        raise FormatError("; ".join(metadata.problems) or "no OME image has a plane in this file")
    _, layout = yield from layout_at(plain.file, ifd.offset)
    samples = layout.samples if len(metadata.images) == 1 else None
    stacks = [partial(stack_of_ome, image, metadata.uuid, file_name, samples=samples) for image in images]
    if not (stacks[0]().ifd >= 0).any():  # seen now, when the pages can still be read without the text
        raise FormatError("no plane of the first OME image is in this file")
    return replace(plain, stacks=tuple(stacks), problems=metadata.problems)


def _imagej(plain: Contents, description: str, ifd: Ifd) -> Steps[Contents]:
    facts = imagej.parse(description)
    if facts is None:
        return plain
    _, layout = yield from layout_at(plain.file, ifd.offset)
    planes = math.prod(imagej.extent_of(facts, samples=layout.samples, planar=layout.planar))
    if planes <= 1:
        return plain
    contiguous = (yield from plain.file.page(planes - 1)) is None
    if contiguous and not (yield from _in_one_run(ifd, layout, planes)):
        raise FormatError(f"ImageJ names {planes} planes, and the file does not hold them")
    x, y = _resolution(ifd, 282), _resolution(ifd, 283)
    stack = stack_of_imagej(
        facts,
        contiguous=contiguous,
        samples=layout.samples,
        planar=layout.planar,
        resolution=(x, y) if x and y else None,
        metadata=_imagej_metadata(ifd),
    )
    return replace(plain, stacks=(lambda: stack,))


def _shaped(plain: Contents, description: str, ifd: Ifd) -> Steps[Contents]:
    """An array whose pages have IFDs is a plain file; one whose planes have not is a stack."""
    facts = shaped.parse(description)
    _, layout = yield from layout_at(plain.file, ifd.offset)
    if facts is None or not facts.truncated or layout.volume[0] > 1:
        return plain
    page = (layout.volume[1], layout.volume[2], layout.samples)
    stack = stack_of_shaped(facts, page, contiguous=True)
    if not (yield from _in_one_run(ifd, layout, math.prod(stack.shape))):
        raise FormatError(f"the description names {math.prod(stack.shape)} planes, and the file does not hold them")
    return replace(plain, stacks=(lambda: stack,))


def _in_one_run(ifd: Ifd, layout: Layout, planes: int) -> Steps[bool]:
    """Whether `planes` uncompressed planes follow one another from the first strip on, up to the next IFD or the
    end."""
    if layout.encoding.compression != UNCOMPRESSED or layout.segments > MAX_RUN_SEGMENTS:
        return False
    ranges = yield from segment_ranges(ifd, layout, range(layout.segments))
    end = ranges[0][0] if ranges[0] else 0
    for found in ranges:
        if found is None or found[0] != end:
            return False
        end += found[1]
    start = end - plane_bytes(layout)
    if not ranges[0] or start != ranges[0][0]:
        return False
    if not imagej.is_contiguous(planes, offset=start, plane_bytes=plane_bytes(layout), next_ifd=ifd.next):
        return False
    (last,) = yield [(start + planes * plane_bytes(layout) - 1, 1)]
    return len(last) == 1


def _resolution(ifd: Ifd, code: int) -> float:
    value = ifd.values.get(code)
    return value[0] / value[1] if isinstance(value, tuple) and len(value) == 2 and value[1] else 0.0


def _imagej_metadata(ifd: Ifd) -> imagej.ImageJMetadata | None:
    data, counts = ifd.values.get(50839), ifd.values.get(50838)
    if not isinstance(data, bytes) or not isinstance(counts, tuple):
        return None
    return imagej.parse_metadata(data, counts, ifd.header.byteorder)


def _svs(plain: Contents) -> Steps[Contents]:
    pages: list[Page] = []
    while (page := (yield from plain.file.page(len(pages)))) is not None:
        pages.append(page)
    slide = aperio.layout_of(
        [aperio.SlidePage(width=p.width, height=p.height, tiled=p.tiled, subfile=p.subfile) for p in pages]
    )
    if slide is None:
        return plain
    groups = [
        (f"slide, focal plane {focus}" if focus else "slide", Group(levels=tuple(pages[n] for n in numbers)))
        for focus, numbers in enumerate(zip(*slide.levels, strict=True))
    ]
    beside = [
        ("thumbnail", slide.thumbnail),
        ("label", slide.label),
        ("macro", slide.macro),
        *(("", n) for n in slide.others),
    ]
    groups += [(name, Group(levels=(pages[number],))) for name, number in beside if number is not None]
    return replace(plain, groups=tuple(groups))


def _grouped(contents: Contents, name: str, group: Group) -> Steps[ImageSpec]:
    tiff = contents.file
    ifd, layout = yield from layout_at(tiff, group.levels[0].offset)
    yield from ifd.load(DESCRIPTION)
    problems = list(contents.problems)
    pages = list(group.levels[1:])
    if group.levels[0].has_subifds:
        pages += [p for p in (yield from sub_pages(tiff, group.levels[0])) if is_sub_level(p, group.levels[0])]
    levels = [single_level(tiff, group.levels[0].offset, layout)]
    for page in sorted(pages, key=lambda page: -page.width * page.height):
        try:
            levels.append(single_level(tiff, page.offset, (yield from _reduced_at(tiff, page.offset, layout))))
        except GigapixError as error:
            problems.append(f"the level of {page.width} x {page.height} pixels is left out: {error.message}")
    for page in group.masks:
        try:
            _, mask = yield from layout_at(tiff, page.offset)
        except GigapixError as error:
            problems.append(f"the mask of {page.width} x {page.height} pixels is left out: {error.message}")
            continue
        levels = [_masked(level, single_level(tiff, page.offset, mask)) for level in levels]
    return ImageSpec(contents=contents, name=name, ifd=ifd, levels=tuple(levels), problems=tuple(problems))


def _reduced_at(tiff: Tiff, offset: int, full: Layout) -> Steps[Layout]:
    """The layout of a reduced version of an image of layout `full`."""
    _, layout = yield from layout_at(tiff, offset)
    if layout.encoding.dtype != full.encoding.dtype:
        raise FormatError(f"its type is {layout.encoding.dtype}, the image's {full.encoding.dtype}")
    return layout


def _masked(level: LevelSpec, mask: LevelSpec) -> LevelSpec:
    fits = level.mask is None and mask.shape[-2:] == level.shape[-2:]
    return replace(level, mask=mask) if fits else level


def _stacked(contents: Contents, stack: Stack) -> Steps[ImageSpec]:
    tiff = contents.file
    ifds = stack.ifd.ravel()

    def offset_of(plane: int) -> Steps[int | None]:
        index = int(ifds[plane])
        return None if index < 0 else (yield from _page_offset(tiff, index))

    here = np.flatnonzero(ifds >= 0)
    if not len(here):
        raise MissingPartError("none of the image's planes is in this file")
    offset = yield from _page_offset(tiff, 0 if stack.contiguous else int(ifds[here[0]]))
    ifd, layout = yield from layout_at(tiff, offset)
    yield from ifd.load(DESCRIPTION)
    problems = [*contents.problems, *stack.problems]
    if stack.contiguous:
        levels = [stacked_level(layout, stack.axes, stack.shape, located_in_run(tiff, layout, offset, ifds))]
    else:
        own = located(tiff, layout, offset_of)
        levels = [stacked_level(layout, stack.axes, stack.shape, _located_beside(own, layout, stack, None))]
        for number, sub in enumerate((yield from sub_offsets(tiff, offset))):
            try:
                coarser = yield from _reduced_at(tiff, sub, layout)
                if not is_sub_level(page_of((yield from tiff.ifd_at(sub))), page_of(ifd)):
                    raise FormatError(f"its {coarser.volume[2]} x {coarser.volume[1]} pixels are no reduction")
                own = located(tiff, coarser, _sub_offset(tiff, offset_of, number))
                locate = _located_beside(own, coarser, stack, number)
                levels.append(stacked_level(coarser, stack.axes, stack.shape, locate))
            except GigapixError as error:
                problems.append(f"level {number + 1} is left out: {error.message}")
        levels.sort(key=lambda level: -math.prod(level.shape[-2:]))
    return ImageSpec(
        contents=contents, name=stack.name, ifd=ifd, levels=tuple(levels), stack=stack, problems=tuple(problems)
    )


def _page_offset(tiff: Tiff, index: int) -> Steps[int]:
    page = yield from tiff.page(index)
    if page is None:
        raise MissingPartError(f"a plane should be in IFD {index}, and the file has {tiff.walked}")
    return page.offset


def _sub_offset(tiff: Tiff, offset_of: OffsetOf, number: int) -> OffsetOf:
    def sub_offset_of(plane: int) -> Steps[int | None]:
        offset = yield from offset_of(plane)
        if offset is None:
            return None
        offsets = yield from sub_offsets(tiff, offset)
        if number >= len(offsets):
            raise FormatError(
                f"plane {plane} has {len(offsets)} reduced versions, the first one has more", offset=offset
            )
        return offsets[number]

    return sub_offset_of


def _located_beside(here: Locate, layout: Layout, stack: Stack, level: int | None) -> Locate:
    """`locate` that looks for planes of other files in those files, at SubIFD `level` where that is not None."""

    def there(index: int, segments: Sequence[int]) -> Steps[Located]:
        tiff = yield from open_tiff()

        def offset_of(plane: int) -> Steps[int | None]:
            return (yield from _page_offset(tiff, index))

        own = offset_of if level is None else _sub_offset(tiff, offset_of, level)
        return (yield from located(tiff, layout, own)(0, segments))

    def locate(plane: int, segments: Sequence[int]) -> Steps[Located]:
        file = stack.missing.get(plane)
        if file is None:
            return (yield from here(plane, segments))
        found: Located = yield Elsewhere(file, there(stack.missing.ifd(plane), segments))
        return replace(found, file=file)

    return locate if stack.missing else here
