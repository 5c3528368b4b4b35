"""What a check finds: faults, which make a group invalid, and doubts. And what checks ask of values out of JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gigapix.pyramids.nodes import Node

Nodes = Mapping[str, Node | None]
"""By path. None where there is none, or where its metadata are broken, which is a fault of its own."""

SLACK: Final = 1e-6
"""Of comparisons between figures that have been through decimal notation."""


@dataclass(frozen=True)
class Finding:
    """One sentence."""

    message: str
    fault: bool = True


Findings = Iterator[Finding]


def doubt(message: str) -> Finding:
    """What the specification only recommends, or what may be meant so."""
    return Finding(message, fault=False)


def numbers(value: Any) -> tuple[float, ...] | None:
    """A list of finite numbers, None where it is none."""
    if not isinstance(value, list) or not all(map(is_number, value)):
        return None
    return tuple(map(float, value))


def is_number(value: Any) -> bool:
    """Of JSON, finite, and no larger than a double."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def shown(value: Any) -> str:
    """A value out of a file, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
