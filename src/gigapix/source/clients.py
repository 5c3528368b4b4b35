"""URLs as objects of obstore's stores.

obstore's own retries are switched off here, since they could not be counted; `Source` retries. A store that a user
brings keeps its own ways.

To make a store costs 15 ms (it reads the system's certificates) and its connections begin anew, so those of one server
or bucket, with the same options and in the same environment, are made once. A URL with a query, or with characters that
servers take in different ways, needs a store of its own: in the path of another, obstore would escape it by its rules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from gigapix.errors import SourceError
from gigapix.source.objects import ObjectStore
from gigapix.source.settings import Settings

S3: Final = frozenset({"s3", "s3a"})
GCS: Final = frozenset({"gs", "gcs"})
AZURE: Final = frozenset({"az", "azure", "adl", "abfs", "abfss"})
WEB: Final = frozenset({"http", "https"})
SCHEMES: Final = S3 | GCS | AZURE | WEB

_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
"""A path that every client writes and every server reads the same way."""

_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
"""What RFC 3986 allows in a path: with a % in it, it is percent-encoded."""

_STRAY: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

_FORMS_CLIENTS: Final = ("AWS_", "GOOGLE_", "AZURE_", "PROXY", "proxy", "SSL_CERT")
"""Parts of names of environment variables that obstore and its HTTP client read when a store is made."""
_NAMES_SERVERS: Final = ("ENDPOINT", "ACCOUNT_NAME", "AWS_REGION", "EMULATOR")
"""Of those that tell which server is meant. None holds a secret."""
_TOLD: Final = frozenset({"bucket", "container_name", "account_name", "endpoint", "region", "base_url", "use_emulator"})
"""The same, of a store's own configuration."""


def object_of_url(url: str, settings: Settings) -> ObjectStore:
    """The object that a URL names. Raises SourceError where it names none, or these settings reach none."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise SourceError("is no URL", path=url.partition("?")[0]) from None
    if parts.scheme not in SCHEMES:
        raise SourceError(f"{parts.scheme}:// is none of {', '.join(sorted(SCHEMES))}", path=url.partition("?")[0])
    if parts.scheme in WEB:
        name = f"{parts.scheme}://{host}{parts.path}"
        return _named(name, settings, lambda: _of_web(parts, settings), _hidden(parts.query))
    bucket, _, path = url.split("://", 1)[1].partition("/")
    signature = ""
    if parts.scheme in AZURE and "sig=" in parts.query:
        path, _, signature = path.partition("?")  # else `?` and `#` are ordinary characters in the name of an object
    key = decoded(path)
    name = f"{parts.scheme}://{bucket}/{key}"
    if not key:
        raise SourceError("names no object", path=name)
    where = f"{settings.endpoint} {_environment(_NAMES_SERVERS)}"
    return _named(name, settings, lambda: (_of_bucket(parts.scheme, bucket, signature, settings), key), _hidden(where))


def store_of_url(url: str, settings: Settings) -> tuple[Any, str]:
    """The store that a URL lies in, and what its path is there: a prefix to list, a folder, or empty for all of it.

    Raises SourceError where it names none.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, path = rest.partition("/")
    name = url.partition("?")[0]
    if scheme not in SCHEMES or not bucket:
        raise SourceError(f"{scheme}:// is none of {', '.join(sorted(SCHEMES))}", path=name)
    try:
        if scheme in WEB:
            return _web(f"{scheme}://{bucket}", settings.timeout, _environment(_FORMS_CLIENTS)), unquote(path)
        return _of_bucket(scheme, bucket, "", settings), decoded(path)
    except Exception as error:  # noqa: BLE001  # as in `_named`
        reason = re.sub(r"\?\S*", "", str(error).partition("\n")[0])
    raise SourceError(f"can't be opened: {reason}", path=name)


def decoded(path: str) -> str:
    """The name of an object as it is, from a URL that may be percent-encoded or not.

    It is where it has nothing in it that encoding would have removed: ``a%20b`` is, ``100% of ü`` is not.
    """
    return unquote(path) if "%" in path and _ENCODED.fullmatch(path) else path


def identity_of(store: Any, path: str) -> str | None:
    """`Store.identity` of an object in a store of obstore's; None for one in memory or of another's making."""
    kind = type(store).__name__
    if not type(store).__module__.startswith("obstore") or kind not in (
        "S3Store",
        "GCSStore",
        "AzureStore",
        "HTTPStore",
    ):
        return None
    told = {key: value for key, value in getattr(store, "config", {}).items() if key in _TOLD}
    where = (sorted(told.items()), getattr(store, "prefix", None), getattr(store, "url", None))
    return f"{kind}/{path}#{_hidden(f'{where} {_environment(_NAMES_SERVERS)}')}"


def _named(name: str, settings: Settings, make: Callable[[], tuple[Any, str]], hidden: str) -> ObjectStore:
    try:
        store, path = make()
    except Exception as error:  # noqa: BLE001  # obstore has a class for each thing that can be wrong with a configuration
        reason = re.sub(r"\?\S*", "", str(error).partition("\n")[0])
    else:
        return ObjectStore(store, path, name=name, identity=f"{name}#{hidden}")
    raise SourceError(f"can't be opened: {reason}", path=name)


def _of_web(parts: SplitResult, settings: Settings) -> tuple[Any, str]:
    from obstore.store import HTTPStore

    if not parts.query and _PLAIN.fullmatch(parts.path):
        return _web(f"{parts.scheme}://{parts.netloc}", settings.timeout, _environment(_FORMS_CLIENTS)), parts.path[1:]
    url = parts._replace(path=_STRAY.sub("%25", parts.path), fragment="").geturl()
    return HTTPStore.from_url(url, **_options(settings.timeout, parts.scheme == "http")), ""


@lru_cache(maxsize=64)
def _web(origin: str, timeout: float, made_in: str) -> Any:
    from obstore.store import HTTPStore

    return HTTPStore.from_url(origin, **_options(timeout, origin.startswith("http://")))


def _of_bucket(scheme: str, bucket: str, signature: str, settings: Settings) -> Any:
    config: dict[str, Any] = {}
    if settings.anonymous:
        config["skip_signature"] = True
    if settings.endpoint:
        config["base_url" if scheme in GCS else "endpoint"] = settings.endpoint
    if signature:
        config["sas_key"] = signature
    if scheme in S3:
        if settings.region:
            config["region"] = settings.region
        if settings.requester_pays:
            config["request_payer"] = True
        if settings.endpoint:
            config["virtual_hosted_style_request"] = False
    provider = settings.credential_provider
    make = _bucket if isinstance(provider, Hashable) else _bucket.__wrapped__
    made_in = _environment(_FORMS_CLIENTS)
    return make(f"{scheme}://{bucket}", tuple(sorted(config.items())), settings.timeout, provider, made_in)


@lru_cache(maxsize=64)
def _bucket(url: str, config: tuple[tuple[str, Any], ...], timeout: float, provider: Any, made_in: str) -> Any:
    from obstore.store import from_url

    given = dict(config)
    options = _options(timeout, str(given.get("endpoint", given.get("base_url", ""))).startswith("http://"))
    if provider is not None:
        options["credential_provider"] = provider
    return from_url(url, config=given, **options)  # type: ignore[call-overload]


def _options(timeout: float, plain: bool) -> dict[str, Any]:
    from datetime import timedelta

    limit = timedelta(seconds=timeout)
    return {
        "client_options": {"timeout": limit, "allow_http": plain},
        "retry_config": {"max_retries": 0, "retry_timeout": limit},
    }


def _environment(what: tuple[str, ...]) -> str:
    """A digest of the environment variables whose names have one of these in them."""
    return _hidden(repr(sorted(item for item in os.environ.items() if any(part in item[0] for part in what))))


def _hidden(text: str) -> str:
    """Tells one text from another and gives none away."""
    return sha256(text.encode()).hexdigest()[:16] if text else ""
