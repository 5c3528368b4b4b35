"""Aperio's ImageDescription, and which page of an SVS file is what.

The text opens with lines on the scan ("Aperio Image Library v11.2.1", sizes, codec), then has ``|key = value`` pairs.
There is no public specification: this is what slides show and OpenSlide documents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

MAX_TEXT: Final = 1 << 16
"""Characters that are looked at. Descriptions have under 2000."""


@dataclass(frozen=True, kw_only=True)
class Aperio:
    """What the description says."""

    header: str
    """The lines before the first pair."""
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The pairs, as text. Of a key that stands twice (OriginalWidth, in a part of a slide) the last one counts."""
    magnification: float | None = None
    """AppMag: of the objective."""
    mpp: float | None = None
    """MPP: micrometers a pixel, along both axes, of the full resolution."""


@dataclass(frozen=True, kw_only=True)
class SlidePage:
    """What `layout_of` must know of a page."""

    width: int
    height: int
    tiled: bool
    subfile: int = 0
    """NewSubfileType."""


@dataclass(frozen=True, kw_only=True)
class SlideLayout:
    """The pages of a slide, as indices into the chain of IFDs."""

    levels: tuple[tuple[int, ...], ...]
    """One entry a resolution, the full one first: a page for each focal plane."""
    thumbnail: int | None = None
    label: int | None = None
    macro: int | None = None
    others: tuple[int, ...] = ()


def parse(description: str) -> Aperio | None:
    """What the description says, None where it is not Aperio's."""
    if not description.startswith("Aperio "):
        return None
    header, *items = description[:MAX_TEXT].split("|")
    pairs = (item.partition("=") for item in items)
    fields = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    return Aperio(
        header=header.strip(),
        fields=MappingProxyType(fields),
        magnification=_positive(fields.get("AppMag", "")),
        mpp=_positive(fields.get("MPP", "")),
    )


def layout_of(pages: Sequence[SlidePage]) -> SlideLayout | None:
    """Aperio's order: the slide in tiles, a thumbnail in strips, its reductions in tiles, label and macro in strips.

    Pages of one size are focal planes if every resolution has as many; else each but the first is an image of its own.
    None where the first page is not tiled.
    """
    if not pages or not pages[0].tiled:
        return None
    groups: dict[tuple[int, int], list[int]] = {}
    found: dict[str, int] = {}
    others: list[int] = []
    for index, page in enumerate(pages):
        if page.tiled and not page.subfile & 1:
            groups.setdefault((page.width, page.height), []).append(index)
            continue
        role = "thumbnail" if index == 1 else "macro" if page.subfile == 9 else "label" if page.subfile == 1 else ""
        if role and role not in found:
            found[role] = index
        else:
            others.append(index)
    levels = sorted(groups.items(), key=lambda item: -math.prod(item[0]))
    levels.sort(key=lambda item: item[1][0] != 0)  # the first page is the slide, whatever else there is
    if len({len(group) for _, group in levels}) > 1:
        others += [index for _, group in levels for index in group[1:]]
        levels = [(size, group[:1]) for size, group in levels]
    return SlideLayout(
        levels=tuple(tuple(group) for _, group in levels),
        thumbnail=found.get("thumbnail"),
        label=found.get("label"),
        macro=found.get("macro"),
        others=tuple(sorted(others)),
    )


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None
