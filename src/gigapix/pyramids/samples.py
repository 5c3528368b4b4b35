"""What the samples of an array are: their type, and the value that means "nothing".

Reducers compute in `work`: a type that the kernels know. Half floats become floats, booleans the integers 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    @cached_property
    def work(self) -> np.dtype[Any]:
        """The type to compute in."""
        if self.dtype == bool:
            return np.dtype(np.uint8)
        return np.dtype(np.float32) if self.dtype == np.float16 else self.dtype

    @cached_property
    def marker(self) -> NDArray[Any] | None:
        """`nodata` as an array of one, None where no sample can have it."""
        if self.nodata is None or self.nodata != self.nodata or self.dtype == bool:
            return None
        if self.dtype.kind in "iu":
            bounds = np.iinfo(self.dtype)
            if self.nodata != int(self.nodata) or not bounds.min <= self.nodata <= bounds.max:
                return None
            return np.array([int(self.nodata)], self.work)
        return np.array([self.nodata], self.dtype).astype(self.work)  # rounded as the samples are

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
        return np.require(values.view(np.uint8) if self.dtype == bool else values, self.work, "A")

    def finished(self, values: NDArray[Any]) -> NDArray[Any]:
        """Samples in the array's own type."""
        return values.astype(self.dtype, copy=False)


def samples_of(dtype: np.dtype[Any], nodata: float | None) -> Samples:
    """Checked. Raises UnsupportedError for complex numbers, records and the like."""
    dtype = np.dtype(dtype).newbyteorder("=")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise UnsupportedError(f"samples of type {dtype} can't be reduced")
    if nodata is not None and not isinstance(nodata, int | float | np.number):
        raise RequestError(f"nodata is a number, not {nodata!r}")
    return Samples(dtype=dtype, nodata=nodata.item() if isinstance(nodata, np.number) else nodata)
