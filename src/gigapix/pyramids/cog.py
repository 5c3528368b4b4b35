"""`gigapix.pyramid` with a target that ends in .tif: a plan of a Cloud Optimized GeoTIFF.

It is the same one pass as for Zarr, over blocks that are one tile large; only the writer is another (`cog_target`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from gigapix.errors import FormatError, MemoryBudgetError, RequestError, UnsupportedError
from gigapix.formats.tiff.cog_write import CogLevel
from gigapix.formats.tiff.encode import codec_tags
from gigapix.image.memory import budget_of
from gigapix.image.outlook import amount
from gigapix.pyramids.codecs import Codec
from gigapix.pyramids.cog_codecs import CogCodec, cog_codec_of
from gigapix.pyramids.cog_geo import array_tags
from gigapix.pyramids.cog_source import Look, cog_pixels
from gigapix.pyramids.cog_target import part_bytes
from gigapix.pyramids.folders import folder_of
from gigapix.pyramids.layout import laid_out, steps_of
from gigapix.pyramids.outputs import outputs_of
from gigapix.pyramids.pixels import Pixels, unread
from gigapix.pyramids.reducers import Reducer, reducers_of
from gigapix.pyramids.rules import factors_of
from gigapix.pyramids.sources import Opening, opening_of, origin_of
from gigapix.pyramids.tree import Shape, Tier
from gigapix.pyramids.windows import reduced_shape

if TYPE_CHECKING:
    from gigapix.pyramids.plan import PyramidPlan

TILE: Final = 512
"""GDAL's."""

TILE_BYTES: Final = 96
"""Of the memory, for the place and the size of each tile and of its mask, and for the tables made of them."""

UPLOADED: Final = 3
"""Parts of an upload that are held at once."""


@dataclass(frozen=True, kw_only=True)
class Cog:
    """What is written."""

    codec: CogCodec
    look: Look
    select: Mapping[str, int] | None
    """Positions along axes that a COG doesn't have."""
    levels: tuple[CogLevel, ...]

    @property
    def tiles(self) -> int:
        """Of all levels, without those of masks."""
        return sum(math.prod(level.image.grid) for level in self.levels)


def cog_plan(
    source: Any, target: str | os.PathLike[str], *, factors: Any, reducers: Any, levels: int | Literal["auto"],
    chunks: Any, codec: str | None, memory: int | str | None, nodata: float | None, axes: Sequence[str] | str | None,
    workers: int, store: Any, select: Mapping[str, int] | None, settings: Mapping[str, Any],
) -> PyramidPlan:  # fmt: skip
    """See `gigapix.pyramid`."""
    from gigapix.pyramids.plan import PyramidPlan

    tile = TILE if chunks is None else chunks
    if not isinstance(tile, int) or tile < 16 or tile % 16:
        raise RequestError(f"the side of a tile is a multiple of 16, not {chunks!r}")
    packed = cog_codec_of(codec or "deflate")
    budget = budget_of(memory) if memory is not None else min(budget_of(None), 1 << 30)
    opening = _opening(source, axes, nodata, {"memory": budget // 2, **settings})
    folder = folder_of(target, store)
    with opening.both() as (whole, image):
        pixels, look = cog_pixels(whole, image, packed, select)
        shape = pixels.shape
        if shape[-1] == 1 and levels == "auto":  # GDAL finds overviews by their width, and no level is narrower
            levels = 0
        found = reducers_of(("mode" if look.is_palette else "mean") if reducers is None else reducers)
        _check(found, look, pixels, factors_of(pixels.dims, shape, factors, levels, dict.fromkeys(pixels.dims, tile)))
        if any(each.halo for each in found) and max(map(max, steps_of(factors, pixels, levels))) > 2:
            raise RequestError("gauss halves; it has no other factor")
        lengths = (*shape[:-2], tile, tile)
        ones = tuple(1 for _ in shape)
        layout = laid_out(pixels, found, factors, levels, ones, lengths, None, budget, workers, 2, None)
        if image is None:
            look = replace(look, tags=array_tags(pixels, opening.given))
        cog = Cog(codec=packed, look=look, select=select, levels=_levels(look, layout.tiers, tile, packed))
        peak = layout.peak
        if folder.path is None:
            most = math.prod(shape) * look.dtype.itemsize * 2  # the overviews take a third
            peak = max(peak, UPLOADED * part_bytes(most))
        peak += TILE_BYTES * cog.tiles
        if peak > budget:
            raise MemoryBudgetError(f"the COG takes {peak} bytes of memory, and {budget} were named", path=pixels.name)
        return PyramidPlan(
            name=pixels.name,
            target=folder,
            dims=pixels.dims,
            samples=pixels.samples,
            reducers=found,
            tiers=layout.tiers,
            blocks=layout.blocks,
            outputs=tuple(replace(each, dtype=look.dtype) for each in outputs_of(pixels, found, layout.tiers, 2)),
            codec=Codec(name="none", level=0),
            zarr_format=2,
            order=layout.order,
            root=len(layout.blocks) - 1,
            workers=layout.workers,
            band=layout.band,
            memory=budget,
            memory_bytes=peak,
            reads=math.prod(reduced_shape(shape, pixels.chunks)) if max(pixels.chunks) > 1 else 0,
            digest="",
            facts=replace(pixels, read=unread),
            opening=opening,
            title=pixels.title,
            cog=cog,
        )


def _opening(
    source: Any, axes: Sequence[str] | str | None, nodata: float | None, settings: Mapping[str, Any]
) -> Opening:
    """The way to a source: a Zarr hierarchy as the image that it is, which knows where it lies, or else as an array."""
    opening = opening_of(source, axes, nodata, **settings)
    if isinstance(source, str | os.PathLike) and not hasattr(opening.given, "settings"):
        image = replace(opening, given=origin_of(source, settings))
        with suppress(FormatError, RequestError, UnsupportedError), image.both():  # what is not read as an image
            return image
    return opening


def _check(reducers: Sequence[Reducer], look: Look, pixels: Pixels, steps: Sequence[Shape]) -> None:
    """Raise RequestError for overviews that can't be in a COG."""
    if len(reducers) > 1:
        raise RequestError("a COG has one reducer; several make a Zarr group")
    dtype = reducers[0].dtype(pixels.samples, math.prod(pixels.shape))
    if dtype != pixels.samples.dtype:
        raise RequestError(f"overviews have the image's type, and {reducers[0].name} makes {dtype}")
    if look.is_palette and reducers[0].name in ("mean", "gauss"):
        raise RequestError(f"there is no {reducers[0].name} of a palette's colours; mode and nearest choose one")
    shape = pixels.shape
    for step in steps:
        sides = {factor for factor, size in zip(step[-2:], shape[-2:], strict=True) if size > 1}
        if len(sides) != 1 or 1 in sides or math.prod(step[:-2]) > 1:
            raise RequestError("of a COG, each overview is equally many times smaller in rows and columns")
        shape = reduced_shape(shape, step)


def _levels(look: Look, tiers: Sequence[Tier], tile: int, codec: CogCodec) -> tuple[CogLevel, ...]:
    found = []
    for number, tier in enumerate(tiers):
        image, *mask = look.files(tier.shape, tile, codec, overview=number > 0)
        image = replace(image, tags={**image.tags, **codec_tags(image)})
        found.append(CogLevel(image=image, mask=mask[0] if mask else None))
    return tuple(found)


def cog_text(plan: PyramidPlan, cog: Cog) -> str:
    """What is printed of a plan."""
    first = cog.levels[0].image
    item = first.samples * first.dtype.itemsize
    kinds = [
        f"{cog.codec}",
        f"predictor {first.predictor}" if first.predictor > 1 else "",
        "mask" if cog.look.mask else "",
    ]
    size = f"{' x '.join(map(str, plan.tiers[0].shape))} {first.dtype}"
    lines = [
        f"{plan.name}: {','.join(plan.dims)} {size} ({amount(first.width * first.height * item)})",
        f"{plan.target.name}: COG, {', '.join(filter(None, kinds))}",
    ]
    for number, level in enumerate(cog.levels):
        image, last = level.image, number + 1 == len(cog.levels)
        count = math.prod(image.grid)
        lines.append(
            f"{'└──' if last else '├──'} {number}  {image.height} x {image.width}"
            f" ({amount(image.width * image.height * item)}){f' by {plan.reducers[0].name}' if number else ''},"
            f" {count} tile{'s' if count > 1 else ''} of {image.tile} x {image.tile}"
        )
    way = "subtree by subtree" if plan.order == "tree" else "row by row"
    lines.append(f"reads   {f'{plan.reads} segments' if plan.reads else 'each sample'} once, {way}")
    lines.append(f"writes  {cog.tiles} tiles to a temporary file, then the COG")
    lines.append(f"memory  {amount(plan.memory_bytes)} of {amount(plan.memory)}, {plan.workers} workers")
    return "\n".join(lines)
