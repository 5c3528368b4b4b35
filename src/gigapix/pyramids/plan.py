"""`gigapix.pyramid`: what a pyramid of a source will be, before a pixel is read. `PyramidPlan.run` makes it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from gigapix.errors import RequestError
from gigapix.image.memory import budget_of, cpus
from gigapix.image.outlook import amount
from gigapix.pyramids.codecs import Codec, codec_of
from gigapix.pyramids.cog import Cog, cog_plan, cog_text
from gigapix.pyramids.folders import Folder, folder_of
from gigapix.pyramids.htj2k import check_samples, chunks_and_levels, coarser, codec_bytes
from gigapix.pyramids.htj2k_references import check_references
from gigapix.pyramids.layout import laid_out, steps_of
from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.outputs import Output, level_info, outputs_of
from gigapix.pyramids.pixels import Pixels, unread
from gigapix.pyramids.reducers import Reducer, reducers_of
from gigapix.pyramids.rules import factors_of
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.sources import Opening, opening_of
from gigapix.pyramids.tree import Tier, root_level
from gigapix.pyramids.windows import reduced_shape
from gigapix.pyramids.zarr_target import HELD_BYTES

FORMAT: Final = "2"
"""Changed when the same settings would give other bytes."""

References = Literal["icechunk", "kerchunk"]


@dataclass(frozen=True, kw_only=True)
class PyramidPlan:
    """What will be read, held and written. Print it; `run` it."""

    name: str
    """Of the source."""
    target: Folder
    dims: tuple[str, ...]
    samples: Samples
    reducers: tuple[Reducer, ...]
    tiers: tuple[Tier, ...] = field(repr=False)
    """The levels in units (see `pyramids.tree`)."""
    blocks: tuple[Tier, ...] = field(repr=False)
    """The levels in blocks."""
    outputs: tuple[Output, ...]
    codec: Codec
    zarr_format: int
    order: Literal["tree", "rows"]
    """How the source is gone through (see `pyramids.tree`)."""
    root: int
    """Level of the blocks that have marks, and that are tasks for an executor."""
    workers: int
    band: int
    """Rows of a source that is gone through row by row that are read at once."""
    memory: int
    """Bytes that were named."""
    memory_bytes: int
    """Bytes that will be held at most."""
    reads: int
    """Segments or chunks of the source, each of which is read and decoded once; 0 where it has none."""
    digest: str
    """Of everything that decides about the bytes written."""
    facts: Pixels = field(repr=False)
    opening: Opening = field(repr=False)
    title: str
    """Of the image, for the metadata."""
    references: References | None = None
    """To the levels in level 0's chunks."""
    cog: Cog | None = field(default=None, repr=False)
    """What is written where it is no Zarr group."""

    @property
    def coarser(self) -> tuple[Output, ...]:
        """Levels that lie in the chunks of level 0 (`levels_from_codec`): they have no objects of their own."""
        return coarser(self.outputs[0], self.codec.resolutions)

    @property
    def family(self) -> str:
        """A digest of everything that must be the same for an update."""
        sizes = [(tier.factors, tier.unit, tier.chunks, tier.shards) for tier in (*self.tiers, *self.blocks)]
        chunks = [(output.path, output.dtype, output.chunks, output.shards) for output in self.outputs]
        about = (FORMAT, self.dims, self.samples, _names(self), sizes, chunks, self.codec, self.zarr_format)
        return hashlib.sha256(repr(about).encode()).hexdigest()[:16]

    @property
    def writes(self) -> int:
        """Objects with pixels, at most: those of nothing but the fill value are not written."""
        return 1 if self.cog is not None else sum(math.prod(output.grid) for output in self.outputs)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels of the source."""
        return math.prod(self.tiers[0].shape) * self.samples.dtype.itemsize

    @property
    def channel_axis(self) -> int | None:
        """Where the channels are."""
        return self.dims.index("c") if "c" in self.dims else None

    @property
    def samples_most(self) -> int:
        """Samples of level 0 under a position of the last level."""
        return self.tiers[-1].samples

    def levels(self) -> tuple[LevelInfo, ...]:
        """What metadata say of each array."""
        return tuple(
            level_info(each, self.tiers[each.level], self.reducers[each.reducer], self.facts) for each in self.outputs
        )

    def run(
        self, executor: Executor | str | None = None, *, resume: bool = True, overwrite: bool = False,
        keep: bool = False, progress: Any = True,
    ) -> Mapping[str, Any]:  # fmt: skip
        """Make the pyramid.

        executor: any of `concurrent.futures`, or ``processes``, ``processes:4``, ``dask``, ``dask://host:port``, which
            do subtrees; threads of this process where None, and where the source is a stream.
        resume: go on with a run of the same plan that was stopped. False begins anew.
        overwrite: delete what has the target's name first.
        keep: keep the marks beside the target, which `update` needs.
        progress: True for a bar on stderr where that is a terminal, or a function that is called with the number of
            samples done.

        A COG is written in one go: nothing is kept or gone on with, and there is no executor.

        Returns the attributes of the group; how many ``levels`` and ``bytes`` a COG has. Raises RequestError where the
        target exists.
        """
        if self.cog is not None:
            from gigapix.pyramids.cog_target import run_cog

            return run_cog(self, self.cog, executor, overwrite=overwrite, keep=keep, progress=progress)
        from gigapix.pyramids.run import run_plan

        return run_plan(self, executor, resume=resume, overwrite=overwrite, keep=keep, progress=progress)

    def update(
        self, changed: Mapping[str, tuple[int, int]] | None = None, executor: Executor | str | None = None, *,
        progress: Any = False,
    ) -> Mapping[str, Any]:  # fmt: skip
        """Bring the target up to date with a source that has changed or grown since ``run(keep=True)`` of a plan with
        the same arguments: only what lies above the changed samples is read and written.

        changed: where samples are others, ``{"y": (0, 512), "x": (100, 300)}``, all of an axis that is not named; None
            where the source has only grown. Where it has grown is known.

        Raises RequestError where no marks were kept, or the levels would be others.
        """
        if self.cog is not None:
            raise RequestError("a COG can't be updated: it is written in one go")
        from gigapix.pyramids.update import update_plan

        return update_plan(self, changed, executor, progress)

    def __str__(self) -> str:
        if self.cog is not None:
            return cog_text(self, self.cog)
        size = " x ".join(map(str, self.tiers[0].shape))
        lines = [
            f"{self.name}: {','.join(self.dims)} {size} {self.samples.dtype} ({amount(self.nbytes)})",
            f"{self.target.name}: Zarr v{self.zarr_format}, {self.codec}",
        ]
        for output in self.outputs:
            last = output is self.outputs[-1]
            shape, chunk, shard = (" x ".join(map(str, each)) for each in (output.shape, output.chunks, output.shards))
            sharded = f" in shards of {shard}" if output.shards != output.chunks else ""
            made = f" by {self.reducers[output.reducer].name}" if output.level else ""
            count = math.prod(output.grid)
            lines.append(
                f"{'└──' if last else '├──'} {output.path}  {shape} {output.dtype}"
                f" ({amount(math.prod(output.shape) * output.dtype.itemsize)}){made},"
                f" chunks of {chunk}{sharded}, {count} object{'s' if count > 1 else ''}"
            )
        for output in self.coarser:
            shape, chunk = (" x ".join(map(str, each)) for each in (output.shape, output.chunks))
            lines.append(f"    {output.path}  {shape} {output.dtype}, chunks of {chunk}, in those of 0")
        way = "subtree by subtree" if self.order == "tree" else "row by row"
        again = "; what borders on two of them for each" if self.order == "tree" and any(self.tiers[0].halo) else ""
        lines.append(f"reads   {f'{self.reads} segments' if self.reads else 'each sample'} once, {way}{again}")
        lines.append(f"writes  at most {self.writes} objects once, reads none of them")
        lines.append(f"memory  {amount(self.memory_bytes)} of {amount(self.memory)}, {self.workers} workers")
        return "\n".join(lines)


def pyramid(
    source: Any,
    target: str | os.PathLike[str],
    *,
    factors: Any = 2,
    reducers: Any = None,
    levels: int | Literal["auto"] = "auto",
    chunks: Any = None,
    shards: Any = None,
    codec: str | None = None,
    memory: int | str | None = None,
    nodata: float | None = None,
    axes: Sequence[str] | str | None = None,
    zarr_format: int = 3,
    workers: int | None = None,
    store: Any = None,
    name: str | None = None,
    levels_from_codec: bool = False,
    references: References | None = None,
    select: Mapping[str, int] | None = None,
    **settings: Any,
) -> PyramidPlan:
    """Plan a pyramid of a source: all its resolutions, made in one pass. ``pyramid(...).run()`` makes it.

    source: a path or URL of an image or of a Zarr array or group; an `Image`; or an array: numpy, Zarr, xarray, dask.
    target: a path or URL of the Zarr group to write; of a COG where it ends in ``.tif`` or ``.tiff``.
    factors: 2 halves the axes y and x. By axis: ``{"z": 1, "y": 2, "x": 2}``; by axis and step, the last one being
        repeated: ``{"z": [1, 2, 2]}``; or a list of one a step.
    reducers: mean, sum, min, max, count, std, var, any, all, nearest, mode, median, ``quantile(0.25)``, gauss, or a
        function of windows (their samples along the last axis); several as a list, each of which makes levels of its
        own: ``1`` and ``2`` of the first, ``max/1`` and ``max/2`` of another. mean where None; of a palette in a COG
        mode. A COG has one.
    levels: how many beyond level 0; "auto" until the axes that are reduced fit one chunk.
    chunks, shards: lengths along all axes, or by axis, or one for the axes that are reduced and the last two. Where
        None: chunks of up to 512 KiB, equally long along those axes; shards of up to 8 MiB; both smaller where the
        memory is too little for that. A COG's tiles: one number, 512 where None.
    codec: zstd, blosc (zstd with shuffled bytes), gzip or none, with a level as in ``zstd:5``; or htj2k.
        zstd where None. Of a COG: deflate (where None), zstd, lzw, none, ``jpeg:85``, ``webp:75``, ``webp:lossless``,
        ``lerc:0.01``, also with deflate or zstd around it, ``lerc:0.01+zstd``.
    memory: bytes to hold at most, also as ``"500MB"``; where None, a quarter of what is free and at most 1 GiB.
    nodata: left out of every reduction, as NaN is; the source's own where None.
    axes: names of the source's axes where it has none or others: ``"zyx"``, ``("time", "lat", "lon")``.
    zarr_format: 3 with OME-Zarr 0.5 metadata, or 2 with 0.4 and no shards.
    workers: threads; as many as cores where None.
    store: an obstore store in which `target` is a path.
    name: of the image, for the metadata; the source's where None.
    levels_from_codec: with htj2k, write level 0 alone, in chunks that hold the coarser levels too.
    references: to these levels, for readers other than gigapix: "icechunk" makes the repository ``TARGET.icechunk``,
        "kerchunk" the file ``TARGET.json``.
    select: of a COG, positions along axes that it can't have: ``{"z": 3}``.
    settings: of `gigapix.open`, where the source is a path.

    Raises RequestError for what makes no sense, MemoryBudgetError where the memory is too little, and what opening the
    source raises.
    """
    if levels != "auto" and (isinstance(levels, bool) or not isinstance(levels, int) or levels < 0):
        raise RequestError(f"levels are a number or 'auto', not {levels!r}")
    most = workers if workers is not None else cpus()
    if most < 1:
        raise RequestError(f"{most} workers can't work")
    if os.fspath(target).lower().endswith((".tif", ".tiff")):
        if shards is not None or zarr_format != 3 or name is not None or levels_from_codec or references:
            raise RequestError("a COG has no shards, Zarr format, name or references")
        return cog_plan(
            source, target, factors=factors, reducers=reducers, levels=levels, chunks=chunks, codec=codec,
            memory=memory, nodata=nodata, axes=axes, workers=most, store=store, select=select, settings=settings,
        )  # fmt: skip
    if zarr_format not in (2, 3):
        raise RequestError(f"Zarr has the formats 2 and 3, not {zarr_format}")
    if select is not None:
        raise RequestError("select is for a COG; a Zarr group has all axes")
    reducers = "mean" if reducers is None else reducers
    found, packed = reducers_of(reducers), codec_of(codec or "zstd")
    if (levels_from_codec and packed.name != "htj2k") or (references and not levels_from_codec):
        raise RequestError("levels come from the codec htj2k alone; say codec='htj2k', levels_from_codec=True")
    budget = budget_of(memory) if memory is not None else min(budget_of(None), 1 << 30)
    # Of an image that is opened here, half of the memory decides what is read as a stream of rows.
    opening = opening_of(source, axes, nodata, **{"memory": budget // 2, **settings})
    folder = folder_of(target, store)
    with opening.opened() as pixels:
        shape = pixels.shape
        if levels_from_codec:
            check_samples(pixels.samples, factors, reducers, nodata)
            chunks, resolutions = chunks_and_levels(pixels.dims, shape, chunks, levels)
            packed, levels = replace(packed, resolutions=resolutions), 0
        first = factors_of(pixels.dims, shape, factors, 1, {})[0]
        if any(each.halo for each in found) and max(max(step) for step in steps_of(factors, pixels, levels)) > 2:
            raise RequestError("gauss halves; it has no other factor")
        held = 3 * HELD_BYTES if folder.path is not None else None
        beside = codec_bytes(pixels, chunks, packed, most) if levels_from_codec else 0
        layout = laid_out(
            pixels, found, factors, levels, first, chunks, shards, budget, most, zarr_format, held, beside
        )  # fmt: skip
        outputs = outputs_of(pixels, found, layout.tiers, zarr_format, cut=not levels_from_codec)
        for output in outputs:
            packed.check(output.dtype, output.chunks, output.shards, zarr_format)
        plan = PyramidPlan(
            name=pixels.name,
            target=folder,
            dims=pixels.dims,
            samples=pixels.samples,
            reducers=found,
            tiers=layout.tiers,
            blocks=layout.blocks,
            outputs=outputs,
            codec=packed,
            zarr_format=zarr_format,
            order=layout.order,
            root=root_level(layout.blocks),
            workers=layout.workers,
            band=layout.band,
            memory=budget,
            memory_bytes=layout.peak,
            reads=math.prod(reduced_shape(shape, pixels.chunks)) if max(pixels.chunks) > 1 else 0,
            digest="",
            facts=replace(pixels, read=unread),
            opening=opening,
            title=name if name is not None else pixels.title,
            references=references,
        )
    check_references(plan)
    return replace(plan, digest=_digest(plan))


def _names(plan: PyramidPlan) -> list[str]:
    return [each.name for each in plan.reducers]


def _digest(plan: PyramidPlan) -> str:
    about = (
        FORMAT, plan.facts.version, plan.dims, plan.samples, _names(plan),
        plan.outputs, [(tier.factors, tier.unit) for tier in (*plan.tiers, *plan.blocks)], plan.codec,
        plan.zarr_format, plan.root,
        plan.title,
    )  # fmt: skip
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]
