"""`gigapix.virtual`: an image as a Zarr store. Zarr is imported when it is called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from gigapix.errors import MissingExtraError
from gigapix.image.image import Image

if TYPE_CHECKING:
    from gigapix.views.store import VirtualStore

AHEAD: Final = MappingProxyType({"header_block": 512 << 10, "header_cache": 4 << 20})
"""Of a COG of 100,000 x 100,000 pixels in tiles of 512, directories and tables take 600 KiB."""


def virtual(
    source: str | os.PathLike[str] | bytes | Image,
    *,
    levels: int | Literal["auto"] | None = None,
    index: int = 0,
    store: Any = None,
    **settings: Any,
) -> VirtualStore:
    """An image as a read-only Zarr v3 store: a group with an array a level (``0``, ``1`` ...) and the metadata of a
    pyramid; pixels are read and decoded when they are asked for, and nothing is copied.

    source: a path, a URL, a file's bytes, or an open image, which stays open when the store is closed.
    levels: how many beyond level 0; those that the file lacks are computed when they are read, as means of 2 x 2
        samples, 4 x 4 and so on of the last one that it has. "auto" for as many as it takes until both sides are at
        most 512 long; None for the file's own.
    index, store, settings: as in `gigapix.open`, but that the header of an image on a server is read 512 KiB at a time.
        `Settings.memory` is what reads under way may hold, and as much again for the chunks that are made of them.

    Raises MissingExtraError without zarr, RequestError for levels that make no sense, UnsupportedError where they can't
    be computed (complex samples), and what opening the image raises.
    """
    try:
        from gigapix.views.store import VirtualStore
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "zarr":
            raise
        raise MissingExtraError("a Zarr store needs the package zarr: pip install 'gigapix[zarr]'") from error
    from gigapix.image.open import open as open_image

    if isinstance(source, Image):
        image, owned = source, False
    else:
        image, owned = open_image(source, index=index, store=store, **ahead(source, store, settings)), True
    try:
        made = VirtualStore(image, image.origin, levels, owned=owned)
        made.group  # noqa: B018  # so that what is wrong with it is told now
    except BaseException:
        if owned:
            image.close()
        raise
    return made


def ahead(source: Any, store: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, where nothing else is set with long requests for the header of an image that is far away: pixels
    will be read, so the tables are wanted too, and the directories of a pyramid lie behind them."""
    if store is None and (not isinstance(source, str) or "://" not in source):
        return dict(settings)
    given = {name: size for name, size in AHEAD.items() if f"GIGAPIX_{name.upper()}" not in os.environ}
    return given | dict(settings)
