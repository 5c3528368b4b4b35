"""Objects in clouds and on web servers: obstore's stores, and any other object with obspec's ``get_range``.

obstore speaks S3, GCS, Azure and HTTP. Its own retries are switched off for the stores that are made here, since they
could not be counted; `Source` retries. A store that a user brings keeps its own ways.

From obstore's ``get`` the size and the ETag of the object come with the first bytes, so that no request is spent on
them, and every later request can ask for the same version. ``get_range`` alone tells neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from gigapix.errors import (
    ChangedError,
    DeniedError,
    MissingPartError,
    NotFoundError,
    RangeUnsupportedError,
    ServerError,
    SourceError,
    SourceTimeoutError,
)
from gigapix.source.settings import Settings
from gigapix.source.source import Chunk, os_error

SCHEMES: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "azure", "abfs", "abfss", "adl", "http", "https", "memory"})

_TIMEOUT: Final = re.compile(r"timed out|deadline", re.IGNORECASE)
_STATUS: Final = re.compile(r"status(?: code)?:? (\d{3})")


def store_of_url(url: str, settings: Settings) -> tuple[Any, str, str]:
    """(obstore store, path in it, name for messages) of a URL."""
    from datetime import timedelta

    import obstore.store as stores

    parts = urlsplit(url)
    name = parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()
    options: dict[str, Any] = {
        "client_options": {"timeout": timedelta(seconds=settings.timeout), "allow_http": _plain(url, settings)},
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=settings.timeout)},
    }
    try:
        if parts.scheme in ("http", "https"):
            # The query of a signed URL is part of the store's URL: in a path it would be escaped.
            return stores.HTTPStore.from_url(url, **options), "", name
        config: dict[str, Any] = {}
        if settings.anonymous:
            config["skip_signature"] = True
        if settings.endpoint:
            config["endpoint"] = settings.endpoint
        if parts.scheme in ("s3", "s3a"):
            if settings.region:
                config["region"] = settings.region
            if settings.requester_pays:
                config["request_payer"] = True
            if settings.endpoint:
                config["virtual_hosted_style_request"] = False
        store = stores.from_url(f"{parts.scheme}://{parts.netloc}", config=config, **options)
    except Exception as error:  # obstore's own classes, one for each thing that can be wrong with a configuration
        raise SourceError(f"can't be opened: {error}", path=name) from error
    # `?` and `#` are ordinary characters in the name of an object.
    path = url.split("://", 1)[1].partition("/")[2]
    return store, unquote(path) if "%" in path else path, name


def _plain(url: str, settings: Settings) -> bool:
    return url.startswith("http://") or settings.endpoint.startswith("http://")


class ObjectStore:
    """One object of a store that a `Source` can read."""

    local = False

    def __init__(self, store: Any, path: str, name: str | None = None) -> None:
        self.name = path if name is None else name
        self._store: Any = store
        self._path = path
        self._whole = hasattr(store, "get") and hasattr(store, "get_async")

    def get(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """One request. Raises the SourceError that fits."""
        try:
            if not self._whole:
                return Chunk(memoryview(self._open().get_range(self._path, start=start, length=length)), None, None)
            answer = self._open().get(self._path, options=_options(start, length, etag))
            return _chunk(answer.bytes(), answer.meta)
        except Exception as error:
            raise self._error(error) from error

    async def get_async(self, start: int, length: int, etag: str | None = None) -> Chunk:
        """`get` without blocking."""
        try:
            if not self._whole:
                data = await self._open().get_range_async(self._path, start=start, length=length)
                return Chunk(memoryview(data), None, None)
            answer = await self._open().get_async(self._path, options=_options(start, length, etag))
            return _chunk(await answer.bytes_async(), answer.meta)
        except Exception as error:
            raise self._error(error) from error

    def _open(self) -> Any:
        if self._store is None:
            raise SourceError("the image is closed", path=self.name)
        return self._store

    def sibling(self, name: str) -> ObjectStore:
        """An object under the same prefix. An HTTP store has a URL of its own for each object."""
        if not self._path:
            raise MissingPartError(f"it needs the file {name} beside it, which a signed or plain URL does not reach", path=self.name)
        folder = self._path.rpartition("/")[0]
        return ObjectStore(self._open(), f"{folder}/{name}" if folder else name)

    def close(self) -> None:
        """Let go of the store; its owner closes it."""
        self._store = None

    def _error(self, error: Exception) -> SourceError:
        """obstore's error, or that of another store, as ours."""
        if isinstance(error, SourceError):
            return error
        kind = type(error).__name__
        text = str(error).splitlines()[0] if str(error) else kind
        status = _STATUS.search(str(error))
        code = int(status[1]) if status else 0
        if kind == "NotFoundError" or isinstance(error, FileNotFoundError) or code in (404, 410):
            return NotFoundError("there is no such object", path=self.name)
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or isinstance(error, PermissionError) or code in (401, 403):
            return DeniedError(f"access is denied: {text:.200}", path=self.name)
        if kind == "PreconditionError" or code == 412:
            return ChangedError("it has changed since it was opened", path=self.name)
        if kind in ("NotSupportedError", "NotImplementedError") or "NotPartial" in str(error):
            return RangeUnsupportedError("the server ignores ranges", path=self.name)
        if isinstance(error, TimeoutError) or _TIMEOUT.search(str(error)):
            return SourceTimeoutError(f"no answer in time: {text:.200}", path=self.name)
        if code == 429 or code >= 500 or kind in ("GenericError", "JoinError") or isinstance(error, ConnectionError):
            return ServerError(f"{text:.300}", path=self.name)
        if isinstance(error, OSError):
            return os_error(error, self.name)
        return SourceError(f"{kind}: {text:.300}", path=self.name)


def _options(start: int, length: int, etag: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"range": (start, start + length)}
    return options | {"if_match": etag} if etag else options


def _chunk(data: Any, meta: Mapping[str, Any]) -> Chunk:
    return Chunk(memoryview(data), meta.get("size"), meta.get("e_tag"))
