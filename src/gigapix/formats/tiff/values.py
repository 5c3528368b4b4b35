"""The types that a tag's value may have, and its bytes as a Python value (TIFF 6.0 section 2, page 15; BigTIFF).

One value is a scalar, several are a tuple; beyond `ARRAY_FROM` values it is a numpy array, since a tuple of a million
Python ints costs forty times the bytes. Text is `str`, BYTE and UNDEFINED are `bytes`, a rational is the pair
``(numerator, denominator)``, as a denominator may be zero.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import FormatError
from gigapix.formats.model import Buffer, ByteOrder
from gigapix.formats.tiff.tags import TEXT

TYPES: Final[Mapping[int, tuple[str, str, int]]] = MappingProxyType({
    1: ("BYTE", "u1", 1), 2: ("ASCII", "S", 1), 3: ("SHORT", "u2", 2), 4: ("LONG", "u4", 4),
    5: ("RATIONAL", "u4", 8), 6: ("SBYTE", "i1", 1), 7: ("UNDEFINED", "u1", 1), 8: ("SSHORT", "i2", 2),
    9: ("SLONG", "i4", 4), 10: ("SRATIONAL", "i4", 8), 11: ("FLOAT", "f4", 4), 12: ("DOUBLE", "f8", 8),
    13: ("IFD", "u4", 4), 14: ("UNICODE", "u2", 2), 15: ("COMPLEX", "c8", 8), 16: ("LONG8", "u8", 8),
    17: ("SLONG8", "i8", 8), 18: ("IFD8", "u8", 8),
})  # fmt: skip
"""Field type to (name, numpy type of a component, bytes of one value)."""

SIZES: Final[Mapping[int, int]] = MappingProxyType({kind: size for kind, (_, _, size) in TYPES.items()})
"""Field type to bytes of one value."""

SCALARS: Final[Mapping[int, str]] = MappingProxyType({
    3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
})  # fmt: skip
"""struct format of one value, of the types whose value is a number: ten times as fast as an array of one."""

FEW: Final = 64
"""Up to so many numbers struct is faster than numpy, too."""

UNSIGNED: Final = frozenset({3, 4, 13, 16, 18})
INTEGERS: Final = frozenset({1, 3, 4, 6, 8, 9, 13, 16, 17, 18})
ARRAY_FROM: Final = 4096

Value = Any
"""int, float, str, bytes, a tuple of them, or an ndarray."""


def decode_value(code: int, kind: int, count: int, data: Buffer, byteorder: ByteOrder) -> Value:
    """The value of a tag of type `kind` from exactly its bytes."""
    if count == 1 and kind in SCALARS:
        return struct.unpack(byteorder + SCALARS[kind], data)[0]
    if 1 < count <= FEW and kind in SCALARS:
        return struct.unpack(f"{byteorder}{count}{SCALARS[kind]}", data)
    component = TYPES[kind][1]
    raw = bytes(data)
    if kind == 2 or (kind in (1, 7) and code in TEXT):
        return decode_text(raw)
    if kind in (1, 7):
        return raw[0] if kind == 1 and count == 1 else raw
    if kind == 14:
        return raw.decode("utf-16-le" if byteorder == "<" else "utf-16-be", "replace").rstrip("\0")
    values = np.frombuffer(raw, np.dtype(component).newbyteorder(byteorder))
    if kind in (5, 10):
        pairs = values.reshape(-1, 2)
        if count == 1:
            return int(pairs[0, 0]), int(pairs[0, 1])
        return _plain(pairs) if count >= ARRAY_FROM else tuple((int(a), int(b)) for a, b in pairs)
    if count == 1:
        return values[0].item()
    return _plain(values) if count >= ARRAY_FROM else tuple(values.tolist())


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("="))


def decode_text(raw: bytes) -> str:
    """Text up to its trailing NULs: UTF-8 where it is, Latin-1 otherwise (TIFF says ASCII, and writers do as they
    like)."""
    raw = raw.rstrip(b"\0")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decode_table(code: int, kind: int, data: Buffer, byteorder: ByteOrder) -> NDArray[np.uint64]:
    """Part of a table of unsigned integers (offsets, byte counts) as uint64."""
    if kind not in INTEGERS:
        raise FormatError(f"tag {code} is a table of integers, and has the type {kind}")
    component, size = TYPES[kind][1:]
    values = np.frombuffer(data, np.dtype(component).newbyteorder(byteorder), count=len(data) // size)
    return values.astype(np.uint64)
