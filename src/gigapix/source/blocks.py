"""A small cache of aligned blocks for reading headers.

A header is many small reads close to each other (an entry here, eight bytes of a table there), at any offset of the
file. They are answered from aligned blocks, so that neighbours cost nothing; the blocks that one batch lacks are fetched
in runs, all runs together. Long reads pass by: they would only push the blocks out. Bounded in bytes, safe under threads
and tasks, and what several ask for at once is fetched once.

`Blocks` knows what is there and what is missing, and does no I/O; `HeaderCache` fetches.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from gigapix.formats.model import Buffer, Range
from gigapix.source.flight import SingleFlight
from gigapix.source.source import Source
from gigapix.source.together import together

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
        fresh = {
            (run[0] + start) // self.size: raw[start : start + self.size] for start in range(0, run[1], self.size)
        }
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
    """`fetch` answers ranges of a source from blocks, in one batch."""

    def __init__(self, source: Source) -> None:
        self.source = source
        # A page of a local file is as cheap as a block, and holds enough entries of a table.
        size = min(source.settings.header_block, PAGE_BYTES) if source.local else source.settings.header_block
        self.blocks = Blocks(size, source.settings.header_cache)
        self._first = -(-source.settings.header_bytes // self.blocks.size) * self.blocks.size
        self._flight: SingleFlight[Range, dict[int, bytes]] = SingleFlight()
        self._siblings: dict[str, HeaderCache] = {}
        self._lock = threading.Lock()

    def beside(self, file: str) -> HeaderCache:
        """The headers of a file beside this one; of this one where `file` is empty."""
        if not file:
            return self
        with self._lock:
            if file not in self._siblings:
                self._siblings[file] = HeaderCache(self.source.sibling(file))
            return self._siblings[file]

    def close(self) -> None:
        """Close the source, and those beside it."""
        self.source.close()
        for sibling in self._siblings.values():
            sibling.close()

    def fetch(self, ranges: Sequence[Range]) -> list[Buffer]:
        """One buffer a range, short where the file ends."""
        wanted = [self._clip(*r) for r in ranges]
        have, runs = self._plan(wanted)
        for run in runs:
            have |= self._flight.run(run, lambda run=run: self.blocks.put(run, self.source.read(*run)))  # type: ignore[misc]
        return [self.blocks.answer(r, have) if r[1] <= LONG_BYTES else self.source.read(*r) for r in wanted]

    async def fetch_async(self, ranges: Sequence[Range]) -> list[Buffer]:
        """`fetch` without blocking; what a batch lacks is fetched side by side."""
        wanted = [self._clip(*r) for r in ranges]
        have, runs = self._plan(wanted)

        async def fill(run: Range) -> dict[int, bytes]:
            async def work() -> dict[int, bytes]:
                return self.blocks.put(run, await self.source.read_async(*run))

            return await self._flight.run_async(run, work)

        long = [r for r in wanted if r[1] > LONG_BYTES]
        for fresh in await together([fill(run) for run in runs]):
            have |= fresh
        buffers = dict(zip(long, await together([self.source.read_async(*r) for r in long]), strict=True))
        return [self.blocks.answer(r, have) if r[1] <= LONG_BYTES else buffers[r] for r in wanted]

    def _plan(self, wanted: Sequence[Range]) -> tuple[dict[int, bytes], list[Range]]:
        short = [r for r in wanted if 0 < r[1] <= LONG_BYTES]
        have, runs = self.blocks.take(short)
        if runs and self.source.size is None and runs[0][0] == 0:
            runs[0] = (0, max(runs[0][1], self._first))  # the very first request may be longer than a block
        hits = sum(all(number in have for number in self.blocks.numbers(r)) for r in short)
        if hits:
            self.source.stats.hit(hits)
        return have, runs

    def _clip(self, offset: int, length: int) -> Range:
        if self.source.size is not None:
            length = min(length, self.source.size - offset)
        return max(offset, 0), max(length, 0) if offset >= 0 else 0
