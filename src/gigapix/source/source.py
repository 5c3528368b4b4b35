"""One object, with every request counted and those that failed sent again.

What a request costs, and what is done when it fails, is the same question for a file, a web server and every cloud, so
it is answered here and nowhere else. A `Store` answers one request for one range and says what went wrong by a typed
error; of those, `TRANSIENT` ones are worth another try.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from gigapix.errors import (
    DeniedError,
    GigapixError,
    MissingPartError,
    NotFoundError,
    ServerError,
    ShortBodyError,
    SourceError,
    SourceTimeoutError,
)
from gigapix.formats.model import Buffer, Range
from gigapix.source.settings import Settings

KEPT_RANGES: Final = 10_000
"""Ranges that `Stats` remembers; a read of a million tiles must not hold a million pairs."""

MAX_DELAY: Final = 10.0
"""Seconds between two tries, at most."""

TRANSIENT: Final = (ServerError, ShortBodyError, SourceTimeoutError)

log = logging.getLogger("gigapix")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The answer to one request. `size` and `etag` are the whole object's, None where the store doesn't say."""

    data: Buffer
    size: int | None
    etag: str | None


class Store(Protocol):
    """Where one object lies. `get` sends one request, for `length` bytes from `start`, and raises a SourceError.

    etag: where given, the object must still have it, else ChangedError.
    """

    name: str
    """For messages: a path or a URL without secrets."""
    local: bool
    """Whether a request costs microseconds, not milliseconds."""

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk: ...

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk: ...

    def sibling(self, name: str) -> Store:
        """The file of that name beside this one. Raises MissingPartError where there can be none."""
        ...

    def close(self) -> None: ...


@dataclass(eq=False)
class Stats:
    """What was asked of a source so far, failed requests and their retries included."""

    requests: int = 0
    bytes: int = 0
    """Received."""
    cache_hits: int = 0
    """Header blocks and segments that were there already."""
    retries: int = 0
    seconds: float = 0.0
    """Spent on requests, summed over those that ran side by side."""
    ranges: deque[Range] = field(default_factory=lambda: deque(maxlen=KEPT_RANGES), repr=False)
    """(offset, length received) of the latest requests."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, offset: int, received: int, seconds: float) -> None:
        with self.lock:
            self.requests += 1
            self.bytes += received
            self.seconds += seconds
            self.ranges.append((offset, received))

    def hit(self, number: int = 1) -> None:
        with self.lock:
            self.cache_hits += number


class Source:
    """An object of a store. Its size and ETag are known from the first request on."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.stats = Stats()
        self.size: int | None = None
        self.etag: str | None = None

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
        for delay in self._tries():
            if delay:  # even a sleep of 0 gives up the processor
                time.sleep(delay)
            began = time.perf_counter()
            try:
                return self._taken(self.store.get(offset, length, self.etag), offset, length, began)
            except TRANSIENT as error:
                failure = self._failed(error, offset, began)
            except GigapixError as error:
                raise self._failed(error, offset, began) from error.__cause__
        raise failure

    async def read_async(self, offset: int, length: int) -> Buffer:
        """`read` without blocking."""
        length = self._clip(offset, length)
        if length <= 0:
            return b""
        for delay in self._tries():
            if delay:
                import asyncio

                await asyncio.sleep(delay)
            began = time.perf_counter()
            try:
                return self._taken(await self.store.get_async(offset, length, self.etag), offset, length, began)
            except TRANSIENT as error:
                failure = self._failed(error, offset, began)
            except GigapixError as error:
                raise self._failed(error, offset, began) from error.__cause__
        raise failure

    def _clip(self, offset: int, length: int) -> int:
        if offset < 0:
            return 0
        return length if self.size is None else min(length, self.size - offset)

    def _tries(self) -> Iterator[float]:
        """Seconds to wait before each try."""
        yield 0.0
        for n in range(self.settings.retries):
            with self.stats.lock:
                self.stats.retries += 1
            yield min(self.settings.retry_delay * 2**n, MAX_DELAY) * (0.5 + random.random() / 2)  # noqa: S311  # jitter

    def _taken(self, chunk: Chunk, offset: int, length: int, began: float) -> Buffer:
        if self.size is None:
            self.size, self.etag = chunk.size, chunk.etag
        received = len(chunk.data)
        whole = length if chunk.size is None else min(length, max(chunk.size - offset, 0))
        if received < whole and not self.local and chunk.size is not None:
            error = ShortBodyError(f"{received} of {whole} bytes were sent")
            self.stats.count(offset, received, time.perf_counter() - began)
            error.counted = True
            raise error
        self.stats.count(offset, received, time.perf_counter() - began)
        log.debug("%s: %d bytes at %d in %.1f ms", self.name, received, offset, 1e3 * (time.perf_counter() - began))
        return chunk.data

    def _failed(self, error: GigapixError, offset: int, began: float) -> GigapixError:
        if not getattr(error, "counted", False):
            self.stats.count(offset, 0, time.perf_counter() - began)
        log.debug("%s: request at %d failed: %s", self.name, offset, error.message)
        return error.located(self.name, offset)

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
        return source

    def close(self) -> None:
        """Give back what the store holds open."""
        self.store.close()


def os_error(error: OSError | ValueError, name: str) -> SourceError:
    """An operating system's error as ours."""
    kind = {FileNotFoundError: NotFoundError, PermissionError: DeniedError}.get(type(error), SourceError)
    return kind(getattr(error, "strerror", None) or str(error), path=name)
