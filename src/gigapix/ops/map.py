"""A function on every pixel and its surroundings, into a new image, within a memory.

The image is read in blocks with a halo, the function is called on each, the halo is cut off its result. At the image's
edge the halo is filled as scipy's filters do it. So a function that looks no further than `halo` pixels gives what it
would give on the whole image, whatever the blocks are: there are no seams.

What the blocks are follows from how the image is stored (`Image.blocks`); their results are put together to whole rows
of tiles, and those are written. Where a row of tiles has no room in the memory, and the image can be read in any order,
blocks are groups of tiles instead.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gigapix.errors import GigapixError, MemoryBudgetError, RequestError, UnsupportedError
from gigapix.image.access import access_of
from gigapix.image.blocks import grown
from gigapix.image.memory import budget_of, cpus
from gigapix.image.window import Window
from gigapix.ops.geotags import geo_tags
from gigapix.ops.targets import Target, check_target, opened_target

if TYPE_CHECKING:
    from gigapix.image.image import Image
    from gigapix.image.plan import ReadPlan, Selection

Function = Callable[[NDArray[Any]], NDArray[Any]]
Block = tuple[Window, NDArray[Any]]

MODES: Final = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "constant": "constant"}
"""scipy's names for how a halo is filled beyond the edge, and numpy's for the same."""

PROBE: Final = 16
"""Side of the block that tells what the function gives."""


def map_image(
    image: Image,
    function: Function,
    output: str | os.PathLike[str],
    *,
    level: int = 0,
    bands: Sequence[int] | None = None,
    select: Selection | None = None,
    halo: int = 0,
    mode: str = "reflect",
    dtype: DTypeLike | None = None,
    nodata: float | None = None,
    memory: int | str | None = None,
    tile: int = 512,
    compression: str = "zstd",
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write ``function(image)`` to a new tiled TIFF (BigTIFF where it may outgrow 4 GiB) or a Zarr array.

    function: takes a block ``(band, y, x)`` with its halo; returns an array with the same rows and columns, of any
        number of bands, ``(band, y, x)`` or ``(y, x)``, and always of the same type. It is called from several threads
        at once, and first on a small corner of the image to see what it returns.
    output: ends in .tif, .tiff or .zarr (extra ``zarr``). What has the name already is replaced when all is done.
    bands, select: as in `Image.read`; one plane of a stack must be selected.
    halo: how many pixels around a pixel the function looks at.
    mode: how the halo is filled beyond the edge: reflect (d c b a | a b c d), mirror (d c b | a b c d), nearest or
        constant (0), as in `scipy.ndimage`.
    dtype: to convert the function's results to, without a check.
    nodata: what to write down as the result's nodata value; the image's own is not passed on, because the function may
        have changed it. CRS and transform are.
    memory: bytes for everything but what the function itself takes; a quarter of what is free where None.
    compression: none, lzw, deflate or zstd.
    threads: how many call the function and encode; one a core where None.
    progress: called with the number of samples that were read since the last call.

    Raises RequestError, NotFoundError or MemoryBudgetError before anything is written, and what reading raises.
    """
    path = Path(output)
    try:
        check_target(path, tile, compression)
        if mode not in MODES:
            raise RequestError(f"there is no mode {mode!r}; there are {', '.join(MODES)}")
        if halo < 0 or (threads is not None and threads < 1):
            raise RequestError(f"a halo of {halo} pixels and {threads} threads make no sense")
        if path.exists() and Path(image.path).exists() and path.samefile(image.path):
            raise RequestError("the output is the image itself")
        chosen: dict[str, Any] = dict(select or {}) | ({} if bands is None else {"C": tuple(bands)})
        plan = image.plan(level=level, select=chosen)
        if plan.axes != "CYX":
            raise UnsupportedError(f"one plane is mapped, and this is {plan.axes}: select a position along the others")
        workers = threads or cpus()
        work = partial(_applied, function, plan.window, halo, MODES[mode], None if dtype is None else np.dtype(dtype))
        probe = Window(0, 0, min(PROBE, plan.window.width), min(PROBE, plan.window.height))
        first = work(probe, _read(image, level, chosen, probe, halo))
        target = Target(
            path=path, bands=len(first), height=plan.window.height, width=plan.window.width, dtype=first.dtype,
            tile=tile, compression=compression, nodata=nodata, tags=geo_tags(image, level, plan.window),
            rgb=len(first) >= 3 and bands is None and image.color_interpretation[:3] == ("red", "green", "blue"),
        )  # fmt: skip
        shares = _shares(plan, target, halo, budget_of(memory), workers)
        with ThreadPoolExecutor(shares.workers) as pool, opened_target(target, pool) as write:
            blocks = (
                image.blocks(level, memory=shares.reading, halo=halo, select=chosen, block_bytes=shares.block)
                if shares.step is None
                else _by_tiles(image, level, chosen, plan.window, halo, shares.step)
            )
            results = (_checked(target, *each) for each in _in_order(pool, shares.workers, work, blocks))
            for window, pixels in results if shares.step else _rows_of_tiles(results, target):
                write(window, pixels)
                if progress is not None:
                    progress(window.width * window.height * plan.shape[0])
    except GigapixError as error:
        raise error.located(image.path) from error.__cause__


@dataclass(frozen=True, kw_only=True)
class _Shares:
    """How the memory is shared out."""

    workers: int
    reading: int
    block: int
    """Of one block with its halo."""
    step: int | None
    """Side of a block where it is a group of tiles; None where the image says how it is read."""


def _shares(plan: ReadPlan, target: Target, halo: int, memory: int, workers: int) -> _Shares:
    """A half for reading; of the other one, a half for rows of tiles and the rest for blocks and their results."""
    before = plan.shape[0] * plan.level.dtype.itemsize
    after = target.bands * target.dtype.itemsize
    half = memory // 2
    access = access_of(plan.level, half)
    least = plan.level.segment[1] if access.kind == "chunked" else 1
    # Beside a row of tiles that is not complete yet, there are the rows of a block that has just come.
    rows = half // 2 // (target.width * after) - target.tile
    for count in range(workers, 0, -1):
        block = half // 2 // (count + 1) * before // (before + after)  # some of which are waiting to be written
        if rows >= least:
            most = (rows + 2 * halo) * target.width * before
            return _Shares(workers=count, reading=half, block=min(block, most, 16 << 20), step=None)
        step = (int((block // before) ** 0.5) - 2 * halo) // target.tile * target.tile
        if step > 0 and access.kind != "stream":
            return _Shares(workers=count, reading=half, block=block, step=step)
    need = 4 * (target.tile + least) * target.width * after
    raise MemoryBudgetError(f"a row of tiles takes {need} bytes with all that goes with it, and there are {memory}")


def _applied(
    function: Function, whole: Window, halo: int, mode: str, dtype: np.dtype[Any] | None, window: Window, block: Any
) -> NDArray[Any]:
    """The function's result on a block, without the halo. `block` is cut at the image's edge; it is filled up here."""
    after = (whole.height - window.row_off - window.height, whole.width - window.col_off - window.width)
    pad = [(0, 0)]
    for before, behind in zip((window.row_off, window.col_off), after, strict=True):
        pad.append((max(halo - before, 0), max(halo - behind, 0)))
    full: NDArray[Any] = np.pad(block, pad, mode=mode) if any(map(any, pad)) else block.view()  # type: ignore[call-overload]
    result = np.asarray(function(full))
    if result.ndim == 2:
        result = result[None]
    if result.ndim != 3 or result.shape[1:] != full.shape[1:]:
        raise RequestError(f"the function made {result.shape} of {full.shape}: rows and columns must stay")
    result = result[:, halo : halo + window.height, halo : halo + window.width]
    return result.astype(result.dtype if dtype is None else dtype, copy=False)


def _in_order(
    pool: ThreadPoolExecutor,
    workers: int,
    work: Callable[[Window, NDArray[Any]], NDArray[Any]],
    blocks: Iterator[Block],
) -> Iterator[Block]:
    """The results of all blocks in their order, `workers` of them under way at once."""
    waiting: deque[tuple[Window, Future[NDArray[Any]]]] = deque()
    try:
        for window, block in blocks:
            waiting.append((window, pool.submit(work, window, block)))
            del block
            if len(waiting) >= workers:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def _checked(target: Target, window: Window, pixels: NDArray[Any]) -> Block:
    if len(pixels) != target.bands or pixels.dtype != target.dtype:
        was, now = f"{target.bands} bands of {target.dtype}", f"{len(pixels)} of {pixels.dtype}"
        raise RequestError(f"the function first gave {was}, and then {now}")
    return window, pixels


def _rows_of_tiles(results: Iterator[Block], target: Target) -> Iterator[Block]:
    """Blocks that come from top to bottom, put together to rows of tiles over the whole width."""
    top = 0
    rows: NDArray[Any] = np.empty((target.bands, 0, target.width), target.dtype)
    for window, pixels in results:
        bottom = window.row_off + window.height
        if bottom - top > rows.shape[1]:
            more = np.empty((target.bands, bottom - top, target.width), target.dtype)
            more[:, : rows.shape[1]] = rows
            rows = more
        rows[:, window.row_off - top : bottom - top, window.col_off : window.col_off + window.width] = pixels
        if window.col_off + window.width < target.width:
            continue
        whole = rows.shape[1] if bottom == target.height else rows.shape[1] // target.tile * target.tile
        if whole:
            yield Window(0, top, target.width, whole), rows[:, :whole]
            top, rows = top + whole, rows[:, whole:].copy()


def _by_tiles(image: Image, level: int, select: Selection, whole: Window, halo: int, step: int) -> Iterator[Block]:
    for top in range(0, whole.height, step):
        for left in range(0, whole.width, step):
            window = Window(left, top, min(step, whole.width - left), min(step, whole.height - top))
            yield window, _read(image, level, select, window, halo)


def _read(image: Image, level: int, select: Selection, window: Window, halo: int) -> NDArray[Any]:
    size = image.levels[level].width, image.levels[level].height
    return image.read(grown(window, halo, *size), level=level, select=select)
