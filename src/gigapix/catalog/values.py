"""Values of tags as a row has them, and the half of a row that is the file's own: tiepoints, texts, dates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

MAX_TEXT: Final = 1 << 20
"""Characters of a text. Longer ones (the OME-XML of a plate) are left out: a thousand rows are in memory at once."""

TEXTS: Final[Mapping[int, str]] = {
    270: "image_description", 306: "date_time", 305: "software", 269: "document_name", 315: "artist",
    316: "host_computer", 33432: "copyright",
}  # fmt: skip

_SCALE, _TIEPOINT, _MATRIX, _GDAL = 33550, 33922, 34264, 42112

_MATRIX_KEY, _GDAL_KEY = str(_MATRIX), str(_GDAL)

VALUES: Final = frozenset({*TEXTS, _SCALE, _TIEPOINT, _MATRIX, _GDAL})
"""Tags whose values belong to the file and not to its structure."""


class Values(NamedTuple):
    """The half of a row that is the file's own."""

    texts: Mapping[str, str]
    scale: tuple[float, ...] | None
    tiepoint: tuple[float, ...] | None
    matrix: tuple[float, ...] | None
    others: tuple[tuple[str, str], ...]


NO_VALUES: Final = Values({}, None, None, None, ())


def values_of(others: tuple[tuple[str, str], ...], values: Mapping[int, Any]) -> Values:
    """The values of a file's `VALUES`, by tag. Called for each file: it is as short as it can be.

    others: `Structure.others`.
    """
    texts: dict[str, str] = {}
    scale = tiepoint = matrix = None
    for code, value in values.items():
        if code == _SCALE:
            scale = numbers(value)
        elif code == _TIEPOINT:
            tiepoint = numbers(value)
        elif code == _GDAL:
            text = value if type(value) is str else shown(value)
            if len(text) <= MAX_TEXT:
                others += ((_GDAL_KEY, text),)
        elif code == _MATRIX:
            matrix = numbers(value)
            others += ((_MATRIX_KEY, shown(value)),)
        elif type(value) is str and len(value) <= MAX_TEXT:
            texts[TEXTS[code]] = value
    return Values(texts, scale, tiepoint, matrix, others)


def whole(value: Any) -> int | None:
    """An integer of 64 bits, of several the first one; None for anything else."""
    if type(value) is int and -(1 << 31) <= value < 1 << 63:
        return value
    if isinstance(value, tuple | np.ndarray) and len(value):
        value = value[0]
    if not isinstance(value, int | np.integer):
        return None
    return int(value) if -(1 << 31) <= value < 1 << 63 else None


def integers(value: Any) -> list[int] | None:
    """Integers as a list; None where there are none."""
    if value is None:
        return None
    several = value if isinstance(value, tuple | np.ndarray | bytes) else (value,)
    found = [whole(each) for each in several]
    return [each for each in found if each is not None] if None not in found else None


def numbers(value: Any) -> tuple[float, ...] | None:
    """Floats; None where there are none."""
    if type(value) is tuple and type(value[0]) is float:
        return value  # of DOUBLE, as it should be
    if value is None or isinstance(value, str | bytes):
        return None
    several = value if isinstance(value, tuple | np.ndarray) else (value,)
    return tuple(float(each) for each in several if isinstance(each, int | float | np.number)) or None


def ratio(value: Any) -> float | None:
    """A rational as a float."""
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, int) for each in value):
        return value[0] / value[1] if value[1] else None
    return float(value) if isinstance(value, int | float) else None


def shown(value: Any) -> str:
    """The value of a tag as text: text as it is, bytes as hexadecimal digits, numbers as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value.tolist() if isinstance(value, np.ndarray) else value, default=str)
