"""Which version of an image an index belongs to, and where that index lies.

A local file is known by its size and the time of its last change, a remote one by its size and ETag. Its index lies
beside it, or in a folder that is named (`Settings.index_folder`): that of a remote image, and of one in a folder that
can't be written to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gigapix.errors import RequestError
from gigapix.source import Source
from gigapix.source.files import FileStore

SUFFIX: Final = ".gpxi"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an image."""

    size: int
    changed: int
    """Nanoseconds since 1970; 0 where it is known by its ETag."""
    etag: bytes
    """SHA-256 of the ETag; zeros where it is known by its time."""

    @property
    def fields(self) -> tuple[int, int, bytes]:
        """As they are stored."""
        return self.size, self.changed, self.etag


def version_of(source: Source) -> Version | None:
    """The version that is read; None where it can't be told from another: bytes in memory, objects without ETag."""
    if isinstance(source.store, FileStore):
        status = Path(source.name).stat()
        return Version(status.st_size, status.st_mtime_ns, bytes(32))
    if source.etag is None or source.size is None or source.store.identity is None:
        return None
    return Version(source.size, 0, hashlib.sha256(source.etag.encode()).digest())


def index_paths(source: Source) -> list[Path]:
    """Where an index may lie, the preferred place first. Raises RequestError where there is no such place."""
    local = isinstance(source.store, FileStore)
    beside = Path(source.name)
    found = [beside.with_name(beside.name + SUFFIX)] if local else []
    folder = source.settings.index_folder
    if folder:
        place = str(beside.resolve()) if local else source.store.identity or ""
        name = hashlib.sha256(place.encode()).hexdigest()[:32]
        found.append(Path(folder).expanduser() / f"{name}{SUFFIX}")
    if not found:
        raise RequestError("an index of it needs a place: name a path, or the setting index_folder")
    return found
