"""Whether a TIFF is a Cloud Optimized GeoTIFF: the order of its directories and data (OGC 21-026, GDAL's COG driver).

A COG is an ordinary TIFF in an order that costs a remote reader few requests: all directories at the beginning, the
full image first, then overviews from fine to coarse; then the pixels, coarsest level first. The questions and their
figures (300 bytes, 512 pixels) are those of rio-cogeo's validator, which are those of GDAL's, so that a verdict means
the same here. Only directories and table entries are read for them; what a COG promises of each segment is the matter
of `cog_blocks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Final, TypeVar

from gigapix.errors import FormatError
from gigapix.formats.model import Steps
from gigapix.formats.tiff.cog_blocks import check_blocks
from gigapix.formats.tiff.cog_parts import Part, first_data, parts_of
from gigapix.formats.tiff.file import open_tiff
from gigapix.formats.tiff.ghost import Ghost

T = TypeVar("T")

FIRST_IFD: Final = 300
"""The first directory begins at this byte at the latest: behind the header and GDAL's ghost area."""

SMALL: Final = 512
"""Pixels along either axis up to which an image needs neither tiles nor overviews."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is wrong, in sentences; `details` has the figures."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def check_cog(*, external: bool = False, full: bool = False) -> Steps[Findings]:
    """Look at the first image of a file.

    external: whether overviews lie in a file beside it (``.ovr``).
    full: look at every segment, not at a few of each level.

    Raises FormatError where the file is no TIFF or its first directory can't be read, UnsupportedError where it is of a
    kind that is not read.
    """
    tiff = yield from open_tiff()
    errors: list[str] = []
    warnings = []
    parts = yield from parts_of(tiff, errors)
    starts = [0] * len(parts)
    for place, part in enumerate(parts):
        starts[place] = (yield from _attempt(first_data(part), part, errors)) or 0
    if external:
        errors.append("overviews lie in an external .ovr file; they belong into the file itself")
    elif _is_big(parts[0]) and len(parts) == 1:
        warnings.append(f"the image is larger than {SMALL} pixels and has no overviews")
    if tiff.ghost is not None and tiff.ghost.incompatible_edition:
        errors.append("a later edit has undone the file's optimised layout (KNOWN_INCOMPATIBLE_EDITION=YES)")
    errors += [*_untiled(parts), *_directories(parts), *_data(parts, starts)]
    checked = (yield from _blocks(tiff.ghost, parts, full, errors)) if tiff.ghost is not None else 0
    names = ["main", *(f"overview_{place}" for place in range(len(parts) - 1))]
    details = {
        "ifd_offsets": {name: part.ifd.offset for name, part in zip(names, parts, strict=True)},
        "data_offsets": {name: start for name, start in zip(names, starts, strict=True) if start},
        "ghost": asdict(tiff.ghost) if tiff.ghost is not None else None,
        "segments": sum(part.layout.segments for part in _with_masks(parts)),
        "segments_checked": checked,
    }
    return Findings(errors=tuple(errors), warnings=tuple(warnings), details=details)


def _attempt(steps: Steps[T], part: Part, errors: list[str]) -> Steps[T | None]:
    """The answer of `steps`; a fault of the file becomes an error, and None."""
    try:
        return (yield from steps)
    except FormatError as error:
        errors.append(f"{part.name}: {error.message}")
        return None


def _with_masks(parts: Sequence[Part]) -> list[Part]:
    return [each for part in parts for each in (part, part.mask) if each is not None]


def _is_big(part: Part) -> bool:
    return max(part.width, part.height) > SMALL


def _untiled(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if _is_big(part) and not part.layout.tiled:
            yield f"{part.name} is larger than {SMALL} pixels and not tiled"


def _directories(parts: Sequence[Part]) -> Iterator[str]:
    """Directories from fine to coarse, at the file's beginning."""
    main, overviews = parts[0], parts[1:]
    if main.ifd.offset > FIRST_IFD:
        yield f"the first IFD begins at byte {main.ifd.offset}, and not within the first {FIRST_IFD}"
    decimations = [round(main.width / part.width) for part in overviews]
    if decimations != sorted(decimations):
        yield f"the overviews are not sorted from fine to coarse: {', '.join(f'1:{n}' for n in decimations)}"
    for part, decimation in zip(overviews, decimations, strict=True):
        if decimation <= 1:
            yield f"{part.name} is no smaller than the image: {part.width} of {main.width} columns"
    for finer, coarser in pairwise(parts):
        if coarser.ifd.offset < finer.ifd.offset:
            yield f"the IFD of {coarser.name} (byte {coarser.ifd.offset}) lies before that of {finer.name}"


def _data(parts: Sequence[Part], starts: Sequence[int]) -> Iterator[str]:
    """Pixels from coarse to fine, behind the directories. A level of which nothing is stored lies nowhere."""
    if 0 < starts[-1] < parts[-1].ifd.offset:
        yield f"the pixels of {parts[-1].name} (byte {starts[-1]}) lie before its IFD (byte {parts[-1].ifd.offset})"
    stored = [(part, start) for part, start in zip(parts, starts, strict=True) if start]
    for (finer, start), (coarser, before) in pairwise(stored):
        if start < before:
            yield f"the pixels of {finer.name} (byte {start}) lie before those of {coarser.name} (byte {before})"


def _blocks(ghost: Ghost, parts: Sequence[Part], full: bool, errors: list[str]) -> Steps[int]:
    """How many segments were held against the ghost area."""
    checked = 0
    for part in _with_masks(parts):
        if ghost.incompatible_edition or not part.layout.counts_tag:
            continue
        found = yield from _attempt(check_blocks(ghost, part, full), part, errors)
        if found is not None:
            checked += found[0]
            errors += found[1]
    return checked
