"""A folder of objects as one store: a Zarr hierarchy, on disk or far away.

Its addresses are those of `formats.model.SPAN`: which object, and where in it. So everything above (the counting, the
retries, the merging, the planner) works on it as on a file. Which object a number is, the format knows (`names`).

An object that isn't there is an empty answer, not an error: to Zarr it means a chunk of the fill value, or that another
kind of metadata is to be looked for. That must not be confused with an object in which there is nothing, or nothing at
that place, so these are errors. A name that ends with a slash asks for a listing, a JSON array of names.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from itertools import islice
from typing import Final

from gigapix.errors import DeniedError, NotFoundError, ShortBodyError, SourceError, TruncatedError, UnsupportedError
from gigapix.formats.model import SPAN
from gigapix.source.objects import ObjectStore
from gigapix.source.store import Chunk, Store, closed, os_error

MAX_LISTED: Final = 1 << 16
"""Names of one folder that are listed."""

MAX_VERSIONS: Final = 1 << 12
"""Objects whose ETag is remembered: shards, whose index and chunks must be of one version."""

ABSENT: Final = Chunk(b"", None, None)

MISSING: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class Folder:
    """Objects by number.

    base: the path of a local folder, or the folder as an object of a store.
    names: the key of an object, below the folder, from its number.
    """

    identity: str | None = None

    def __init__(self, base: str | ObjectStore, names: Callable[[int], str]) -> None:
        self.name = base if isinstance(base, str) else base.name
        self.local = isinstance(base, str)
        self._base = base
        self._names = names
        self._versions: dict[int, str] = {}
        self._under_way: set[ObjectStore] = set()
        self._lock = threading.Lock()
        self._closed = False

    def where(self, offset: int) -> tuple[str, int]:
        """The object's name, and the place in it: negative where it is counted from the end."""
        number, place = divmod(offset, SPAN)
        key = self._names(number)
        return f"{self.name.rstrip('/')}/{key}" if key else self.name, place if place < SPAN // 2 else place - SPAN

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """One request, or none that reaches a server for a local folder."""
        name, place = self.where(start)
        number = start // SPAN
        if isinstance(self._base, str):
            if self._closed:
                raise closed(self.name)
            return _read(name, place, length) if name[-1] != "/" else _listing(_scan(name))
        item = self._enter(number)
        try:
            if name[-1] == "/":
                return _listing(item.names())
            return self._checked(item.get(place, length, self._versions.get(number)), number, place, length)
        except (NotFoundError, SourceError) as error:
            return _absent(error, name)
        finally:
            self._leave(item)

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """`get` without blocking."""
        if isinstance(self._base, str):
            import asyncio

            return await asyncio.to_thread(self.get, start, length)
        name, place = self.where(start)
        number = start // SPAN
        item = self._enter(number)
        try:
            if name[-1] == "/":
                return _listing(await item.names_async())
            chunk = await item.get_async(place, length, self._versions.get(number))
            return self._checked(chunk, number, place, length)
        except (NotFoundError, SourceError) as error:
            return _absent(error, name)
        finally:
            self._leave(item)

    def sibling(self, name: str) -> Store:
        """Nothing beside a folder is needed."""
        raise UnsupportedError(f"the file {name} beside a folder", path=self.name)

    def close(self) -> None:
        """Cancel the requests of tasks."""
        with self._lock:
            self._closed = True
            items = list(self._under_way)
        for item in items:
            item.close()

    def _enter(self, number: int) -> ObjectStore:
        key = self._names(number).rstrip("/")
        assert isinstance(self._base, ObjectStore)  # noqa: S101  # for mypy
        item = self._base.child(key) if key else self._base
        with self._lock:
            if self._closed:
                raise closed(self.name)
            self._under_way.add(item)
        return item

    def _leave(self, item: ObjectStore) -> None:
        with self._lock:
            self._under_way.discard(item)

    def _checked(self, chunk: Chunk, number: int, place: int, length: int) -> Chunk:
        """An answer that is whole and of the version that the shard's index was of."""
        if chunk.size is not None:
            there = min(length, chunk.size - place if place >= 0 else chunk.size)
            if len(chunk.data) < there:
                raise ShortBodyError(f"{len(chunk.data)} of {there} bytes were sent")
        if not len(chunk.data):
            raise TruncatedError("ends before it" if place > 0 else "is empty")
        if place < 0 and chunk.etag and not chunk.etag.startswith("W/"):
            with self._lock:
                self._versions[number] = chunk.etag
                if len(self._versions) > MAX_VERSIONS:
                    del self._versions[next(iter(self._versions))]
        return Chunk(chunk.data, None, None)


def _absent(error: SourceError, name: str) -> Chunk:
    """Nothing, where an error says that there is nothing; a web server can't be asked for a list."""
    if isinstance(error, NotFoundError) or (name[-1] == "/" and type(error) in (SourceError, DeniedError)):
        return ABSENT
    raise error from error.__cause__


def _listing(names: list[str] | None) -> Chunk:
    return ABSENT if names is None else Chunk(json.dumps(sorted(names)).encode(), None, None)


def _scan(path: str) -> list[str] | None:
    try:
        with os.scandir(path) as entries:
            return [each.name + "/" * each.is_dir() for each in islice(entries, MAX_LISTED)]
    except MISSING:
        return None
    except (OSError, ValueError) as error:
        raise os_error(error, path) from error


def _read(path: str, place: int, length: int) -> Chunk:
    """Bytes of a file; `place` is negative from its end. None more are allocated than it has."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return ABSENT if stat.S_ISDIR(status.st_mode) else _refused(path)
            start = place if place >= 0 else max(status.st_size + place, 0)
            length = min(length, status.st_size - start)
            data = os.pread(fd, length, start) if length > 0 else b""
            while data and len(data) < length and (more := os.pread(fd, length - len(data), start + len(data))):
                data += more
        finally:
            os.close(fd)
    except MISSING:
        return ABSENT
    except (OSError, ValueError) as error:
        raise os_error(error, path) from error
    if not data:
        raise TruncatedError("ends before it" if place > 0 else "is empty")
    return Chunk(data, None, None)


def _refused(path: str) -> Chunk:
    raise SourceError("is no file", path=path)
