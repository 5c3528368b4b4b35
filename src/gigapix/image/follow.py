"""Drivers of streams: they fetch what a cursor asks for, and for a remote file what it will ask for next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import TYPE_CHECKING

from gigapix.errors import GigapixError
from gigapix.formats.model import Buffer, Elsewhere, Range, Steps
from gigapix.image.streams import Stream
from gigapix.source import Source

if TYPE_CHECKING:
    import asyncio


class _Ahead:
    """The range that a cursor will ask for next, fetched before it does. Only of remote files, and only while ranges
    follow one another."""

    def __init__(self, stream: Stream) -> None:
        self._end = sum(stream.range)
        self._last: Range = (-1, 0)
        self.range: Range | None = None

    def after(self, wanted: Range) -> Range | None:
        """The range to fetch beside `wanted`, None where it is not known to be needed."""
        follows, self._last = wanted[0] == sum(self._last), wanted
        start = sum(wanted)
        length = min(wanted[1], self._end - start)
        self.range = (start, length) if follows and length > 0 else None
        return self.range


def run(steps: Steps[None], stream: Stream, source: Source, helpers: Callable[[], Executor]) -> None:
    """Carry steps of a stream out."""
    ahead, coming = _Ahead(stream), None
    answer: list[Buffer] | None = None
    try:
        while True:
            wanted = _wanted(steps.send(answer))
            expected, before = ahead.range, coming
            following, coming = None if source.local else ahead.after(wanted), None
            if following is not None:
                with suppress(RuntimeError):  # no thread to be had
                    coming = helpers().submit(source.read, *following)
            answer = [before.result() if before is not None and expected == wanted else source.read(*wanted)]
    except StopIteration:
        return
    except GigapixError as error:
        raise error.located(source.name) from error.__cause__
    finally:
        if coming is not None:
            coming.cancel()


async def run_async(steps: Steps[None], stream: Stream, source: Source, decoders: Callable[[], Executor]) -> None:
    """`run` without blocking: decoding is done by threads of `decoders`."""
    import asyncio

    loop = asyncio.get_running_loop()
    ahead, coming = _Ahead(stream), None
    answer: list[Buffer] | None = None
    try:
        while (wanted := await _decoded(loop.run_in_executor(decoders(), _sent, steps, answer))) is not None:
            expected, before = ahead.range, coming
            following, coming = None if source.local else ahead.after(wanted), None
            if following is not None:
                coming = asyncio.ensure_future(source.read_async(*following))
            answer = [await before if before is not None and expected == wanted else await source.read_async(*wanted)]
    except GigapixError as error:
        raise error.located(source.name) from error.__cause__
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _sent(steps: Steps[None], answer: list[Buffer] | None) -> Range | None:
    """The range that steps ask for next, None where they are done."""
    try:
        return _wanted(steps.send(answer))
    except StopIteration:
        return None


def _wanted(asked: Sequence[Range] | Elsewhere) -> Range:
    """The one range that a cursor asks for."""
    if isinstance(asked, Elsewhere):
        raise TypeError("a cursor reads one file")
    (wanted,) = asked
    return wanted


async def _decoded(work: asyncio.Future[Range | None]) -> Range | None:
    """The answer of a thread, for which even a task that is cancelled waits: it writes to the output."""
    import asyncio

    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
