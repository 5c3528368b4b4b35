"""`gigapix.pyramid`: what a pyramid of a source will be, before a pixel is read. `PyramidPlan.run` makes it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from gigapix.errors import RequestError, UnsupportedError
from gigapix.image.memory import budget_of
from gigapix.image.outlook import amount
from gigapix.pyramids.codecs import Codec, codec_of
from gigapix.pyramids.folders import Folder, folder_of
from gigapix.pyramids.layout import laid_out, steps_of
from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.outputs import Output, level_info, outputs_of
from gigapix.pyramids.pixels import Pixels, unread
from gigapix.pyramids.reducers import Reducer, reducers_of
from gigapix.pyramids.rules import factors_of
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.sources import Opening, opening_of
from gigapix.pyramids.tree import Tier
from gigapix.pyramids.windows import reduced_shape
from gigapix.pyramids.zarr_target import HELD_BYTES

FORMAT: Final = "1"
"""Changed when the same settings would give other bytes."""

FEW_ROOTS: Final = 8
MOST_ROOTS: Final = 256
"""A run is cut into about so many parts, each of which has a mark when it is done."""


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
        return sum(math.prod(output.grid) for output in self.outputs)

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
        keep: bool = False, progress: Any = False,
    ) -> Mapping[str, Any]:  # fmt: skip
        """Make the pyramid.

        executor: any of `concurrent.futures`, or ``processes``, ``processes:4``, ``dask``, ``dask://host:port``, which
            do subtrees; threads of this process where None, and where the source is a stream.
        resume: go on with a run of the same plan that was stopped. False begins anew.
        overwrite: delete what has the target's name first.
        keep: keep the marks beside the target, which `update` needs.
        progress: True for a bar on stderr, or a function that is called with the number of samples done.

        Returns the attributes of the group. Raises RequestError where the target exists.
        """
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
        from gigapix.pyramids.update import update_plan

        return update_plan(self, changed, executor, progress)

    def __str__(self) -> str:
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
        way = "subtree by subtree" if self.order == "tree" else "row by row"
        lines.append(f"reads   {f'{self.reads} segments' if self.reads else 'each sample'} once, {way}")
        lines.append(f"writes  at most {self.writes} objects once, reads none of them")
        lines.append(f"memory  {amount(self.memory_bytes)} of {amount(self.memory)}, {self.workers} workers")
        return "\n".join(lines)


def pyramid(
    source: Any,
    target: str | os.PathLike[str],
    *,
    factors: Any = 2,
    reducers: Any = "mean",
    levels: int | Literal["auto"] = "auto",
    chunks: Any = None,
    shards: Any = None,
    codec: str = "zstd",
    memory: int | str | None = None,
    nodata: float | None = None,
    axes: Sequence[str] | str | None = None,
    zarr_format: int = 3,
    workers: int | None = None,
    store: Any = None,
    name: str | None = None,
    **settings: Any,
) -> PyramidPlan:
    """Plan a pyramid of a source: all its resolutions, made in one pass. ``pyramid(...).run()`` makes it.

    source: a path or URL of an image or of a Zarr array or group; an `Image`; or an array: numpy, Zarr, xarray, dask.
    target: a path or URL of the Zarr group to write.
    factors: 2 halves the axes y and x. By axis: ``{"z": 1, "y": 2, "x": 2}``; by axis and step, the last one being
        repeated: ``{"z": [1, 2, 2]}``; or a list of one a step.
    reducers: mean, sum, min, max, count, std, var, any, all, nearest, mode, median, ``quantile(0.25)``, gauss, or a
        function of windows (their samples along the last axis); several as a list, each of which makes levels of its
        own: ``1`` and ``2`` of the first, ``max/1`` and ``max/2`` of another.
    levels: how many beyond level 0; "auto" until the axes that are reduced fit one chunk.
    chunks, shards: lengths along all axes, or by axis, or one for the axes that are reduced and the last two. Where
        None: chunks of up to 512 KiB, equally long along those axes; shards of up to 8 MiB; both smaller where the
        memory is too little for that.
    codec: zstd, blosc (zstd with shuffled bytes), gzip or none, with a level as in ``zstd:5``.
    memory: bytes to hold at most, also as ``"500MB"``; where None, a quarter of what is free and at most 1 GiB.
    nodata: left out of every reduction, as NaN is; the source's own where None.
    axes: names of the source's axes where it has none or others: ``"zyx"``, ``("time", "lat", "lon")``.
    zarr_format: 3 with OME-Zarr 0.5 metadata, or 2 with 0.4 and no shards.
    workers: threads; as many as cores where None.
    store: an obstore store in which `target` is a path.
    name: of the image, for the metadata; the source's where None.
    settings: of `gigapix.open`, where the source is a path.

    Raises RequestError for what makes no sense, MemoryBudgetError where the memory is too little, and what opening the
    source raises.
    """
    if os.fspath(target).lower().endswith((".tif", ".tiff")):
        raise UnsupportedError("pyramids are written as Zarr groups")
    if zarr_format not in (2, 3):
        raise RequestError(f"Zarr has the formats 2 and 3, not {zarr_format}")
    if levels != "auto" and (isinstance(levels, bool) or not isinstance(levels, int) or levels < 0):
        raise RequestError(f"levels are a number or 'auto', not {levels!r}")
    found, packed = reducers_of(reducers), codec_of(codec)
    budget = budget_of(memory) if memory is not None else min(budget_of(None), 1 << 30)
    # Of an image that is opened here, half of the memory decides what is read as a stream of rows.
    opening = opening_of(source, axes, nodata, **{"memory": budget // 2, **settings})
    most = workers if workers is not None else _cpus()
    if most < 1:
        raise RequestError(f"{most} workers can't work")
    folder = folder_of(target, store)
    with opening.opened() as pixels:
        shape = pixels.shape
        first = factors_of(pixels.dims, shape, factors, 1, {})[0]
        if any(each.halo for each in found) and max(max(step) for step in steps_of(factors, pixels, levels)) > 2:
            raise RequestError("gauss halves; it has no other factor")
        held = 3 * HELD_BYTES if folder.path is not None else None
        layout = laid_out(pixels, found, factors, levels, first, chunks, shards, budget, most, zarr_format, held)
        plan = PyramidPlan(
            name=pixels.name,
            target=folder,
            dims=pixels.dims,
            samples=pixels.samples,
            reducers=found,
            tiers=layout.tiers,
            blocks=layout.blocks,
            outputs=outputs_of(pixels, found, layout.tiers, zarr_format),
            codec=packed,
            zarr_format=zarr_format,
            order=layout.order,
            root=_root(layout.blocks),
            workers=layout.workers,
            band=layout.band,
            memory=budget,
            memory_bytes=layout.peak,
            reads=math.prod(reduced_shape(shape, pixels.chunks)) if max(pixels.chunks) > 1 else 0,
            digest="",
            facts=replace(pixels, read=unread),
            opening=opening,
            title=name if name is not None else pixels.title,
        )
    return replace(plan, digest=_digest(plan))


def _root(blocks: Sequence[Tier]) -> int:
    """The lowest level with few enough blocks. Not level 0, whose marks are large, where level 1 has several."""
    counts = [math.prod(tier.grid) for tier in blocks]
    first = 1 if len(counts) > 1 and counts[1] >= FEW_ROOTS else 0
    return next((n for n in range(first, len(counts)) if counts[n] <= MOST_ROOTS), len(counts) - 1)


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


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
