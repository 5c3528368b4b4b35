"""`gigapix.open`: a path or a buffer becomes an `Image`."""

from __future__ import annotations

import os
from typing import Any

from gigapix.formats.model import Buffer
from gigapix.formats.tiff.series import read_image
from gigapix.image.image import Image
from gigapix.source import HeaderCache, Settings, drive, open_source


def open(  # noqa: A001  # the name that the field uses
    path: str | os.PathLike[str] | Buffer, *, index: int = 0, store: Any = None, threads: int | None = None, **settings: Any
) -> Image:
    """Open an image, reading its header and nothing else.

    path: a local path, a URL, or the file's bytes.
    store: an obstore store or another object with obspec's ``get_range``, in which `path` is a path.
    settings: fields of `Settings`, before those of the environment.
    index: which image of a file that holds several (pages, OME images, a slide's label ...), from 0.
    threads: how many decode at once; as many as this process has cores where None.

    Raises NotFoundError, DeniedError or another SourceError where the file can't be read, FormatError where it is no
    image or a broken one, UnsupportedError where it is of a kind that is not read, RequestError where it has no image
    `index`.
    """
    source = open_source(path, Settings.from_env(**settings), store)
    try:
        cache = HeaderCache(source)
        return Image(drive(read_image(index, os.path.basename(source.name)), cache), cache, threads=threads)
    except BaseException:
        source.close()
        raise
