"""Local files and bytes in memory as stores.

A file is read with `pread`: any number of threads share one descriptor without a lock, and a file that shrinks while it
is read gives a short buffer and not the SIGBUS of a memory map.
"""

from __future__ import annotations

import os
import stat

from gigapix.errors import MissingPartError, SourceError
from gigapix.formats.model import Buffer
from gigapix.source.source import Chunk, os_error


class FileStore:
    """One open file. Raises NotFoundError, DeniedError or SourceError where it can't be opened."""

    local = True

    def __init__(self, path: str) -> None:
        self.name = path
        self._fd = -1
        try:
            status = os.stat(path)
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
        if self._fd < 0:
            raise SourceError("the image is closed", path=self.name)
        try:
            data = os.pread(self._fd, length, start)
            if data and len(data) < length:  # a single pread stops at 2 GiB
                parts, done = [data], len(data)
                while done < length and (data := os.pread(self._fd, length - done, start + done)):
                    parts.append(data)
                    done += len(data)
                data = b"".join(parts)
        except OSError as error:
            raise os_error(error, self.name) from error
        return Chunk(data, self._size, None)

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        import asyncio

        return await asyncio.to_thread(self.get, start, length)

    def sibling(self, name: str) -> FileStore:
        """A file in the same folder."""
        return FileStore(os.path.join(os.path.dirname(self.name), name))  # noqa: PTH118, PTH120  # keeps the path as given

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class BytesStore:
    """A buffer. Ranges are views of it, not copies."""

    local = True
    name = "<bytes>"

    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data).cast("B").toreadonly()

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        return Chunk(self._data[start : start + length], len(self._data), None)

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        return self.get(start, length)

    def sibling(self, name: str) -> BytesStore:
        """Bytes lie in no folder."""
        raise MissingPartError(f"it needs the file {name}, and was opened from bytes", path=self.name)

    def close(self) -> None:
        """Nothing is held open."""
