"""Where the bytes of an image lie, as references name it: a URL that those who read them understand."""

from __future__ import annotations

import os
from urllib.parse import quote, unquote, urlsplit

from gigapix.errors import UnsupportedError
from gigapix.image.image import Image

WEB = ("http", "https")


def place_of(image: Image) -> str:
    """The image's own URL. The path in it is not percent-encoded but on the web, where it is as it was given.

    Raises UnsupportedError where it has none: an image in memory, or in a store that has no URL.
    """
    origin = image.origin
    if origin is None or not isinstance(origin.path, str | os.PathLike) or origin.store is not None:
        raise UnsupportedError("references name a file by its URL: say url=", path=image.path)
    path = os.fspath(origin.path)
    scheme, separator, rest = path.partition("://")
    if not separator:
        return f"file://{os.path.abspath(path)}"  # noqa: PTH100  # a path of any kind, not resolved
    if scheme.lower() == "file":
        return f"file://{unquote(rest[rest.index('/') :])}"
    return path if scheme in WEB else image.path


def beside(url: str, file: str) -> str:
    """The URL of a file beside another; of that itself where `file` is empty."""
    if not file:
        return url
    if urlsplit(url).scheme in WEB:
        return f"{url.partition('?')[0].rpartition('/')[0]}/{quote(file)}"
    return f"{url.rpartition('/')[0]}/{file}"
