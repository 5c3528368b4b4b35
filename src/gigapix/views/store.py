"""`VirtualStore`: an image as a read-only store of Zarr v3, for zarr-python and whatever stands on it.

The chunks are samples as they are (the codec ``bytes``): the store decodes, not Zarr, so every file that gigapix reads
can be shown. This module needs zarr; it is imported when a store is made.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import cached_property
from itertools import product
from typing import Any, Literal, NoReturn

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from gigapix.errors import UnsupportedError
from gigapix.image.image import Image
from gigapix.image.origin import Origin
from gigapix.views.chunks import Chunks, Index
from gigapix.views.documents import documents_of
from gigapix.views.model import Array, Group, described

Levels = int | Literal["auto"] | None


class VirtualStore(Store):
    """A view of an image. Made by `gigapix.virtual`. Read-only; picklable where the image can be opened again; a
    context manager. Safe to share between threads and event loops."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True
    supports_consolidated_metadata = False

    def __init__(self, image: Image | None, origin: Origin | None, levels: Levels, *, owned: bool) -> None:
        super().__init__(read_only=True)
        self._image, self._origin, self._levels, self._owned = image, origin, levels, owned
        self._lock = threading.Lock()

    @property
    def image(self) -> Image:
        """The image that is shown. Its `stats` count what was fetched."""
        with self._lock:
            if self._image is None:
                assert self._origin is not None  # noqa: S101  # for mypy
                self._image, self._owned = self._origin.open(), True
            return self._image

    @cached_property
    def group(self) -> Group:
        """What is shown of it."""
        return described(self.image, self._levels)

    @cached_property
    def _documents(self) -> Mapping[str, bytes]:
        documents = documents_of(self.group)
        return {key: json.dumps(each, allow_nan=False).encode() for key, each in documents.items()}

    @cached_property
    def _arrays(self) -> Mapping[str, Array]:
        return {node.path: node for node in self.group.nodes() if isinstance(node, Array)}

    @cached_property
    def _chunks(self) -> Chunks:
        return Chunks(self.image, self.group)

    def _chunk(self, key: str) -> tuple[Array, Index] | None:
        """The array and the index of a chunk's key, ``0/c/0/1/2``; None where there is no such chunk."""
        path, _, place = key.partition("/c/")
        array = self._arrays.get(path)
        parts = place.split("/")
        if array is None or len(parts) != len(array.shape) or not all(p.isascii() and p.isdigit() for p in parts):
            return None
        index = tuple(map(int, parts))
        known = parts == list(map(str, index)) and all(n < count for n, count in zip(index, array.grid, strict=True))
        return (array, index) if known else None

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:  # fmt: skip
        """The bytes of a document or a chunk, or some of them; None where there is nothing."""
        data: Any = self._documents.get(key)
        if data is None:
            chunk = self._chunk(key)
            if chunk is None:
                return None
            array, index = chunk
            values = await self._chunks.read(array, index)
            data = values.astype(values.dtype.newbyteorder("<"), copy=False).reshape(-1).view("u1").data
        if byte_range is not None:
            data = data[_slice(byte_range, len(data))]
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """`get` of each, side by side."""
        import asyncio

        return await asyncio.gather(*(self.get(key, prototype, wanted) for key, wanted in key_ranges))

    async def exists(self, key: str) -> bool:
        """Whether there is such a document or chunk."""
        return key in self._documents or self._chunk(key) is not None

    async def getsize(self, key: str) -> int:
        """Bytes of a document or chunk, which is not read for that. Raises FileNotFoundError."""
        if key in self._documents:
            return len(self._documents[key])
        chunk = self._chunk(key)
        if chunk is None:
            raise FileNotFoundError(key)
        return chunk[0].chunk_bytes

    async def getsize_prefix(self, prefix: str) -> int:
        """Bytes of everything below a prefix, of which nothing is read."""
        return sum([await self.getsize(key) async for key in self.list_prefix(prefix)])

    async def list(self) -> AsyncIterator[str]:
        """All keys."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin with `prefix`."""
        for key in self._documents:
            if key.startswith(prefix):
                yield key
        for path, array in self._arrays.items():
            if path.startswith(prefix) or prefix.startswith(path):
                for index in product(*map(range, array.grid)):
                    key = f"{path}/c/{'/'.join(map(str, index))}"
                    if key.startswith(prefix):
                        yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """The names below a prefix, without what is below those."""
        inner = prefix.rstrip("/") + "/" if prefix.rstrip("/") else ""
        for name in dict.fromkeys(key[len(inner) :].split("/")[0] for key in self._documents if key.startswith(inner)):
            yield name
        path, _, place = inner.partition("/c/")
        array = self._arrays.get(path.rstrip("/"))
        if array is None:
            return
        if not place and inner == f"{array.path}/":
            yield "c"
        elif inner.startswith(f"{array.path}/c/"):
            above = place.split("/")[:-1]
            sizes = zip(above, array.grid, strict=False)
            if len(above) < len(array.grid) and all(n in map(str, range(size)) for n, size in sizes):
                for n in range(array.grid[len(above)]):
                    yield str(n)

    async def set(self, key: str, value: Buffer) -> NoReturn:
        """Raises UnsupportedError."""
        raise UnsupportedError("a view of an image is read-only")

    async def delete(self, key: str) -> NoReturn:
        """Raises UnsupportedError."""
        raise UnsupportedError("a view of an image is read-only")

    def with_read_only(self, read_only: bool = False) -> VirtualStore:
        """Itself. Raises UnsupportedError where it is to be written to."""
        if not read_only:
            raise UnsupportedError("a view of an image is read-only")
        return self

    def close(self) -> None:
        """Close the image, where the store has opened it."""
        super().close()
        if self._owned and self._image is not None:
            self._image.close()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualStore) and self._levels == other._levels and (
            self.image is other.image if self._origin is None else self._origin == other._origin
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((type(self), self._levels))

    def __str__(self) -> str:
        return f"gigapix://{self.image.path}"

    def __repr__(self) -> str:
        return f"<VirtualStore of {self.image!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._origin is None:
            raise UnsupportedError("an image that was not opened by gigapix.open can't be opened by another process")
        return _reopened, (self._origin.named(), self._levels)


def _reopened(origin: Origin, levels: Levels) -> VirtualStore:
    """The image is opened when something is asked of it."""
    return VirtualStore(None, origin, levels, owned=True)


def _slice(wanted: ByteRequest, size: int) -> slice:
    if isinstance(wanted, RangeByteRequest):
        return slice(wanted.start, wanted.end)
    if isinstance(wanted, OffsetByteRequest):
        return slice(wanted.offset, None)
    assert isinstance(wanted, SuffixByteRequest)  # noqa: S101  # there are no others
    return slice(max(size - wanted.suffix, 0), None)
