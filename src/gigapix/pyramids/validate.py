"""`gigapix.validate`: whether a TIFF is a Cloud Optimized GeoTIFF, or a Zarr group a sound pyramid."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from gigapix.errors import DeniedError, LimitError, NotFoundError, SourceError
from gigapix.formats.model import Buffer
from gigapix.image import validate as files
from gigapix.image.validate import Report
from gigapix.pyramids.check_group import Checked, check_group
from gigapix.source import Settings, Source, open_source

MAX_BYTES: Final = 16 << 20
"""Of a metadata file: consolidated metadata of eight thousand arrays. Parsed, JSON can take twenty times as much."""

Target = str | os.PathLike[str]


def validate(
    path: Target | Buffer,
    *,
    strict: bool = False,
    full: bool = False,
    pixels: bool = False,
    store: Any = None,
    **settings: Any,
) -> Report:
    """Whether a file's first image is a Cloud Optimized GeoTIFF; or whether a Zarr group (v2, v3) is a pyramid by the
    rules of OME-Zarr 0.4 or 0.5 and of the Zarr conventions multiscales, spatial and proj.

    path, store, settings: as for `gigapix.open`. A folder, or a URL that ends in ``.zarr`` or ``/``, is a group; so is
        another URL where there is no file, but a group.
    strict: a warning makes it invalid, too.
    full: of a file, hold every segment against what GDAL's ghost area promises, else a few of each level.
    pixels: of a group, compare each level with what its reducer makes of the one above, or of level 0. Needs the extra
        ``zarr``.

    What is broken is not valid. Raises SourceError where it can't be read, UnsupportedError where it is of a kind that
    is not read (another version of OME-Zarr, a plate).
    """
    if not _is_group(path, store):
        try:
            return files.validate(path, strict=strict, full=full, store=store, **settings)
        except (NotFoundError, DeniedError):
            if not _may_be_group(path, store):
                raise
            if (checked := _Reader(path, store, settings).check()) is None:
                raise
            return _report(path, checked, strict, pixels, store, settings)
    return _report(path, _Reader(path, store, settings).check(), strict, pixels, store, settings)


async def validate_async(
    path: Target | Buffer,
    *,
    strict: bool = False,
    full: bool = False,
    pixels: bool = False,
    store: Any = None,
    **settings: Any,
) -> Report:
    """`validate` without blocking. Pixels are compared in a thread."""
    import asyncio

    if not _is_group(path, store):
        try:
            return await files.validate_async(path, strict=strict, full=full, store=store, **settings)
        except (NotFoundError, DeniedError):
            if not _may_be_group(path, store):
                raise
            if (checked := await _Reader(path, store, settings).check_async()) is None:
                raise
    else:
        checked = await _Reader(path, store, settings).check_async()
    return await asyncio.to_thread(_report, path, checked, strict, pixels, store, settings)


def _is_group(path: Target | Buffer, store: Any) -> bool:
    if not isinstance(path, str | os.PathLike):
        return False
    text = _local_path(os.fspath(path))
    if store is None and "://" not in text:
        return Path(text).is_dir()
    return text.partition("?")[0].endswith((".zarr", "/"))


def _local_path(text: str) -> str:
    """The path that a file URL names; other texts as they are."""
    return unquote(text[len("file://") :]) if text.startswith("file:///") else text


def _may_be_group(path: Target | Buffer, store: Any) -> bool:
    """Whether there can be a folder where there is no file."""
    return isinstance(path, str | os.PathLike) and (store is not None or "://" in os.fspath(path))


class _Reader:
    """The files of a group, read one after the other."""

    def __init__(self, path: Any, store: Any, settings: Mapping[str, Any]) -> None:
        text = os.fspath(path)
        self.prefix = text if not text or text.endswith("/") else f"{text}/"
        self.store = store
        self.settings = Settings.from_env(**settings)
        self.costs: Counter[str] = Counter()

    def check(self) -> Checked | None:
        """Whether it is valid, None where there is no group."""
        steps = check_group()
        try:
            name = next(steps)
            while True:
                try:
                    with self._opened(name) as source:
                        data: bytes | None = bytes(source.read(0, MAX_BYTES + 1))
                except SourceError as error:
                    _check_missing(error)
                    data = None
                name = steps.send(self._checked(data, name))
        except StopIteration as stop:
            return self._counted(stop.value)

    async def check_async(self) -> Checked | None:
        """`check` without blocking."""
        steps = check_group()
        try:
            name = next(steps)
            while True:
                try:
                    with self._opened(name) as source:
                        data: bytes | None = bytes(await source.read_async(0, MAX_BYTES + 1))
                except SourceError as error:
                    _check_missing(error)
                    data = None
                name = steps.send(self._checked(data, name))
        except StopIteration as stop:
            return self._counted(stop.value)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Source]:
        source = open_source(self.prefix + name, self.settings, self.store)
        try:
            yield source
        finally:
            self.costs.update(requests=source.stats.requests, bytes=source.stats.bytes)
            source.close()

    def _checked(self, data: bytes | None, name: str) -> bytes | None:
        if data is not None and len(data) > MAX_BYTES:
            raise LimitError(f"{name} has more than {MAX_BYTES} bytes", path=self.prefix.partition("?")[0])
        return data

    def _counted(self, checked: Checked | None) -> Checked | None:
        return checked and replace(checked, details={"zarr_format": None, **checked.details, **self.costs})


def _check_missing(error: SourceError) -> None:
    """Raises the error unless it says that there is no such file."""
    # S3 denies what may not be listed; below a file there is no folder.
    if not isinstance(error, NotFoundError | DeniedError) and not isinstance(error.__cause__, NotADirectoryError):
        raise error


def _report(
    path: Any, checked: Checked | None, strict: bool, pixels: bool, store: Any, settings: Mapping[str, Any]
) -> Report:
    name = os.fspath(path)
    if checked is None:
        raise NotFoundError("there is no Zarr group", path=name.partition("?")[0])
    findings = list(checked.findings)
    details = dict(checked.details)
    if pixels and checked.root is not None:
        from gigapix.pyramids.check_pixels import check_pixels
        from gigapix.pyramids.folders import folder_of

        folder = folder_of(name if store is not None else _local_path(name), store, **settings)
        found, compared = check_pixels(checked, folder)
        findings += found
        details["compared"] = compared
    errors = tuple(each.message for each in findings if each.fault)
    warnings = tuple(each.message for each in findings if not each.fault)
    return Report(
        path=name.partition("?")[0],
        valid=not errors and not (strict and warnings),
        errors=errors,
        warnings=warnings,
        details=details,
    )
