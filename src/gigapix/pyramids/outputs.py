"""The arrays of a pyramid: where each lies in the group, how it is cut, and what is known of its samples' places."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.pixels import Pixels
from gigapix.pyramids.reducers import Reducer
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.tree import Box, Shape, Tier


@dataclass(frozen=True, kw_only=True)
class Output:
    """One array of the group."""

    path: str
    level: int
    reducer: int
    """Its number; of level 0, which belongs to all, 0."""
    shape: Shape
    dtype: np.dtype[Any]
    chunks: Shape
    shards: Shape
    fill: float | int | bool
    dims: tuple[str, ...]

    @property
    def counts(self) -> Shape:
        """Chunks of a shard along each axis."""
        return tuple(shard // chunk for shard, chunk in zip(self.shards, self.chunks, strict=True))

    def chunk(self, index: Shape) -> Box:
        """Where a chunk lies, as far as the array goes."""
        return tuple(
            slice(n * side, min((n + 1) * side, size))
            for n, side, size in zip(index, self.chunks, self.shape, strict=True)
        )

    def box(self, index: Shape) -> Box:
        """Where a shard lies."""
        return tuple(
            slice(n * side, min((n + 1) * side, size))
            for n, side, size in zip(index, self.shards, self.shape, strict=True)
        )

    @property
    def grid(self) -> Shape:
        """How many shards along each axis."""
        return tuple(-(-size // shard) for size, shard in zip(self.shape, self.shards, strict=True))


def outputs_of(
    pixels: Pixels, reducers: tuple[Reducer, ...], tiers: Sequence[Tier], zarr_format: int, *, cut: bool = True
) -> tuple[Output, ...]:
    """The arrays of a pyramid: level 0, then all levels of one reducer after those of another.

    cut: chunks are no longer than an array.
    """
    found = []
    for number, reducer in enumerate(reducers):
        for level, tier in enumerate(tiers):
            if level == 0 and number:
                continue
            dtype = reducer.dtype(pixels.samples, tiers[-1].samples) if level else pixels.samples.dtype
            prefix = f"{re.sub(r'[^A-Za-z0-9.]+', '_', reducer.name).strip('_')}/" if number else ""
            chunks = tuple(map(min, tier.chunks, tier.shape)) if cut else tier.chunks
            shards = tuple(
                chunk if zarr_format == 2 else chunk * min(shard // own, -(-size // chunk))
                for chunk, own, shard, size in zip(chunks, tier.chunks, tier.shards, tier.shape, strict=True)
            )
            found.append(
                Output(
                    path=f"{prefix}{level}", level=level, reducer=number, shape=tier.shape, dtype=dtype, chunks=chunks,
                    shards=shards, fill=_fill(pixels.samples, dtype), dims=pixels.dims,
                )
            )  # fmt: skip
    return tuple(found)


def _fill(samples: Samples, dtype: np.dtype[Any]) -> Any:
    """The fill value: nodata in arrays of the source's type."""
    if (
        dtype == samples.dtype
        and samples.nodata is not None
        and (dtype.kind == "f" or replace(samples, masked=False).marker is not None)
    ):
        return np.asarray(samples.nodata, dtype).item()
    return np.zeros((), dtype).item()


def level_info(output: Output, tier: Tier, reducer: Reducer, facts: Pixels) -> LevelInfo:
    """What metadata say of an array."""
    scale = tuple(step * stride for step, stride in zip(facts.scale, tier.strides, strict=True))
    centred = reducer.position == "centre"
    origin = tuple(
        start + ((stride - 1) * step / 2 if centred else 0.0)
        for start, step, stride in zip(facts.origin, facts.scale, tier.strides, strict=True)
    )
    transform = facts.transform
    if transform is not None:
        a, b, c, d, e, f = transform
        y, x = tier.strides[-2:]
        shift_x, shift_y = (0.0, 0.0) if centred else ((1 - x) / 2, (1 - y) / 2)
        c, f = c + a * shift_x + b * shift_y, f + d * shift_x + e * shift_y
        transform = (a * x, b * y, c, d * x, e * y, f)
    prefix, _, _ = output.path.rpartition("/")
    before = f"{prefix}/{output.level - 1}" if prefix and output.level > 1 else str(output.level - 1)
    return LevelInfo(
        path=output.path,
        shape=output.shape,
        dtype=output.dtype,
        dims=output.dims,
        reducer=reducer.name if output.level else "",
        derived_from=before if output.level else None,
        factors=tier.factors,
        scale=scale,
        translation=origin,
        transform=transform,
    )
