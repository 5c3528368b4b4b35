"""Numbers as unsigned integers in the same order, so that they can be sorted and counted digit by digit.

An unsigned integer is its own key. Of a signed one the sign bit is turned round. IEEE 754 was made for the same with
floats: read as an integer, a positive float is larger the larger it is, and a negative one smaller; so of negative ones
all bits are turned round, of the others the sign. Both zeros have one key. There is no key of a NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.unsignedinteger[Any]]


def has_keys(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this type have an order: all but complex ones."""
    return dtype.kind in "uifb"


def keys_of(values: NDArray[Any]) -> Keys:
    """The keys of an array of numbers without NaN, as wide as they are."""
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    if values.dtype.kind in "ub":
        return values.view(unsigned)
    sign = _sign(unsigned)
    if values.dtype.kind == "i":
        keys: Keys = values.view(unsigned) ^ sign
        return keys
    bits: Keys = (values + values.dtype.type(0)).view(unsigned)  # -0.0 + 0.0 is 0.0
    return np.where(bits & sign, ~bits, bits | sign)


def values_of(keys: Keys, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers of type `dtype` that have these keys."""
    if dtype.kind in "ub":
        return keys.view(dtype)
    sign = _sign(keys.dtype)
    bits: Keys = keys ^ sign if dtype.kind == "i" else np.where(keys & sign, keys ^ sign, ~keys)
    return bits.view(dtype)


def _sign(unsigned: np.dtype[Any]) -> Any:
    return unsigned.type(1 << (8 * unsigned.itemsize - 1))
