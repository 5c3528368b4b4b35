"""A path, a URL, a buffer or a store becomes a `Source`."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

from gigapix.errors import SourceError
from gigapix.formats.model import Buffer
from gigapix.source.files import BytesStore, FileStore
from gigapix.source.settings import Settings
from gigapix.source.source import Source, Store


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
        from gigapix.source.objects import ObjectStore

        return ObjectStore(store, path)
    scheme = urlsplit(path).scheme if "://" in path else ""
    if scheme == "file":
        return FileStore(unquote(urlsplit(path).path))
    if not scheme:
        return FileStore(path)
    from gigapix.source.objects import SCHEMES, ObjectStore, store_of_url

    if scheme not in SCHEMES:
        raise SourceError(f"{scheme}:// is none of {', '.join(sorted(SCHEMES))}", path=path)
    return ObjectStore(*store_of_url(path, settings))
