"""Work that several want at once is done once, whether they are threads or tasks.

The first to ask for a key does the work; the others wait for its answer. Where it fails, they fail with it; where it is
cancelled, the next one takes over, since nobody else's wish was withdrawn.

Nobody waits for one who may need him in order to go on: a task waits for tasks of its own loop and for threads, a
thread for threads alone. (A blocking call in a loop's own thread would wait for ever for a task of that loop.)
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from gigapix.source.signal import Signal

K = TypeVar("K")
V = TypeVar("V")


class _Work(Generic[V]):
    """Work under way, and what came of it: an answer or an error; neither where it was given up."""

    __slots__ = ("answers", "done", "error")

    def __init__(self) -> None:
        self.done = Signal()
        self.answers: list[V] = []
        self.error: Exception | None = None


class SingleFlight(Generic[K, V]):
    """Keys under way.

    share: makes those who waited an answer of their own from the first one's; they get the very same object where None.
    """

    def __init__(self, share: Callable[[V], V] | None = None) -> None:
        self._share = share
        self._lock = threading.Lock()
        self._under_way: dict[tuple[Any, K], _Work[V]] = {}

    def run(self, key: K, work: Callable[[], V]) -> V:
        """The answer of `work`, or of the thread that is doing it."""
        while True:
            mine, found = self._enter(None, key)
            if not mine:
                found.done.wait()
                if self._ended(found):
                    return self._shared(found)
                continue
            try:
                answer = work()
            except BaseException as error:
                self._leave(None, key, error)
                raise
            found.answers.append(answer)
            self._leave(None, key)
            return answer

    async def run_async(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """`run` without blocking."""
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            mine, found = self._enter(loop, key)
            if not mine:
                await found.done.wait_async()
                if self._ended(found):
                    return self._shared(found)
                continue
            try:
                answer = await work()
            except BaseException as error:
                self._leave(loop, key, error)
                raise
            found.answers.append(answer)
            self._leave(loop, key)
            return answer

    def _ended(self, work: _Work[V]) -> bool:
        """Whether there is an answer; False where who worked was cancelled. Raises the error of work that failed."""
        if work.error is not None:
            raise work.error
        return bool(work.answers)

    def _shared(self, work: _Work[V]) -> V:
        return work.answers[0] if self._share is None else self._share(work.answers[0])

    def _enter(self, loop: Any, key: K) -> tuple[bool, _Work[V]]:
        """Whether the caller is the first and must do the work, and the work."""
        with self._lock:
            for who in (None, loop):
                if (found := self._under_way.get((who, key))) is not None:
                    return False, found
            found = self._under_way[loop, key] = _Work()
            return True, found

    def _leave(self, loop: Any, key: K, error: BaseException | None = None) -> None:
        with self._lock:
            work = self._under_way.pop((loop, key))
        if isinstance(error, Exception):
            work.error = error
        work.done.set()
