"""What a view shows of an image: a tree of Zarr groups and arrays, as frozen facts, without Zarr and without a pixel.

`gigapix.virtual` serves it as a store, references are written of it. There is one array a level, ``0``, ``1`` ...;
where the file stores masks, the group ``masks`` holds one array a level that has one. Both are pyramids in their own
right, with the metadata that `gigapix.pyramid` writes.

A level that others made has the ratio of the shapes as its scale, since nobody says what it was made with; its samples
are taken for means. So is it with the levels that are computed when they are read (`gigapix.views.compute`), but that
they are known to be means, of 2 x 2 samples each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from gigapix.errors import RequestError
from gigapix.image.access import access_of
from gigapix.image.image import Image
from gigapix.image.level import Level
from gigapix.pyramids.images import About, about
from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.metadata import group_attributes
from gigapix.views.hidden import counted

BAND_BYTES: Final = 2 << 20
"""A chunk of whole rows, where segments are much larger or much smaller than is good for a chunk."""

GIANT_BYTES: Final = 16 << 20
"""Larger segments are not chunks, where their rows can be decoded one after the other."""

LEAST_TILE: Final = 256
"""Chunks of a level that is computed are not shorter than this where those of the file are."""

LEAST_SIDE: Final = 512
"""With ``levels="auto"`` there are levels until both sides are as short as this."""

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Array:
    """One array of a view: a level of the image, or its mask."""

    path: str
    """From the root: ``0``, ``masks/0``."""
    shape: Shape
    chunks: Shape
    dtype: np.dtype[Any]
    fill: Any
    dimension_names: tuple[str, ...]
    kind: Literal["pixels", "mask"]
    level: int
    """Of the image, whose samples they are."""
    factor: int = 1
    """1 where they are stored like this; else they are computed, each of so many samples along y and x."""
    attributes: Mapping[str, Any]

    @property
    def grid(self) -> Shape:
        """How many chunks along each axis."""
        return tuple(-(-size // chunk) for size, chunk in zip(self.shape, self.chunks, strict=True))

    @property
    def chunk_bytes(self) -> int:
        """Of one chunk."""
        return math.prod(self.chunks) * self.dtype.itemsize


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group of a view."""

    path: str
    """From the root, empty for that itself."""
    attributes: Mapping[str, Any]
    arrays: tuple[Array, ...]
    groups: tuple[Group, ...] = ()

    def nodes(self) -> Iterator[Group | Array]:
        """Itself, and everything in it."""
        yield self
        yield from self.arrays
        for group in self.groups:
            yield from group.nodes()


def described(image: Image, levels: int | Literal["auto"] | None = None, *, segments: bool = False) -> Group:
    """What a view of an image shows.

    levels: how many beyond level 0; those that the file lacks are computed, each half as large as the one before, as
        long as there is something to halve. "auto" for as many as it takes until both sides are at most 512 long; None
        for the file's own.
    segments: one chunk a segment, whatever its size; else where segments are strips or giants, chunks are rows of
        about 2 MiB.

    Raises RequestError for levels that make no sense, UnsupportedError where samples can't be reduced (complex ones).
    """
    if levels not in (None, "auto") and (type(levels) is not int or levels < 0):
        raise RequestError(f"levels are a number, 'auto' or None, not {levels!r}")
    facts = about(image)
    stored = image.levels if not isinstance(levels, int) else image.levels[: levels + 1]
    factors = _computed(
        stored[-1], None if levels is None else "auto" if levels == "auto" else levels + 1 - len(stored)
    )
    if factors:
        counted(image, stored[-1])
    nodata = _fill(image, image.dtype)
    pixels = [_array(str(n), level, n, nodata, segments, image) for n, level in enumerate(stored)]
    pixels += [_smaller(image, pixels[-1], str(len(stored) + n), factor) for n, factor in enumerate(factors)]
    masks = [_mask(image, n, level, segments) for n, level in enumerate(stored) if level.has_mask]
    if masks and stored[-1].has_mask:
        masks += [_smaller(image, masks[-1], f"masks/{len(stored) + n}", factor) for n, factor in enumerate(factors)]
    return Group(
        path="",
        attributes=group_attributes(
            _infos(image, pixels, facts),
            name=facts.title,
            units=facts.units,
            channels=facts.channels,
            extents=_extents(image),
            crs=facts.crs,
            nodata=image.nodata,
        ),
        arrays=tuple(pixels),
        groups=(_masks(image, masks, facts),) if masks else (),
    )


def _computed(last: Level, wanted: int | Literal["auto"] | None) -> list[int]:
    """The factors, to the last level that is stored, of the levels that it lacks."""
    factors: list[int] = []
    factor = 1
    while wanted is not None and math.ceil(max(last.width, last.height) / factor) > (
        LEAST_SIDE if wanted == "auto" else 1
    ):
        if len(factors) == wanted:
            break
        factor *= 2
        factors.append(factor)
    return factors


def _array(path: str, level: Level, number: int, fill: Any, segments: bool, image: Image) -> Array:
    return Array(
        path=path,
        shape=level.shape,
        chunks=level.chunks if segments else _chunks(image, level),
        dtype=level.dtype,
        fill=fill,
        dimension_names=tuple(level.axes.lower()),
        kind="pixels",
        level=number,
        attributes={},
    )


def _mask(image: Image, number: int, level: Level, segments: bool) -> Array:
    assert level.spec.mask is not None  # noqa: S101  # for mypy
    found = _array(f"masks/{number}", Level(image, level.spec.mask), number, 0, segments, image)
    return replace(
        found,
        shape=found.shape[-2:],
        chunks=found.chunks[-2:],
        dtype=np.dtype(np.uint8),
        dimension_names=("y", "x"),
        kind="mask",
    )


def _smaller(image: Image, last: Array, path: str, factor: int) -> Array:
    """A level that is computed of the last one that is stored."""
    height, width = last.shape[-2:]
    *deep, rows, columns = last.chunks
    sample = math.prod(deep) * last.dtype.itemsize
    if columns < width:
        room = math.isqrt(_band_bytes(image) // (rows * columns * sample))
        times = max(min(LEAST_TILE // max(rows, columns), room), 1)
        rows, columns = times * rows, times * columns
    else:  # bands of the whole width
        columns = max(_band_bytes(image) // sample, 1)
        rows = max(columns * factor // width, 1)
    shape = (*last.shape[:-2], -(-height // factor), -(-width // factor))
    chunks = (*deep, min(rows, shape[-2]), min(columns, shape[-1]))
    return replace(last, path=path, shape=shape, chunks=chunks, factor=factor)


def _chunks(image: Image, level: Level) -> Shape:
    """Segments, as far as the level goes; but bands of rows where segments are strips of a few bytes, or giants."""
    *front, rows, columns = map(min, level.chunks, level.shape)
    band = max(_band_bytes(image) // (math.prod(front) * columns * level.dtype.itemsize), 1)
    access = access_of(level.spec, image.settings.memory * 3 // 4, block=GIANT_BYTES)
    if rows > band and access.kind in ("stream", "addressable"):
        rows = band
    elif not level.tiled and rows < band:
        rows = min(band // rows * rows, level.height)
    return (*front, rows, columns)


def _band_bytes(image: Image) -> int:
    return min(BAND_BYTES, image.settings.memory // 8)


def _fill(image: Image, dtype: np.dtype[Any]) -> Any:
    """Nodata, where a sample can be that."""
    nodata = image.nodata
    if nodata is None or dtype.kind not in "iuf" or (dtype.kind != "f" and not _holds(dtype, nodata)):
        nodata = 0
    with np.errstate(over="ignore"):
        return np.asarray(nodata).astype(dtype).item()


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Whether a sample of this type of integers can be this value."""
    bounds = np.iinfo(dtype)
    return bool(bounds.min <= value <= bounds.max) and value == int(value)


def _infos(image: Image, arrays: Sequence[Array], facts: About) -> list[LevelInfo]:
    """What metadata say of arrays: places from corner to corner, so that all levels cover the same."""
    axes = [image.axes.lower().index(name) for name in arrays[0].dimension_names]
    steps, origin, transform = [facts.scale[n] for n in axes], [facts.origin[n] for n in axes], facts.transform
    found: list[LevelInfo] = []
    before: list[float] = [1.0] * len(axes)
    for array in arrays:
        level = image.levels[array.level]
        ratios = [whole / size for whole, size in zip(image.shape, level.shape, strict=True)]
        ratios[-2:] = [ratio * array.factor for ratio in level.scale]
        now = [ratios[n] for n in axes]
        y, x = now[-2:]
        found.append(
            LevelInfo(
                path=array.path.rpartition("/")[2],
                shape=array.shape,
                dtype=array.dtype,
                dims=array.dimension_names,
                reducer=("mean" if array.kind == "pixels" else "max") if array.factor > 1 else "",
                derived_from=found[-1].path if found else None,
                factors=tuple(ratio / last for ratio, last in zip(now, before, strict=True)),
                scale=tuple(step * ratio for step, ratio in zip(steps, now, strict=True)),
                translation=tuple(
                    start + (ratio - 1) * step / 2 for start, step, ratio in zip(origin, steps, now, strict=True)
                ),
                transform=None if transform is None else (
                    transform[0] * x, transform[1] * y, transform[2], transform[3] * x, transform[4] * y, transform[5],
                ),
            )
        )  # fmt: skip
        before = now
    return found


def _masks(image: Image, masks: Sequence[Array], facts: About) -> Group:
    """The group of the masks."""
    attributes = group_attributes(
        _infos(image, masks, facts), name=f"{facts.title} mask", units=facts.units[-2:], crs=facts.crs
    )
    return Group(path="masks", attributes=attributes, arrays=tuple(masks))


def _extents(image: Image) -> dict[int, tuple[float, float]]:
    """Lowest and highest sample of channels, as far as GDAL has left them in the file."""
    bands = image.gdal_metadata.bands if image.gdal_metadata is not None else {}
    told = {number: band.statistics for number, band in bands.items()}
    return {n: (each["minimum"], each["maximum"]) for n, each in told.items() if {"minimum", "maximum"} <= set(each)}
