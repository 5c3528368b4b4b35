"""How a pyramid gets at its source: `Opening` can be pickled, and gives the `Pixels` when it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigapix.errors import RequestError, UnsupportedError
from gigapix.image.image import Image
from gigapix.pyramids.arrays import array_pixels, first_array, open_zarr
from gigapix.pyramids.images import image_pixels
from gigapix.pyramids.masks import masked
from gigapix.pyramids.pixels import Pixels

if TYPE_CHECKING:
    from gigapix.image.origin import Origin


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How to get at a source. Picklable where it is on disk or far away."""

    given: Any
    """An Origin, or an array."""
    axes: tuple[str, ...] | None
    nodata: float | int | None
    live: Any = None
    """An image that is open already: used in this process, and left open."""

    @contextmanager
    def opened(self) -> Iterator[Pixels]:
        """The source, until the end of the block; what its mask hides is hidden."""
        with self.both() as (pixels, image):
            yield masked(pixels, image) if image is not None else pixels

    @contextmanager
    def both(self) -> Iterator[tuple[Pixels, Image | None]]:
        """The source, and the image where it is one."""
        if isinstance(self.live, Image):
            yield image_pixels(self.live, self.axes, self.nodata), self.live
        elif hasattr(self.given, "settings"):
            with self.given.open() as image:
                yield image_pixels(image, self.axes, self.nodata), image
        else:
            yield array_pixels(self.given, self.axes, self.nodata), None

    def away(self) -> Opening:
        """The same for another process. Raises UnsupportedError for an image in memory."""
        if not hasattr(self.given, "settings"):
            return self
        if self.given is None:
            raise UnsupportedError("it was not opened by gigapix.open, so that no other process can open it")
        return Opening(given=self.given.named(), axes=self.axes, nodata=self.nodata)


def opening_of(source: Any, axes: Sequence[str] | str | None, nodata: float | None, **settings: Any) -> Opening:
    """The way to a source: a path or URL of an image or a Zarr hierarchy, an open image, or an array."""
    names = tuple(axes) if axes is not None else None
    if names is not None and (len(set(names)) < len(names) or not all(names)):
        raise RequestError(f"axes {names} must have names, each its own")
    if isinstance(source, Image):
        return Opening(given=source.origin, axes=names, nodata=nodata, live=source)
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source).rstrip("/")
        if text.endswith(".zarr") or ("://" not in text and Path(text).is_dir()):
            source = open_zarr(text)
        else:
            return Opening(given=origin_of(source, settings), axes=names, nodata=nodata)
    if hasattr(source, "store_path") and not hasattr(source, "dtype"):
        source = first_array(source)
    if not all(hasattr(source, name) for name in ("shape", "dtype", "__getitem__")):
        raise RequestError(f"{type(source).__name__} is no image and no array")
    return Opening(given=source, axes=names, nodata=nodata)


def origin_of(path: str | os.PathLike[str], settings: Mapping[str, Any]) -> Origin:
    """The way to an image."""
    from gigapix.image.origin import Origin
    from gigapix.source import Settings

    rest = dict(settings)
    index, store = rest.pop("index", 0), rest.pop("store", None)
    return Origin(path=path, index=index, store=store, settings=Settings.from_env(**rest))
