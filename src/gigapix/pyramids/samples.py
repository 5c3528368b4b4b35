"""What the samples of an array are: their type, and the value that means "nothing".

Reducers compute in `work`: a type that the kernels know. Half floats become floats, booleans the integers 0 and 1.
Where a mask hides samples, arrays of them are numpy's masked ones. In `work` what is hidden has the value that means
"nothing": nodata, NaN, or where integers have none, the highest value of the next wider type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError, UnsupportedError


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Of one array."""

    dtype: np.dtype[Any]
    nodata: float | int | None = None
    """Left out of every reduction, as NaN is."""
    masked: bool = False
    """Whether a mask hides some."""

    @cached_property
    def work(self) -> np.dtype[Any]:
        """The type to compute in."""
        if self._widened:
            return np.dtype(f"{self.dtype.kind.replace('b', 'u')}{2 * self.dtype.itemsize}")
        if self.dtype == bool:
            return np.dtype(np.uint8)
        return np.dtype(np.float32) if self.dtype == np.float16 else self.dtype

    @cached_property
    def marker(self) -> NDArray[Any] | None:
        """The value that means "nothing" as an array of one, None where no sample can have it, or where it is NaN."""
        if self._widened:
            return np.array([np.iinfo(self.work).max], self.work)
        return self._nodata

    @cached_property
    def _nodata(self) -> NDArray[Any] | None:
        if self.nodata is None or self.nodata != self.nodata or self.dtype == bool:
            return None
        if self.dtype.kind in "iu":
            bounds = np.iinfo(self.dtype)
            if self.nodata != int(self.nodata) or not bounds.min <= self.nodata <= bounds.max:
                return None
            return np.array([int(self.nodata)], self.dtype)
        return np.array([self.nodata], self.dtype).astype(self.work)  # rounded as the samples are

    @property
    def _widened(self) -> bool:
        return self.masked and self.dtype.kind != "f" and self._nodata is None

    @cached_property
    def empty(self) -> NDArray[Any]:
        """What a window becomes in which there is nothing, as an array of one."""
        if self.marker is not None:
            return self.marker
        return np.array([np.nan if self.work.kind == "f" else 0], self.work)

    @property
    def holes(self) -> bool:
        """Whether there can be samples that are left out."""
        return self.marker is not None or self.work.kind == "f"

    def valid(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which samples count."""
        valid = values == values if self.work.kind == "f" else np.ones(values.shape, bool)
        return valid if self.marker is None else valid & (values != self.marker)

    def working(self, values: NDArray[Any]) -> NDArray[Any]:
        """Samples in the type to compute in, native and aligned."""
        if isinstance(values, np.ma.MaskedArray):
            working = values.data.astype(self.work)
            np.copyto(working, self.empty, where=values.mask)
            return working
        return np.require(values.view(np.uint8) if values.dtype == bool else values, self.work, "A")

    def finished(self, values: NDArray[Any]) -> NDArray[Any]:
        """Samples in the array's own type; 0 where there is nothing and no value says so."""
        if self._widened:
            values = np.where(self.valid(values), values, values.dtype.type(0))
        return values.astype(self.dtype, copy=False)


def samples_of(dtype: np.dtype[Any], nodata: float | None) -> Samples:
    """Checked. Raises UnsupportedError for complex numbers, records and the like."""
    dtype = np.dtype(dtype).newbyteorder("=")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise UnsupportedError(f"samples of type {dtype} can't be reduced")
    if nodata is not None and not isinstance(nodata, int | float | np.number):
        raise RequestError(f"nodata is a number, not {nodata!r}")
    return Samples(dtype=dtype, nodata=nodata.item() if isinstance(nodata, np.number) else nodata)


def hiding(samples: Samples) -> Samples:
    """Samples some of which a mask hides. Raises UnsupportedError for integers that have no wider type."""
    found = replace(samples, masked=True)
    if samples.dtype.kind in "iu" and samples.dtype.itemsize == 8 and samples.marker is None:
        raise UnsupportedError(f"samples of type {samples.dtype} with a mask can't be reduced")
    return found
