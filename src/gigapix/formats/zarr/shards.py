"""Indexes of shards: where in a shard each of its chunks is (Zarr v3, "sharding_indexed", binary shard format).

An index is read when a chunk of its shard is first wanted, checked, and kept for as long as there is room.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.errors import FormatError, LimitError
from gigapix.formats.model import SPAN, Buffer, Range, Steps
from gigapix.formats.zarr.array import ArrayInfo
from gigapix.kernels.crc32c import crc32c

ENTRY: Final = 16
CHECKSUM: Final = 4

KEPT_BYTES: Final = 16 << 20
"""Of an array's indexes that are kept."""

MISSING: Final = (1 << 64) - 1


class Shards:
    """The shards of one array. Safe under threads and tasks: what two ask for at once is read twice."""

    def __init__(self, array: ArrayInfo, base: int) -> None:
        assert array.chain.index is not None  # noqa: S101  # for mypy
        self._array, self._base, self._index = array, base, array.chain.index
        self._chunks = math.prod(outer // inner for outer, inner in zip(array.outer, array.chunks, strict=True))
        if self._chunks > limits.MAX_SHARD_CHUNKS:
            raise LimitError(f"{array.node.document}: shards of {self._chunks} chunks")
        self._bytes = self._chunks * ENTRY + CHECKSUM * self._index.checked
        self._kept: OrderedDict[int, NDArray[Any] | None] = OrderedDict()
        self._lock = threading.Lock()

    def indexes(self, shards: Collection[int]) -> Steps[dict[int, NDArray[Any] | None]]:
        """The index of each shard, as rows of offset and length; None where there is no shard."""
        found: dict[int, NDArray[Any] | None] = {}
        with self._lock:
            for shard in shards:
                if shard in self._kept:
                    self._kept.move_to_end(shard)
                    found[shard] = self._kept[shard]
        missing = [shard for shard in dict.fromkeys(shards) if shard not in found]
        if missing:
            answers = yield [self._range(shard) for shard in missing]
            fresh = {shard: self._parsed(data, shard) for shard, data in zip(missing, answers, strict=True)}
            found |= fresh
            with self._lock:
                self._kept |= fresh
                while len(self._kept) > max(KEPT_BYTES // self._bytes, 1):
                    self._kept.popitem(last=False)
        return found

    def range(self, index: NDArray[Any] | None, shard: int, chunk: int, most: int) -> Range | None:
        """Where a chunk is, None where it is not stored. `most` bytes can be those of a chunk."""
        if index is None:
            return None
        offset, length = int(index[chunk, 0]), int(index[chunk, 1])
        if offset == length == MISSING:
            return None
        if not 0 < length <= most or offset + length > SPAN // 2:
            name = self._array.name_of(shard)
            raise FormatError(f"{name}: its index has chunk {chunk} take {length} bytes at {offset}")
        return (self._base + shard) * SPAN + offset, length

    def _range(self, shard: int) -> Range:
        at = self._base + shard
        return ((at + 1) * SPAN - self._bytes if self._index.at_end else at * SPAN), self._bytes

    def _parsed(self, data: Buffer, shard: int) -> NDArray[Any] | None:
        if not len(data):
            return None
        view = memoryview(data)
        entries = view[: self._chunks * ENTRY]
        if len(view) != self._bytes:
            raise FormatError(f"{self._array.name_of(shard)}: too short for the index of {self._chunks} chunks")
        if self._index.checked and crc32c(entries) != int.from_bytes(view[len(entries) :], "little"):
            raise FormatError(f"{self._array.name_of(shard)}: the checksum of its index is another")
        return np.frombuffer(bytes(entries), "<u8").reshape(-1, 2)
