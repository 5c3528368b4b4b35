"""Whether the segments of a COG lie as its ghost area promises (GDAL's COG driver, "Tile data leader and trailer").

Before each segment stand 4 bytes with its size, behind it its last 4 bytes once more; segments lie in the order of their
index; a mask's segment lies directly behind the image's. A reader that trusts this saves a request a segment, and reads
garbage where it isn't so: a tool that knew nothing of it may have moved a tile.

By default a few segments of each directory are looked at, so that a remote file costs few requests; `full` looks at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from gigapix.formats.model import Steps
from gigapix.formats.tiff.cog_parts import Part
from gigapix.formats.tiff.ghost import Ghost

SPAN: Final = 1024
"""Segments whose table entries are looked at by default, from the first one on; the middle and the last one, too."""

BATCH: Final = 256
"""Segments that are looked at together in a full check: two ranges each, side by side where that is possible."""


@dataclass
class Faults:
    """Faults of one kind are counted, and the first is told: a broken file has a million of them."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        count, first = self.found.get(kind, (0, example))
        self.found[kind] = (count + 1, first)

    def sentences(self, name: str) -> list[str]:
        return [
            f"{name}: {kind} ({first}{f', and {count - 1} more' if count > 1 else ''})"
            for kind, (count, first) in self.found.items()
        ]


def check_blocks(ghost: Ghost, part: Part, full: bool) -> Steps[tuple[int, list[str]]]:
    """Hold one directory and its mask against the ghost area.

    Returns how many segments' own bytes were looked at, and what is wrong, in sentences. Raises FormatError where a table
    can't be read.
    """
    checked, sentences = 0, []
    for each in (part, part.mask):
        if each is None or not each.layout.counts_tag:
            continue
        mask = each.mask if ghost.mask_interleaved and each.mask and _same_grid(each, each.mask) else None
        faults = Faults()
        last: dict[int, int] = {}
        for start, stop in _spans(each.layout.segments, full):
            offsets, counts = yield from _entries(each, start, stop)
            masked = (yield from _entries(mask, start, stop))[0] if mask is not None else np.zeros_like(offsets)
            if ghost.block_order == "ROW_MAJOR":
                _check_order(each, start, np.where(offsets > 0, offsets, masked), last, faults)
            if mask is not None:
                _check_mask(ghost, start, offsets, counts, masked, faults)
            stored = np.flatnonzero(offsets)
            for place in stored if full else stored[:1]:
                pass
            chosen = stored if full else stored[:1]
            checked += len(chosen)
            yield from _check_bytes(ghost, start, offsets[chosen], counts[chosen], chosen, faults)
        sentences += faults.sentences(each.name)
    return checked, sentences
