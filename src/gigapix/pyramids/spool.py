"""Compressed chunks of a shard that is not complete, in a file beside the target, where memory is for other things."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gigapix.pyramids.folders import Piece
from gigapix.source.store import os_error

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Spooled:
    """Where a chunk lies in the file."""

    offset: int
    length: int


class Spool:
    """The file of one shard, which is made when something is written."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / uuid.uuid4().hex if folder is not None else Path()
        self._end = 0
        self._lock = threading.Lock()

    def write(self, data: bytes) -> Spooled:
        """Add a chunk. Any thread may."""
        with self._lock:
            found = Spooled(self._end, len(data))
            self._end += len(data)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
            with self._path.open("r+b") as file:
                file.seek(found.offset)
                file.write(data)
        except OSError as error:
            raise os_error(error, str(self._path)) from error
        return found

    def read(self, chunks: Mapping[Shape, bytes | Spooled | None]) -> Mapping[Shape, Piece | None]:
        """All chunks, and delete the file. What lay in it is one buffer."""
        if not self._end:
            return {place: each for place, each in chunks.items() if not isinstance(each, Spooled)}
        try:
            whole = memoryview(self._path.read_bytes())
            self._path.unlink()
        except OSError as error:
            raise os_error(error, str(self._path)) from error
        return {
            place: whole[each.offset : each.offset + each.length] if isinstance(each, Spooled) else each
            for place, each in chunks.items()
        }
