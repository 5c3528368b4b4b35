"""`gigapix.validate`: is a file a Cloud Optimized GeoTIFF? Read without GDAL, from anywhere."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gigapix.errors import DeniedError, FormatError, MissingPartError, NotFoundError
from gigapix.formats.model import Buffer
from gigapix.formats.tiff.validate import Findings, check_cog
from gigapix.source import HeaderCache, Settings, Source, drive, drive_async, open_source


@dataclass(frozen=True, kw_only=True)
class Report:
    """The verdict, and what it rests on."""

    path: str
    valid: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """``ifd_offsets`` and ``data_offsets`` by level (``main``, ``overview_0`` ...), the keys of GDAL's ``ghost`` area or
    None, ``segments`` of all levels and masks and ``segments_checked`` of them; ``requests`` and ``bytes`` that it took."""


def validate(
    path: str | os.PathLike[str] | Buffer,
    *,
    strict: bool = False,
    full: bool = False,
    store: Any = None,
    **settings: Any,
) -> Report:
    """Whether a file's first image is a Cloud Optimized GeoTIFF, by the rules of rio-cogeo and GDAL.

    path, store, settings: as for `gigapix.open`.
    strict: warnings make the file invalid, too.
    full: hold every segment against what GDAL's ghost area promises (its size before it, its last bytes behind it, the
    order, the mask's place); else a few of each level, which costs few requests.

    A broken file, or one that is no TIFF, is not valid. Raises SourceError where the file can't be read, UnsupportedError
    where it is of a kind that is not read.
    """
    source = open_source(path, Settings.from_env(**settings), store)
    try:
        found = _findings(source)
    finally:
        source.close()
    return _report(source, found, strict)
