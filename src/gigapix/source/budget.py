"""A number of bytes that reads under way share, whether they are threads or tasks.

Whoever wants to hold bytes waits until they are free, first come, first served, so that a large wish is not starved by
small ones. A wish for more than there is at all is granted when it is alone: the work could not be done otherwise, and
who plans it has refused it beforehand if it had to be.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager


class ByteBudget:
    """`total` bytes to be held at once."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Future[None]]] = deque()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Hold bytes while the block runs."""
        size, turn = self._ask(wanted)
        try:
            turn.result()
            yield
        finally:
            self._release(size, turn)

    @asynccontextmanager
    async def hold_async(self, wanted: int) -> AsyncIterator[None]:
        """`hold` without blocking."""
        import asyncio

        size, turn = self._ask(wanted)
        try:
            if not turn.done():
                await asyncio.shield(asyncio.wrap_future(turn))
            yield
        finally:
            self._release(size, turn)

    def _ask(self, wanted: int) -> tuple[int, Future[None]]:
        size, turn = min(wanted, self.total), Future[None]()
        with self._lock:
            self._waiting.append((size, turn))
        self._grant()
        return size, turn

    def _grant(self) -> None:
        granted = []
        with self._lock:
            while self._waiting and self._waiting[0][0] <= self._free:
                size, turn = self._waiting.popleft()
                self._free -= size
                granted.append(turn)
        for turn in granted:
            turn.set_result(None)

    def _release(self, size: int, turn: Future[None]) -> None:
        with self._lock:
            entry = next((each for each in self._waiting if each[1] is turn), None)
            if entry is not None:
                self._waiting.remove(entry)  # gave up before its turn came
            else:
                self._free += size
        self._grant()
