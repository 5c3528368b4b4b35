"""The tags of an IFD as a mapping whose values are fetched when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.tags import name_of, number_of
from gigapix.formats.tiff.values import Value
from gigapix.source import HeaderCache, drive


class Tags(Mapping[str | int, Value]):
    """By name (``tags["ImageWidth"]``) or by number (``tags[256]``). Iterates over names, in the order of the file."""

    def __init__(self, ifd: Ifd, cache: HeaderCache) -> None:
        self._ifd = ifd
        self._cache = cache

    def __getitem__(self, key: str | int) -> Value:
        code = number_of(key) if isinstance(key, str) else key
        if code is None or code not in self._ifd.entries:
            raise KeyError(key)
        return drive(self._ifd.value(code), self._cache)

    def __iter__(self) -> Iterator[str]:
        return (name_of(code) for code in self._ifd.entries)

    def __len__(self) -> int:
        return len(self._ifd.entries)

    def __contains__(self, key: object) -> bool:
        code = number_of(key) if isinstance(key, str) else key
        return code in self._ifd.entries
