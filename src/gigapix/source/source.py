"""One object, with every request counted and those that failed sent again.

What a request costs, and what is done when it fails, is the same question for a file, a web server and every cloud, so
it is answered here and nowhere else. A `Store` answers one request for one range and says what went wrong by a typed
error; of those, `TRANSIENT` ones are worth another try.

All answers are of one version of the object: the first one's ETag and size are those of every later one, else
ChangedError. A store is asked to check the ETag itself, which spares the bytes, and what it answers is checked again,
since many servers know no If-Match.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

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
from gigapix.source.budget import Budget
from gigapix.source.settings import Settings
from gigapix.source.stats import Stats
from gigapix.source.store import Chunk, Store, closed

MAX_DELAY: Final = 10.0
"""Seconds between two tries, at most."""

TRANSIENT: Final = (ServerError, ShortBodyError, SourceTimeoutError)

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
        self._lanes = None if store.local else Budget(settings.concurrency)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._beside = ""

    @property
    def name(self) -> str:
        """For messages: a path, or a URL without secrets."""
        return self.store.name

    @property
    def local(self) -> bool:
        """Whether a request costs microseconds, not milliseconds."""
        return self.store.local

    def where(self, offset: int) -> tuple[str, int]:
        """The name of the file or object that an offset lies in, and the place there."""
        return self.store.where(offset)

    def read(self, offset: int, length: int) -> Buffer:
        """The bytes of one range, fewer where the object ends. Raises a SourceError."""
        length = self._clip(offset, length)
        if length <= 0:
            return b""
        if self._lanes is None:
            return self._try(offset, length)  # a disk that fails once fails again
        for delay in self._delays():
            if delay:  # even a wait of 0 gives up the processor
                self._closed.wait(delay)
            try:
                with self._lanes.hold(1):
                    return self._try(offset, length)
            except TRANSIENT as error:
                failure = error
        raise failure from failure.__cause__

    async def read_async(self, offset: int, length: int) -> Buffer:
        """`read` without blocking. Cancelling it, or closing the source, cancels its request."""
        length = self._clip(offset, length)
        if length <= 0:
            return b""
        if self._lanes is None:
            return await self._try_async(offset, length)
        for delay in self._delays():
            if delay:
                import asyncio

                await asyncio.sleep(delay)
            try:
                async with self._lanes.hold_async(1):
                    return await self._try_async(offset, length)
            except TRANSIENT as error:
                failure = error
        raise failure from failure.__cause__

    def _try(self, offset: int, length: int) -> Buffer:
        self._check_open()
        request = _Request(self, offset, length)
        try:
            return request.answered(self.store.get(offset, length, self._match()))
        except BaseException as error:  # noqa: BLE001  # raised again
            raise request.failed(error) from error.__cause__

    async def _try_async(self, offset: int, length: int) -> Buffer:
        self._check_open()
        request = _Request(self, offset, length)
        try:
            return request.answered(await self.store.get_async(offset, length, self._match()))
        except BaseException as error:  # noqa: BLE001  # raised again
            raise request.failed(error) from error.__cause__

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise closed(self.name)

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

    def expect(self, size: int | None, etag: str | None) -> None:
        """Take a version as the object's where none is known yet; raise ChangedError where another one is."""
        with self._lock:
            if self.size is None and self.etag is None:
                self.size, self.etag = size, etag
                return
        if _differ(size, self.size) or _differ(etag, self.etag):
            raise ChangedError("it has changed since it was opened")

    def missing(self) -> MissingPartError | None:
        """What it means that the object is not there, where another one needs it."""
        return _missing_part(self.name.rpartition("/")[2], self._beside) if self._beside else None

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
            raise _missing_part(base, self.name) from error
        source.stats = self.stats
        source._beside = self.name
        source._lanes = self._lanes
        return source

    def close(self) -> None:
        """Give back what the store holds open, and cancel the requests of tasks. Those of threads come to their end."""
        self._closed.set()
        self.store.close()


def _missing_part(file: str, needed_by: str) -> MissingPartError:
    return MissingPartError(f"it needs the file {file}, which is not beside it", path=needed_by)


def _differ(one: object, other: object) -> bool:
    """Whether two facts differ, both of which are known."""
    return one is not None and other is not None and one != other


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
            source.expect(chunk.size, chunk.etag)
            whole = self._received if source.size is None else min(self._length, max(source.size - self._offset, 0))
            if self._received < whole:
                raise ShortBodyError(f"{self._received} of {whole} bytes were sent")
        self._done("%d bytes", self._received)
        return chunk.data[: self._length] if self._received > self._length else chunk.data

    def failed(self, error: BaseException) -> BaseException:
        """The error, with the place where it happened."""
        if isinstance(error, ChangedError):
            self._source.on_changed()
        if isinstance(error, NotFoundError):
            error = self._source.missing() or error
        if isinstance(error, GigapixError):
            error.located(*self._source.where(self._offset))
            self._done("%s: %s", type(error).__name__, error.message)
        else:
            self._done("%s", type(error).__name__)
        return error

    def _done(self, outcome: str, *values: object) -> None:
        seconds = time.perf_counter() - self._began
        self._source.stats.count(self._offset, self._received, seconds)
        line = f"%s: %d bytes at %d in %.1f ms: {outcome}"
        log.debug(line, self._source.name, self._length, self._offset, 1e3 * seconds, *values)
