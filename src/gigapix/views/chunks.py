"""The chunks of a view, read when they are asked for.

Readers of Zarr ask for the chunks of a slice one by one, at the same time. Those of one array that are asked for in the
same turn of the event loop are put together to rectangles again, each of which is one read: neighbouring segments come
in one request, and a giant segment is gone through once. Where that read fails, its chunks are read one by one, so that
damage to one of them is not damage to all.

A level whose rows come one after the other is read by one at a time, first come, first served, and so is what is
computed of it: two would each decode all the rows above theirs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import GigapixError, MemoryBudgetError
from gigapix.image.image import Image
from gigapix.image.plan import ReadPlan, plan_read
from gigapix.image.window import Window
from gigapix.pyramids.samples import samples_of
from gigapix.source import Budget, SingleFlight, together
from gigapix.views.compute import PART_BYTES, Box, computed
from gigapix.views.hidden import counted, visible
from gigapix.views.model import Array, Group

READ_BYTES: Final = 64 << 20
"""Chunks that are read together take no more than this, or an eighth of the memory."""

Index = tuple[int, ...]


class _Turn:
    """Chunks of one array that are asked for in one turn of an event loop, and who waits for them."""

    def __init__(self) -> None:
        self.wanted: dict[Index, list[asyncio.Future[NDArray[Any]]]] = {}
        self.task: asyncio.Task[None] | None = None


class Chunks:
    """Those of one image. Holds as many bytes as `Settings.memory`, beside what the image's own reads hold."""

    def __init__(self, image: Image, root: Group) -> None:
        self._image = image
        self._memory = image.settings.memory
        self._room, self._work = Budget(self._memory // 2), Budget(self._memory // 4)
        arrays = [node for node in root.nodes() if isinstance(node, Array) and node.factor == 1]
        self._stored: dict[tuple[str, int], Array] = {(array.kind, array.level): array for array in arrays}
        streams = [key for key, array in self._stored.items() if self._is_stream(array)]
        self._reads, self._passes = ({key: Budget(1) for key in streams} for _ in range(2))
        self._turns: dict[tuple[asyncio.AbstractEventLoop, str], _Turn] = {}
        self._under_way: SingleFlight[tuple[str, Index], NDArray[Any]] = SingleFlight()
        self._kept = _Kept(self._memory // 8)

    async def read(self, array: Array, index: Index) -> NDArray[Any]:
        """A chunk, of the full size, with the fill value beyond the array's edge. Not to be written to."""
        if array.chunk_bytes > self._memory:
            raise MemoryBudgetError(
                f"a chunk of {array.path} takes {array.chunk_bytes} bytes; {self._memory} were named",
                path=self._image.path,
            )
        if array.factor > 1:
            return await self._computed(array, index)
        loop = asyncio.get_running_loop()
        turn = self._turns.get((loop, array.path))
        if turn is None:
            turn = self._turns[loop, array.path] = _Turn()
            turn.task = loop.create_task(self._serve(loop, array, turn))
        future: asyncio.Future[NDArray[Any]] = loop.create_future()
        turn.wanted.setdefault(index, []).append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if turn.task is not None and all(each.done() for waiting in turn.wanted.values() for each in waiting):
                self._close(loop, array, turn)
                turn.task.cancel()
            raise

    async def _serve(self, loop: asyncio.AbstractEventLoop, array: Array, turn: _Turn) -> None:
        """Read what is wanted once all have asked: readers start a task a chunk, of which each starts another."""
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._close(loop, array, turn)
            most = max(min(self._memory // 8, READ_BYTES) // array.chunk_bytes, 1)
            await together([self._read(array, part, turn) for part in rectangles([*turn.wanted], most)])
        except BaseException as error:
            for waiting in turn.wanted.values():
                _give(waiting, error)
            if not isinstance(error, Exception):
                raise

    def _close(self, loop: asyncio.AbstractEventLoop, array: Array, turn: _Turn) -> None:
        """Nobody joins it any more."""
        if self._turns.get((loop, array.path)) is turn:
            del self._turns[loop, array.path]

    async def _read(self, array: Array, part: tuple[Index, Index], turn: _Turn) -> None:
        """Read a rectangle of chunks, from the first to the last, for those who want them."""
        first, last = part
        try:
            values = await self._samples(array, _box(array, first, last))
        except GigapixError as error:
            if first == last:
                _give(turn.wanted[first], error)
            else:
                for index in _between(first, last):
                    await self._read(array, (index, index), turn)
            return
        for index in _between(first, last):
            inner = tuple(
                slice((n - start) * size, (n - start + 1) * size)
                for n, start, size in zip(index, first, array.chunks, strict=True)
            )
            _give(turn.wanted[index], _padded(values[inner], array))

    async def _samples(self, array: Array, box: Box) -> NDArray[Any]:
        """A box of an array that is stored."""
        plan = self._plan(array, box)
        async with _one_by_one(self._reads, array), self._room.hold_async(2 * plan.nbytes):
            values = await self._image.reader.run_async(plan)
        return values if array.kind == "pixels" else np.where(values > 0, np.uint8(255), np.uint8(0))

    def _plan(self, array: Array, box: Box) -> ReadPlan:
        *front, rows, columns = box
        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        if array.kind == "pixels":
            select = dict(zip(self._image.axes, front, strict=False))
            return self._image.plan(window, level=array.level, select=select)
        mask = self._image.levels[array.level].spec.mask
        assert mask is not None  # noqa: S101  # for mypy
        return plan_read(mask, window, 0)

    def _is_stream(self, array: Array) -> bool:
        whole = self._plan(array, tuple(slice(0, size) for size in array.shape))
        return whole.access == "stream"

    async def _computed(self, array: Array, index: Index) -> NDArray[Any]:
        found = self._kept.get((array.path, index))
        if found is not None:
            return found
        return await self._under_way.run_async((array.path, index), lambda: self._compute(array, index))

    async def _compute(self, array: Array, index: Index) -> NDArray[Any]:
        stored = self._stored[array.kind, array.level]
        mask = self._stored.get(("mask", array.level)) if array.kind == "pixels" else None
        level = self._image.levels[array.level]
        samples = counted(self._image, level) if array.kind == "pixels" else samples_of(array.dtype, None)

        async def read(box: Box) -> NDArray[Any]:
            return await visible(self._image, stored, mask, box, self._samples)

        need = 8 * array.chunk_bytes + min(PART_BYTES, self._memory // 16)
        async with _one_by_one(self._passes, array), self._work.hold_async(need):
            try:
                found = await computed(array, stored, _box(array, index, index), samples, read, self._memory)
            except GigapixError as error:
                raise error.located(self._image.path) from error.__cause__
        return self._kept.put((array.path, index), _padded(found, array))


class _Kept:
    """The chunks that were computed last."""

    def __init__(self, capacity: int) -> None:
        self._free = capacity
        self._chunks: OrderedDict[tuple[str, Index], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, Index]) -> NDArray[Any] | None:
        with self._lock:
            if key in self._chunks:
                self._chunks.move_to_end(key)
            return self._chunks.get(key)

    def put(self, key: tuple[str, Index], chunk: NDArray[Any]) -> NDArray[Any]:
        chunk.flags.writeable = False
        with self._lock:
            if key not in self._chunks:
                self._chunks[key] = chunk
                self._free -= chunk.nbytes
            while self._free < 0:
                self._free += self._chunks.popitem(last=False)[1].nbytes
        return chunk


def _one_by_one(gates: Mapping[tuple[str, int], Budget], array: Array) -> AbstractAsyncContextManager[None]:
    gate = gates.get((array.kind, array.level))
    return nullcontext() if gate is None else gate.hold_async(1)


def rectangles(indices: Sequence[Index], most: int) -> Iterator[tuple[Index, Index]]:
    """Chunks as rectangles of at most so many, each as its first and its last one: runs along the last axis, and equal
    runs below each other."""
    below: list[tuple[Index, Index]] = []
    for first, last in _runs(sorted(indices), most):
        if below:
            top, bottom = below[0][0], below[-1][1]
            follows = (*bottom[:-2], bottom[-2] + 1) == first[:-1] if len(first) > 1 else False
            fits = (first[-1], last[-1]) == (top[-1], bottom[-1])
            if follows and fits and (len(below) + 1) * (last[-1] - first[-1] + 1) <= most:
                below.append((first, last))
                continue
            yield top, bottom
        below = [(first, last)]
    if below:
        yield below[0][0], below[-1][1]


def _runs(indices: Sequence[Index], most: int) -> Iterator[tuple[Index, Index]]:
    start = 0
    for n, index in enumerate(indices):
        following = indices[n + 1] if n + 1 < len(indices) else None
        if following != (*index[:-1], index[-1] + 1) or n + 1 - start >= most:
            yield indices[start], index
            start = n + 1


def _between(first: Index, last: Index) -> Iterator[Index]:
    """The chunks of a rectangle."""
    for y in range(first[-2], last[-2] + 1):
        for x in range(first[-1], last[-1] + 1):
            yield (*first[:-2], y, x)


def _box(array: Array, first: Index, last: Index) -> Box:
    """The samples of a rectangle of chunks, as far as the array goes."""
    sides: Iterator[tuple[int, int, int, int]] = zip(first, last, array.chunks, array.shape, strict=True)
    return tuple(slice(a * size, min((b + 1) * size, end)) for a, b, size, end in sides)


def _padded(values: NDArray[Any], array: Array) -> NDArray[Any]:
    if values.shape == array.chunks:
        return np.ascontiguousarray(values)
    found = np.full(array.chunks, array.fill, array.dtype)
    found[tuple(slice(0, size) for size in values.shape)] = values
    return found


def _give(waiting: Sequence[asyncio.Future[NDArray[Any]]], answer: NDArray[Any] | BaseException) -> None:
    for future in waiting:
        if future.done():
            continue
        if isinstance(answer, asyncio.CancelledError):
            future.cancel()
        elif isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
