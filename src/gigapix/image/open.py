"""`gigapix.open`: a path or a buffer becomes an `Image`.

Everything that takes time before the first request (imports, a file on a slow disk, a client for a server) is done by
`_prepared`, so that the async twin can leave it to a thread: an event loop must not stand still for a third of a second
because numpy is being imported. For the same reason nothing heavy is imported here.
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from gigapix.formats.model import Buffer, Described, Steps
    from gigapix.image.image import Image
    from gigapix.image.origin import Origin
    from gigapix.source import Cache, HeaderCache


def open(  # noqa: A001  # the name that the field uses
    path: str | os.PathLike[str] | Buffer,
    *,
    index: int = 0,
    store: Any = None,
    cache: Cache | None = None,
    threads: int | None = None,
    **settings: Any,
) -> Image:
    """Open an image, reading its header and nothing else.

    path: a local path, a URL, or the file's bytes.
    store: an obstore store or another object with obspec's ``get_range``, in which `path` is a path.
    cache: what this image shares with others that are opened with it.
    settings: fields of `Settings`, before those of the environment.
    index: which image of a file that holds several (pages, OME images, a slide's label ...), from 0.
    threads: how many decode at once; as many as this process has cores where None. Blocking reads of a remote file
        decode in the threads that wait for its requests (`Settings.concurrency`).

    Raises NotFoundError, DeniedError or another SourceError where the file can't be read, FormatError where it is no
    image or a broken one, UnsupportedError where it is of a kind that is not read, RequestError where it has no image
    `index`.
    """
    headers, steps, origin = _prepared(path, index, store, cache, settings)
    from gigapix.image.image import Image
    from gigapix.source import drive

    try:
        return Image(drive(steps, headers), headers, threads=threads, origin=origin)
    except BaseException:
        headers.close()
        raise


class open_async:  # noqa: N801  # used like a function
    """`open` without blocking: ``image = await open_async(...)`` or ``async with open_async(...) as image:``."""

    def __init__(
        self,
        path: str | os.PathLike[str] | Buffer,
        *,
        index: int = 0,
        store: Any = None,
        cache: Cache | None = None,
        threads: int | None = None,
        **settings: Any,
    ) -> None:
        self._path, self._index, self._store, self._threads, self._settings = path, index, store, threads, settings
        self._cache = cache
        self._image: Image | None = None

    async def _open(self) -> Image:
        import asyncio

        given = self._path, self._index, self._store, self._cache, self._settings
        headers, steps, origin = await asyncio.to_thread(_prepared, *given)
        from gigapix.image.image import Image
        from gigapix.source import drive_async

        try:
            return Image(await drive_async(steps, headers), headers, threads=self._threads, origin=origin)
        except BaseException:
            headers.close()
            raise

    def __await__(self) -> Generator[Any, Any, Image]:
        return self._open().__await__()

    async def __aenter__(self) -> Image:
        self._image = await self._open()
        return self._image

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if self._image is not None:
            self._image.close()


def _prepared(
    path: str | os.PathLike[str] | Buffer, index: int, store: Any, cache: Cache | None, settings: Mapping[str, Any]
) -> tuple[HeaderCache, Steps[Described], Origin]:
    import gigapix.image.image  # noqa: F401  # so that it is imported here
    from gigapix.formats.detect import read_image
    from gigapix.image.origin import Origin
    from gigapix.source import HeaderCache, Settings, open_source

    source = open_source(path, Settings.from_env(**settings), store)
    name, verify = posixpath.basename(source.name), source.settings.verify
    origin = Origin(path=path, index=index, store=store, settings=source.settings)
    steps = read_image(index, name, verify=verify, size_of=lambda: source.size)
    return HeaderCache(source, cache), steps, origin
