"""The header of one object: ranges answered from aligned blocks, and those that are missing fetched, in one batch.

The blocks that a batch lacks are fetched in runs, all runs side by side. Long reads pass by: they would only push the
blocks out. Bounded in bytes, safe under threads and tasks, and what several ask for at once is fetched once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from gigapix.formats.model import Buffer, Range
from gigapix.source.blocks import Blocks
from gigapix.source.cache import Cache, SegmentCache
from gigapix.source.flight import SingleFlight
from gigapix.source.folder import Folder
from gigapix.source.kept import Kept
from gigapix.source.segments import Segments
from gigapix.source.source import Source
from gigapix.source.together import side_by_side, together

PAGE_BYTES: Final = 4096

LONG_BYTES: Final = 65536
"""A range longer than this is read as it is."""


MAX_BESIDE: Final = 64
"""Files beside this one that are held open: a set of thousands must not use up the descriptors of the process."""


class HeaderCache:
    """`fetch` answers ranges of a source from blocks, in one batch.

    cache: what is shared with other images; nothing where None.
    """

    def __init__(self, source: Source, cache: Cache | None = None) -> None:
        settings = source.settings
        self.source = source
        # Objects of a folder have no neighbours whose bytes would be worth having.
        self._long = -1 if isinstance(source.store, Folder) else LONG_BYTES
        self.segments = Segments(source, SegmentCache(settings.segment_cache) if cache is None else cache.segments)
        # A page of a local file is as cheap as a block, and holds enough entries of a table.
        size = min(settings.header_block, PAGE_BYTES) if source.local else settings.header_block
        self.blocks = Blocks(size, settings.header_cache)
        self._first = -(-settings.header_bytes // size) * size
        self._flight: SingleFlight[Range, dict[int, bytes]] = SingleFlight()
        self._long_flight: SingleFlight[Range, Buffer] = SingleFlight()
        self._shared = cache
        self._siblings: dict[str, HeaderCache] = {}
        self._lock = threading.Lock()
        key = source.store.identity
        kept = cache.headers if cache and key else None
        self._kept = Kept(kept, key, source, self.blocks, settings.header_cache) if kept and key else None

    def beside(self, file: str) -> HeaderCache:
        """The headers of a file beside this one; of this one where `file` is empty."""
        if not file:
            return self
        with self._lock:
            found = self._siblings.pop(file, None) or HeaderCache(self.source.sibling(file), self._shared)
            self._siblings[file] = found
            if len(self._siblings) > MAX_BESIDE:  # let go of, not closed: a thread may be reading it
                del self._siblings[next(iter(self._siblings))]
            return found

    def close(self) -> None:
        """Close the source, and those beside it."""
        self.source.close()
        for sibling in self._siblings.values():
            sibling.close()

    def fetch(self, ranges: Sequence[Range]) -> list[Buffer]:
        """One buffer a range, short where the file ends."""
        if self._kept:
            self._kept.recall()
        wanted, have, runs, long = self._plan(ranges)
        if not runs and not long:
            return self._answers(wanted, have, {})

        def fill(run: Range) -> dict[int, bytes]:
            return self._flight.run(run, lambda: self.blocks.put(run, self.source.read(*run)))

        fresh: dict[int, bytes] = {}
        buffers: dict[Range, Buffer] = {}
        work = [lambda run=run: fresh.update(fill(run)) for run in runs]
        work += [lambda r=r: buffers.update({r: self._read(r)}) for r in long]
        side_by_side(work, threads=not self.source.local)
        if self._kept and fresh:
            self._kept.remember(fresh)
        return self._answers(wanted, have | fresh, buffers)

    async def fetch_async(self, ranges: Sequence[Range]) -> list[Buffer]:
        """`fetch` without blocking."""
        if self._kept:
            await self._kept.recall_async()
        wanted, have, runs, long = self._plan(ranges)
        if not runs and not long:
            return self._answers(wanted, have, {})

        async def fill(run: Range) -> dict[int, bytes]:
            async def work() -> dict[int, bytes]:
                return self.blocks.put(run, await self.source.read_async(*run))

            return await self._flight.run_async(run, work)

        async def read(wanted: Range) -> dict[int, bytes]:
            buffers[wanted] = await self._long_flight.run_async(wanted, lambda: self.source.read_async(*wanted))
            return {}

        buffers: dict[Range, Buffer] = {}
        fresh: dict[int, bytes] = {}
        for found in await together([*map(fill, runs), *map(read, long)]):
            fresh |= found
        if self._kept and fresh:
            await self._kept.remember_async(fresh)
        return self._answers(wanted, have | fresh, buffers)

    def _read(self, wanted: Range) -> Buffer:
        return self._long_flight.run(wanted, lambda: self.source.read(*wanted))

    def _plan(self, ranges: Sequence[Range]) -> tuple[list[Range], dict[int, bytes], list[Range], list[Range]]:
        """The ranges as far as the file goes, their blocks that are there, runs of those that aren't, long ranges."""
        wanted = [self._clip(*r) for r in ranges]
        short = [r for r in wanted if 0 < r[1] <= self._long]
        have, runs = self.blocks.take(short)
        if runs and self.source.size is None and runs[0][0] == 0:
            runs[0] = (0, max(runs[0][1], self._first))  # the very first request may be longer than a block
        hits = sum(all(number in have for number in self.blocks.numbers(r)) for r in short)
        if hits:
            self.source.stats.hit(hits)
        return wanted, have, runs, [r for r in wanted if r[1] > max(self._long, 0)]

    def _answers(
        self, wanted: Sequence[Range], have: Mapping[int, bytes], long: Mapping[Range, Buffer]
    ) -> list[Buffer]:
        return [long[r] if r in long else self.blocks.answer(r, have) for r in wanted]

    def _clip(self, offset: int, length: int) -> Range:
        if self.source.size is not None:
            length = min(length, self.source.size - offset)
        return max(offset, 0), max(length, 0) if offset >= 0 else 0
