"""How a pyramid is cut so that it can be made within a memory: chunks, shards, units, and the order of reading.

The rule is that of `rules.chunks_of` and `rules.shards_of`, for as many workers as there are. Where that takes more
memory than was named, there are fewer workers, then smaller shards, then smaller chunks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from gigapix.errors import MemoryBudgetError, RequestError
from gigapix.pyramids.estimate import peak_bytes
from gigapix.pyramids.pixels import Pixels
from gigapix.pyramids.reducers import Reducer
from gigapix.pyramids.rules import chunks_of, factors_of, shards_of
from gigapix.pyramids.tree import Shape, Tier, band_rows, blocks_of, units_of

LEAST_SIDE: Final = 16
"""Chunks are not made smaller than this."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a pyramid is cut, and gone through."""

    blocks: tuple[Tier, ...]
    tiers: tuple[Tier, ...]
    order: Literal["tree", "rows"]
    workers: int
    band: int
    peak: int
    """Bytes held at most."""


def steps_of(factors: Any, pixels: Pixels, levels: Any) -> list[Shape]:
    """The steps of a few levels, or of those asked for."""
    steps = factors_of(pixels.dims, pixels.shape, factors, 8 if levels == "auto" else levels, {})
    return steps or [(1,) * len(pixels.shape)]


def laid_out(
    pixels: Pixels, reducers: tuple[Reducer, ...], factors: Any, levels: Any, first: Shape, chunks: Any, shards: Any,
    budget: int, most: int, zarr_format: int, held: int | None, beside: int = 0,
) -> Layout:  # fmt: skip
    """The levels, cut so that they can be made within the memory: with shards as large as the rule says, or smaller
    ones, and with as many workers as there are, or fewer."""
    reduced = [max(each) > 1 for each in zip(*steps_of(factors, pixels, levels), strict=True)]
    reduced[-2:] = [True] * len(reduced[-2:])  # planes are looked at
    item, shape = pixels.samples.dtype.itemsize, pixels.shape
    inner = _lengths(chunks, pixels, reduced) or chunks_of(shape, reduced, first, item, pixels.chunks)
    outer = _lengths(shards, pixels, reduced)
    if zarr_format == 2:
        if outer not in (None, inner):
            raise RequestError("Zarr v2 has no shards")
        outer = inner
    if outer is not None and any(size % chunk for size, chunk in zip(outer, inner, strict=True)):
        raise RequestError(f"shards of {outer} are not whole chunks of {inner}")
    steps = factors_of(pixels.dims, shape, factors, levels, dict(zip(pixels.dims, inner, strict=True)))
    least = 0
    while True:
        whole = outer or shards_of(shape, inner, reduced, item)
        while True:
            best = _best(pixels, reducers, steps, inner, whole, budget, most, held, beside)
            if best.peak <= budget:
                return best
            least = min(least or best.peak, best.peak)
            smaller = _halved(whole, inner)
            if outer is not None or smaller == whole:
                break
            whole = smaller
        smaller = tuple(
            min(max(size // 2, LEAST_SIDE), size) if each else size for size, each in zip(inner, reduced, strict=True)
        )
        if chunks is not None or smaller == inner:
            raise MemoryBudgetError(
                f"the pyramid takes {least} bytes of memory, and {budget} were named", path=pixels.name
            )
        inner = smaller


def _best(
    pixels: Pixels, reducers: tuple[Reducer, ...], steps: Sequence[Shape], chunks: Shape, shards: Shape, budget: int,
    most: int, held: int | None, beside: int,
) -> Layout:  # fmt: skip
    """The order and the number of workers: those that fit the budget, or come nearest to it."""
    halo = max(each.halo for each in reducers)
    ones = tuple(1 for _ in pixels.shape)
    front = (*pixels.chunks[:-2], 1, 1)[-len(pixels.shape) :] if len(pixels.shape) > 1 else ones
    whole = [size > 1 for size in pixels.shape[:-2]]
    ways: list[tuple[Literal["tree", "rows"], Shape]] = []
    if pixels.access != "stream":
        ways.append(("tree", pixels.chunks if pixels.access == "chunks" else front))
    if len(pixels.shape) > 1 and not (halo and any(whole)):
        # With a halo, rows are read once and boxes are not.
        ways.insert(0 if halo or not ways else 1, ("rows", front))
    found: list[Layout] = []
    for order, align in ways:
        blocks = blocks_of(pixels.shape, steps, chunks, shards, align, halo)
        tiers = units_of(blocks, align, pixels.samples.dtype.itemsize)
        band = band_rows(tiers[0], pixels.chunks, pixels.samples.dtype.itemsize, budget)
        for count in range(most, 0, -1):
            rows = band if order == "rows" else 0
            peak = beside + peak_bytes(blocks, tiers, reducers, pixels.samples, count, rows, held)
            found.append(Layout(blocks=blocks, tiers=tiers, order=order, workers=count, band=band, peak=peak))
            if peak <= budget:
                break
    fitting = [each for each in found if each.peak <= budget]
    if not fitting:
        return min(found, key=lambda each: each.peak)
    if halo or len(fitting) == 1 or fitting[0].workers < fitting[1].workers:
        return max(fitting, key=lambda each: each.workers)
    # A tree whose units are as wide as the image, because strips are, is the worse way to go through rows.
    return fitting[0] if fitting[0].peak <= 1.25 * fitting[1].peak else fitting[1]


def _halved(shards: Shape, chunks: Shape) -> Shape:
    """Shards of half as many chunks along each axis where they are several."""
    return tuple(max(size // chunk // 2, 1) * chunk for size, chunk in zip(shards, chunks, strict=True))


def _lengths(given: Any, pixels: Pixels, reduced: Sequence[bool]) -> Shape | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        found = [given.get(axis, 1) for axis in pixels.dims]
    elif isinstance(given, list | tuple):
        found = list(given)
    else:
        found = [given if each else 1 for each in reduced]
    if len(found) != len(pixels.dims) or not all(isinstance(n, int | np.integer) and n > 0 for n in found):
        raise RequestError(f"{given!r} are no lengths along {', '.join(pixels.dims)}")
    return tuple(map(int, found))
