"""Work that several want at once is done once, whether they are threads or tasks.

The first to ask for a key does the work; the others wait for its answer. Where it fails, they fail with it; where it is
cancelled, the next one takes over, since nobody else's wish was withdrawn.

Nobody waits for one who may need him in order to go on: a task waits for tasks of its own loop and for threads, a thread
for threads alone. (A blocking call in a loop's own thread would wait for ever for a task of that loop.)
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Keys under way.

    share: makes those who waited an answer of their own from the first one's; they get the very same object where None.
    """

    def __init__(self, share: Callable[[V], V] | None = None) -> None:
        self._share = share
        self._lock = threading.Lock()
        self._under_way: dict[tuple[Any, K], Future[V]] = {}

    def run(self, key: K, work: Callable[[], V]) -> V:
        """The answer of `work`, or of the thread that is doing it."""
        while True:
            future = self._enter(None, key)
            if future is not None:
                try:
                    return self._shared(future.result())
                except CancelledError:
                    continue
            try:
                answer = work()
            except BaseException as error:
                self._leave(None, key, error=error)
                raise
            self._leave(None, key, answer=answer)
            return answer

    async def run_async(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """`run` without blocking."""
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            future = self._enter(loop, key)
            if future is not None:
                try:
                    # Shielded: a waiter that is cancelled must not cancel the one who works.
                    return self._shared(await asyncio.shield(asyncio.wrap_future(future)))
                except asyncio.CancelledError:
                    task = asyncio.current_task()
                    if not future.cancelled() or (task is not None and task.cancelling()):
                        raise
                    continue
            try:
                answer = await work()
            except BaseException as error:
                self._leave(loop, key, error=error)
                raise
            self._leave(loop, key, answer=answer)
            return answer

    def _shared(self, answer: V) -> V:
        return answer if self._share is None else self._share(answer)

    def _enter(self, loop: Any, key: K) -> Future[V] | None:
        """What to wait for; None where the caller is the first and must do the work."""
        with self._lock:
            for who in {None, loop}:
                future = self._under_way.get((who, key))
                if future is not None:
                    return future
            self._under_way[loop, key] = Future()
            return None

    def _leave(self, loop: Any, key: K, *, answer: Any = None, error: BaseException | None = None) -> None:
        with self._lock:
            future = self._under_way.pop((loop, key))
        if error is None:
            future.set_result(answer)
        elif isinstance(error, Exception):
            future.set_exception(error)
        else:
            future.cancel()
            future.set_running_or_notify_cancel()
