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
from typing import Final


class _Turn:
    """One wish: granted at once, or when `granted` is set."""

    __slots__ = ("given_up", "granted", "size")

    def __init__(self, size: int, granted: Future[None] | None) -> None:
        self.size: Final = size
        self.granted: Final = granted
        self.given_up = False


class ByteBudget:
    """`total` bytes to be held at once."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Hold bytes while the block runs."""
        turn = self._ask(wanted)
        try:
            if turn.granted is not None:
                turn.granted.result()
            yield
        finally:
            self._release(turn)

    @asynccontextmanager
    async def hold_async(self, wanted: int) -> AsyncIterator[None]:
        """`hold` without blocking."""
        turn = self._ask(wanted)
        try:
            if turn.granted is not None and not turn.granted.done():
                import asyncio

                await asyncio.shield(asyncio.wrap_future(turn.granted))
            yield
        finally:
            self._release(turn)

    def _ask(self, wanted: int) -> _Turn:
        size = min(wanted, self.total)
        with self._lock:
            if not self._waiting and size <= self._free:
                self._free -= size
                return _Turn(size, None)
            turn = _Turn(size, Future())
            self._waiting.append(turn)
            return turn

    def _release(self, turn: _Turn) -> None:
        with self._lock:
            if turn.granted is None or turn.granted.done():
                self._free += turn.size
            else:
                turn.given_up = True
            while self._waiting and (self._waiting[0].given_up or self._waiting[0].size <= self._free):
                first = self._waiting.popleft()
                if not first.given_up and first.granted is not None:
                    self._free -= first.size
                    first.granted.set_result(None)  # under the lock: a turn is either granted or given up
