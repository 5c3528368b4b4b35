"""Is a file a Cloud Optimized GeoTIFF? Read without GDAL, from anywhere. `gigapix.validate` asks it of files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gigapix.errors import DeniedError, FormatError, MissingPartError, NotFoundError, RangeUnsupportedError
from gigapix.formats.model import Buffer
from gigapix.formats.tiff.validate import Findings, check_cog
from gigapix.source import HeaderCache, Settings, Source, drive, drive_async, open_source

NOT_THERE: Final = (MissingPartError, NotFoundError, DeniedError, RangeUnsupportedError)
"""How servers say that there is no such file: S3 denies what may not be listed, some web servers send a page."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The verdict, and what it rests on."""

    path: str
    valid: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """``ifd_offsets`` and ``data_offsets`` by level (``main``, ``overview_0`` ...), the keys of GDAL's ``ghost`` area
    or None, ``segments`` of all levels and masks, ``segments_checked`` of them; ``requests`` and ``bytes`` it took.
    Of a Zarr group: see docs/cli.md."""


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
    strict: a warning makes the file invalid, too.
    full: hold every segment against what GDAL's ghost area promises (its size before it, its last bytes behind it, the
        order, the mask's place); else a few of each level, which costs few requests.

    A broken file, or one that is no TIFF, is not valid. Raises SourceError where the file can't be read,
    UnsupportedError where it is of a kind that is not read.
    """
    source = open_source(path, Settings.from_env(**settings), store)
    try:
        cache = HeaderCache(source)
        cache.fetch([(0, 1)])  # a missing file is told apart from its missing neighbour
        try:
            found = drive(check_cog(external=_has_overviews_beside(source), full=full), cache)
        except FormatError as error:
            found = Findings(errors=(error.message,))
        return _report(source, found, strict)
    finally:
        source.close()


async def validate_async(
    path: str | os.PathLike[str] | Buffer,
    *,
    strict: bool = False,
    full: bool = False,
    store: Any = None,
    **settings: Any,
) -> Report:
    """`validate` without blocking."""
    source = open_source(path, Settings.from_env(**settings), store)
    try:
        cache = HeaderCache(source)
        await cache.fetch_async([(0, 1)])
        try:
            external = await _has_overviews_beside_async(source)
            found = await drive_async(check_cog(external=external, full=full), cache)
        except FormatError as error:
            found = Findings(errors=(error.message,))
        return _report(source, found, strict)
    finally:
        source.close()


def _has_overviews_beside(source: Source) -> bool:
    """Whether there is a file of the same name with ``.ovr`` behind it, where GDAL looks for overviews."""
    try:
        beside = source.sibling(f"{posixpath.basename(source.name)}.ovr")
        try:
            return len(beside.read(0, 1)) > 0
        finally:
            beside.close()
    except NOT_THERE:
        return False


async def _has_overviews_beside_async(source: Source) -> bool:
    try:
        beside = source.sibling(f"{posixpath.basename(source.name)}.ovr")
        try:
            return len(await beside.read_async(0, 1)) > 0
        finally:
            beside.close()
    except NOT_THERE:
        return False


def _report(source: Source, found: Findings, strict: bool) -> Report:
    return Report(
        path=source.name,
        valid=not found.errors and not (strict and found.warnings),
        errors=found.errors,
        warnings=found.warnings,
        details={**found.details, "requests": source.stats.requests, "bytes": source.stats.bytes},
    )
