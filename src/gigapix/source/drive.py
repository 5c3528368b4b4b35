"""The drivers of a format's `Steps`, blocking and async: fetch what it asks for, send it, until it answers."""

from __future__ import annotations

from typing import TypeVar

from gigapix.errors import GigapixError
from gigapix.formats.model import Elsewhere, Steps
from gigapix.source.header_cache import HeaderCache

T = TypeVar("T")


def drive(steps: Steps[T], cache: HeaderCache) -> T:
    """Run `steps` to its answer. A GigapixError that it raises leaves with the file's name."""
    try:
        ranges = next(steps)
        while True:
            if isinstance(ranges, Elsewhere):
                ranges = steps.send(drive(ranges.steps, cache.beside(ranges.file)))
            else:
                ranges = steps.send(cache.fetch(ranges))
    except StopIteration as stop:
        answer: T = stop.value
        return answer
    except GigapixError as error:
        raise error.located(cache.source.name) from error.__cause__


async def drive_async(steps: Steps[T], cache: HeaderCache) -> T:
    """`drive` without blocking."""
    try:
        ranges = next(steps)
        while True:
            if isinstance(ranges, Elsewhere):
                ranges = steps.send(await drive_async(ranges.steps, cache.beside(ranges.file)))
            else:
                ranges = steps.send(await cache.fetch_async(ranges))
    except StopIteration as stop:
        answer: T = stop.value
        return answer
    except GigapixError as error:
        raise error.located(cache.source.name) from error.__cause__
