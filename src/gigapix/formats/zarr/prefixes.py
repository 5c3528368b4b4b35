"""Levels that lie in the chunks of level 0: each of their chunks is the first bytes of one of those (HTJ2K).

`gigapix.pyramid(..., levels_from_codec=True)` writes one array, and a table of what lies where: uint32, not compressed,
one row a chunk in C order of their grid: where the chunk begins in its object, and how many of its bytes each level
takes, from level 0 on; zeros where it is not there. The attribute ``gigapix`` (``levels_from_codec``) names the
array, the number of coarser levels and the table. The coarser arrays are in no document: they follow from level 0.

So a chunk costs one request of just the bytes that it takes, and no index of a shard is read. A row that lies ends in
an error: the decoder wants a prefix that ends where its resolution does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.model import HTJ2K, SPAN, Range, Steps
from gigapix.formats.zarr.array import ArrayInfo, Prefixes
from gigapix.formats.zarr.layouts import Series
from gigapix.formats.zarr.tree import Node, is_path, joined, mapping

MOST_LEVELS: Final = 30
ITEM: Final = 4

GAP: Final = 4096
"""Bytes of the table that are read over."""

Run = tuple[int, int, int, int]
"""Rows of the table of one object: the first, how many, the object, their place in it."""


def with_codec_levels(series: Series, arrays: Sequence[ArrayInfo]) -> tuple[Series, list[ArrayInfo]]:
    """An image with the levels that lie in its only array's chunks, where its group says that there are such.

    Raises FormatError where that can't be.
    """
    told = mapping(mapping(series.group.attributes.get("gigapix")).get("levels_from_codec")) if series.group else {}
    if not told or series.group is None:
        return series, list(arrays)
    if [array.node.path for array in arrays] != [joined(series.group.path, str(told.get("array")))]:
        return series, list(arrays)
    levels, table = _checked(told, series.group, arrays[0])
    rows = len(arrays[0].shape)
    key = joined(series.group.path, f"{table}/c/{'/'.join('0' * (rows + 1))}")
    found = [_level(arrays[0], Prefixes(key=key, level=level, levels=levels)) for level in range(levels + 1)]
    scale = next(iter(series.scales), None) or (1.0,) * rows
    scales = tuple((*scale[:-2], scale[-2] * 2.0**k, scale[-1] * 2.0**k) for k in range(levels + 1))
    return replace(series, scales=scales, transforms=series.transforms[:1]), found


def _checked(told: Mapping[str, Any], group: Node, array: ArrayInfo) -> tuple[int, str]:
    """The number of levels, and the table's path."""
    levels, table = told.get("levels"), told.get("table")
    sides = array.chunks[-2:]
    if (
        type(levels) is not int
        or not 0 < levels <= MOST_LEVELS
        or not is_path(table)
        or array.chain.image != HTJ2K
        or len(sides) < 2
        or any(side % (1 << levels) for side in sides)
    ):
        raise FormatError(f"{group.document}: {dict(told)!s:.100} does not fit chunks of {array.chunks}")
    if (
        count := math.prod(outer // inner for outer, inner in zip(array.outer, array.chunks, strict=True))
    ) > limits.MAX_SHARD_CHUNKS:
        raise LimitError(f"{array.node.document}: shards of {count} chunks")
    return levels, str(table)


def _level(array: ArrayInfo, prefixes: Prefixes) -> ArrayInfo:
    """Level 0, or one that lies in its chunks."""
    k = prefixes.level

    def halved(sizes: tuple[int, ...]) -> tuple[int, ...]:
        return *sizes[:-2], *(-(-size >> k) for size in sizes[-2:])

    stored = np.dtype(array.dtype)
    name = mapping(array.attributes.get("gigapix")).get("dtype", stored.name)
    told = np.dtype(name) if name in ("int8", "uint8", "int16", "uint16", "int32") else None
    if told is None or not np.iinfo(told).min <= array.fill.real <= np.iinfo(told).max:
        raise FormatError(f"{array.node.document}: samples of type {name!r:.60} in an array of {stored}")
    return replace(
        array,
        shape=halved(array.shape),
        chunks=halved(array.chunks),
        outer=halved(array.outer),
        dtype=told,
        chain=replace(array.chain, options=dict(array.chain.options or {}) | {"skipres": k}),
        prefixes=prefixes,
    )


@dataclass(frozen=True, kw_only=True)
class PrefixIndex:
    """What `shards.Shards` is to shards: where the chunks of an object are, from the table."""

    array: ArrayInfo
    base: int
    """The number of the array's first object."""
    table: int
    """The number of the table's."""

    def indexes(self, objects: Collection[int]) -> Steps[dict[int, NDArray[Any] | None]]:
        """For each object, rows of offset and length, one a chunk in C order."""
        assert self.array.prefixes is not None  # noqa: S101  # for mypy
        columns, level = 2 + self.array.prefixes.levels, self.array.prefixes.level
        counts = tuple(outer // inner for outer, inner in zip(self.array.outer, self.array.chunks, strict=True))
        grid = tuple(-(-size // side) for size, side in zip(self.array.shape, self.array.chunks, strict=True))
        runs = sorted(
            (row, count, each, at) for each in objects for row, count, at in _runs(each, self.array.grid, grid, counts)
        )
        spans = list(_spans(runs, GAP // (columns * ITEM)))
        answers = yield [
            (self.table * SPAN + first * columns * ITEM, (end - first) * columns * ITEM) for first, end, _ in spans
        ]
        found: dict[int, NDArray[Any] | None] = {each: np.zeros((math.prod(counts), 2), np.int64) for each in objects}
        for (first, end, inside), data in zip(spans, answers, strict=True):
            if len(data) != (end - first) * columns * ITEM:
                raise TruncatedError(f"{self.array.prefixes.key}: the table ends before the chunks do")
            rows = np.frombuffer(bytes(data), "<u4").reshape(-1, columns)[:, [0, 1 + level]]
            for row, count, each, at in inside:
                found[each][at : at + count] = rows[row - first : row - first + count]  # type: ignore[index]
        return found

    def range(self, index: NDArray[Any] | None, number: int, chunk: int, most: int) -> Range | None:
        """Where a chunk is, None where it is not stored. `most` bytes can be those of a chunk."""
        assert index is not None  # noqa: S101  # for mypy: objects that are not there have zeros
        offset, length = map(int, index[chunk])
        if not length:
            return None
        if length > most:
            raise FormatError(f"{self.array.name_of(number)}: {length} bytes for a chunk of {self.array.chunks}")
        return (self.base + number) * SPAN + offset, length


def _spans(runs: Sequence[Run], gap: int) -> Iterator[tuple[int, int, list[Run]]]:
    """Runs that lie at most so many rows apart, together: (first row, end, runs)."""
    inside: list[Run] = []
    end = 0
    for run in runs:
        if inside and run[0] - end > gap:
            yield inside[0][0], end, inside
            inside = []
        inside.append(run)
        end = run[0] + run[1]
    if inside:
        yield inside[0][0], end, inside


def _runs(
    number: int, objects: tuple[int, ...], grid: tuple[int, ...], counts: tuple[int, ...]
) -> Sequence[tuple[int, int, int]]:
    """The chunks of an object as runs along the last axis: (row of the table, how many, place in the object)."""
    first = [int(n) * count for n, count in zip(np.unravel_index(number, objects), counts, strict=True)]
    ends = [min(count, size - at) for count, size, at in zip(counts, grid, first, strict=True)]
    found = []
    for place in np.ndindex(*ends[:-1]):
        row = at = 0
        for n, (start, size, count) in enumerate(zip(first, grid, counts, strict=True)):
            inside = place[n] if n < len(place) else 0
            row, at = row * size + start + inside, at * count + inside
        found.append((row, ends[-1], at))
    return found
