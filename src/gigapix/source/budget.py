"""An amount, of bytes or of requests, that reads under way share, whether they are threads or tasks.

Whoever wants to hold some waits until it is free, first come, first served, so that a large wish is not starved by
small ones. A wish for more than there is at all is granted when it is alone: the work could not be done otherwise, and
who plans it has refused it beforehand if it had to be.

A thread that runs an event loop never waits: what it waits for may be held by a task of that loop, which could not give
it back. A blocking read there takes what it needs, over the total.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from gigapix.source.signal import Signal, running_loop


class _Turn:
    """One wish: granted at once, or when `granted` is set."""

    __slots__ = ("given_up", "granted", "size")

    def __init__(self, size: int, granted: Signal | None) -> None:
        self.size: Final = size
        self.granted: Final = granted
        self.given_up = False


class Budget:
    """`total` to be held at once."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Hold an amount while the block runs."""
        turn = self._ask(wanted, blocking=True)
        try:
            if turn.granted is not None:
                turn.granted.wait()
            yield
        finally:
            self._release(turn)

    @asynccontextmanager
    async def hold_async(self, wanted: int) -> AsyncIterator[None]:
        """`hold` without blocking."""
        turn = self._ask(wanted, blocking=False)
        try:
            if turn.granted is not None:
                await turn.granted.wait_async()
            yield
        finally:
            self._release(turn)

    def _ask(self, wanted: int, blocking: bool) -> _Turn:
        size = min(wanted, self.total)
        with self._lock:
            if (not self._waiting and size <= self._free) or (blocking and running_loop() is not None):
                self._free -= size
                return _Turn(size, None)
            turn = _Turn(size, Signal())
            self._waiting.append(turn)
            return turn

    def _release(self, turn: _Turn) -> None:
        with self._lock:
            if turn.granted is None or turn.granted.is_set:
                self._free += turn.size
            else:
                turn.given_up = True
            while self._waiting and (self._waiting[0].given_up or self._waiting[0].size <= self._free):
                first = self._waiting.popleft()
                if not first.given_up and first.granted is not None:
                    self._free -= first.size
                    first.granted.set()  # under the lock: a turn is either granted or given up
