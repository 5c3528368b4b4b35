"""A folder of objects to write to: on disk or on an object store.

An object is written whole or not at all, over what had its name. On disk it is written beside the folder first, so that
a process that is killed leaves nothing half done in it.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigapix.errors import SourceError
from gigapix.source import Settings
from gigapix.source.clients import store_of_url
from gigapix.source.store import os_error

Piece = bytes | memoryview


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder. Picklable."""

    name: str
    """For messages: a path or a URL."""
    path: Path | None = None
    """On disk; None on an object store."""
    store: Any = None
    """Of obstore's."""
    prefix: str = ""
    """Of its objects in the store, without a slash at the end."""

    def beside(self, suffix: str) -> Folder:
        """The folder that has this name and a suffix; hidden on disk."""
        if self.path is not None:
            path = self.path.with_name(f".{self.path.name}{suffix}")
            return Folder(name=str(path), path=path)
        return Folder(name=self.name + suffix, store=self.store, prefix=self.prefix + suffix)

    @property
    def drafts(self) -> Path | None:
        """A folder on the same disk for what is not complete; `tidy` deletes it."""
        return self.beside(".draft").path

    def put(self, key: str, data: bytes | Sequence[Piece]) -> None:
        """Write an object, given as a whole or in pieces: on disk those are not joined in memory."""
        pieces = [data] if isinstance(data, bytes) else data
        if self.path is None:
            with _errors(self.name, key):
                self.store.put(self._key(key), b"".join(pieces))
            return
        target, draft = self.path / key, self.drafts
        assert draft is not None  # noqa: S101  # for mypy: as self.path is
        part = draft / uuid.uuid4().hex
        try:
            for folder in (target.parent, draft):
                folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.writelines(pieces)
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise os_error(error, str(target)) from error

    def upload(self, pieces: Iterator[bytes], part: int) -> None:
        """Write one object of the folder's own name to an object store, in parts of so many bytes."""
        with _errors(self.name, ""):
            self.store.put(self.prefix, pieces, use_multipart=True, chunk_size=part, max_concurrency=2)

    def get(self, key: str) -> bytes | None:
        """An object, None where there is none."""
        with suppress(FileNotFoundError):
            if self.path is not None:
                return (self.path / key).read_bytes()
            with _errors(self.name, key):
                return bytes(self.store.get(self._key(key)).buffer())
        return None

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""
        with suppress(FileNotFoundError):
            if self.path is not None:
                return (self.path / key).stat().st_size
            with _errors(self.name, key):
                return int(self.store.head(self._key(key))["size"])
        return None

    def delete(self, key: str) -> None:
        """Delete an object, which may be gone already."""
        with suppress(FileNotFoundError):
            if self.path is not None:
                (self.path / key).unlink()
                return
            with _errors(self.name, key):
                self.store.delete(self._key(key))

    def listed(self) -> Iterator[str]:
        """All objects, in no order."""
        if self.path is not None:
            for folder, _, files in os.walk(self.path):
                for file in files:
                    yield (Path(folder) / file).relative_to(self.path).as_posix()
            return
        with _errors(self.name, ""):
            for batch in self.store.list(self.prefix or None):
                for entry in batch:
                    yield entry["path"].removeprefix(self.prefix).lstrip("/")

    def clear(self) -> None:
        """Delete everything in it, and on disk the folder itself."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        with _errors(self.name, ""):
            keys = [self._key(key) for key in self.listed()]
            if keys:
                self.store.delete(keys)

    def tidy(self) -> None:
        """Delete what `put` has left beside it, of this process or of one that was killed."""
        if self.path is not None:
            self.beside(".draft").clear()

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix and key else self.prefix or key


def folder_of(target: str | os.PathLike[str], store: Any = None, **settings: Any) -> Folder:
    """The folder at a path or a URL (``s3://bucket/x.zarr``), or at a path in an obstore store."""
    text = os.fspath(target)
    if store is not None:
        return Folder(name=text, store=store, prefix=text.strip("/"))
    if "://" not in text:
        path = Path(text).absolute()
        return Folder(name=str(path), path=path)
    found, prefix = store_of_url(text, Settings.from_env(**settings))
    return Folder(name=text.rstrip("/"), store=found, prefix=prefix.strip("/"))


@contextmanager
def _errors(name: str, key: str) -> Iterator[None]:
    """obstore's errors as ours; that there is no such object stays what it is."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise SourceError(str(error).partition("\n")[0], path=f"{name}/{key}".rstrip("/")) from error
