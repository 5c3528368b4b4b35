"""One pass over a level: every pixel once, in whatever order it comes, counted in the threads that decode.

A thread that has pixels takes an idle set of tallies, one a band, and puts it back. There are as many sets as threads
where the memory allows it, and one at least; at the end they are merged. Bands that have no room together are counted
in a pass each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import LifoQueue
from typing import TYPE_CHECKING, Any

from gigapix.errors import MemoryBudgetError
from gigapix.image.memory import cpus
from gigapix.image.pieces import Piece, pieces
from gigapix.ops.tally import Tally, Wanted, add_bands, tallies_of

if TYPE_CHECKING:
    from gigapix.image.image import Image
    from gigapix.image.plan import Selection
    from gigapix.image.window import Window

Advance = Callable[[int], None]
"""Called with the number of samples done since the last call, from any thread but never from two at once."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which pixels are read, and with what."""

    level: int = 0
    window: Window | None = None
    select: Selection | None = None
    """Positions along the axes in front, but for C."""
    memory: int
    """Bytes for everything: what is fetched, decoded and counted."""
    threads: int | None = None


def run_pass(image: Image, wanted: Mapping[int, Wanted], scope: Scope, advance: Advance) -> dict[int, Tally]:
    """Find out what is wanted of each band, by band.

    Raises MemoryBudgetError where a single band's counts take more than the memory, before anything is read.
    """
    found: dict[int, Tally] = {}
    for bands in tuple(_groups(wanted, scope.memory // 2)):
        need = sum(wanted[band].nbytes for band in bands)
        sets = max(min(scope.threads or cpus(), scope.memory // 2 // need), 1)
        found |= _run(image, {band: wanted[band] for band in bands}, scope, sets, scope.memory - sets * need, advance)
    return found


def count_groups(wanted: Mapping[int, Wanted], memory: int) -> int:
    """How often `run_pass` reads the image."""
    return len(tuple(_groups(wanted, memory // 2)))


def _groups(wanted: Mapping[int, Wanted], room: int) -> Iterator[tuple[int, ...]]:
    group: list[int] = []
    used = 0
    for band, each in wanted.items():
        if each.nbytes > room:
            raise MemoryBudgetError(
                f"the counts of a band take {each.nbytes} bytes and may take half of the memory, {room} bytes"
            )
        if group and used + each.nbytes > room:
            yield tuple(group)
            group, used = [], 0
        group.append(band)
        used += each.nbytes
    yield tuple(group)


def _run(
    image: Image, wanted: Mapping[int, Wanted], scope: Scope, sets: int, memory: int, advance: Advance
) -> dict[int, Tally]:
    idle: LifoQueue[dict[tuple[int, ...], tuple[Tally, ...]]] = LifoQueue()
    for _ in range(sets):
        idle.put({})
    undecided = set(wanted)
    lock = threading.Lock()
    level = image.levels[scope.level]

    def visit(piece: Piece) -> bool:
        counted = idle.get()
        try:
            if piece.bands not in counted:
                counted[piece.bands] = tallies_of(tuple(wanted[band] for band in piece.bands))
            tallies = counted[piece.bands]
            _add(image, scope.level, tallies, piece)
            decided = [band for band, tally in zip(piece.bands, tallies, strict=True) if tally.decided]
        finally:
            idle.put(counted)
        with lock:
            undecided.difference_update(decided)
            advance(piece.pixels.size)
            return not undecided

    everything = tuple(wanted) == tuple(range(level.shape[level.axes.index("C")]))
    select: dict[str, Any] = dict(scope.select or {}) | ({} if everything else {"C": tuple(wanted)})
    pieces(
        image, scope.level, visit, memory=memory, select=select, window=scope.window, placed=level.has_mask,
        threads=scope.threads,
    )  # fmt: skip
    merged: dict[int, Tally] = {}
    for _ in range(sets):
        for bands, tallies in idle.get().items():
            for band, tally in zip(bands, tallies, strict=True):
                if merged.setdefault(band, tally) is not tally:
                    merged[band].merge(tally)
    return {band: merged[band] if band in merged else Tally(each) for band, each in wanted.items()}


def _add(image: Image, level: int, tallies: tuple[Tally, ...], piece: Piece) -> None:
    pixels: Any = piece.pixels.view(tallies[0].wanted.dtype)  # of a type whose byte order is not said twice
    if piece.window is not None and image.levels[level].has_mask:
        kept = image.read_mask(piece.window, level=level) > 0
        if not kept.all():
            for tally, band in zip(tallies, pixels, strict=True):
                tally.add(band[..., kept])
            return
    add_bands(tallies, pixels)
