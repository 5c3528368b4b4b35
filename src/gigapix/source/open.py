"""A path, a URL, a buffer or a store becomes a `Source`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from gigapix.errors import SourceError
from gigapix.formats.model import Buffer
from gigapix.source.files import BytesStore, FileStore
from gigapix.source.settings import Settings
from gigapix.source.source import Source
from gigapix.source.store import Store

if TYPE_CHECKING:
    from gigapix.source.objects import ObjectStore


FOLDERS: Final = (".zarr", ".levels")
"""How names of folders end that are images."""


def open_source(target: str | os.PathLike[str] | Buffer, settings: Settings | None = None, store: Any = None) -> Source:
    """A source over a path, a URL, bytes, or an object of a store. Nothing is requested yet but a local file's size.

    store: an obstore store, or anything with obspec's ``get_range``; `target` is then a path in it.

    Raises NotFoundError, DeniedError or SourceError.
    """
    settings = Settings.from_env() if settings is None else settings
    return Source(_store(target, settings, store), settings)


def open_folder(path: str, names: Callable[[int], str], settings: Settings, store: Any = None) -> Source:
    """A source over a folder of objects, whose numbers `names` turns into keys. Nothing is requested yet."""
    from gigapix.source.folder import Folder

    found = _store_of_folder(path.rstrip("/") if path.strip("/") else path, settings, store)
    return Source(Folder(found, names), settings)


def _store_of_folder(path: str, settings: Settings, store: Any) -> str | ObjectStore:
    from gigapix.source.objects import ObjectStore

    if store is not None:
        return ObjectStore(store, path.strip("/"))
    scheme, separator, rest = path.partition("://")
    if not separator:
        return path
    if scheme.lower() == "file":
        return _local_path(rest, path)
    from gigapix.source.clients import object_of_url

    found = object_of_url(path, settings)
    if "?" in path:
        raise SourceError("a folder can't be read by a signed URL, which is of one object", path=found.name)
    return found


def is_folder(target: str | os.PathLike[str] | Buffer, store: Any = None) -> bool:
    """Whether a target is a folder, as far as can be told without a request: of an object's name, by its ending."""
    if isinstance(target, (bytes, bytearray, memoryview)):
        return False
    path = os.fspath(target)
    scheme, separator, rest = path.partition("://")
    if store is None and (not separator or scheme.lower() == "file"):
        return os.path.isdir(_local_path(rest, path) if separator else path)  # noqa: PTH112
    parts = path.partition("?")[0].rstrip("/").split("/")
    return path.endswith("/") or not path or any(part.endswith(FOLDERS) for part in parts)


def _store(target: str | os.PathLike[str] | Buffer, settings: Settings, store: Any) -> Store:
    if isinstance(target, (bytes, bytearray, memoryview)):
        return BytesStore(target)
    path = os.fspath(target)
    if store is not None:
        from gigapix.source.clients import identity_of
        from gigapix.source.objects import ObjectStore

        return ObjectStore(store, path, identity=identity_of(store, path))
    scheme, separator, rest = path.partition("://")
    if not separator:
        return FileStore(path)
    if scheme.lower() == "file":
        return FileStore(_local_path(rest, path))
    from gigapix.source.clients import object_of_url

    return object_of_url(path, settings)


def _local_path(rest: str, url: str) -> str:
    """The path of a file URL (RFC 8089). `?` and `#` have no meaning in one: they are part of the name."""
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost"):
        raise SourceError(f"a file URL can't name the host {host!r}", path=url)
    return unquote(slash + path)
