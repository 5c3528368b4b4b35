"""One object's header: fetched by one request in most cases, and parsed by the library's own parser.

The first request is sent straight to the store, since it is all that most files need and a million of them are sent;
it is not repeated if it fails. What goes on from there, because it failed or because the parser asks for bytes that it
did not bring, is the affair of `Source` and `HeaderCache`, as for any image: with retries, typed errors, and the ETag
of the listing asked for.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from gigapix import errors
from gigapix.catalog.rows import NOTHING, Structure, describe
from gigapix.catalog.tables import Table, table_ranges, tables_of
from gigapix.catalog.templates import Templates
from gigapix.catalog.values import NO_VALUES, VALUES, Values, values_of
from gigapix.errors import GigapixError, MissingPartError
from gigapix.formats.model import Buffer, Elsewhere, Range, Steps
from gigapix.formats.tiff.ifd import Ifd
from gigapix.source import HeaderCache, Settings, Source
from gigapix.source.files import FileStore
from gigapix.source.objects import ObjectStore

T = TypeVar("T")

BLOCK: Final = 1024
"""Headers are kept in blocks of this size, whole ones, and images are opened from them in the same blocks."""

MAX_KEPT: Final = 1 << 20
"""Bytes of a header that are kept: the tables of 80,000 tiles. A thousand rows are in memory at once."""

CODES: Final[Mapping[type[GigapixError], str]] = MappingProxyType({
    errors.NotFoundError: "not_found", errors.DeniedError: "denied", errors.ChangedError: "changed",
    errors.RangeUnsupportedError: "range_unsupported", errors.ShortBodyError: "short_body",
    errors.ServerError: "server", errors.SourceTimeoutError: "timeout", errors.TruncatedError: "truncated",
    errors.MissingPartError: "missing_part", errors.LimitError: "limit", errors.DecodeError: "decode",
    errors.UnsupportedError: "unsupported", errors.FormatError: "format", errors.SourceError: "source",
})  # fmt: skip
"""`error_code` of an error; of any other one it is ``internal``."""


class Listed(NamedTuple):
    """An object as it was listed. What the listing does not tell is None."""

    path: str
    size: int | None
    etag: str | None
    modified: datetime | None


class Header(NamedTuple):
    """What reading an object brought: a row of the table, not yet one of Arrow's."""

    listed: Listed
    store: str = ""
    """`Place.name`."""
    structure: Structure = NOTHING
    facts: bytes = b""
    """Of `gigapix.catalog.sizes`."""
    values: Values = NO_VALUES
    requests: int = 0
    received: int = 0
    """Bytes."""
    error_code: str | None = None
    error: str | None = None
    kept: Sequence[tuple[int, bytes]] | None = None
    """(offset, bytes) of the header's blocks."""
    tables: Sequence[Table] | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where objects are read, and what of them. Picklable where its store is."""

    name: str
    """The URL or folder that paths are below, empty where they stand for themselves."""
    store: Any = None
    """Of obstore's kind; None for local files."""
    settings: Settings = field(default_factory=Settings)
    headers: bool = False
    tiles: bool = False

    def source(self, path: str) -> Source:
        """An object, with all that `Source` does for it."""
        name = f"{self.name}/{path}" if self.name else path
        store = FileStore(name) if self.store is None else ObjectStore(self.store, path, name=name)
        return Source(store, self.settings)


def read_header(place: Place, templates: Templates, listed: Listed) -> Header:
    """Read one header. Never raises: what goes wrong is in the row."""
    return Reading(place, listed).header(templates)


class Reading:
    """The reading of one header: the first request, which is sent at once, and what follows from its bytes.

    Where those are not enough, a `HeaderCache` fetches the rest.
    """

    __slots__ = ("_cache", "_data", "_tries", "asked", "listed", "place")

    def __init__(self, place: Place, listed: Listed) -> None:
        self.place = place
        self.listed = listed
        self.asked: Sequence[Range] = ()
        self._tries = 0
        self._data = b""
        self._cache: HeaderCache | None = None
        self._first_request()

    def header(self, templates: Templates) -> Header:
        """The row. Never raises."""
        try:
            return self._header(templates)
        except Exception as error:  # noqa: BLE001  # one object must not cost the others
            code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), "internal")
            text = f"{type(error).__name__}: {error}"
            if isinstance(error, GigapixError):
                text = error.message if error.offset is None else f"{error.message} (at byte {error.offset})"
            return Header(
                listed=self.listed,
                store=self.place.name,
                error_code=code,
                error=text,
                requests=self.requests,
                received=self.received,
            )
        finally:
            if self._cache is not None:
                self._cache.close()

    @property
    def requests(self) -> int:
        """Sent so far, repeated ones too."""
        return self._tries + (self._cache.source.stats.requests if self._cache else 0)

    @property
    def received(self) -> int:
        """Bytes, so far."""
        return len(self._data) + (self._cache.source.stats.bytes if self._cache else 0)

    def _header(self, templates: Templates) -> Header:
        outline = templates.outline(self._data, self.listed.size, BLOCK) if self._data else None
        structure = templates.find(outline) if outline is not None else None
        place, kept, tables = self.place, None, None
        ifds: Sequence[Ifd] = ()
        if outline is not None and structure is not None:
            facts, values = outline.facts, outline.values
            if place.headers or place.tiles:
                ifds = outline.ifds()
                self.asked = [(n * BLOCK, 1) for n, looked_at in enumerate(outline.blocks) if looked_at]
        else:
            asked: list[Range] = []
            found = self.drive(describe(posixpath.basename(self.listed.path), self.listed.size or 0), asked)
            structure, facts, ifds = found.structure, found.facts, found.ifds
            read = found.first.values if found.first is not None else {}
            values, self.asked = {code: read[code] for code in sorted(VALUES & read.keys())}, asked
            if outline is not None and self._cache is None:
                templates.learn(outline, found)
        if place.headers:
            kept = self._kept(ifds)
        if place.tiles:
            tables = self.drive(tables_of(ifds), [])
        return Header(
            self.listed,
            place.name,
            structure,
            facts,
            values_of(structure.others, values),
            self.requests,
            self.received,
            kept=kept,
            tables=tables,
        )

    def _first_request(self) -> None:
        """The file's first bytes; none where they could not be had, or not all of them."""
        wanted = self.place.settings.header_bytes
        self._tries = 1
        try:
            if self.place.store is None:
                data, self.listed = _of_file(self.place.name, self.listed, wanted)
            elif self.listed.size is None:
                answer = self.place.store.get(self.listed.path, options={"range": (0, wanted)})
                meta = answer.meta
                self.listed = Listed(self.listed.path, meta["size"], meta["e_tag"], meta["last_modified"])
                data = bytes(answer.buffer())
            elif self.listed.size > 0:
                data = bytes(
                    self.place.store.get_range(self.listed.path, start=0, length=min(wanted, self.listed.size))
                )
            else:
                self._tries, data = 0, b""
        except Exception:  # noqa: BLE001  # asked for again by `Source`, which knows what each store's errors mean
            return
        if len(data) == min(wanted, self.listed.size or 0):
            self._data = data

    def drive(self, steps: Steps[T], asked: list[Range]) -> T:
        """Run steps over the first bytes while they suffice, and note what they ask for."""
        try:
            ranges = next(steps)
            while True:
                if isinstance(ranges, Elsewhere):
                    raise MissingPartError(f"it needs the file {ranges.file}")
                asked += ranges
                ranges = steps.send(self._fetch(ranges))
        except StopIteration as stop:
            answer: T = stop.value
            return answer

    def _fetch(self, ranges: Sequence[Range]) -> Sequence[Buffer]:
        if self._cache is None:
            data = self._data
            end = len(data)
            whole = end == self.listed.size
            if all(offset >= 0 and (whole or offset + length <= end) for offset, length in ranges):
                return [data[offset : offset + length] for offset, length in ranges]
            self._cache = HeaderCache(self.place.source(self.listed.path))
            if self.place.store is not None and self.listed.size is not None:
                self._cache.source.expect(self.listed.size, self.listed.etag)
            if data and end >= self._cache.blocks.size:
                size = self._cache.blocks.size
                self._cache.blocks.put((0, end // size * size), data[: end // size * size])
        found = self._cache.fetch(ranges)
        if self.listed.size is None or self.place.store is None:
            self.listed = self.listed._replace(
                size=self._cache.source.size, etag=self.listed.etag or self._cache.source.etag
            )
        return found

    def _kept(self, ifds: Sequence[Ifd]) -> list[tuple[int, bytes]] | None:
        """The blocks of all that was asked for and of the tables, in runs; None where they are too long."""
        tables = [r for ifd in ifds for r in table_ranges(ifd)]
        if sum(length for _, length in tables) > MAX_KEPT:
            return None
        numbers = sorted({n for o, size in (*self.asked, *tables) for n in range(o // BLOCK, -(-(o + size) // BLOCK))})
        if len(numbers) * BLOCK > MAX_KEPT:
            return None
        runs: list[list[int]] = []
        for number in numbers:
            if runs and runs[-1][1] == number:
                runs[-1][1] += 1
            else:
                runs.append([number, number + 1])
        ranges = [(start * BLOCK, (stop - start) * BLOCK) for start, stop in runs]
        size = self.listed.size or 0
        ranges = [(start, min(length, size - start)) for start, length in ranges if start < size]
        return [(r[0], bytes(data)) for r, data in zip(ranges, self._fetch(ranges), strict=True)]


def _of_file(folder: str, listed: Listed, wanted: int) -> tuple[bytes, Listed]:
    """The first bytes of a local file, and the file as it is now."""
    path = f"{folder}/{listed.path}" if folder else listed.path
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    try:
        now = listed_file(listed.path, os.fstat(fd))
        return os.pread(fd, wanted, 0), now
    finally:
        os.close(fd)


def listed_file(path: str, status: os.stat_result) -> Listed:
    """A local file as an object. Its ETag is made of what changes when the file does."""
    from datetime import UTC

    etag = f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
    return Listed(path, status.st_size, etag, datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC))
