"""Each library's best way to read windows of one level of a Zarr group, on disk or from a web server, with two threads.

A peer opens the array of a level and yields a function that reads a list of windows (column, row, width, height; None
for all of it), as many at once as the peer can where they come from a server, one after the other from disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import numpy as np

THREADS = 2
AT_ONCE = 32
"""Requests, where the peer can be told."""

Box = tuple[int, int, int, int]
Pixels = np.ndarray[Any, np.dtype[Any]]
Read = Callable[[Sequence[Box | None]], Iterator[Pixels]]


def slices(box: Box | None) -> tuple[slice, ...]:
    """A window as numpy has it."""
    if box is None:
        return (slice(None), slice(None))
    x, y, width, height = box
    return slice(y, y + height), slice(x, x + width)


@contextmanager
def gigapix_reader(path: str, level: int) -> Iterator[Read]:
    """`Image.read`; of a server `read_async` of all windows together. The array is opened by itself, as by the others:
    opening the whole group costs one more round trip."""
    import gigapix

    path = f"{path}/{level}"
    if "://" not in path:
        with gigapix.open(path) as image:
            yield lambda boxes: (image.read(box, bands=0) for box in boxes)
        return

    async def read(boxes: Sequence[Box | None]) -> list[Pixels]:
        async with gigapix.open_async(path) as image:
            return list(await asyncio.gather(*(image.read_async(box, bands=0) for box in boxes)))

    yield lambda boxes: iter(asyncio.run(read(boxes)))


@contextmanager
def zarr_reader(path: str, level: int) -> Iterator[Read]:
    """zarr-python over its own local store, or over obstore; two threads decode."""
    import zarr

    zarr.config.set({"threading.max_workers": THREADS, "async.concurrency": AT_ONCE})
    store: Any = path
    if "://" in path:
        from obstore.store import HTTPStore
        from zarr.storage import ObjectStore

        store = ObjectStore(HTTPStore.from_url(path, client_options={"allow_http": True}), read_only=True)
    array = zarr.open_array(store, path=str(level), mode="r")
    if "://" not in path:
        yield lambda boxes: (array[slices(box)] for box in boxes)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield lambda boxes: pool.map(lambda box: array[slices(box)], boxes)


@contextmanager
def tensorstore_reader(path: str, level: int) -> Iterator[Read]:
    """tensorstore with no cache, so that no window is answered from the one before."""
    import tensorstore as ts

    context = {
        "data_copy_concurrency": {"limit": THREADS},
        "file_io_concurrency": {"limit": THREADS},
        "http_request_concurrency": {"limit": AT_ONCE},
        "cache_pool": {"total_bytes_limit": 0},
    }
    where = f"{path}/{level}/"
    kvstore = {"driver": "http", "base_url": where} if "://" in path else {"driver": "file", "path": where}
    array = ts.open({"driver": "zarr3", "kvstore": kvstore, "context": context}, read=True).result()
    if "://" not in path:
        yield lambda boxes: (array[slices(box)].read().result() for box in boxes)
        return
    yield lambda boxes: (each.result() for each in [array[slices(box)].read() for box in boxes])


@contextmanager
def zarrista_reader(path: str, level: int) -> Iterator[Read]:
    """zarrista (the Rust crate zarrs), over its own local store or over obstore."""
    from zarrista import Array, AsyncArray
    from zarrista.store import FilesystemStore

    if "://" not in path:
        array = Array.open(FilesystemStore(path), f"/{level}")
        yield lambda boxes: (np.asarray(array.retrieve_array_subset(_subset(array, box))) for box in boxes)
        return
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(path, client_options={"allow_http": True})

    async def read(boxes: Sequence[Box | None]) -> list[Pixels]:
        array = await AsyncArray.open(store, f"/{level}")
        found = await asyncio.gather(*(array.retrieve_array_subset(_subset(array, box)) for box in boxes))
        return [np.asarray(each) for each in found]

    yield lambda boxes: iter(asyncio.run(read(boxes)))


def _subset(array: Any, box: Box | None) -> Any:
    return array.subset_all if box is None else slices(box)


PEERS: Mapping[str, Callable[[str, int], Any]] = MappingProxyType(
    {
        "gigapix": gigapix_reader,
        "zarr-python": zarr_reader,
        "tensorstore": tensorstore_reader,
        "zarrista": zarrista_reader,
    }
)
