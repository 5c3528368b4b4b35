"""Local files and bytes in memory as stores.

A file is read with `pread`: any number of threads share one descriptor without a lock, and a file that shrinks while it
is read gives a short buffer and not the SIGBUS of a memory map.
"""

from __future__ import annotations

import os
import stat
import threading

from gigapix.errors import MissingPartError, SourceError
from gigapix.formats.model import Buffer
from gigapix.source.store import Chunk, Store, closed, os_error


class FileStore:
    """One open file. Raises NotFoundError, DeniedError or SourceError where it can't be opened."""

    local = True
    identity: str | None = None

    def __init__(self, path: str) -> None:
        self.name = path
        self._fd = -1
        self._lock = threading.Lock()
        self._reading = 0
        self._closed = False
        try:
            status = os.stat(path)  # noqa: PTH116
            # Opening a FIFO would wait for a writer, perhaps for ever.
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
                kind = "a folder" if stat.S_ISDIR(status.st_mode) else "neither a file nor a block device"
                raise SourceError(f"is {kind}", path=path)
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
            self._size = status.st_size if stat.S_ISREG(status.st_mode) else os.lseek(self._fd, 0, os.SEEK_END)
        except SourceError:
            raise
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise os_error(error, path) from error

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """One call, or several for more than 2 GiB."""
        with self._lock:
            if self._closed:
                raise closed(self.name)
            self._reading += 1
        try:
            data = os.pread(self._fd, length, start)
            if data and len(data) < length:  # a single pread stops at 2 GiB
                parts, done = [data], len(data)
                while done < length and (data := os.pread(self._fd, length - done, start + done)):
                    parts.append(data)
                    done += len(data)
                data = b"".join(parts)
        except (OSError, OverflowError) as error:
            if isinstance(error, OverflowError):  # a start beyond 2^63 is beyond any file's end
                return Chunk(b"", self._size, None)
            raise os_error(error, self.name) from error
        finally:
            with self._lock:
                self._reading -= 1
            if self._closed:
                self._give_back()
        return Chunk(data, self._size, None)

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """`get` in a thread: no system reads files without blocking everywhere."""
        import asyncio

        return await asyncio.to_thread(self.get, start, length)

    def where(self, offset: int) -> tuple[str, int]:
        """Of the file itself."""
        return self.name, offset

    def sibling(self, name: str) -> Store:
        """A file in the same folder."""
        return FileStore(os.path.join(os.path.dirname(self.name), name))  # noqa: PTH118, PTH120  # keeps the path as given

    def close(self) -> None:
        """Give the descriptor back, as soon as nobody reads any more."""
        with self._lock:
            self._closed = True
        self._give_back()

    def _give_back(self) -> None:
        """Close the descriptor once nobody reads: the system gives its number to the next file that is opened."""
        with self._lock:
            if not self._closed or self._reading:
                return
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class BytesStore:
    """A buffer. Ranges are views of it, not copies."""

    local = True
    name = "<bytes>"
    identity: str | None = None

    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data).cast("B").toreadonly()

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """A view."""
        return Chunk(self._data[start : start + length], len(self._data), None)

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """The same view."""
        return self.get(start, length)

    def where(self, offset: int) -> tuple[str, int]:
        """Of the file itself."""
        return self.name, offset

    def sibling(self, name: str) -> Store:
        """Bytes lie in no folder."""
        raise MissingPartError(f"it needs the file {name}, and was opened from bytes", path=self.name)

    def close(self) -> None:
        """Nothing is held open."""
