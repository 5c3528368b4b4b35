"""One moment that threads and tasks wait for.

`concurrent.futures.Future` would do, and costs a kilobyte each, and two more futures and a callback wherever a task
waits for it. Ten thousand tiles that wait for their turn should cost what their tasks cost.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Signal:
    """Set once; whoever waits goes on, and whoever waits later need not."""

    __slots__ = ("_lock", "_wakers", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], Any]] = []

    def set(self) -> None:
        """Wake all who wait."""
        with self._lock:
            self.is_set = True
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def wait(self) -> None:
        """Block until it is set."""
        gate = threading.Lock()
        gate.acquire()
        if self._enrol(gate.release):
            gate.acquire()

    async def wait_async(self) -> None:
        """Wait without blocking."""
        if self.is_set:
            return
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._enrol(lambda: _wake(loop, future)):
            await future

    def _enrol(self, wake: Callable[[], Any]) -> bool:
        with self._lock:
            if not self.is_set:
                self._wakers.append(wake)
            return not self.is_set


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that this thread is running. asyncio need not have been imported."""
    loaded = sys.modules.get("asyncio")
    return None if loaded is None else loaded._get_running_loop()  # noqa: SLF001  # get_running_loop raises


def _wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    def finish() -> None:
        if not future.done():
            future.set_result(None)

    if running_loop() is loop:
        finish()
    else:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            loop.call_soon_threadsafe(finish)
