"""The images of a STAC item, or of all items of a search, opened and read side by side.

    with open_item("https://example.com/item.json", keys=["red", "nir"]) as item:
        bands = item.read(bounds=bounds, shape=(512, 512))  # {"red": array, "nir": array}

An item's images are a mapping from the asset's key to its `Image`; those of a search are a tuple of such mappings.
Where one image can't be opened, those that were are closed and its error is raised: an item is whole or not there.

Needs no STAC library: items are dictionaries, addresses of documents, or objects with pystac's attributes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

from numpy.typing import NDArray

from gigapix.errors import RequestError
from gigapix.image.image import Image
from gigapix.image.open import open as open_image
from gigapix.image.open import open_async as open_image_async
from gigapix.interop.stac_items import Asset, Item, MissingAssetError, items_of
from gigapix.source import together

__all__ = [
    "Asset",
    "ItemImages",
    "MissingAssetError",
    "SearchImages",
    "open_item",
    "open_item_async",
    "open_items",
    "open_items_async",
]

T = TypeVar("T")
R = TypeVar("R")

SIDE_BY_SIDE: Final = 16
"""Images that are opened or read at once."""


class ItemImages(Mapping[str, Image]):
    """The open images of an item by their asset's key. A context manager, blocking and async."""

    def __init__(self, item: Item, images: Mapping[str, Image]) -> None:
        self.item = item
        self._images = images

    @property
    def id(self) -> str:
        """The item's."""
        return self.item.id

    def read(self, **arguments: Any) -> dict[str, NDArray[Any]]:
        """`Image.read` of every image with these arguments, side by side."""
        return dict(zip(self, _each(lambda image: image.read(**arguments), [*self.values()]), strict=True))

    async def read_async(self, **arguments: Any) -> dict[str, NDArray[Any]]:
        """`read` without blocking."""
        found = await _each_async(lambda image: image.read_async(**arguments), [*self.values()])
        return dict(zip(self, found, strict=True))

    def close(self) -> None:
        """Close the images."""
        for image in self._images.values():
            image.close()

    def __getitem__(self, key: str) -> Image:
        return self._images[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()


class SearchImages(tuple[ItemImages, ...]):
    """The open images of several items, in their order. A context manager, blocking and async."""

    __slots__ = ()

    def close(self) -> None:
        """Close the images."""
        for item in self:
            item.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()


def open_item(
    item: Any,
    *,
    keys: Sequence[str] | None = None,
    roles: Sequence[str] | None = None,
    media_types: Sequence[str] | None = None,
    sign: Callable[[str], str] | None = None,
    **options: Any,
) -> ItemImages:
    """Open the images of one item.

    item: a dictionary, an object with pystac's attributes, or the URL or path of the JSON document.
    keys, roles, media_types: which assets; all images of a kind that gigapix opens where none is given.
    sign: makes of an asset's address one that may be read.
    options: those of `gigapix.open`.

    Raises MissingAssetError where the item has no such asset, FormatError where it is no item, and what `gigapix.open`
    raises.
    """
    return _only(open_items(item, keys=keys, roles=roles, media_types=media_types, sign=sign, **options))


async def open_item_async(
    item: Any,
    *,
    keys: Sequence[str] | None = None,
    roles: Sequence[str] | None = None,
    media_types: Sequence[str] | None = None,
    sign: Callable[[str], str] | None = None,
    **options: Any,
) -> ItemImages:
    """`open_item` without blocking."""
    return _only(await open_items_async(item, keys=keys, roles=roles, media_types=media_types, sign=sign, **options))


def open_items(
    items: Any,
    *,
    keys: Sequence[str] | None = None,
    roles: Sequence[str] | None = None,
    media_types: Sequence[str] | None = None,
    sign: Callable[[str], str] | None = None,
    **options: Any,
) -> SearchImages:
    """Open the images of several items: a feature collection, its address, a pystac-client search, or any iterable.

    The other arguments and the errors are those of `open_item`.
    """
    work = _work(items, keys, roles, media_types)
    opened: list[Image] = []

    def opening(asset: Asset) -> Image:
        image = open_image(asset.href if sign is None else sign(asset.href), **options)
        opened.append(image)
        return image

    try:
        return _sorted(work, _each(opening, [asset for _, assets in work for asset in assets.values()]))
    except BaseException:
        for image in opened:
            image.close()
        raise


async def open_items_async(
    items: Any,
    *,
    keys: Sequence[str] | None = None,
    roles: Sequence[str] | None = None,
    media_types: Sequence[str] | None = None,
    sign: Callable[[str], str] | None = None,
    **options: Any,
) -> SearchImages:
    """`open_items` without blocking."""
    import asyncio

    work = await asyncio.to_thread(_work, items, keys, roles, media_types)  # a search fetches its pages by itself
    opened: list[Image] = []

    async def opening(asset: Asset) -> Image:
        image = await open_image_async(asset.href if sign is None else sign(asset.href), **options)
        opened.append(image)
        return image

    try:
        return _sorted(work, await _each_async(opening, [asset for _, assets in work for asset in assets.values()]))
    except BaseException:
        for image in opened:
            image.close()
        raise


Work = list[tuple[Item, dict[str, Asset]]]


def _work(
    items: Any, keys: Sequence[str] | None, roles: Sequence[str] | None, media_types: Sequence[str] | None
) -> Work:
    return [(item, item.chosen(keys, roles, media_types)) for item in items_of(items)]


def _sorted(work: Work, images: Sequence[Image]) -> SearchImages:
    rest = iter(images)
    return SearchImages(ItemImages(item, {key: next(rest) for key in assets}) for item, assets in work)


def _only(found: SearchImages) -> ItemImages:
    if len(found) != 1:
        found.close()
        raise RequestError(f"not one item, but {len(found)}; open_items opens several")
    return found[0]


def _each(work: Callable[[T], R], each: Sequence[T]) -> list[R]:
    """The answers in order, or the first error when no work is under way any more."""
    if len(each) <= 1:
        return [work(one) for one in each]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(each), SIDE_BY_SIDE), thread_name_prefix="gigapix-stac") as pool:
        futures = [pool.submit(work, one) for one in each]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


async def _each_async(work: Callable[[T], Awaitable[R]], each: Sequence[T]) -> list[R]:
    import asyncio

    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(value: T) -> R:
        async with room:
            return await work(value)

    return await together([one(value) for value in each])
