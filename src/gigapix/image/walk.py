"""A whole level, block by block: each pixel once, or with its halo, in one pass over the file.

While a block is worked on, the next one is read. What two blocks share, where there is a halo, is kept from the one to
the other, so that nothing is decoded twice. The memory is shared out beforehand: two blocks take half of it, what is
fetched and decoded the rest.

The steps of a block are written once, as a generator of plans; `blocks` runs them in threads, `blocks_async` as tasks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError, RequestError, TruncatedError
from gigapix.image.access import access_of
from gigapix.image.blocks import block_windows, grown, pixel_bytes
from gigapix.image.memory import budget_of
from gigapix.image.outlook import beside
from gigapix.image.plan import ReadPlan, Selection, plan_read
from gigapix.image.read import Reader
from gigapix.image.window import Window
from gigapix.source import Budget

if TYPE_CHECKING:
    from gigapix.image.image import Image

BLOCK_BYTES: Final = 16 << 20
"""A block takes no more than this unless it is asked for: beyond it nothing gets faster."""

LEAST_REQUEST: Final = 64 << 10

Blocks = tuple[Window, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Block:
    window: Window
    outer: Window
    """With its halo."""
    kept: int
    """Rows of it that the block before has."""
    passed_on: int
    """Rows of it that the next block has."""


@dataclass(frozen=True, slots=True)
class _Done:
    window: Window
    pixels: NDArray[Any]
    tail: NDArray[Any] | None
    """A copy of the rows that the next block has: the caller may write to `pixels`."""
    error: GigapixError | None = None
    """What keeps the rest of the block from being read."""


_Steps = Generator[tuple[ReadPlan, NDArray[Any]], None, _Done]


class Walk:
    """One walk over a level. Raises before it reads a pixel where the memory is too little."""

    def __init__(
        self, image: Image, level: int, memory: int | str | None, halo: int, select: Selection | None, size: int | None
    ) -> None:
        if halo < 0:
            raise RequestError(f"halo can't be {halo}", path=image.path)
        self._select = select
        self._whole = image.plan(level=level, select=select)
        # What was named when the image was opened holds for all that is done with it.
        total = budget_of(memory) if memory is not None else min(budget_of(None), image.settings.memory)
        spec, reader = self._whole.level, image.reader
        count = beside(self._whole)
        access = access_of(
            spec, total * 3 // 4, most=reader.most, streams=count, block=min(size or BLOCK_BYTES, total // 8)
        )
        share = max(total // 2, access.need)
        room = (total - share) // 2
        self._halo, self._by_row = halo, access.kind == "stream"
        self._block_bytes = min(room, BLOCK_BYTES) if size is None else size if memory is None else min(room, size)
        outer = grown(next(self._windows()), halo, spec.shape[-1], spec.shape[-2])
        need = outer.width * outer.height * pixel_bytes(self._whole)
        if access.need > access.memory or need > max(room, self._block_bytes):
            least = max(-(-4 * access.need // 3), access.need + 2 * need, 4 * need)
            raise MemoryBudgetError(
                f"{access.what} takes {access.need} bytes and a block of {outer.width} x {outer.height} pixels {need}: "
                f"name {least} bytes of memory or more, not {total}",
                path=image.path,
            )
        limits = replace(reader.limits, size=min(reader.limits.size, max(total // 16, LEAST_REQUEST)))
        self._reader: Reader = replace(
            reader,
            budget=Budget(share),
            limits=limits,
            piece_bytes=min(reader.piece_bytes, max(total // 16, LEAST_REQUEST)),
            streams=reader.streams.of_pass(share, reader.cache.source.local, count),
        )

    def blocks(self) -> Iterator[Blocks]:
        """The blocks, the next one being read while one is worked on."""
        coming: Future[_Done] | _Done | None = None
        blocks = self._blocks()
        try:
            coming = self._start(next(blocks), None)
            while coming is not None:
                done = coming if isinstance(coming, _Done) else coming.result()
                coming, following = None, next(blocks, None)
                if following is not None and done.error is None:
                    coming = self._start(following, done.tail)
                yield from _given(done)
                del done
        finally:
            if isinstance(coming, Future):
                coming.cancel() or coming.exception()  # nothing may read after this returns

    async def blocks_async(self) -> AsyncIterator[Blocks]:
        """`blocks` without blocking."""
        import asyncio

        blocks = self._blocks()
        coming: asyncio.Task[_Done] | None = asyncio.ensure_future(self._read_async(next(blocks), None))
        try:
            while coming is not None:
                done = await coming
                coming, following = None, next(blocks, None)
                if following is not None and done.error is None:
                    coming = asyncio.ensure_future(self._read_async(following, done.tail))
                for each in _given(done):
                    yield each
                del done
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    def _windows(self) -> Iterator[Window]:
        return block_windows(self._whole, self._block_bytes, halo=self._halo, by_row=self._by_row)

    def _blocks(self) -> Iterator[_Block]:
        width, height = self._whole.level.shape[-1], self._whole.level.shape[-2]
        before: _Block | None = None
        for window in self._windows():
            outer = grown(window, self._halo, width, height)
            kept = 0
            if before is not None:
                if window.width == width:
                    kept = before.outer.row_off + before.outer.height - outer.row_off
                yield replace(before, passed_on=kept)
            before = _Block(window, outer, kept, 0)
        if before is not None:
            yield before

    def _start(self, block: _Block, tail: NDArray[Any] | None) -> Future[_Done] | _Done:
        with suppress(RuntimeError):  # no thread to be had
            return self._reader.workers().submit(self._read, block, tail)
        return self._read(block, tail)

    def _read(self, block: _Block, tail: NDArray[Any] | None) -> _Done:
        steps = self._steps(block, tail)
        try:
            plan, out = next(steps)
            while True:
                try:
                    self._reader.run(plan, out)
                except GigapixError as error:
                    plan, out = steps.throw(error)
                else:
                    plan, out = next(steps)
        except StopIteration as stop:
            done: _Done = stop.value
            return done

    async def _read_async(self, block: _Block, tail: NDArray[Any] | None) -> _Done:
        steps = self._steps(block, tail)
        try:
            plan, out = next(steps)
            while True:
                try:
                    await self._reader.run_async(plan, out)
                except GigapixError as error:
                    plan, out = steps.throw(error)
                else:
                    plan, out = next(steps)
        except StopIteration as stop:
            done: _Done = stop.value
            return done

    def _steps(self, block: _Block, tail: NDArray[Any] | None) -> _Steps:
        """The reads of a block. Where its rows end early, those that are there, and then the error."""
        plan = self._plan(block.outer)
        pixels = np.empty(plan.shape, plan.level.dtype)
        pixels[..., : block.kept, :] = 0 if tail is None else tail
        rows, failed = block.outer.height - block.kept, None
        while rows > 0:
            part = replace(block.outer, row_off=block.outer.row_off + block.kept, height=rows)
            try:
                yield self._plan(part), pixels[..., block.kept : block.kept + rows, :]
                break
            except (DecodeError, TruncatedError) as error:
                failed = failed or error
                rows = self._reader.streams.good_rows(rows)
        height = block.outer.height if failed is None else block.kept + rows
        pixels = pixels[..., :height, :]
        core = block.outer.row_off + height - block.window.row_off
        window = replace(block.window, height=min(block.window.height, max(core, 0)))
        tail = pixels[..., height - block.passed_on :, :].copy() if block.passed_on and failed is None else None
        return _Done(window, pixels, tail, failed)

    def _plan(self, window: Window) -> ReadPlan:
        return plan_read(self._whole.level, window, None, self._select)


def _given(done: _Done) -> Iterator[Blocks]:
    """What the caller gets of a block: its pixels, the error, or both."""
    if done.window.height > 0:
        yield done.window, done.pixels
    if done.error is not None:
        raise done.error
