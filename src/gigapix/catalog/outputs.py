"""The folder that a catalogue is in, local or on an object store.

One rule keeps the catalogue whole: a file is written once, under a name of its own, by a write that fails if the file
is there already. So it is there in full or not at all, whoever is killed when, and whoever else writes the same.

On a local disk it is written under a name with a dot in front, which readers of a folder of Parquet pass over, and then
linked: obstore's own name for that (``x.parquet#1``) would be taken for a part if its writer were killed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigapix.errors import NotFoundError, SourceError
from gigapix.source.clients import store_of_url
from gigapix.source.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder of objects. Picklable."""

    name: str
    store: Any
    """Of obstore's."""
    prefix: str = ""
    """Of its files in the store, empty or with a slash at its end."""
    local: Path | None = None
    """The folder on a disk."""

    def create(self, path: str, data: bytes) -> bool:
        """Write a file; False where it exists already, which stays as it is."""
        if self.local is not None:
            return _created(self.local / path, data)
        from obstore.exceptions import AlreadyExistsError

        try:
            self.store.put(self.prefix + path, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def read(self, path: str) -> bytes:
        """A file. Raises NotFoundError."""
        try:
            return bytes(self.store.get(self.prefix + path).buffer())
        except FileNotFoundError as error:
            raise NotFoundError("there is no such file", path=f"{self.name}/{path}") from error

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Some bytes of a file."""
        return bytes(self.store.get_range(self.prefix + path, start=start, length=length))

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Names and sizes of the files in it (or in a folder in it), not of those further down."""
        for entry in self.store.list_with_delimiter((self.prefix + prefix) or None)["objects"]:
            yield entry["path"].removeprefix(self.prefix), entry["size"]

    def delete(self, path: str) -> None:
        """Delete a file, which may be gone already."""
        from contextlib import suppress

        with suppress(FileNotFoundError):
            self.store.delete(self.prefix + path)


def folder_of(target: str | os.PathLike[str], settings: Settings, store: Any = None, *, make: bool = False) -> Folder:
    """The folder that a path or a URL names, or a prefix in a store of obstore's."""
    name = os.fspath(target)
    if store is not None:
        return Folder(name=name, store=store, prefix=_slashed(name))
    if "://" in name and not name.startswith("file://"):
        bucket, prefix = store_of_url(name, settings)
        return Folder(name=name, store=bucket, prefix=_slashed(prefix))
    from obstore.store import LocalStore

    path = Path(name.removeprefix("file://")).absolute()
    if make:
        path.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        raise SourceError("is no folder", path=name) if path.exists() else NotFoundError("no such folder", path=name)
    return Folder(name=str(path), store=LocalStore(path), local=path)


def _created(path: Path, data: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        written.write_bytes(data)
        os.link(written, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise SourceError(error.strerror or str(error), path=str(path)) from error
    finally:
        written.unlink(missing_ok=True)
    return True


def _slashed(prefix: str) -> str:
    return prefix.rstrip("/") + "/" if prefix.strip("/") else ""
