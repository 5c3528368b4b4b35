"""The numbers of a hierarchy's objects, for addresses of the form number * `SPAN` + place.

Metadata documents and listings are numbered as they are asked for. The chunks of an array have the numbers from its
base on, in C order of its grid, so that nothing is kept of a single chunk.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable


class Keys:
    """Numbers of keys and back. Safe under threads."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._bases: list[int] = []
        self._names: list[Callable[[int], str]] = []
        self._next = 0
        self._lock = threading.Lock()

    def number(self, key: str) -> int:
        """Of one object; of the listing of a folder, where the key ends with a slash."""
        with self._lock:
            if key not in self._numbers:
                self._numbers[key] = self._add(1, lambda _: key)
            return self._numbers[key]

    def grid(self, count: int, name: Callable[[int], str]) -> int:
        """The first number of `count` objects that `name` names."""
        with self._lock:
            return self._add(count, name)

    def name(self, number: int) -> str:
        """The key of a number."""
        with self._lock:
            at = bisect_right(self._bases, number) - 1
            base, name = self._bases[at], self._names[at]
        return name(number - base)

    def _add(self, count: int, name: Callable[[int], str]) -> int:
        base, self._next = self._next, self._next + count
        self._bases.append(base)
        self._names.append(name)
        return base
