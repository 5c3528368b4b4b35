"""Data types and fill values of Zarr v2 and v3, all of which numpy has."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import numpy as np

from gigapix.errors import FormatError, UnsupportedError

NAMES: Final = frozenset(
    {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
    | {"float16", "float32", "float64", "complex64", "complex128"}
)
"""Of v3 (core specification, "Data types"), and what numpy calls those of v2."""


def dtype_of(given: Any) -> np.dtype[Any]:
    """The type of a v3 name or of a v2 type string, with its byte order. Raises UnsupportedError."""
    if isinstance(given, str) and (given in NAMES or (given[:1] in "<>|" and given[1:2] in "biufc")):
        try:
            dtype = np.dtype(given)
        except TypeError:
            dtype = np.dtype("V1")
        if dtype.name in NAMES:
            return dtype
    named = given.get("name") if isinstance(given, dict) else given
    raise UnsupportedError(f"samples of type {named!s:.60} are not supported")


def fill_of(given: Any, dtype: np.dtype[Any]) -> complex:
    """A fill value as a Python number: a number, a pair of a complex one, the words for NaN and infinities, bits in
    hexadecimal (v3) or in base64 (v2). 0 where there is none. Raises FormatError."""
    try:
        if given is None:
            return 0
        if dtype.kind == "c" and isinstance(given, list) and len(given) == 2:
            real, imaginary = (fill_of(part, np.dtype(f"f{dtype.itemsize // 2}")) for part in given)
            return complex(real.real, imaginary.real)
        if isinstance(given, str):
            if dtype.kind == "f" and given.startswith("0x"):
                return _number(int(given, 16).to_bytes(dtype.itemsize, "big"), dtype.newbyteorder(">"))
            if dtype.kind in "fc" and given in ("NaN", "Infinity", "-Infinity"):
                return float(given)
            return _number(base64.b64decode(given, validate=True), dtype)
        if dtype.kind in "iub":
            if int(given) != given or not (dtype.kind == "b" or np.can_cast(np.min_scalar_type(int(given)), dtype)):
                _in_range(int(given), dtype)
            return int(given)
        return float(given) if not isinstance(given, bool) else int(given)
    except (TypeError, ValueError, OverflowError, binascii.Error):
        raise FormatError(f"the fill value {given!s:.60} is none of {dtype}") from None


def _in_range(value: int, dtype: np.dtype[Any]) -> None:
    info = np.iinfo(dtype)
    if not info.min <= value <= info.max:
        raise ValueError(value)


def _number(raw: bytes, dtype: np.dtype[Any]) -> complex:
    if len(raw) != dtype.itemsize:
        raise ValueError(raw)
    number: complex = np.frombuffer(raw, dtype)[0].item()
    return number
