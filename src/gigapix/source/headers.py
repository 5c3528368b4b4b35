"""Headers of objects, kept beyond the image that read them: what an image needs to open without a request.

A header is known by its object's identity and holds for one version of it, whose ETag it carries. It is believed
without asking: the first request for pixels asks for that version, and where there is another by now it fails with
ChangedError, the header is dropped, and the image can be opened anew. An object without an ETag is not kept.

Whoever wants headers kept elsewhere writes the three methods of `HeaderStore`; `gigapix.source.redis` is an example.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Header:
    """Blocks of one version of an object."""

    etag: str
    size: int
    """Of the object, in bytes."""
    block_bytes: int
    """Of each block but the object's last one."""
    blocks: Mapping[int, bytes]
    """By number: block n begins at byte n * block_bytes."""


class HeaderStore(Protocol):
    """Where headers are kept, by the identity of their object (a URL without secrets). Safe under threads.

    A store that fails answers as if it had nothing: the header is then read from the object.
    """

    blocking: bool
    """Whether a call may take longer than a lock, so that async readers make it in a thread."""

    def get(self, key: str) -> Header | None:
        """The header of an object, None where there is none."""
        ...

    def put(self, key: str, header: Header) -> None:
        """Keep a header: beside the blocks that are kept where ETag and block size are theirs, else in their place."""
        ...

    def drop(self, key: str) -> None:
        """Forget an object."""
        ...


class MemoryHeaders:
    """Headers in memory, `capacity` bytes of blocks, those used longest ago making room."""

    blocking = False

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._headers: OrderedDict[str, Header] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return self._nbytes

    def get(self, key: str) -> Header | None:
        """The header of an object."""
        with self._lock:
            if key in self._headers:
                self._headers.move_to_end(key)
            return self._headers.get(key)

    def put(self, key: str, header: Header) -> None:
        """See `HeaderStore`."""
        with self._lock:
            known = self._take(key)
            if known and (known.etag, known.block_bytes) == (header.etag, header.block_bytes):
                header = replace(header, blocks={**known.blocks, **header.blocks})
            self._headers[key] = header
            self._nbytes += _nbytes(header)
            while self._nbytes > self._capacity:
                self._take(next(iter(self._headers)))

    def drop(self, key: str) -> None:
        """Forget an object."""
        with self._lock:
            self._take(key)

    def _take(self, key: str) -> Header | None:
        header = self._headers.pop(key, None)
        self._nbytes -= _nbytes(header) if header else 0
        return header


def _nbytes(header: Header) -> int:
    return sum(map(len, header.blocks.values()))
