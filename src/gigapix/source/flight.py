"""Work that several want at once is done once, whether they are threads or tasks.

The first to ask for a key does the work; the others wait for its answer. Where it fails, they fail with it; where it is
cancelled, the next one takes over, since nobody else's wish was withdrawn.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Keys under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[K, Future[V]] = {}

    def _enter(self, key: K) -> tuple[bool, Future[V]]:
        with self._lock:
            future = self._under_way.get(key)
            if future is not None:
                return False, future
            future = self._under_way[key] = Future()
            return True, future

    def _leave(self, key: K) -> None:
        with self._lock:
            del self._under_way[key]

    def run(self, key: K, work: Callable[[], V]) -> V:
        """The answer of `work`, or of the one who is doing it."""
        while True:
            first, future = self._enter(key)
            if not first:
                try:
                    return future.result()
                except CancelledError:
                    continue
            try:
                answer = work()
            except BaseException as error:
                self._leave(key)
                _fail(future, error)
                raise
            self._leave(key)
            future.set_result(answer)
            return answer

    async def run_async(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """`run` without blocking."""
        import asyncio

        while True:
            first, future = self._enter(key)
            if not first:
                try:
                    # Shielded: a waiter that is cancelled must not cancel the one who works.
                    return await asyncio.shield(asyncio.wrap_future(future))
                except asyncio.CancelledError:
                    if not future.cancelled():
                        raise
                    continue
            try:
                answer = await work()
            except BaseException as error:
                self._leave(key)
                _fail(future, error)
                raise
            self._leave(key)
            future.set_result(answer)
            return answer


def _fail(future: Future[V], error: BaseException) -> None:
    if isinstance(error, Exception):
        future.set_exception(error)
        future.exception()  # looked at: nobody may have waited
    else:
        future.cancel()
        future.set_running_or_notify_cancel()
