"""One object, with every request counted and those that failed sent again.

What a request costs, and what is done when it fails, is the same question for a file, a web server and every cloud, so
it is answered here and nowhere else. A `Store` answers one request for one range and says what went wrong by a typed
error; of those, `TRANSIENT` ones are worth another try.

All answers are of one version of the object: the first one's ETag and size are those of every later one, else
ChangedError. A store is asked to check the ETag itself, which spares the bytes, and what it answers is checked again,
since many servers know no If-Match.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gigapix.errors import (
    ChangedError,
    GigapixError,
    MissingPartError,
    NotFoundError,
    ServerError,
    ShortBodyError,
    SourceTimeoutError,
)
from gigapix.formats.model import Buffer
from gigapix.source.budget import ByteBudget
from gigapix.source.settings import Settings
from gigapix.source.stats import Stats
from gigapix.source.store import Chunk, Store, closed

if TYPE_CHECKING:
    import asyncio

MAX_DELAY: Final = 10.0
"""Seconds between two tries, at most."""

TRANSIENT: Final = (ServerError, ShortBodyError, SourceTimeoutError)

E = TypeVar("E", bound=BaseException)

log = logging.getLogger("gigapix")


class Source:
    """An object of a store. Its size and ETag are known from the first request on."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.stats = Stats()
        self.size: int | None = None
        self.etag: str | None = None
        self.on_changed: Callable[[], None] = lambda: None
        """Called when it turns out that the object is no longer the one that was opened."""
        # Of requests under way, not of bytes. A local file needs none: threads are few.
        self._lanes = None if store.local else ByteBudget(settings.concurrency)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._tasks: set[asyncio.Task[Chunk]] = set()

    @property
    def name(self) -> str:
        return self.store.name

    @property
    def local(self) -> bool:
        return self.store.local

    def read(self, offset: int, length: int) -> Buffer:
        """The bytes of one range, fewer where the object ends. Raises a SourceError."""
        length = self._clip(offset, length)
        if length <= 0:
            return b""
        for delay in self._delays():
            if delay and self._closed.wait(delay):  # even a wait of 0 gives up the processor
                raise closed(self.name)
            with self._lanes.hold(1) if self._lanes else contextlib.nullcontext():
                request = _Request(self, offset, length)
                try:
                    return request.answered(self.store.get(offset, length, self._match()))
                except TRANSIENT as error:
                    failure = request.failed(error)
                except BaseException as error:
                    raise request.failed(error) from error.__cause__
        raise failure from failure.__cause__

    async def read_async(self, offset: int, length: int) -> Buffer:
        """`read` without blocking. Cancelling it, or closing the source, cancels its request."""
        length = self._clip(offset, length)
        if length <= 0:
            return b""
        for delay in self._delays():
            if delay:
                import asyncio

                await asyncio.sleep(delay)
            async with self._lanes.hold_async(1) if self._lanes else contextlib.nullcontext():
                request = _Request(self, offset, length)
                try:
                    return request.answered(await self._ask(offset, length))
                except TRANSIENT as error:
                    failure = request.failed(error)
                except BaseException as error:
                    raise request.failed(error) from error.__cause__
        raise failure from failure.__cause__

    async def _ask(self, offset: int, length: int) -> Chunk:
        if self.local:
            return await self.store.get_async(offset, length)
        if self._closed.is_set():
            raise closed(self.name)
        import asyncio

        # A task of its own, so that `close` can cancel the request and nothing else.
        work: Coroutine[Any, Any, Chunk] = self.store.get_async(offset, length, self._match())  # type: ignore[assignment]
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if self._closed.is_set() and not (me and me.cancelling()):
                raise closed(self.name) from None
            raise
        finally:
            self._tasks.discard(task)

    def _clip(self, offset: int, length: int) -> int:
        if offset < 0:
            return 0
        return length if self.size is None else min(length, self.size - offset)

    def _match(self) -> str | None:
        """The ETag to ask for. A weak one can't be: no server may say that it matches (RFC 9110, section 13.1.1)."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag

    def _delays(self) -> Iterator[float]:
        """Seconds to wait before each try."""
        yield 0.0
        for n in range(self.settings.retries):
            self.stats.retry()
            yield min(self.settings.retry_delay * 2**n, MAX_DELAY) * (0.5 + random.random() / 2)  # noqa: S311  # jitter

    def check_version(self, chunk: Chunk) -> None:
        """Take the version of the first answer; raise ChangedError where a later one is of another."""
        with self._lock:
            if self.size is None and self.etag is None:
                self.size, self.etag = chunk.size, chunk.etag
                return
        other_size = None not in (self.size, chunk.size) and self.size != chunk.size
        if other_size or (None not in (self.etag, chunk.etag) and self.etag != chunk.etag):
            raise ChangedError("it has changed since it was opened")

    def sibling(self, name: str) -> Source:
        """The file of that bare name beside this one, its requests counted with this one's.

        Raises MissingPartError where there is none.
        """
        base = name.replace("\\", "/").rpartition("/")[2]
        if not base or base in (".", ".."):
            raise MissingPartError(f"it needs a file that it calls {name!r}", path=self.name)
        try:
            source = Source(self.store.sibling(base), self.settings)
        except NotFoundError as error:
            raise MissingPartError(f"it needs the file {base}, which is not beside it", path=self.name) from error
        source.stats = self.stats
        source._lanes = self._lanes
        return source

    def close(self) -> None:
        """Give back what the store holds open, and cancel the requests of tasks. Those of threads come to their end."""
        self._closed.set()
        self.store.close()
        for task in list(self._tasks):
            with contextlib.suppress(RuntimeError):  # its loop is closed, and has cancelled it
                task.get_loop().call_soon_threadsafe(task.cancel)


class _Request:
    """One request: counted and logged once, however it ends."""

    __slots__ = ("_began", "_length", "_offset", "_received", "_source")

    def __init__(self, source: Source, offset: int, length: int) -> None:
        self._source, self._offset, self._length = source, offset, length
        self._received = 0
        self._began = time.perf_counter()

    def answered(self, chunk: Chunk) -> Buffer:
        """The bytes of the answer. Raises ShortBodyError or ChangedError; call `failed` with them."""
        source = self._source
        self._received = len(chunk.data)
        if source.local:
            source.size = chunk.size
        else:
            source.check_version(chunk)
            whole = self._received if source.size is None else min(self._length, max(source.size - self._offset, 0))
            if self._received < whole:
                raise ShortBodyError(f"{self._received} of {whole} bytes were sent")
        self._done("%d bytes", self._received)
        return chunk.data[: self._length] if self._received > self._length else chunk.data

    def failed(self, error: E) -> E:
        """The error, with the place where it happened."""
        if isinstance(error, ChangedError):
            self._source.on_changed()
        if isinstance(error, GigapixError):
            error.located(self._source.name, self._offset)
            self._done("%s: %s", type(error).__name__, error.message)
        else:
            self._done("%s", type(error).__name__)
        return error

    def _done(self, outcome: str, *values: object) -> None:
        seconds = time.perf_counter() - self._began
        self._source.stats.count(self._offset, self._received, seconds)
        line = f"%s: %d bytes at %d in %.1f ms: {outcome}"
        log.debug(line, self._source.name, self._length, self._offset, 1e3 * seconds, *values)
