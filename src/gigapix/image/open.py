"""`gigapix.open`: a path or a buffer becomes an `Image`."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Generator
from typing import Any

from gigapix.formats.model import Buffer
from gigapix.formats.tiff.series import read_image
from gigapix.image.image import Image
from gigapix.source import Cache, HeaderCache, Settings, Source, drive, drive_async, open_source


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
    threads: how many decode a local file at once; as many as this process has cores where None. Of a remote one it is
        `Settings.concurrency`, as they wait more than they work.

    Raises NotFoundError, DeniedError or another SourceError where the file can't be read, FormatError where it is no
    image or a broken one, UnsupportedError where it is of a kind that is not read, RequestError where it has no image
    `index`.
    """
    source = open_source(path, Settings.from_env(**settings), store)
    try:
        headers = HeaderCache(source, cache)
        return Image(drive(read_image(index, _file_name(source)), headers), headers, threads=threads)
    except BaseException:
        source.close()
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
        source = open_source(self._path, Settings.from_env(**self._settings), self._store)
        try:
            headers = HeaderCache(source, self._cache)
            spec = await drive_async(read_image(self._index, _file_name(source)), headers)
            return Image(spec, headers, threads=self._threads)
        except BaseException:
            source.close()
            raise

    def __await__(self) -> Generator[Any, Any, Image]:
        return self._open().__await__()

    async def __aenter__(self) -> Image:
        self._image = await self._open()
        return self._image

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if self._image is not None:
            self._image.close()


def _file_name(source: Source) -> str:
    return posixpath.basename(source.name)
