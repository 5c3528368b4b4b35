"""Where the keys come from: a listing, a folder, a glob, a list of names, a table of keys.

Each kind yields `Found`s: objects, page by page, below one root. A listing tells size and ETag of each object, which
spares a question later; a list of names does not. Nothing is sorted and nothing is held: a page is what a store sends.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

from gigapix.catalog.headers import Listed, listed_file
from gigapix.errors import FormatError, NotFoundError, UnsupportedError
from gigapix.source.clients import WEB, store_of_url
from gigapix.source.settings import Settings

PAGE: Final = 1000

SUFFIXES: Final = (
    ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".gtiff", ".svs", ".ndpi", ".scn", ".qptiff", ".lsm", ".stk", ".png",
    ".apng",
)  # fmt: skip
"""Of images, in lower case: what is read where no pattern is given."""

_WILD: Final = re.compile(r"[*?\[]")

_KEYS: Final = ("url", "href", "uri", "path", "location", "file", "filename", "key", "object_key")
"""Columns of a table that name an object, the first that is there."""


@dataclass(frozen=True, kw_only=True)
class Root:
    """What paths are below: a bucket or server, or a folder. `store` is None for local files."""

    name: str
    store: Any = None


Found = tuple[Root, list[Listed]]


@dataclass(frozen=True, kw_only=True)
class Patterns:
    """Which paths count. A pattern without a slash is for the last part of a path; ``**`` crosses slashes."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def test(self) -> Callable[[str], bool]:
        """Whether a path counts."""
        include, exclude = _any(self.include), _any(self.exclude)
        if include is None and exclude is None:
            return lambda path: path.lower().endswith(SUFFIXES)
        return lambda path: (
            (include.fullmatch(path) is not None if include else path.lower().endswith(SUFFIXES))
            and (exclude is None or exclude.fullmatch(path) is None)
        )


def _any(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{regex_of(p)})" for p in patterns), re.DOTALL) if patterns else None


def regex_of(pattern: str) -> str:
    """A glob as a regular expression for whole paths."""
    found = "" if "/" in pattern else r"(?:.*/)?"
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", pattern, re.DOTALL):
        if part == "**/":
            found += r"(?:.*/)?"
        elif part in ("**", "*", "?"):
            found += {"**": ".*", "*": "[^/]*", "?": "[^/]"}[part]
        elif part.startswith("[") and len(part) > 2:
            found += (
                "["
                + ("^" if part[1] == "!" else "")
                + re.escape(part[1:-1].removeprefix("!")).replace(r"\-", "-")
                + "]"
            )
        else:
            found += re.escape(part)
    return found


def found_in(source: str, settings: Settings, patterns: Patterns, store: Any = None) -> Iterator[Found]:
    """The objects of a source, page by page.

    store: of obstore's; `source` is then a prefix in it.

    Raises NotFoundError, SourceError, or UnsupportedError for a server that can't list.
    """
    if store is not None:
        root = Root(name=root_name(store), store=store)
        yield from _listed(root, source, patterns.test(), None)
    elif source == "-":
        yield from _named((line.strip() for line in sys.stdin), settings)
    elif "://" in source and not source.startswith("file://"):
        yield from _of_url(source, settings, patterns)
    else:
        yield from _of_path(source.removeprefix("file://"), settings, patterns)


def root_name(store: Any) -> str:
    """What a store of obstore's is called in the table: a URL without secrets."""
    config, kind = dict(getattr(store, "config", {}) or {}), type(store).__name__
    bucket = config.get("bucket") or config.get("container_name")
    scheme = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az"}.get(kind)
    if scheme and bucket:
        prefix = str(getattr(store, "prefix", None) or "").strip("/")
        return f"{scheme}://{bucket}/{prefix}".rstrip("/")
    url = str(getattr(store, "url", "") or "")
    return url.partition("?")[0].rstrip("/") or kind


def _of_url(url: str, settings: Settings, patterns: Patterns) -> Iterator[Found]:
    scheme = url.partition("://")[0]
    store, path = store_of_url(url, settings)
    root = Root(name=url[: len(url.partition("://")[0]) + 3] + url.partition("://")[2].partition("/")[0], store=store)
    wild = _WILD.search(path)
    test = patterns.test()
    if scheme in WEB and (wild or not path.lower().endswith(SUFFIXES)):
        raise UnsupportedError("a web server can't be listed: name its objects in a file of keys", path=url)
    if wild:
        glob = re.compile(regex_of(path), re.DOTALL)
        prefix = path[: wild.start()].rpartition("/")[0]
        yield from _listed(root, prefix, lambda key: glob.fullmatch(key) is not None, None)
    elif path.lower().endswith(SUFFIXES):
        yield root, [Listed(path, None, None, None)]
    else:
        yield from _listed(root, path, test, None)


def _listed(root: Root, prefix: str, test: Callable[[str], bool], offset: str | None) -> Iterator[Found]:
    from gigapix.source.failures import failure_of

    try:
        for page in root.store.list(prefix or None, offset=offset, chunk_size=PAGE):
            found = [
                Listed(entry["path"], entry["size"], entry["e_tag"], entry["last_modified"])
                for entry in page
                if test(entry["path"])
            ]
            if found:
                yield root, found
    except Exception as error:  # noqa: BLE001  # stores raise what they like
        failure = failure_of(error, f"{root.name}/{prefix}", type(root.store).__module__.startswith("obstore"))
        raise failure from failure.__cause__


def _of_path(path: str, settings: Settings, patterns: Patterns) -> Iterator[Found]:
    here = Path(path)
    if here.is_dir():
        yield from _walked(here.absolute(), patterns.test())
    elif here.is_file():
        if path.lower().endswith(SUFFIXES):
            yield Root(name=str(here.absolute().parent)), [Listed(here.name, None, None, None)]
        else:
            yield from _named(_names(here), settings)
    elif _WILD.search(path):
        whole = str(here.absolute())
        folder = Path(whole[: _WILD.search(whole).start()].rpartition("/")[0] or "/")  # type: ignore[union-attr]
        glob = re.compile(regex_of(os.path.relpath(whole, folder)), re.DOTALL)
        yield from _walked(folder, lambda each: glob.fullmatch(each) is not None)
    else:
        raise NotFoundError("there is no such file or folder", path=path)


def _walked(folder: Path, test: Callable[[str], bool]) -> Iterator[Found]:
    root = Root(name=str(folder))
    paths = _files(str(folder), "", test)
    while page := list(islice(paths, PAGE)):
        yield root, page


def _files(folder: str, below: str, test: Callable[[str], bool]) -> Iterator[Listed]:
    """The files under a folder, sorted, so that the shards of another run are the same. Links to folders are not
    followed: they might lead back."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return  # a folder that may not be read has no files to speak of
    for entry in found:
        path = below + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, path + "/", test)
        elif test(path):
            try:
                yield listed_file(path, entry.stat())
            except OSError:
                yield Listed(path, None, None, None)


def _names(path: Path) -> Iterator[str]:
    """The names of objects in a list or a table."""
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".geoparquet"):
        yield from _of_parquet(path)
    elif suffix == ".csv":
        with path.open(newline="") as lines:
            yield from _of_csv(lines)
    else:
        with path.open() as lines:
            yield from (line.strip() for line in lines)


def _of_csv(lines: Iterable[str]) -> Iterator[str]:
    rows = csv.reader(lines)
    first = next(rows, [])
    names = [cell.strip().lower() for cell in first]
    key = next((names.index(name) for name in _KEYS if name in names), None)
    if key is None:  # S3 Inventory writes no names: bucket, key, and whatever was ordered
        if len(first) < 2:
            raise FormatError(f"a CSV of keys needs a column {', '.join(_KEYS)}, or S3 Inventory's bucket and key")
        from urllib.parse import unquote_plus

        for row in (first, *rows):
            yield f"s3://{row[0]}/{unquote_plus(row[1])}"
        return
    bucket = names.index("bucket") if "bucket" in names else None
    for row in rows:
        yield f"s3://{row[bucket]}/{row[key]}" if bucket is not None and "://" not in row[key] else row[key]


def _of_parquet(path: Path) -> Iterator[str]:
    from gigapix.catalog.schema import pyarrow

    pyarrow()
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    names = {name.lower(): name for name in file.schema_arrow.names}
    key = next((names[name] for name in _KEYS if name in names), None)
    bucket = names.get("bucket")
    if key is None and "assets" not in names:
        raise FormatError(f"a table of keys needs a column {', '.join(_KEYS)}, or STAC's assets", path=str(path))
    for batch in file.iter_batches(columns=[name for name in (key or names["assets"], bucket) if name]):
        for row in batch.to_pylist():
            if key is None:
                yield from _hrefs(row[names["assets"]])
            elif row[key]:
                yield f"s3://{row[bucket]}/{row[key]}" if bucket and "://" not in row[key] else row[key]


def _hrefs(assets: Any) -> Iterator[str]:
    """The images among the assets of a STAC item."""
    for asset in (assets or {}).values():
        href, kind = (asset or {}).get("href"), (asset or {}).get("type") or ""
        if href and ("tiff" in kind or "png" in kind or href.partition("?")[0].lower().endswith(SUFFIXES)):
            yield href


def _named(names: Iterable[str], settings: Settings) -> Iterator[Found]:
    """Objects by URL or path, one root after the other."""
    parts = (_split(name) for name in names if name and not name.startswith("#"))
    for root_url, group in groupby(parts, key=lambda part: part[0]):
        root = Root(name=root_url, store=store_of_url(root_url, settings)[0] if "://" in root_url else None)
        while page := [Listed(path, None, None, None) for _, path in islice(group, PAGE)]:
            yield root, page


def _split(name: str) -> tuple[str, str]:
    scheme, separator, rest = name.removeprefix("file://").partition("://")
    if not separator:
        return "", scheme
    bucket, _, path = rest.partition("/")
    return f"{scheme}://{bucket}", path
