"""The description that tifffile writes: the shape of the array that the pages make up.

``{"shape": [5, 3, 64, 64], "axes": "TCYX"}``, or ``shape=(64, 64)`` in old files.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

MAX_TEXT: Final = 1 << 20
"""Characters that are parsed: tifffile puts whatever its user wants into the same JSON."""

MAX_AXES: Final = 64
"""numpy's limit."""


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """The array that was written."""

    shape: tuple[int, ...]
    axes: str
    """tifffile's letter of each dimension, ``Q`` where it is not named."""
    name: str = ""
    truncated: bool = False
    """One IFD stands for all pages: their data follow one another."""


def parse(description: str) -> Shaped | None:
    """The shape, None where the text is not such a description."""
    old = re.fullmatch(r"shape=\(([\d, ]{1,400})\)\s*", description)
    if old is not None:
        return _shaped({"shape": [int(size) for size in old[1].split(",") if size.strip().isdecimal()]})
    if not description.startswith("{") or len(description) > MAX_TEXT:
        return None
    try:
        facts = json.loads(description)
    except (ValueError, RecursionError):
        return None
    return _shaped(facts) if isinstance(facts, dict) else None


def _shaped(facts: dict[str, Any]) -> Shaped | None:
    shape, axes, name = facts.get("shape"), facts.get("axes"), facts.get("name")
    if not isinstance(shape, list) or not 0 < len(shape) <= MAX_AXES:
        return None
    if not all(type(size) is int and size > 0 for size in shape) or math.prod(shape) >= 1 << 63:
        return None
    if not isinstance(axes, str) or len(axes) != len(shape):
        axes = "Q" * len(shape)
    return Shaped(
        shape=tuple(shape),
        axes=axes,
        name=name if isinstance(name, str) else "",
        truncated=facts.get("truncated") is True,
    )
