"""An `Encoding` as JSON and back: the configuration of the codec ``gigapix.tiff``.

The names are the fields', the values TIFF's; bytes (JPEGTables) are base64. What comes back may be anybody's, so each
value is checked, and a fault is a FormatError.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

import numpy as np

from gigapix.errors import FormatError, UnsupportedError
from gigapix.formats.model import Encoding, OldJpeg

CODEC: Final = "gigapix.tiff"


def encoding_json(encoding: Encoding) -> dict[str, Any]:
    """An encoding as JSON: what is not the default, without what the array says (dtype, samples, nodata)."""
    return _json(encoding, leave=("dtype", "samples", "nodata"))


def encoding_of(given: Mapping[str, Any]) -> Encoding:
    """An encoding from JSON, of one sample of uint8. Raises FormatError."""
    unknown = set(given) - set(_PARSERS)
    if unknown or "compression" not in given:
        raise FormatError(f"{CODEC}: {f'unknown {min(unknown)!r:.40}' if unknown else 'no compression'}")
    return Encoding(dtype=np.dtype(np.uint8), **{name: _PARSERS[name](value, name) for name, value in given.items()})


def _json(value: Any, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if field.name not in leave and (field.default is MISSING or item != field.default):
            if isinstance(value, Encoding) and field.name not in _PARSERS:
                raise UnsupportedError(f"an encoding with {field.name} has no name in Zarr's metadata")
            found[field.name] = _plain(item, field.name)
    return found


def _plain(item: Any, name: str) -> Any:
    if isinstance(item, bool | int | str):
        return item
    if isinstance(item, bytes):
        return base64.b64encode(item).decode()
    if isinstance(item, tuple):
        return [_plain(each, name) for each in item]
    if isinstance(item, OldJpeg):
        return _json(item)
    raise UnsupportedError(f"{name} of the encoding can't be said in JSON")


def _fault(value: Any, name: str) -> FormatError:
    return FormatError(f"{CODEC}: {value!r:.60} is no {name}")


def _int(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _fault(value, name)
    return value


def _bool(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _fault(value, name)
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _fault(value, name)
    return list(value)


def _ints(value: Any, name: str) -> tuple[int, ...]:
    return tuple(_int(each, name) for each in _list(value, name))


def pair(value: Any, name: str) -> tuple[int, ...]:
    """Two numbers out of a list of two. Raises FormatError."""
    found = _ints(value, name)
    if len(found) != 2:
        raise _fault(value, name)
    return found


def _bytes(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise _fault(value, name)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _fault(value, name) from None


def _several(value: Any, name: str) -> tuple[bytes, ...]:
    return tuple(_bytes(each, name) for each in _list(value, name))


def _one_of(*known: str) -> Callable[[Any, str], str]:
    def parse(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise _fault(value, name)
        return value

    return parse


def _old_jpeg(value: Any, name: str) -> OldJpeg:
    parsers: dict[str, Callable[[Any, str], Any]] = {
        "interchange": _bytes, "quantization": _several, "dc_tables": _several, "ac_tables": _several,
        "restart_interval": _int, "process": _int,
    }  # fmt: skip
    if not isinstance(value, Mapping) or not set(value) <= set(parsers):
        raise _fault(value, name)
    return OldJpeg(**{key: parsers[key](item, key) for key, item in value.items()})


_PARSERS: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "compression": _int, "bits": _ints, "sample_format": _int, "byteorder": _one_of("<", ">"), "predictor": _int,
    "fill_order": _int, "photometric": _int, "planar": _bool, "extra_samples": _ints, "subsampling": pair,
    "jpeg_tables": _bytes, "old_jpeg": _old_jpeg, "t4_options": _int, "t6_options": _int, "lerc_parameters": _ints,
    "framing": _one_of("", "IDAT", "fdAT"), "interlaced": _bool,
}  # fmt: skip
