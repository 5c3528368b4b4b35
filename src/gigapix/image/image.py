"""`Image`: an open image, its levels, and everything that can be asked of it.

The image knows its structure from the header alone; pixels are read by `read`, `tile` and `blocks`, which are short
uses of one planner (`image.plan`) and one reader (`image.read`). Metadata that costs a request or a parser is fetched
when it is asked for, and kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from types import MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gigapix.errors import GigapixError, RequestError, SourceError
from gigapix.formats.model import Described
from gigapix.image import facts
from gigapix.image.compose import Reads, composed
from gigapix.image.index import SavedIndex, build_index
from gigapix.image.level import Level
from gigapix.image.marks import Marks
from gigapix.image.memory import budget_of, cpus
from gigapix.image.plan import Means, ReadPlan, Selection, plan_read
from gigapix.image.read import Reader, check_out
from gigapix.image.request import Ask, request_of
from gigapix.image.resample import METHODS
from gigapix.image.streams import Streams, window_bytes
from gigapix.image.walk import Walk
from gigapix.image.window import Window, window_of
from gigapix.source import Budget, HeaderCache, Settings, SingleFlight, Stats, drive, merge_limits

if TYPE_CHECKING:
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from pyproj import CRS

    from gigapix.formats.tiff.ifd import Ifd
    from gigapix.image.origin import Origin
    from gigapix.interop import dask, xarray
    from gigapix.ops import image as asked
    from gigapix.ops.map import map_image

CURSOR_SHARE: Final = 4
"""Of `Settings.memory`, the part that cursors in giant segments may keep between reads."""

MARK_SHARE: Final = 32
"""The part that checkpoints may keep."""


class _FromAbove:
    """A method that is a function of a room above, docstring and signature included."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = f"gigapix.{module}", name

    def __get__(self, image: Image | None, owner: type[Image]) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(import_module(self._module), self._name)
        return function if image is None else MethodType(function, image)


class Image:
    """An open image; made by `gigapix.open`. A context manager. Safe to share between threads."""

    def __init__(
        self, spec: Described, cache: HeaderCache, *, threads: int | None = None, origin: Origin | None = None
    ) -> None:
        if threads is not None and threads < 1:
            raise RequestError(f"{threads} threads can't decode")
        self.spec = spec
        self.cache = cache
        self.origin = origin
        self._facts = facts.facts_of(spec)
        self._pools: dict[int, Executor] = {}
        self._closed = False
        self._lock = threading.Lock()
        self._tiles: SingleFlight[tuple[Any, ...], NDArray[Any]] = SingleFlight(share=np.ndarray.copy)
        settings = cache.source.settings
        threads = threads or cpus()
        most = threads if cache.source.local else settings.concurrency
        # Twice as many as requests: while some wait for bytes, others are decoded. More would only hold memory.
        self._gate = Budget(2 * most)
        self.reader = Reader(
            cache=cache,
            limits=merge_limits(cache.source),
            budget=Budget(settings.memory),
            workers=partial(self._executor, most),
            decoders=partial(self._executor, threads),
            most=most,
            streams=Streams(
                Marks(settings.memory // MARK_SHARE),
                capacity=settings.memory // CURSOR_SHARE,
                window=window_bytes(settings.memory // MARK_SHARE, cache.source.local),
                room=settings.memory // MARK_SHARE,
                verify=settings.verify,
                saved=SavedIndex(cache.source),
                parts=threads,
            ),
        )
        self._means = Means(
            memory=settings.memory,
            workers=most,
            window=self.reader.streams.window,
            piece=self.reader.piece_bytes,
            file_size=cache.source.size,
        )
        self.levels = tuple(Level(self, level) for level in spec.levels)
        self.header_bytes = self.stats.bytes

    # What it is

    @property
    def path(self) -> str:
        """The path or URL, ``<bytes>`` for a buffer."""
        return self.cache.source.name

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self.cache.source.settings

    @property
    def file_size(self) -> int | None:
        """Bytes of the file, None where its store does not tell."""
        return self.cache.source.size

    @property
    def stats(self) -> Stats:
        """Requests, bytes, cache hits and ranges so far."""
        return self.cache.source.stats

    @property
    def width(self) -> int:
        """Pixels along X, of level 0."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Pixels along Y, of level 0."""
        return self.levels[0].height

    @property
    def bands(self) -> int:
        """Positions along C."""
        return self.levels[0].shape[self.axes.index("C")]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of level 0."""
        return self.levels[0].shape

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.axes)

    @property
    def size(self) -> int:
        """Samples of level 0."""
        return self.levels[0].size

    @property
    def nbytes(self) -> int:
        """Bytes of level 0 when read."""
        return self.levels[0].nbytes

    @property
    def axes(self) -> str:
        """``CYX``, or more of ``TCZYX`` for stacks."""
        return self.levels[0].axes

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels, in native byte order."""
        return self.levels[0].dtype

    @property
    def kind(self) -> str:
        """What wrote it or how it is organised: ``plain``, ``ome``, ``imagej``, ``svs``, ``png`` ..."""
        return self._facts.kind(self)

    @cached_property
    def count(self) -> int:
        """How many images the file holds, found by walking its directories and none of their values."""
        return drive(self._facts.count(self), self.cache)

    @cached_property
    def ifd(self) -> Ifd:
        """The directory of level 0 (of its first plane), whose properties are its tags; large values are left out.

        Raises UnsupportedError where the file is no TIFF.
        """
        from gigapix.image import tiff_facts

        return tiff_facts.loaded(self)

    @property
    def tags(self) -> Mapping[str | int, Any]:
        """The tags of level 0 by name or number, each value fetched when it is asked for."""
        return self._facts.tags(self)

    # Where it is

    @cached_property
    def geokeys(self) -> Any:
        """The GeoKeys (`formats.tiff.geokeys.GeoKeys`), None where the file has none."""
        return self._facts.geokeys(self)

    @cached_property
    def crs(self) -> CRS | None:
        """The coordinate reference system, None where the file names none. Needs the extra ``geo``."""
        return self._facts.crs(self)

    @property
    def epsg(self) -> int | None:
        """The EPSG code of the CRS where the file names one."""
        return self._facts.epsg(self)

    @cached_property
    def transform(self) -> Affine:
        """From (column, row) to CRS coordinates, rasterio's way; the identity where the file has none."""
        return self._facts.transform(self)

    @cached_property
    def gcps(self) -> tuple[Any, ...]:
        """Ground control points, where the file has them in place of a transform."""
        return self._facts.gcps(self)

    @property
    def geobox(self) -> GeoBox:
        """odc-geo's GeoBox: shape, transform and CRS of level 0. Raises MissingExtraError without the extra ``odc``."""
        return self.levels[0].geobox

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in the image's CRS."""
        return facts.bounds(self)

    # What it shows

    @cached_property
    def nodata(self) -> Any:
        """GDAL_NODATA as a number, None where there is none."""
        return self._facts.nodata(self)

    @cached_property
    def gdal_metadata(self) -> Any:
        """GDAL_METADATA (`formats.tiff.gdal.GdalMetadata`): items, and per band scale, offset, description,
        statistics."""
        return self._facts.gdal_metadata(self)

    @cached_property
    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Pixel value to (red, green, blue, alpha) of 0 to 255, as rasterio gives it; None without a palette."""
        return self._facts.colormap(self)

    @property
    def color_interpretation(self) -> tuple[str, ...]:
        """What each band means: gray, red, green, blue, alpha, palette ... in rasterio's words."""
        return self._facts.color_interpretation(self)

    @property
    def mask_flags(self) -> tuple[tuple[str, ...], ...]:
        """What tells which pixels of each band count, in GDAL's words (RFC 15): ``all_valid``, ``per_dataset`` (a
        stored mask, or with ``alpha`` an alpha band) or ``nodata``."""
        return facts.mask_flags(self)

    @cached_property
    def profile(self) -> dict[str, Any]:
        """rasterio's profile of the same file, with pyproj's CRS."""
        return self._facts.profile(self)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What the file says of itself beside its structure: description, channels, pixel size, GDAL's items,
        problems."""
        return self._facts.metadata(self)

    # Its pixels

    def plan(
        self,
        window: Window | Sequence[int] | None = None,
        *,
        level: int = 0,
        bands: int | Sequence[int] | None = None,
        select: Selection | None = None,
        memory: int | str | None = None,
    ) -> ReadPlan:
        """What `read` with the same arguments will do, or `blocks` with that memory, without doing it. Print it.

        memory: as in `blocks`; `Settings.memory` where None.
        """
        spec, means = self._level(level).spec, self._means
        try:
            if memory is not None:
                means = replace(means, memory=budget_of(memory))
            return plan_read(spec, window_of(window, spec.shape[-1], spec.shape[-2]), bands, select, means=means)
        except GigapixError as error:
            raise error.located(self.path) from None

    def read(
        self,
        window: Window | Sequence[int] | None = None,
        *,
        bounds: Sequence[float] | None = None,
        level: int | None = None,
        shape: tuple[int, int] | None = None,
        bands: int | Sequence[int] | None = None,
        select: Selection | None = None,
        masked: bool = False,
        resampling: str = "nearest",
        boundless: bool | None = None,
        fill_value: float | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Read a part of the image, band first: shape ``(band, y, x)``, with T and Z in their places for stacks.

        window: (col_off, row_off, width, height) in pixels of `level`, of level 0 where none is given; None for all.
        bounds: (left, bottom, right, top) in the image's CRS, in place of a window. Without a shape they grow to whole
            pixels; what lies outside of the image is cut off unless `boundless`.
        level: 0 is the full resolution. With a shape and no level, the level is chosen by `Settings.zoom_level`.
        shape: (height, width) of the result, which is resampled where it is not the region's own.
        bands: positions along C from 0, in the order wanted; an int gives an array without that axis.
        select: positions or slices along further axes, ``{"Z": 3}``; a position gives an array without that axis.
        masked: return a `numpy.ma.MaskedArray`, masked by the stored mask, else by nodata, else by the alpha band.
        resampling: nearest, bilinear, cubic, average or mode; pixels that are masked out weigh nothing.
        boundless: window or bounds may reach over the edge, where they find `fill_value`, else nodata, else 0.
        out: an array of the result's shape and dtype to read into, with any strides.

        Values are as stored: palettes are not expanded, MinIsWhite is not inverted; YCbCr JPEG comes out as RGB.
        Raises RequestError for what isn't there, and FormatError, DecodeError, UnsupportedError or SourceError.
        """
        ask = Ask(window, bounds, level, shape, bands, select, masked, resampling, boundless, fill_value)
        task = self._task(ask)
        if isinstance(task, ReadPlan):
            return self.reader.run(task, out)
        try:
            plan = next(task)
            while True:
                plan = task.send(self.reader.run(plan))
        except StopIteration as stop:
            return _into(stop.value, out)
        except GigapixError as error:
            raise error.located(self.path) from error.__cause__

    async def read_async(
        self,
        window: Window | Sequence[int] | None = None,
        *,
        bounds: Sequence[float] | None = None,
        level: int | None = None,
        shape: tuple[int, int] | None = None,
        bands: int | Sequence[int] | None = None,
        select: Selection | None = None,
        masked: bool = False,
        resampling: str = "nearest",
        boundless: bool | None = None,
        fill_value: float | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """`read` without blocking. Cancelling it cancels its requests."""
        ask = Ask(window, bounds, level, shape, bands, select, masked, resampling, boundless, fill_value)
        async with self._gate.hold_async(1):
            task = self._task(ask)
            if isinstance(task, ReadPlan):
                return await self.reader.run_async(task, out)
            try:
                plan = next(task)
                while True:
                    plan = task.send(await self.reader.run_async(plan))
            except StopIteration as stop:
                return _into(stop.value, out)
            except GigapixError as error:
                raise error.located(self.path) from error.__cause__

    def _task(self, ask: Ask) -> ReadPlan | Reads:
        """A read as a plan where pixels are wanted as they are, as steps where more is done to them."""
        settings = self.settings
        if ask.boundless is None:
            ask = replace(ask, boundless=settings.boundless)
        if ask.is_plain and ask.resampling in METHODS:
            return self.plan(ask.window, level=ask.level or 0, bands=ask.bands, select=ask.select)
        if ask.fill_value is None:
            ask = replace(ask, fill_value=settings.fill_value if self.nodata is None else self.nodata)
        try:
            transform = self.transform if ask.bounds is not None else None
            request = request_of(ask, [each.spec for each in self.levels], transform, settings.zoom_level)
            if request.plain is not None and not ask.masked:
                return self.plan(request.plain, level=request.level, bands=ask.bands, select=ask.select)
            spec = self.levels[request.level].spec
            return composed(spec, request, ask, facts.validity(self, spec))
        except GigapixError as error:
            raise error.located(self.path) from None

    def read_mask(self, window: Window | Sequence[int] | None = None, *, level: int = 0) -> NDArray[Any]:
        """The stored mask of a window as uint8, shape ``(y, x)``: 0 where a pixel is not valid, 255 where it is.

        Raises RequestError where the level has none.
        """
        mask = self._level(level).spec.mask
        if mask is None:
            raise RequestError(f"level {level} has no stored mask", path=self.path)
        values = self.reader.run(plan_read(mask, window_of(window, mask.shape[-1], mask.shape[-2]), 0))
        return np.where(values > 0, np.uint8(255), np.uint8(0))

    def tile(self, x: int, y: int, level: int = 0, *, boundless: bool | None = None) -> NDArray[Any]:
        """The segment in column `x` and row `y` of a level's grid: ``(band, height, width)``, cut at the image's edge.

        boundless: give every tile its full size and those outside of the grid too, with the fill value where there is
            no image (`Settings.boundless` where None).

        Those who ask for the same tile at the same time cause one read.
        """
        window = self._tile_window(x, y, level, boundless)
        return self._tiles.run((x, y, level, boundless), lambda: self.read(window, level=level, boundless=boundless))

    async def tile_async(self, x: int, y: int, level: int = 0, *, boundless: bool | None = None) -> NDArray[Any]:
        """`tile` without blocking."""
        window = self._tile_window(x, y, level, boundless)
        return await self._tiles.run_async(
            (x, y, level, boundless), lambda: self.read_async(window, level=level, boundless=boundless)
        )

    def _tile_window(self, x: int, y: int, level: int, boundless: bool | None) -> Window:
        spec = self._level(level)
        rows, columns = spec.grid
        height, width = spec.spec.segment[1:]
        if self.settings.boundless if boundless is None else boundless:
            return Window(x * width, y * height, width, height)
        if not (0 <= x < columns and 0 <= y < rows):
            raise RequestError(f"no tile ({x}, {y}) in a grid of {columns} x {rows}", path=self.path)
        left, top = x * width, y * height
        return Window(left, top, min(width, spec.width - left), min(height, spec.height - top))

    def blocks(
        self,
        level: int = 0,
        *,
        memory: int | str | None = None,
        halo: int = 0,
        select: Selection | None = None,
        block_bytes: int | None = None,
    ) -> Iterator[tuple[Window, NDArray[Any]]]:
        """(window, array) after (window, array), each pixel once, from top to bottom in whole segments, or in rows
        where segments are too large for that. The next block is read while one is worked on.

        memory: bytes for blocks, fetched and decoded data together, also as ``"64MB"``; where None, a quarter of what
            is free, but not more than `Settings.memory`.
        halo: that many more pixels at each side, cut at the image's edge. The windows are still those without it: of
            an array, ``array[..., top:top + window.height, left:left + window.width]`` are the window's own pixels,
            with ``top = min(halo, window.row_off)`` and ``left = min(halo, window.col_off)``.
        select: as in `read`. All planes of a stack that it selects are in each block.
        block_bytes: about how much one block may take; never less than a segment of each plane.

        Where a stream of rows is damaged or ends early, the blocks before and the rows of the block that are there come
        first, then the error. Raises MemoryBudgetError, before it reads pixels, where the memory is too little.
        """
        return Walk(self, level, memory, halo, select, block_bytes).blocks()

    def blocks_async(
        self,
        level: int = 0,
        *,
        memory: int | str | None = None,
        halo: int = 0,
        select: Selection | None = None,
        block_bytes: int | None = None,
    ) -> AsyncIterator[tuple[Window, NDArray[Any]]]:
        """`blocks` without blocking."""
        return Walk(self, level, memory, halo, select, block_bytes).blocks_async()

    def index(
        self, *, spacing: int | None = None, save: bool | str | os.PathLike[str] = True, memory: int | str | None = None
    ) -> Path | None:
        """Make checkpoints in the image's giant segments (a PNG, a TIFF of one large strip), so that a window costs the
        way from the one above it, and keep them. Reads the whole image once.

        spacing: rows between two; so many that the index is a few percent of the image where None.
        save: True to write them beside the file (``x.png.gpxi``), or where that can't be done into
            `Settings.index_folder`; they are found there when the image is next opened, and not used when it has
            changed since. A path to write them elsewhere, for this image alone. False to keep them in memory.
        memory: bytes that checkpoints may take where they are not saved.

        Returns where they are; None where nothing is written: the image has no giant segment, or none whose codec has
        checkpoints (zstd and LZMA have none).
        Raises RequestError where there is no place for them, SourceError where they can't be written.
        """
        return build_index(self, spacing, save if isinstance(save, bool) else Path(save), memory)

    # Level 0 as an array: `Level` says what these do.

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return self.levels[0][key]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self.levels[0].__array__(dtype, copy)

    def __dlpack__(self, *, copy: bool | None = None, **options: Any) -> Any:
        return self.levels[0].__dlpack__(copy=copy, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.levels[0].__dlpack_device__()

    def __len__(self) -> int:
        return len(self.levels[0])

    # What they say. The room that answers stands above this one: it is imported when it is asked.

    if TYPE_CHECKING:
        histogram = asked.histogram
        map = map_image
        percentiles = asked.percentiles
        statistics = asked.statistics
        summary = asked.summary
        threshold = asked.threshold
        to_dask = dask.to_dask
        to_xarray = xarray.to_xarray
        unique = asked.unique
    else:
        histogram = _FromAbove("ops.image", "histogram")
        map = _FromAbove("ops.map", "map_image")
        percentiles = _FromAbove("ops.image", "percentiles")
        statistics = _FromAbove("ops.image", "statistics")
        summary = _FromAbove("ops.image", "summary")
        threshold = _FromAbove("ops.image", "threshold")
        to_dask = _FromAbove("interop.dask", "to_dask")
        to_xarray = _FromAbove("interop.xarray", "to_xarray")
        unique = _FromAbove("ops.image", "unique")

    def _executor(self, threads: int) -> Executor:
        with self._lock:
            if self._closed:
                raise SourceError("the image is closed", path=self.path)
            if threads not in self._pools:
                from concurrent.futures import ThreadPoolExecutor

                self._pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="gigapix")
            return self._pools[threads]

    def _level(self, level: int) -> Level:
        if not 0 <= level < len(self.levels):
            raise RequestError(f"no level {level} in an image of {len(self.levels)}", path=self.path)
        return self.levels[level]

    def close(self) -> None:
        """Close the file, cancel requests that tasks wait for, and let the threads end. Reading afterwards raises
        SourceError."""
        self.cache.close()
        with self._lock:
            self._closed = True
        for pool in self._pools.values():
            pool.shutdown(wait=False)  # a thread may be waiting for a task of the loop that calls this

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        return f"<Image {self.path!r} {self.axes} {size} {self.dtype}, {len(self.levels)} levels>"


def _into(result: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    if out is None:
        return result
    check_out(out, result.shape, result.dtype)
    out[...] = result
    return out
