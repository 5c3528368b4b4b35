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

    path: a local path, a URL, or the file's bytes; of Zarr, its folder.
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
    given = path, index, store, cache, settings
    headers, steps, origin = _prepared(*given)
    from gigapix.errors import NotFoundError
    from gigapix.image.image import Image
    from gigapix.source import drive

    try:
        try:
            spec = drive(steps, headers)
        except NotFoundError as missing:
            if (folder := _perhaps_folder(*given)) is None:
                raise
            headers.close()
            headers, steps, origin = folder
            try:
                spec = drive(steps, headers)
            except NotFoundError:
                raise missing from None
        return Image(spec, headers, threads=threads, origin=origin)
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
        from gigapix.errors import NotFoundError
        from gigapix.image.image import Image
        from gigapix.source import drive_async

        try:
            try:
                spec = await drive_async(steps, headers)
            except NotFoundError as missing:
                if (folder := _perhaps_folder(*given)) is None:
                    raise
                headers.close()
                headers, steps, origin = folder
                try:
                    spec = await drive_async(steps, headers)
                except NotFoundError:
                    raise missing from None
            return Image(spec, headers, threads=self._threads, origin=origin)
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
    from gigapix.source import HeaderCache, Settings, is_folder, open_source

    if is_folder(path, store):
        return _folder(os.fspath(path), index, store, cache, settings)  # type: ignore[arg-type]
    source = open_source(path, Settings.from_env(**settings), store)
    name, verify = posixpath.basename(source.name), source.settings.verify
    origin = Origin(path=path, index=index, store=store, settings=source.settings)
    steps = read_image(index, name, verify=verify, size_of=lambda: source.size)
    return HeaderCache(source, cache), steps, origin


def _folder(
    path: str, index: int, store: Any, cache: Cache | None, settings: Mapping[str, Any]
) -> tuple[HeaderCache, Steps[Described], Origin]:
    """The same for a Zarr hierarchy."""
    import gigapix.image.image
    import gigapix.image.tiff_facts
    import gigapix.image.zarr_facts  # noqa: F401  # so that all of them are imported here
    from gigapix.formats.zarr.image import read_image
    from gigapix.formats.zarr.keys import Keys
    from gigapix.formats.zarr.tree import Tree
    from gigapix.image.origin import Origin
    from gigapix.source import HeaderCache, Settings, open_folder

    keys = Keys()
    source = open_folder(path, keys.name, Settings.from_env(**settings), store)
    origin = Origin(path=path, index=index, store=store, settings=source.settings)
    return HeaderCache(source, cache), read_image(Tree(keys), index, source.name), origin


def _perhaps_folder(
    path: str | os.PathLike[str] | Buffer, index: int, store: Any, cache: Cache | None, settings: Mapping[str, Any]
) -> tuple[HeaderCache, Steps[Described], Origin] | None:
    """The same where there is no such object, but may be a folder of that name: it isn't local, has no ending and no
    signature. None elsewhere."""
    from gigapix.source import is_folder

    far = isinstance(path, str) and (store is not None or not is_local(path))
    bare = far and not {".", "?"} & set(posixpath.basename(str(path)))
    return _folder(str(path), index, store, cache, settings) if bare and not is_folder(path, store) else None


def is_local(path: str) -> bool:
    """Whether a path is one of this machine's files."""
    scheme, separator, _ = path.partition("://")
    return not separator or scheme.lower() == "file"
