"""Places as Icechunk knows them: URLs of files, the containers of virtual chunks, the storage of a repository."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import quote

from gigapix.errors import UnsupportedError
from gigapix.source import Settings
from gigapix.views.references_places import WEB

_RESERVED: Final = "/!$&'()*+,;=:@"
"""What a path of a URL may hold as it is (RFC 3986)."""


def encoded(url: str) -> str:
    """A URL as Icechunk wants it: percent-encoded, on the web as it is."""
    scheme, _, path = url.partition("://")
    return url if scheme in WEB else f"{scheme}://{quote(path, safe=_RESERVED)}"


def container_of(ice: Any, url: str, settings: Settings) -> tuple[str, Any]:
    """The folder of a file as (prefix of URLs, how it is reached). Where its name, or that of a folder that it lies in,
    is not plain ASCII without spaces, the folder above that: Icechunk 1.1 and 2.3 don't find the others again."""
    scheme, _, path = url.partition("?")[0].partition("://") if url.startswith(WEB) else url.partition("://")
    *folders, _ = path.split("/")
    plain = next((n for n, each in enumerate(folders) if quote(each, safe=_RESERVED) != each), len(folders))
    prefix = "/".join(folders[:plain])
    if not prefix:
        raise UnsupportedError(f"Icechunk can't refer to the folder {'/'.join(folders)!r}")
    if scheme == "file":
        store = ice.local_filesystem_store(prefix)
    elif scheme in WEB:
        store = ice.http_store()
    elif scheme in ("s3", "s3a"):
        store = ice.s3_store(**_s3(settings), anonymous=settings.anonymous, requester_pays=settings.requester_pays)
    elif scheme in ("gs", "gcs"):
        store = ice.gcs_store()
    else:
        raise UnsupportedError(f"gigapix writes no references to {scheme}:// for Icechunk")
    return f"{scheme}://{prefix}/", store


def storage_of(ice: Any, out: str, settings: Settings) -> Any:
    """Of the repository at `out`. Raises UnsupportedError."""
    scheme, separator, path = out.partition("://")
    if not separator:
        return ice.local_filesystem_storage(os.path.abspath(out))  # noqa: PTH100  # a path of any kind, not resolved
    if scheme != "s3":
        raise UnsupportedError("gigapix writes Icechunk repositories on disk or to s3://", path=out)
    bucket, _, prefix = path.partition("/")
    return ice.s3_storage(bucket=bucket, prefix=prefix, from_env=True, **_s3(settings))


def _s3(settings: Settings) -> dict[str, Any]:
    endpoint = settings.endpoint or None
    more = {"endpoint_url": endpoint, "allow_http": True, "force_path_style": True} if endpoint else {}
    return {"region": settings.region or None, **more}
