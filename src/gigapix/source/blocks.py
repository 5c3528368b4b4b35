"""A small cache of aligned blocks for reading headers.

A header is many small reads close to each other (an entry here, eight bytes of a table there), at any offset of the
file. They are answered from aligned blocks, so that neighbours cost nothing; the blocks that one batch lacks are
fetched in runs, all runs together. Long reads pass by: they would only push the blocks out. Bounded in bytes, safe
under threads and tasks, and what several ask for at once is fetched once.

`Blocks` knows what is there and what is missing, and does no I/O; `HeaderCache` fetches.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from gigapix.formats.model import Buffer, Range
from gigapix.source.cache import Cache, SegmentCache
from gigapix.source.flight import SingleFlight
from gigapix.source.kept import Kept
from gigapix.source.segments import Segments
from gigapix.source.source import Source
from gigapix.source.together import side_by_side, together

PAGE_BYTES: Final = 4096

LONG_BYTES: Final = 65536
"""A range longer than this is read as it is."""


class Blocks:
    """Blocks of `size` bytes by number, `capacity` bytes of them. The last block of a file is shorter."""

    def __init__(self, size: int, capacity: int) -> None:
        self.size = size
        self._most = max(capacity // size, 4)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._blocks)

    def numbers(self, wanted: Range) -> range:
        """The blocks that a range lies in."""
        offset, length = wanted
        return range(offset // self.size, -(-(offset + length) // self.size)) if length > 0 else range(0)

    def take(self, ranges: Sequence[Range]) -> tuple[dict[int, bytes], list[Range]]:
        """The blocks of the ranges that are there, and runs of the others as byte ranges."""
        numbers = sorted({n for wanted in ranges for n in self.numbers(wanted)})
        have: dict[int, bytes] = {}
        runs: list[list[int]] = []
        with self._lock:
            for number in numbers:
                if number in self._blocks:
                    self._blocks.move_to_end(number)
                    have[number] = self._blocks[number]
                elif runs and runs[-1][1] == number:
                    runs[-1][1] += 1
                else:
                    runs.append([number, number + 1])
        return have, [(start * self.size, (stop - start) * self.size) for start, stop in runs]

    def put(self, run: Range, data: Buffer) -> dict[int, bytes]:
        """Keep the blocks of a run that was fetched, and return them; `data` is short where the file ends."""
        raw = bytes(data)
        fresh = {(run[0] + start) // self.size: raw[start : start + self.size] for start in range(0, run[1], self.size)}
        with self._lock:
            self._blocks.update(fresh)
            while len(self._blocks) > self._most:
                self._blocks.popitem(last=False)
        return fresh

    def answer(self, wanted: Range, have: Mapping[int, bytes]) -> Buffer:
        """The bytes of a range from its blocks."""
        numbers = self.numbers(wanted)
        first = wanted[0] - numbers.start * self.size
        return b"".join([have[number] for number in numbers])[first : first + wanted[1]]


class HeaderCache:
    """`fetch` answers ranges of a source from blocks, in one batch.

    cache: what is shared with other images; nothing where None.
    """

    def __init__(self, source: Source, cache: Cache | None = None) -> None:
        settings = source.settings
        self.source = source
        self.segments = Segments(source, SegmentCache(settings.segment_cache) if cache is None else cache.segments)
        # A page of a local file is as cheap as a block, and holds enough entries of a table.
        size = min(settings.header_block, PAGE_BYTES) if source.local else settings.header_block
        self.blocks = Blocks(size, settings.header_cache)
        self._first = -(-settings.header_bytes // size) * size
        self._flight: SingleFlight[Range, dict[int, bytes]] = SingleFlight()
        self._shared = cache
        self._siblings: dict[str, HeaderCache] = {}
        self._lock = threading.Lock()
        key = source.store.identity
        self._kept = Kept(cache.headers, key, source, self.blocks) if cache and cache.headers and key else None

    def beside(self, file: str) -> HeaderCache:
        """The headers of a file beside this one; of this one where `file` is empty."""
        if not file:
            return self
        with self._lock:
            if file not in self._siblings:
                self._siblings[file] = HeaderCache(self.source.sibling(file), self._shared)
            return self._siblings[file]

    def close(self) -> None:
        """Close the source, and those beside it."""
        self.source.close()
        for sibling in self._siblings.values():
            sibling.close()

    def fetch(self, ranges: Sequence[Range]) -> list[Buffer]:
        """One buffer a range, short where the file ends."""
        if self._kept:
            self._kept.recall()
        wanted = [self._clip(*r) for r in ranges]
        have, runs = self._plan(wanted)
        long = [r for r in wanted if r[1] > LONG_BYTES]

        def fill(run: Range) -> dict[int, bytes]:
            return self._flight.run(run, lambda: self.blocks.put(run, self.source.read(*run)))

        fresh: dict[int, bytes] = {}
        buffers: dict[Range, Buffer] = {}
        work = [lambda run=run: fresh.update(fill(run)) for run in runs]
        work += [lambda r=r: buffers.update({r: self.source.read(*r)}) for r in long]
        side_by_side(work, threads=not self.source.local)
        if self._kept and fresh:
            self._kept.remember(fresh)
        return self._answers(wanted, have | fresh, buffers)

    async def fetch_async(self, ranges: Sequence[Range]) -> list[Buffer]:
        """`fetch` without blocking."""
        if self._kept:
            await self._kept.recall_async()
        wanted = [self._clip(*r) for r in ranges]
        have, runs = self._plan(wanted)
        long = [r for r in wanted if r[1] > LONG_BYTES]

        async def fill(run: Range) -> dict[int, bytes]:
            async def work() -> dict[int, bytes]:
                return self.blocks.put(run, await self.source.read_async(*run))

            return await self._flight.run_async(run, work)

        async def read(wanted: Range) -> dict[int, bytes]:
            buffers[wanted] = await self.source.read_async(*wanted)
            return {}

        buffers: dict[Range, Buffer] = {}
        fresh: dict[int, bytes] = {}
        for found in await together([*map(fill, runs), *map(read, long)]):
            fresh |= found
        if self._kept and fresh:
            await self._kept.remember_async(fresh)
        return self._answers(wanted, have | fresh, buffers)

    def _plan(self, wanted: Sequence[Range]) -> tuple[dict[int, bytes], list[Range]]:
        short = [r for r in wanted if 0 < r[1] <= LONG_BYTES]
        have, runs = self.blocks.take(short)
        if runs and self.source.size is None and runs[0][0] == 0:
            runs[0] = (0, max(runs[0][1], self._first))  # the very first request may be longer than a block
        hits = sum(all(number in have for number in self.blocks.numbers(r)) for r in short)
        if hits:
            self.source.stats.hit(hits)
        return have, runs

    def _answers(
        self, wanted: Sequence[Range], have: Mapping[int, bytes], long: Mapping[Range, Buffer]
    ) -> list[Buffer]:
        return [long[r] if r in long else self.blocks.answer(r, have) for r in wanted]

    def _clip(self, offset: int, length: int) -> Range:
        if self.source.size is not None:
            length = min(length, self.source.size - offset)
        return max(offset, 0), max(length, 0) if offset >= 0 else 0
