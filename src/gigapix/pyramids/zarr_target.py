"""Chunks, shards and metadata of a Zarr group, written without zarr-python.

A shard is an object. It is put as a whole, once, when all of its chunks are there (Zarr v3, "sharding_indexed" codec:
the chunks one after the other, then their offsets and lengths, then the CRC-32C of those). Chunks that hold nothing but
the fill value are not stored.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.codecs import Codec
from gigapix.pyramids.folders import Folder, Piece
from gigapix.pyramids.htj2k import places_of
from gigapix.pyramids.outputs import Output
from gigapix.pyramids.parts import Parts
from gigapix.pyramids.spool import Spool, Spooled
from gigapix.pyramids.tree import Box, Shape

MISSING: Final = (1 << 64) - 1

HELD_BYTES: Final = 4 << 20
"""Chunks of shards that are not complete, in memory; where the target is on disk, more lie beside it."""

Written = list[tuple[str, int, list[int]]]
"""Names of objects and their sizes; of codecs with resolutions, what lies where in them (`pyramids.htj2k`)."""


@dataclass(kw_only=True)
class _Shard:
    left: int
    spool: Spool
    chunks: dict[Shape, bytes | Spooled | None] = field(default_factory=dict)
    """By place in the shard, as far as they are there; None where one is not stored."""


class ShardWriter:
    """Takes boxes of arrays in any order, from any thread, each sample once, and puts each shard when it is complete.
    A chunk that is complete is held compressed, in memory or on disk.

    wanted: where shards are there already, tells by level and box whether one is to be put again.
    """

    def __init__(
        self, folder: Folder, outputs: Sequence[Output], codec: Codec, zarr_format: int,
        wanted: Callable[[int, Box], bool] | None = None,
    ) -> None:  # fmt: skip
        self._wanted = wanted or (lambda level, box: True)
        self._again = wanted is not None
        self._folder, self._codec, self._encode, self._zarr_format = folder, codec, codec.encoder(), zarr_format
        self._outputs = {(output.level, output.reducer): output for output in outputs}
        self._shards: dict[tuple[str, Shape], _Shard] = {}
        self._parts = Parts()
        self._drafts = folder.drafts
        self._held = 0
        self._lock = threading.Lock()

    def write(self, level: int, reducer: int, box: Box, values: NDArray[Any]) -> Written:
        """Write a box. Returns the objects that this completed."""
        output = self._outputs[level, reducer]
        written: Written = []
        touched = (
            range(part.start // size, (part.stop - 1) // size + 1)
            for part, size in zip(box, output.chunks, strict=True)
        )
        for chunk in product(*touched):
            whole = self._parts.completed((output.path, chunk), output.chunk(chunk), box, values)
            if whole is not None:
                written += self._store(output, chunk, self._chunk(whole, output))
        return written

    def _store(self, output: Output, chunk: Shape, data: bytes | None) -> Written:
        """Put a chunk in its shard, and the shard where that was its last."""
        counts = output.counts
        number = tuple(n // count for n, count in zip(chunk, counts, strict=True))
        place = tuple(n % count for n, count in zip(chunk, counts, strict=True))
        with self._lock:
            shard = self._shards.get((output.path, number))
            if shard is None:
                ends = (-(-size // side) for size, side in zip(output.shape, output.chunks, strict=True))
                there = (min(end - n * c, c) for end, n, c in zip(ends, number, counts, strict=True))
                shard = self._shards[output.path, number] = _Shard(left=math.prod(there), spool=Spool(self._drafts))
            limit = HELD_BYTES if output.level else 3 * HELD_BYTES  # of level 0 a shard is soon complete
            size = len(data) if data is not None and shard.left > 1 else 0
            spooled = size > 0 and self._drafts is not None and self._held + size > limit
            if data is not None and not spooled:
                self._held += len(data)
        kept = shard.spool.write(data) if data is not None and spooled else data
        with self._lock:
            shard.chunks[place] = kept
            shard.left -= 1
            if shard.left:
                return []
            del self._shards[output.path, number]
            self._held -= sum(len(each) for each in shard.chunks.values() if isinstance(each, bytes))
        chunks = shard.spool.read(shard.chunks)
        if not self._wanted(output.level, output.box(number)):
            return []
        pieces = ([data] if data is not None else []) if math.prod(counts) == 1 else _shard(chunks, counts)
        key = "/".join([output.path, *(["c"] if self._zarr_format == 3 else []), *map(str, number)])
        if not pieces:
            if self._again:
                self._folder.delete(key)
            return []
        self._folder.put(key, pieces)
        resolutions = self._codec.resolutions
        places = places_of(chunks, counts, resolutions) if resolutions else []
        return [(key, sum(map(len, pieces)), places)]

    def _chunk(self, values: NDArray[Any], output: Output) -> bytes | None:
        """A chunk, filled up where the array ends; None where there is nothing in it."""
        fill = np.asarray(output.fill, values.dtype)
        first = values[(0,) * values.ndim]
        if (first == fill or (first != first and fill != fill)) and _is_filled(values, fill):
            return None
        if values.shape != output.chunks and self._codec.resolutions:
            # What lies beyond the edge is in coarser samples, so it is like what lies within.
            beyond = [(0, chunk - size) for chunk, size in zip(output.chunks, values.shape, strict=True)]
            values = np.pad(values, beyond, "edge")
        elif values.shape != output.chunks:
            whole = np.full(output.chunks, fill, values.dtype)
            whole[tuple(slice(0, size) for size in values.shape)] = values
            values = whole
        stored = self._codec.stored(values.dtype)
        return self._encode(np.ascontiguousarray(values, stored.newbyteorder("<")))


def _shard(chunks: Mapping[Shape, Piece | None], counts: Shape) -> list[Piece]:
    """A shard: its chunks in C order, and their index. Empty where there is nothing in it."""
    index = np.full((*counts, 2), MISSING, "<u8")
    parts: list[Piece] = []
    end = 0
    for place in sorted(chunks):
        data = chunks[place]
        if data is not None:
            index[place] = end, len(data)
            parts.append(data)
            end += len(data)
    table = index.tobytes()
    return [*parts, table, crc32c(table).to_bytes(4, "little")] if parts else []


def _is_filled(values: NDArray[Any], fill: NDArray[Any]) -> bool:
    return bool(np.isnan(values).all() if fill != fill else (values == fill).all())


def crc32c(data: bytes) -> int:
    """RFC 3720's CRC with Castagnoli's polynomial. Of indexes of shards, which are short."""
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _crc_table() -> Sequence[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return tuple(table)
