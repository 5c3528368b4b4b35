"""The numbers of a row that differ between files built alike: the sizes of levels and directories, and where they lie.

They are kept as the bytes of 64-bit integers, which a compiled loop writes for most files, and become columns of a
thousand rows at once:

    the header's end; the shape of each level; offset, width, height and number of segments of each directory

How many there are is the structure's to say (`Structure.dims`, and its directories).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.catalog.schema import pyarrow

NONE: Final = -(1 << 63)
"""Stands for a number that is not known, or that no column holds."""

OF_IFD: Final = ("offset", "image_width", "image_height", "segments")

COLUMNS: Final = ("image_width", "image_height", "shape", "level_shapes", "header_bytes")


def facts_of(end: int | None, shapes: Sequence[Sequence[int]], ifds: Sequence[Sequence[int | None]]) -> bytes:
    """The numbers of one file."""
    several = (end, *(n for shape in shapes for n in shape), *(n for ifd in ifds for n in ifd))
    return array("q", [NONE if n is None else n for n in several]).tobytes()


def ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers from each start on, so many of each, one behind the other."""
    return np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


class Sizes:
    """Those of many rows. `which` says of each row whose structure it has: of each one there are `dims`, the number of
    axes of each level, and the number of `ifds`; dims of None have no numbers."""

    def __init__(
        self,
        facts: Sequence[bytes],
        which: NDArray[np.int64],
        dims: Sequence[tuple[int, ...] | None],
        ifds: Sequence[int],
    ) -> None:
        self._flat = np.frombuffer(b"".join(facts), np.int64)
        self.known = np.array([each is not None for each in dims])[which]
        several = [each or () for each in dims]
        self._axes = np.array([axis for each in several for axis in each], np.int64)
        self._levels = np.array([len(each) for each in several], np.int64)
        self._first_axes = (np.cumsum(self._levels) - self._levels)[which]
        self._levels = self._levels[which]
        self._first = np.array([each[0] if each else 0 for each in several], np.int64)[which]
        self._extents = np.array([sum(each) for each in several], np.int64)[which]
        self.ifds = np.array(ifds, np.int64)[which]
        lengths = np.where(self.known, 1 + self._extents + 4 * self.ifds, 0)
        self._starts = np.cumsum(lengths) - lengths

    def extent(self) -> NDArray[np.float64]:
        """(width, height) of each row, 0 where there is none."""
        found = np.zeros((len(self.known), 2))
        last = (self._starts + self._first)[self.known]
        found[self.known, 0], found[self.known, 1] = self._flat[last], self._flat[last - 1]
        return found

    def columns(self) -> dict[str, Any]:
        """`COLUMNS` in Arrow's form."""
        none = ~self.known
        shapes = _lists(self._flat[ranges(self._starts + 1, self._first)], self._first, none)
        axes = self._axes[ranges(self._first_axes, self._levels)]
        inner = _lists(self._flat[ranges(self._starts + 1, self._extents)], axes, None)
        last = self._starts + self._first
        found = (
            *(self._numbers(places) for places in (last, last - 1)),
            shapes,
            _lists(inner, self._levels, none),
            self._numbers(self._starts),
        )
        return dict(zip(COLUMNS, found, strict=True))

    def _numbers(self, places: NDArray[np.int64]) -> Any:
        values = np.full(len(places), NONE)
        values[self.known] = self._flat[places[self.known]]
        return _numbers(values)

    def of_ifds(self) -> dict[str, Any]:
        """`OF_IFD` of all directories of all rows."""
        four = self._flat[ranges(self._starts + 1 + self._extents, 4 * self.ifds)].reshape(-1, 4)
        return {name: _numbers(column) for name, column in zip(OF_IFD, four.T, strict=True)}


def _numbers(values: NDArray[np.int64]) -> Any:
    return pyarrow().array(values, mask=values == NONE)


def _lists(values: Any, lengths: NDArray[np.int64], none: NDArray[np.bool_] | None) -> Any:
    pa = pyarrow()
    ends = np.concatenate((np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)))
    items = pa.array(values) if isinstance(values, np.ndarray) else values
    return pa.ListArray.from_arrays(pa.array(ends), items, mask=None if none is None else pa.array(none))
