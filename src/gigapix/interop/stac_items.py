"""A STAC item as a list of assets with absolute addresses (STAC 1.0 and 1.1): documents in, no file is opened.

An item may be a dictionary, an object with pystac's attributes, or a document to be fetched. Documents from the web are
not trusted: they may not lead to a local file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from gigapix.errors import (
    DeniedError,
    FormatError,
    LimitError,
    NotFoundError,
    RequestError,
    ServerError,
    ShortBodyError,
    SourceError,
    SourceTimeoutError,
)
from gigapix.source import Settings, open_source

IMAGES: Final = ("image/tiff", "image/geotiff", "image/x.geotiff", "image/vnd.stac.geotiff", "application/geotiff")
"""Media types of what gigapix opens, in all spellings that are met."""

ENDINGS: Final = (".tif", ".tiff")
"""Of addresses whose asset has no media type."""

MAX_JSON_BYTES: Final = 64 << 20
"""Of a document. A page of 10,000 items takes some 30 MB."""


class MissingAssetError(RequestError):
    """An item does not have the assets that were asked for. The message names those that it has."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file of an item."""

    key: str
    href: str
    """Absolute: a URL or a path."""
    media_type: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Item:
    """What must be known of an item to open its files."""

    id: str
    assets: Mapping[str, Asset]

    def chosen(
        self,
        keys: Sequence[str] | None = None,
        roles: Sequence[str] | None = None,
        media_types: Sequence[str] | None = None,
    ) -> dict[str, Asset]:
        """The assets with these keys, in that order; else those with one of the roles and one of the media types.

        media_types: ``image/tiff`` also takes those with parameters (``image/tiff; application=geotiff``); parameters
            that are named must be there. Those of `IMAGES` where None.

        Raises MissingAssetError where a key is not there, or nothing is left.
        """
        if keys is not None:
            missing = [key for key in keys if key not in self.assets]
            if missing:
                raise MissingAssetError(f"item {self.id!r} has no asset {_list(missing)}, only {_list(self.assets)}")
        found = {
            key: asset
            for key, asset in ((key, self.assets[key]) for key in (self.assets if keys is None else keys))
            if (roles is None or set(roles) & set(asset.roles))
            and (is_of_type(asset, media_types) if media_types is not None or keys is None else True)
        }
        if not found:
            raise MissingAssetError(f"item {self.id!r} has no such asset; it has {_list(self.assets)}")
        return found


def is_of_type(asset: Asset, media_types: Sequence[str] | None = None) -> bool:
    """Whether an asset has one of the media types, those of `IMAGES` where None; then a file's ending counts, too."""
    if media_types is None and not asset.media_type:
        return urlsplit(asset.href).path.lower().endswith(ENDINGS)
    essence, *parameters = _words(asset.media_type)
    for wanted in IMAGES if media_types is None else media_types:
        kind, *needed = _words(wanted)
        if kind == essence and set(needed) <= set(parameters):
            return True
    return False


def _words(media_type: str) -> list[str]:
    return [word.strip().lower().replace('"', "") for word in media_type.split(";")]


def _list(words: Any) -> str:
    return ", ".join(map(repr, words)) or "none"


def item_of(given: Any, base: str | None = None, *, foreign: bool = False) -> Item:
    """The item of a dictionary or of an object with pystac's attributes.

    base: the address that relative ones refer to; the item's own ("self") where None.
    foreign: whether the document comes from the web.

    Raises FormatError where it is no item.
    """
    if not isinstance(given, Mapping):
        if not hasattr(given, "assets"):
            raise FormatError(f"no STAC item: {given!r:.60}")
        own = given.get_self_href() if hasattr(given, "get_self_href") else None
        return _item(str(given.id), {key: _fields(asset) for key, asset in given.assets.items()}, base or own, foreign)
    assets = given.get("assets")
    if not isinstance(assets, Mapping) or not all(isinstance(asset, Mapping) for asset in assets.values()):
        raise FormatError("no STAC item: it has no assets")
    own = next((link.get("href") for link in _links(given) if link.get("rel") == "self"), None)
    return _item(str(given.get("id")), assets, base or own, foreign)


def _fields(asset: Any) -> dict[str, Any]:
    return {"href": asset.href, "type": asset.media_type, "roles": asset.roles}


def _item(identifier: str, assets: Mapping[str, Mapping[str, Any]], base: Any, foreign: bool) -> Item:
    base = base if isinstance(base, str) else None
    found = {}
    for key, asset in assets.items():
        href, media_type, roles = asset.get("href"), asset.get("type"), asset.get("roles")
        if not isinstance(href, str) or not href:
            raise FormatError(f"asset {key!r} of item {identifier!r} has no href")
        found[str(key)] = Asset(
            key=str(key),
            href=absolute(href, base, foreign=foreign),
            media_type=media_type if isinstance(media_type, str) else "",
            roles=tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list | tuple) else (),
        )
    return Item(id=identifier, assets=found)


def absolute(href: str, base: str | None, *, foreign: bool = False) -> str:
    """An address relative to `base`, a URL or a path. Raises FormatError where a foreign one is a local file."""
    scheme = urlsplit(base).scheme if base is not None and "://" in base else ""
    if "://" not in href and scheme and base is not None:
        # urljoin knows how to do this for http, and not that it is the same for s3.
        href = scheme + urljoin("http" + base.removeprefix(scheme), href).removeprefix("http")
    elif "://" not in href and base is not None:
        href = os.path.normpath(os.path.join(os.path.dirname(base), href))  # noqa: PTH118, PTH120  # paths are strings here
    if foreign and ("://" not in href or urlsplit(href).scheme == "file"):
        raise FormatError(f"an item from the web names the local file {href!r}")
    return href


def items_of(given: Any) -> Iterator[Item]:
    """The items of a search result: a feature collection, a pystac-client search, anything that yields items."""
    if isinstance(given, str | PurePath):
        yield from _items_at(os.fspath(given))
        return
    if isinstance(given, Mapping):
        features = given.get("features", [given])
    elif hasattr(given, "assets"):
        features = [given]
    else:
        features = given.items() if hasattr(given, "items") and callable(given.items) else given
    for feature in features:
        if isinstance(feature, str | PurePath):
            yield from _items_at(os.fspath(feature))
        else:
            yield item_of(feature)


def _items_at(address: str) -> Iterator[Item]:
    """The items of the document at an address."""
    document = fetched(address)
    foreign = "://" in address and urlsplit(address).scheme != "file"
    features = document.get("features")
    try:
        if not isinstance(features, list):
            yield item_of(document, address, foreign=foreign)
            return
        for feature in features:
            # What a search found lies elsewhere than the search itself, and says where.
            yield item_of(feature, foreign=foreign)
    except FormatError as error:
        raise error.located(address) from None


def _links(feature: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    links = feature.get("links")
    return [link for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []


def fetched(address: str) -> dict[str, Any]:
    """The JSON document at a URL or path. Raises SourceError, FormatError, or LimitError over `MAX_JSON_BYTES`."""
    if urlsplit(address).scheme in ("http", "https"):
        data = _downloaded(address, Settings.from_env().timeout)
    else:
        source = open_source(address)
        try:
            data = bytes(source.read(0, MAX_JSON_BYTES + 1))
        finally:
            source.close()
    if len(data) > MAX_JSON_BYTES:
        raise LimitError(f"a document of more than {MAX_JSON_BYTES} bytes", path=address)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no JSON: {error}", path=address) from None
    if not isinstance(document, dict):
        raise FormatError("no STAC document: it is no JSON object", path=address)
    return document


def _downloaded(url: str, timeout: float) -> bytes:
    """A whole body: servers that make documents as they are asked know no ranges."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    request = Request(url, headers={"Accept": "application/geo+json, application/json"})  # noqa: S310  # http or https
    try:
        with urlopen(request, timeout=timeout) as answer:  # noqa: S310
            body: bytes = answer.read(MAX_JSON_BYTES + 1)
            if answer.length and len(body) <= MAX_JSON_BYTES:
                raise ShortBodyError(f"{answer.length} bytes of the document are missing", path=url)
            return body
    except HTTPError as error:
        kinds = {401: DeniedError, 403: DeniedError, 404: NotFoundError, 410: NotFoundError}
        raise kinds.get(error.code, ServerError)(f"the server answers {error.code} {error.reason}", path=url) from None
    except SourceError:
        raise
    except TimeoutError as error:
        raise SourceTimeoutError(f"no answer within {timeout:g} s", path=url) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none
        raise ServerError(str(error), path=url) from error
