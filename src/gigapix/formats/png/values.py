"""Chunks of a few numbers: what each says, as Python values (PNG section 11.3).

`VALUES` is the whole list: the chunk, its name in `Image.metadata`, and who reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from gigapix.errors import FormatError

_POINTS: Final = ("white", "red", "green", "blue")
_INTENTS: Final = ("perceptual", "relative colorimetric", "saturation", "absolute colorimetric")


def _gamma(data: bytes) -> float:
    """The exponent of the samples: 0.45455 for 1/2.2."""
    return _numbers(">I", data)[0] / 100_000


def _chromaticities(data: bytes) -> dict[str, tuple[float, float]]:
    values = [value / 100_000 for value in _numbers(">8I", data)]
    return dict(zip(_POINTS, zip(values[::2], values[1::2], strict=True), strict=True))


def _srgb(data: bytes) -> str:
    """The rendering intent."""
    (intent,) = _numbers(">B", data)
    if intent >= len(_INTENTS):
        raise FormatError(f"rendering intent {intent}")
    return _INTENTS[intent]


def _shorts(data: bytes) -> tuple[int, ...]:
    return _numbers(f">{len(data) // 2}H", data)


def _background(data: bytes) -> tuple[int, ...]:
    """A palette index, a grey, or red, green and blue."""
    return tuple(data) if len(data) == 1 else _shorts(data)


def _pixel_size(data: bytes) -> dict[str, tuple[float, str]]:
    """By axis: size and unit, ``m`` or nothing where only the pixels' shape is known."""
    x, y, unit = _numbers(">IIB", data)
    if not x or not y or unit > 1:
        raise FormatError(f"{x} x {y} pixels in unit {unit}")
    return {"X": (1 / x, "m" * unit), "Y": (1 / y, "m" * unit)}


def _time(data: bytes) -> datetime:
    try:
        year, month, day, hour, minute, second = _numbers(">H5B", data)
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)  # 60 is a leap second
    except ValueError as error:
        raise FormatError(f"it is no time: {error}") from None


def _numbers(form: str, data: bytes) -> tuple[int, ...]:
    if len(data) != struct.calcsize(form):
        raise FormatError(f"{len(data)} bytes instead of {struct.calcsize(form)}")
    return struct.unpack(form, data)


VALUES: Final[Mapping[str, tuple[str, Callable[[bytes], Any]]]] = MappingProxyType({
    "gAMA": ("gamma", _gamma),
    "cHRM": ("chromaticities", _chromaticities),
    "sRGB": ("srgb", _srgb),
    "cICP": ("cicp", lambda data: _numbers(">4B", data)),
    "sBIT": ("significant_bits", tuple),
    "bKGD": ("background", _background),
    "hIST": ("palette_histogram", _shorts),
    "pHYs": ("pixel_size", _pixel_size),
    "tIME": ("time", _time),
    "eXIf": ("exif", bytes),
})  # fmt: skip
