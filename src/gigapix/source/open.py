"""A path, a URL, a buffer or a store becomes a `Source`."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote

from gigapix.errors import SourceError
from gigapix.formats.model import Buffer
from gigapix.source.files import BytesStore, FileStore
from gigapix.source.settings import Settings
from gigapix.source.source import Source
from gigapix.source.store import Store


def open_source(target: str | os.PathLike[str] | Buffer, settings: Settings | None = None, store: Any = None) -> Source:
    """A source over a path, a URL, bytes, or an object of a store. Nothing is requested yet but a local file's size.

    store: an obstore store, or anything with obspec's ``get_range``; `target` is then a path in it.

    Raises NotFoundError, DeniedError or SourceError.
    """
    settings = Settings.from_env() if settings is None else settings
    return Source(_store(target, settings, store), settings)


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
