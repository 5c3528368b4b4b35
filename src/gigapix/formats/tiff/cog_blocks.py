"""Whether the segments of a COG lie as its ghost area promises (GDAL's COG driver, "Tile data leader and trailer").

Before each segment stand 4 bytes with its size, behind it its last 4 bytes once more; segments lie in the order of
their index; a mask's segment lies directly behind the image's. A reader that trusts this saves a request a segment, and
reads garbage where it isn't so: a tool that knew nothing of it may have moved a tile.

By default a few segments of each directory are looked at, so that a remote file costs few requests; `full` looks at
all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gigapix.formats.model import Range, Steps
from gigapix.formats.tiff.cog_parts import Part, columns
from gigapix.formats.tiff.ghost import Ghost

SPAN: Final = 1024
"""Segments, from the first one on, whose table entries are looked at by default; the middle and the last one, too."""

BATCH: Final = 64
"""Segments that are looked at together in a full check: two short ranges each."""

LEADER: Final = 4
TRAILER: Final = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A segment as its tables say; `offset` is 0 where it is sparse. `mask` is the offset of the mask's segment."""

    index: int
    offset: int
    size: int
    mask: int = 0


@dataclass
class Faults:
    """Faults of one kind are counted, and the first is told: a broken file has a million of them."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, kind: str, block: Block, example: str) -> None:
        """Count a fault of a segment."""
        count, first = self.found.get(kind, (0, f"segment {block.index}: {example}"))
        self.found[kind] = (count + 1, first)

    def sentences(self, name: str) -> list[str]:
        """One a kind."""
        return [
            f"{name}: {kind} ({first}{f'; {count} such segments' if count > 1 else ''})"
            for kind, (count, first) in self.found.items()
        ]


def check_blocks(ghost: Ghost, part: Part, full: bool) -> Steps[tuple[int, list[str]]]:
    """Hold the segments of one directory against the ghost area.

    Returns of how many segments the bytes were looked at, and what is wrong. Raises FormatError where a table can't be
    read.
    """
    checked, before = 0, Block(-1, 0, 0)
    faults = Faults()
    plane = part.layout.segments // (part.layout.samples if part.layout.planar else 1)
    for start, stop in _spans(part.layout.segments, full):
        blocks = yield from _blocks(ghost, part, start, stop)
        for block in blocks:
            if block.index // plane != before.index // plane:
                before = Block(-1, 0, 0)
            _check_place(ghost, block, before, faults)
            before = block if block.offset or block.mask else before
        stored = [block for block in blocks if block.offset]
        chosen = stored if full else _few(stored)
        checked += len(chosen)
        yield from _check_bytes(ghost, chosen, faults)
    return checked, faults.sentences(part.name)


def _spans(segments: int, full: bool) -> Iterator[tuple[int, int]]:
    if full:
        yield from ((start, min(start + BATCH, segments)) for start in range(0, segments, BATCH))
        return
    yield 0, min(SPAN, segments)
    if segments > SPAN:
        yield from ((place, place + 1) for place in sorted({max(segments // 2, SPAN), segments - 1}))


def _few(blocks: Sequence[Block]) -> list[Block]:
    return [blocks[place] for place in sorted({0, len(blocks) // 2, len(blocks) - 1})] if blocks else []


def _blocks(ghost: Ghost, part: Part, start: int, stop: int) -> Steps[list[Block]]:
    offsets, sizes = yield from columns(part, [part.layout.offsets_tag, part.layout.counts_tag], start, stop)
    masks = [0] * (stop - start)
    if ghost.mask_interleaved and part.mask is not None and part.mask.layout.segments == part.layout.segments:
        (column,) = yield from columns(part.mask, [part.mask.layout.offsets_tag], start, stop)
        masks = column.tolist()
    return [
        Block(start + place, *values)
        for place, values in enumerate(zip(offsets.tolist(), sizes.tolist(), masks, strict=True))
    ]


def _check_place(ghost: Ghost, block: Block, before: Block, faults: Faults) -> None:
    """A segment's offset against that of the one before it in its plane, and against its mask's."""
    place, last = block.offset or block.mask, before.offset or before.mask
    if ghost.block_order == "ROW_MAJOR" and 0 < place < last:
        faults.add("segments don't lie in row-major order", block, f"at byte {place}, before the one that precedes it")
    if block.offset and block.mask:
        leader = LEADER if ghost.has_leaders else 0
        trailer = TRAILER if ghost.block_trailer else 0
        expected = block.offset + block.size + trailer + leader
        if block.mask != expected:
            faults.add("the mask does not lie behind its pixels", block, f"at byte {block.mask}, not {expected}")


def _check_bytes(ghost: Ghost, blocks: Sequence[Block], faults: Faults) -> Steps[None]:
    """What stands before and behind the segments."""
    led = [block for block in blocks if ghost.has_leaders and block.offset >= LEADER]
    trailed = [block for block in blocks if ghost.block_trailer == "LAST_4_BYTES_REPEATED" and block.size >= TRAILER]
    ranges: list[Range] = [(block.offset - LEADER, LEADER) for block in led]
    ranges += [(block.offset + block.size - TRAILER, 2 * TRAILER) for block in trailed]
    if not ranges:
        return
    buffers = [bytes(data) for data in (yield ranges)]
    for block, data in zip(led, buffers[: len(led)], strict=True):
        if data != struct.pack("<Q", block.size)[:LEADER]:
            said = f"{int.from_bytes(data, 'little')}, not {block.size}"
            faults.add("the size before a segment is not that of the table", block, said)
    for block, data in zip(trailed, buffers[len(led) :], strict=True):
        if len(data) < 2 * TRAILER or data[:TRAILER] != data[TRAILER:]:
            faults.add("the bytes behind a segment don't repeat its last four", block, _hex(data[TRAILER:]))


def _hex(data: bytes) -> str:
    return data.hex(" ") or "there are none"
