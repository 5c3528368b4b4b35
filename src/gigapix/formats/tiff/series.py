"""Images of a TIFF, as its kind of file defines them.

A plain file has an image a page, with the overviews and masks behind it (`groups`). An OME-TIFF has the images of its
OME-XML, each a stack of pages; an ImageJ file is one stack; an Aperio slide is a pyramid of pages and three pictures
beside it. Where a description can't be made sense of, the pages still can: the file is then read as a plain one, and
`ImageSpec.problems` says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from gigapix.errors import FormatError, GigapixError, MissingPartError, RequestError
from gigapix.formats.model import UNCOMPRESSED, LevelSpec, Steps
from gigapix.formats.tiff import aperio, imagej, ome
from gigapix.formats.tiff.descriptions import kind_of
from gigapix.formats.tiff.file import Page, Tiff, open_tiff
from gigapix.formats.tiff.groups import (
    Group,
    count_groups,
    group_at,
    is_sub_level,
    sub_offsets,
    sub_pages,
)
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.levels import (
    OffsetOf,
    layout_at,
    plane_bytes,
    segment_ranges,
    single_level,
    stacked_level,
)
from gigapix.formats.tiff.stack import Stack, stack_of_imagej, stack_of_ome
from gigapix.formats.tiff.tags import DESCRIPTION


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """What a file holds: stacks where its description names them, groups of pages where they are known beforehand.

    Both are None for a plain file, whose pages are grouped as they are asked for.
    """

    file: Tiff
    kind: str
    stacks: tuple[Stack, ...] | None = None
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
        return (yield from _stacked(contents, contents.stacks[index]))
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
    assert page is not None  # open_tiff refuses a file without an IFD
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
        if kind == "svs":
            return (yield from _svs(plain))
    except MissingPartError:
        raise
    except GigapixError as error:
        return replace(plain, kind="plain", problems=(f"read as plain pages: {error.message}",))
    return plain


def _ome(plain: Contents, description: str, ifd: Ifd, file_name: str) -> Steps[Contents]:
    metadata = ome.parse(description)
    if metadata.metadata_file is not None:
        raise MissingPartError(f"its OME-XML lies in another file, {metadata.metadata_file}")
    if not metadata.images:
        raise FormatError("; ".join(metadata.problems) or "OME-XML without an image")
    _, layout = yield from layout_at(plain.file, ifd.offset)
    samples = layout.samples if len(metadata.images) == 1 else None
    stacks = [stack_of_ome(image, metadata.uuid, file_name, samples=samples) for image in metadata.images]
    # An image none of whose planes is in this file is another file's.
    here = tuple(stack for stack in stacks if (stack.ifd >= 0).any())
    if not here:
        elsewhere = sorted({name for stack in stacks for name in list(stack.missing.values())[:9]})
        raise MissingPartError(f"its planes lie in other files: {', '.join(elsewhere)}")
    return replace(plain, stacks=here, problems=metadata.problems)


def _imagej(plain: Contents, description: str, ifd: Ifd) -> Steps[Contents]:
    facts = imagej.parse(description)
    if facts is None:
        return plain
    _, layout = yield from layout_at(plain.file, ifd.offset)
    planes = math.prod(imagej.extent_of(facts, samples=layout.samples, planar=layout.planar))
    if planes <= 1:
        return plain
    first, *_ = yield from segment_ranges(ifd, layout, [0])
    raw = layout.encoding.compression == UNCOMPRESSED and first is not None
    contiguous = raw and imagej.is_contiguous(
        planes, offset=first[0] if first else 0, plane_bytes=plane_bytes(layout), next_ifd=ifd.next
    )
    # With an IFD for every plane either way of finding them is right; without, only the first is.
    if contiguous and (yield from plain.file.page(planes - 1)) is not None:
        contiguous = False
    x, y = _resolution(ifd, 282), _resolution(ifd, 283)
    return replace(
        plain,
        stacks=(
            stack_of_imagej(
                facts, contiguous=contiguous, samples=layout.samples, planar=layout.planar,
                resolution=(x, y) if x and y else None, metadata=_imagej_metadata(ifd),
            ),
        ),
    )  # fmt: skip


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
    slide = aperio.layout_of([aperio.SlidePage(width=p.width, height=p.height, tiled=p.tiled, subfile=p.subfile) for p in pages])
    if slide is None:
        return plain
    groups = [
        (f"slide, focal plane {focus}" if focus else "slide", Group(levels=tuple(pages[n] for n in numbers)))
        for focus, numbers in enumerate(zip(*slide.levels, strict=True))
    ]
    beside = [("thumbnail", slide.thumbnail), ("label", slide.label), ("macro", slide.macro), *(("", n) for n in slide.others)]
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
            _, coarser = yield from layout_at(tiff, page.offset)
            if coarser.encoding.dtype != layout.encoding.dtype:
                raise FormatError(f"its type is {coarser.encoding.dtype}, the image's {layout.encoding.dtype}")
            levels.append(single_level(tiff, page.offset, coarser))
        except GigapixError as error:
            problems.append(f"the level of {page.width} x {page.height} pixels is left out: {error.message}")
    for page in group.masks:
        try:
            _, mask = yield from layout_at(tiff, page.offset)
        except GigapixError as error:
            problems.append(f"the mask of {page.width} x {page.height} pixels is left out: {error.message}")
            continue
        levels = [_masked(level, single_level(tiff, page.offset, mask)) for level in levels]
    return ImageSpec(
        contents=contents, name=name, ifd=ifd, levels=tuple(levels), problems=tuple(problems)
    )


def _masked(level: LevelSpec, mask: LevelSpec) -> LevelSpec:
    fits = level.mask is None and mask.shape[-2:] == level.shape[-2:]
    return replace(level, mask=mask) if fits else level


def _stacked(contents: Contents, stack: Stack) -> Steps[ImageSpec]:
    tiff = contents.file
    ifds = stack.ifd.ravel()

    def offset_of(plane: int) -> Steps[int]:
        index = int(ifds[plane])
        if index < 0:
            part = stack.missing.get(plane)
            raise MissingPartError(f"plane {plane} lies in {part}" if part else f"plane {plane} is in no file")
        page = yield from tiff.page(index)
        if page is None:
            raise MissingPartError(f"plane {plane} should be in IFD {index}, and the file has {tiff.walked}")
        return page.offset

    first = next(plane for plane, index in enumerate(ifds) if index >= 0)
    offset = yield from offset_of(first)
    ifd, layout = yield from layout_at(tiff, offset)
    yield from ifd.load(DESCRIPTION)
    problems = list(contents.problems)
    levels = [stacked_level(tiff, layout, stack.axes, stack.shape, offset_of, stack.contiguous)]
    for number, sub in enumerate((yield from sub_offsets(tiff, offset))):
        try:
            _, coarser = yield from layout_at(tiff, sub)
            levels.append(stacked_level(tiff, coarser, stack.axes, stack.shape, _sub_offset(tiff, offset_of, number)))
        except GigapixError as error:
            problems.append(f"level {number + 1} is left out: {error.message}")
    levels.sort(key=lambda level: -math.prod(level.shape[-2:]))
    return ImageSpec(
        contents=contents, name=stack.name, ifd=ifd, levels=tuple(levels), stack=stack,
        problems=tuple(problems),
    )  # fmt: skip


def _sub_offset(tiff: Tiff, offset_of: OffsetOf, number: int) -> OffsetOf:
    def sub_offset_of(plane: int) -> Steps[int]:
        offset = yield from offset_of(plane)
        offsets = yield from sub_offsets(tiff, offset)
        if number >= len(offsets):
            raise FormatError(f"plane {plane} has {len(offsets)} reduced versions, the first one has more", offset=offset)
        return offsets[number]

    return sub_offset_of
