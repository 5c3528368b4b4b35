"""The segments of one object: fetched once for all who ask at the same time, and kept where that is wanted.

Ranges that lie close together are fetched as one (`merge`), but kept one by one and as copies, so that a segment which
stays does not hold on to its neighbours.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from gigapix.formats.model import Buffer, Range
from gigapix.source.cache import SegmentCache
from gigapix.source.flight import SingleFlight
from gigapix.source.source import Source


class Segments:
    """Reads ranges of a source through a cache, or with a cache of capacity 0, past it."""

    def __init__(self, source: Source, cache: SegmentCache) -> None:
        self._source = source
        # What a local file keeps is kept by the system already.
        self._cache = cache if cache.capacity > 0 and not source.local else None
        self._flight: SingleFlight[Range, Buffer] = SingleFlight()

    def find(self, wanted: Range) -> Buffer | None:
        """The bytes of a range that is kept, None where it is not."""
        if self._cache is None:
            return None
        found = self._cache.get(self._key(wanted))
        if found is not None:
            self._source.stats.hit()
        return found

    def read(self, whole: Range, parts: Sequence[Range]) -> Buffer:
        """The bytes of a range, of which `parts` are then kept. Fewer where the object ends."""
        if self._source.local:
            return self._source.read(*whole)
        return self._flight.run(whole, lambda: self._keep(self._source.read(*whole), whole, parts))

    async def read_async(self, whole: Range, parts: Sequence[Range]) -> Buffer:
        """`read` without blocking."""
        if self._source.local:
            return await self._source.read_async(*whole)

        async def fetch() -> Buffer:
            return self._keep(await self._source.read_async(*whole), whole, parts)

        return await self._flight.run_async(whole, fetch)

    def _keep(self, data: Buffer, whole: Range, parts: Sequence[Range]) -> Buffer:
        if self._cache is not None:
            view = memoryview(data)
            for offset, length in parts:
                start = offset - whole[0]
                # Of an object whose length nobody knows, what there is of it is the segment.
                if len(view) >= start + length or (view and parts == [whole]):
                    part = data if length == len(view) else bytes(view[start : start + length])
                    self._cache.put(self._key((offset, length)), part)
        return data

    def _key(self, wanted: Range) -> Hashable:
        """One version of an object where that is known; else this very source."""
        identity = self._source.store.identity
        known = identity is not None and self._source.etag is not None
        return (identity, self._source.etag, wanted) if known else (self._source, wanted)
