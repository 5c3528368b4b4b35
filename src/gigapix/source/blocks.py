"""Aligned blocks of a file: which of them are there, and which must be fetched to answer a range. No I/O.

A header is many small reads close to each other (an entry here, eight bytes of a table there), at any offset of the
file. They are answered from aligned blocks, so that neighbours cost nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from gigapix.formats.model import Buffer, Range


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
        self.add(fresh)
        return fresh

    def add(self, fresh: Mapping[int, bytes]) -> None:
        """Keep blocks by number."""
        with self._lock:
            self._blocks.update(fresh)
            while len(self._blocks) > self._most:
                self._blocks.popitem(last=False)

    def answer(self, wanted: Range, have: Mapping[int, bytes]) -> Buffer:
        """The bytes of a range from its blocks."""
        numbers = self.numbers(wanted)
        first = wanted[0] - numbers.start * self.size
        return b"".join([have[number] for number in numbers])[first : first + wanted[1]]
