"""Objects in clouds and on web servers: obstore's stores, and any other object with obspec's ``get_range``.

From ``get`` the size and the ETag of the object come with the first bytes, so that no request is spent on them, and
every later request can ask for the same version. ``get_range`` tells neither: of its answer only the length is known.

A store that has only blocking methods is asked in a thread by those who await; one that has only async ones can't be
read by those who don't.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from gigapix.errors import (
    GigapixError,
    MissingPartError,
    RangeUnsupportedError,
    SourceError,
    UnsupportedError,
)
from gigapix.source.failures import failure_of, is_beyond
from gigapix.source.store import Chunk, Store, closed

if TYPE_CHECKING:
    import asyncio

NOTHING: Final = Chunk(b"", None, None)
"""What lies beyond an object's end."""


class ObjectStore:
    """One object of a store that a `Source` can read.

    name: for messages; the path where None.
    identity: see `Store.identity`.
    """

    local = False

    def __init__(self, store: Any, path: str, *, name: str | None = None, identity: str | None = None) -> None:
        self.name = path if name is None else name
        self.identity = identity
        self._store: Any = store
        self._path = path
        self._pending: set[asyncio.Future[Any]] = set()
        self._obstore = type(store).__module__.startswith("obstore")
        self._whole = hasattr(store, "get") and hasattr(store, "get_range")
        self._whole_async = hasattr(store, "get_async") and hasattr(store, "get_range_async")

    def child(self, key: str) -> ObjectStore:
        """An object in the folder that this one names."""
        return ObjectStore(self._store, f"{self._path}/{key}" if self._path else key, name=f"{self.name}/{key}")

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """One request. Raises the GigapixError that fits. A negative start counts from the object's end."""
        store = self._open()
        try:
            if self._whole:
                answer = store.get(self._path, options=_options(start, length, etag))
                return _chunk(answer.buffer(), answer, start)
            if start < 0:
                start = max(store.head(self._path)["size"] + start, 0)
            if hasattr(store, "get_range"):
                return _part(store.get_range(self._path, start=start, length=length))
            if hasattr(store, "get_ranges"):
                return _part(store.get_ranges(self._path, starts=[start], lengths=[length])[0])
            failure: GigapixError = UnsupportedError(
                "its store has no blocking get_range; use open_async", path=self.name
            )
        except Exception as error:  # noqa: BLE001  # stores raise what they like
            if is_beyond(error):
                return NOTHING
            failure = failure_of(error, self.name, self._obstore)
        raise failure from failure.__cause__  # here and not above, where the store's own error would be its context

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """`get` without blocking."""
        store = self._open()
        try:
            if self._whole_async:
                answer = await self._wait(store.get_async(self._path, options=_options(start, length, etag)))
                return _chunk(await self._wait(answer.buffer_async()), answer, start)
            if start < 0 and hasattr(store, "head_async"):
                start = max((await self._wait(store.head_async(self._path)))["size"] + start, 0)
            if start >= 0 and hasattr(store, "get_range_async"):
                return _part(await self._wait(store.get_range_async(self._path, start=start, length=length)))
            if start >= 0 and hasattr(store, "get_ranges_async"):
                parts = await self._wait(store.get_ranges_async(self._path, starts=[start], lengths=[length]))
                return _part(parts[0])
        except Exception as error:  # noqa: BLE001
            if is_beyond(error):
                return NOTHING
            failure = failure_of(error, self.name, self._obstore)
        else:
            import asyncio

            return await asyncio.to_thread(self.get, start, length, etag)
        raise failure from failure.__cause__

    def names(self) -> list[str]:
        """Names of the objects and folders in the folder that this one names, those of folders with a slash behind."""
        store = self._open()
        try:
            return _names(store.list_with_delimiter(self._path or None))
        except Exception as error:  # noqa: BLE001
            failure = failure_of(error, self.name, self._obstore)
        raise failure from failure.__cause__

    async def names_async(self) -> list[str]:
        """`names` without blocking."""
        store = self._open()
        if not hasattr(store, "list_with_delimiter_async"):
            import asyncio

            return await asyncio.to_thread(self.names)
        try:
            return _names(await self._wait(store.list_with_delimiter_async(self._path or None)))
        except Exception as error:  # noqa: BLE001
            failure = failure_of(error, self.name, self._obstore)
        raise failure from failure.__cause__

    def _open(self) -> Any:
        if self._store is None:
            raise closed(self.name)
        if self._obstore and _first_process() != os.getpid():
            # Its threads stayed behind in the parent, and it would wait for them for ever.
            raise SourceError("obstore does not outlive a fork: start workers by spawn or forkserver", path=self.name)
        return self._store

    def where(self, offset: int) -> tuple[str, int]:
        """Of the object itself."""
        return self.name, offset

    def sibling(self, name: str) -> Store:
        """An object under the same prefix."""
        if not self._path:
            raise MissingPartError(
                f"it needs the file {name} beside it, which a signed URL does not reach", path=self.name
            )
        folder = self._path.rpartition("/")[0]
        label = f"{self.name.rpartition('/')[0]}/{name}" if "/" in self.name else name
        identity = None
        if self.identity:
            place, _, where = self.identity.rpartition("#")
            identity = f"{place.rpartition('/')[0]}/{name}#{where}"
        return ObjectStore(self._store, f"{folder}/{name}" if folder else name, name=label, identity=identity)

    async def _wait(self, answer: Awaitable[Any]) -> Any:
        """Await an answer of the store in such a way that `close` can cancel it, and nothing else."""
        import asyncio

        future = asyncio.ensure_future(answer)
        self._pending.add(future)
        try:
            return await future
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if self._store is None and not (me and me.cancelling()):
                raise closed(self.name) from None
            raise
        finally:
            self._pending.discard(future)

    def close(self) -> None:
        """Let go of the store, which its owner closes."""
        self._store = None
        for future in list(self._pending):
            with contextlib.suppress(RuntimeError):  # its loop is closed, and has cancelled it
                future.get_loop().call_soon_threadsafe(future.cancel)


@cache
def _first_process() -> int:
    """The process in which a store of obstore's was first used."""
    return os.getpid()


def _options(start: int, length: int, etag: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"range": (start, start + length) if start >= 0 else {"suffix": -start}}
    return options | {"if_match": etag} if etag else options


def _chunk(data: Any, answer: Any, start: int) -> Chunk:
    if answer.range[0] != start >= 0:
        raise RangeUnsupportedError(f"the server sent what lies at byte {answer.range[0]}", offset=start)
    return Chunk(_bytes(data), answer.meta.get("size"), answer.meta.get("e_tag"))


def _names(found: Any) -> list[str]:
    folders = [each.rstrip("/").rpartition("/")[2] + "/" for each in found["common_prefixes"]]
    return folders + [each["path"].rpartition("/")[2] for each in found["objects"]]


def _part(data: Any) -> Chunk:
    return Chunk(_bytes(data), None, None)


def _bytes(data: Any) -> memoryview:
    return memoryview(data).cast("B")
