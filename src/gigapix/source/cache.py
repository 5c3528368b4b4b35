"""What images may share: compressed segments and headers, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from gigapix.formats.model import Buffer
from gigapix.source.headers import HeaderStore, MemoryHeaders
from gigapix.source.settings import bytes_of

SEGMENTS: Final = 64 << 20
HEADERS: Final = 16 << 20


class Cache:
    """Give it to several `gigapix.open`, and what one of them has read is there for all. Safe under threads and tasks.

    segments: bytes of compressed segments that are kept, ``"64MB"`` or a number; those used longest ago make room.
    headers: bytes of headers that are kept in memory, or a `HeaderStore` that keeps them elsewhere.

    An object is known by its URL and its ETag. One that has no ETag, or lies in a store that has no name (a store in
    memory, one that you wrote), is not shared.
    """

    def __init__(self, *, segments: int | str = SEGMENTS, headers: int | str | HeaderStore = HEADERS) -> None:
        self.segments = SegmentCache(bytes_of(segments))
        kept = MemoryHeaders(bytes_of(headers)) if isinstance(headers, (int, str)) else headers
        self.headers: HeaderStore | None = kept


class SegmentCache:
    """Buffers by key, `capacity` bytes of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.nbytes = 0
        self._kept: OrderedDict[Hashable, Buffer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Buffer | None:
        """What is kept under a key, None where nothing is."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: Hashable, data: Buffer) -> None:
        """Keep a buffer, unless it is larger than the whole cache. It must not be a part of a larger one."""
        if len(data) > self.capacity:
            return
        with self._lock:
            replaced = self._kept.pop(key, b"")
            self._kept[key] = data
            self.nbytes += len(data) - len(replaced)
            while self.nbytes > self.capacity:
                self.nbytes -= len(self._kept.popitem(last=False)[1])
