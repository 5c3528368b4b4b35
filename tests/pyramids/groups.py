"""Pyramids written by zarr-python, with pixels made by tensorstore and numpy, so that nothing of ours is its own judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.metadata import group_attributes

UTM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5000000.0)
ON_A_MAP: dict[str, Any] = {"transform": UTM, "scale": (1.0, -10.0, 10.0), "origin": (0.0, 4999995.0, 500005.0)}
MICROMETERS: dict[str, Any] = {"scale": (1.0, 0.5, 0.25)}


def levels_of(
    *,
    shape: tuple[int, ...] = (2, 101, 77),
    dims: tuple[str, ...] = ("c", "y", "x"),
    count: int = 3,
    reducers: Sequence[str] = ("mean",),
    dtype: str = "uint16",
    dtypes: Mapping[str, str] | None = None,
    factors: tuple[int, ...] | None = None,
    scale: tuple[float, ...] | None = None,
    origin: tuple[float, ...] | None = None,
    transform: tuple[float, float, float, float, float, float] | None = None,
) -> list[LevelInfo]:
    """By the table of half-pixel rules (research, 4.4)."""
    factors = factors or tuple(2 if dim in ("y", "x") else 1 for dim in dims)
    scale, origin = scale or (1.0,) * len(dims), origin or (0.0,) * len(dims)
    first = LevelInfo(
        path="0", shape=shape, dtype=np.dtype(dtype), dims=dims, factors=(1,) * len(dims), scale=scale,
        translation=origin, transform=transform,
    )  # fmt: skip
    levels = [first]
    for reducer in reducers:
        above = first
        for number in range(1, count):
            steps = tuple(a * b for a, b in zip(above.scale, factors, strict=True))
            picked = reducer == "nearest"
            affine = None
            if transform is not None:
                a, b, c, d, e, f = transform
                y, x = (int(steps[axis] / scale[axis]) for axis in (-2, -1))
                move = ((1 - x) / 2, (1 - y) / 2) if picked else (0, 0)
                affine = (
                    a * x, b * y, c + a * move[0] + b * move[1], d * x, e * y, f + d * move[0] + e * move[1],
                )  # fmt: skip
            above = LevelInfo(
                path=f"{number}" if len(reducers) == 1 else f"{reducer}/{number}",
                shape=tuple(-(-size // factor) for size, factor in zip(above.shape, factors, strict=True)),
                dtype=np.dtype((dtypes or {}).get(reducer, dtype)),
                dims=dims,
                reducer=reducer,
                derived_from=above.path,
                factors=factors,
                scale=steps,
                translation=tuple(
                    at if picked else at + (step - base) / 2
                    for at, step, base in zip(origin, steps, scale, strict=True)
                ),
                transform=affine,
            )
            levels.append(above)
    return levels


def write(
    path: Path,
    levels: Sequence[LevelInfo],
    attributes: Mapping[str, Any],
    *,
    zarr_format: int = 3,
    pixels: Mapping[str, np.ndarray] | None = None,
) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    more: Callable[[LevelInfo], dict[str, Any]] = (
        (lambda level: {"dimension_names": level.dims})
        if zarr_format == 3
        else (lambda level: {"chunk_key_encoding": {"name": "v2", "separator": "/"}})
    )
    for level in levels:
        chunks = tuple(min(32, size) for size in level.shape)
        array = group.create_array(level.path, shape=level.shape, chunks=chunks, dtype=level.dtype, **more(level))
        if pixels is not None:
            array[:] = pixels[level.path]
    group.attrs.update(attributes)
    return path


def made(
    path: Path, *, zarr_format: int = 3, pixels: Any = None, about: Mapping[str, Any] | None = None, **of: Any
) -> Path:
    """A pyramid with our metadata."""
    levels = levels_of(**of)
    version = "0.5" if zarr_format == 3 else "0.4"
    attributes = group_attributes(levels, version=version, **(about or {}))  # type: ignore[arg-type]
    return write(path, levels, attributes, zarr_format=zarr_format, pixels=pixels)
