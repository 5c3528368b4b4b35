"""A driver of `Steps` over bytes, that notes what was asked for."""

from __future__ import annotations

from typing import TypeVar

from gigapix.formats.model import Range, Steps

T = TypeVar("T")


def answer(steps: Steps[T], data: bytes, asked: list[Range] | None = None) -> T:
    """Run `steps` over `data`; what it asks for is added to `asked`."""
    try:
        ranges = next(steps)
        while True:
            if asked is not None:
                asked.extend(ranges)
            ranges = steps.send([data[offset : offset + length] for offset, length in ranges])
    except StopIteration as stop:
        return stop.value
