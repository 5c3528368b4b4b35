"""The header of one object in a `HeaderStore`: looked up before the first request, added to after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from gigapix.source.blocks import Blocks
from gigapix.source.headers import Header, HeaderStore
from gigapix.source.source import Source

P = ParamSpec("P")
T = TypeVar("T")


class Kept:
    """Fills `blocks` from a store, and the store from what is fetched, `most` bytes of it."""

    def __init__(self, store: HeaderStore, key: str, source: Source, blocks: Blocks, most: int) -> None:
        self._store, self._key, self._source, self._blocks = store, key, source, blocks
        self._left = most
        self._recalled = False
        source.on_changed = self._forget

    def recall(self) -> None:
        """Take what the store has, the first time."""
        if not self._recalled:
            self._recalled = True
            self._take(self._store.get(self._key))

    async def recall_async(self) -> None:
        """`recall` without blocking."""
        if not self._recalled:
            self._recalled = True
            self._take(await self._call(self._store.get, self._key))

    def remember(self, fresh: Mapping[int, bytes]) -> None:
        """Give blocks to the store, where the object has a version that can be told from others."""
        header = self._header(fresh)
        if header is not None:
            self._store.put(self._key, header)

    async def remember_async(self, fresh: Mapping[int, bytes]) -> None:
        """`remember` without blocking."""
        header = self._header(fresh)
        if header is not None:
            await self._call(self._store.put, self._key, header)

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._store.blocking:
            return function(*args, **kwargs)
        import asyncio

        return await asyncio.to_thread(function, *args, **kwargs)

    def _take(self, header: Header | None) -> None:
        if header is None or header.block_bytes != self._blocks.size:
            return
        self._source.expect(header.size, header.etag)
        self._blocks.add(header.blocks)

    def _header(self, fresh: Mapping[int, bytes]) -> Header | None:
        size, etag = self._source.size, self._source.etag
        nbytes = sum(map(len, fresh.values()))
        if size is None or etag is None or nbytes > self._left:
            return None
        self._left -= nbytes
        return Header(etag=etag, size=size, block_bytes=self._blocks.size, blocks=fresh)

    def _forget(self) -> None:
        self._store.drop(self._key)
