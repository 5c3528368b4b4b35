"""A COG written: its tiles as they come into one temporary file, and from there in the order of the COG.

The tiles of the full image come first in a pass and lie last in the file. So each is put where the temporary file ends,
and its place is noted: 24 bytes of memory a tile. The temporary file has no name: nothing is left of a run that is
killed. The COG itself takes its name when all of it is written; an object store gets it as one upload.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import GigapixError, RequestError
from gigapix.formats.tiff.cog_write import FRAME, block, cog_head
from gigapix.formats.tiff.encode import encode_tile
from gigapix.ops.fresh import fresh_file
from gigapix.pyramids.build import Builder
from gigapix.pyramids.cog_source import cog_pixels
from gigapix.pyramids.parts import Parts
from gigapix.pyramids.tree import Box
from gigapix.pyramids.zarr_target import Written
from gigapix.source.store import os_error

if TYPE_CHECKING:
    from gigapix.pyramids.cog import Cog
    from gigapix.pyramids.folders import Folder
    from gigapix.pyramids.plan import PyramidPlan

PART_BYTES: Final = 8 << 20
MOST_PARTS: Final = 9_000
"""Of an upload; S3 allows 10,000."""


def part_bytes(most: int) -> int:
    """Of each part of an upload of so many bytes at most."""
    return max(PART_BYTES, most // MOST_PARTS)


class TileWriter:
    """Takes boxes of levels in any order, from any thread, each sample once, and keeps the blocks of their tiles."""

    def __init__(self, plan: PyramidPlan, cog: Cog, spool: IO[bytes]) -> None:
        self._outputs, self._cog, self._spool = plan.outputs, cog, spool
        self._parts = Parts()
        self._end = 0
        kinds = 2 if cog.look.mask else 1
        self.sizes = [np.zeros((kinds, *level.image.grid), np.uint64) for level in cog.levels]
        self._places = [np.zeros(level.image.grid, np.uint64) for level in cog.levels]
        self._lock = threading.Lock()

    def write(self, level: int, reducer: int, box: Box, values: NDArray[Any]) -> Written:
        """Write a box. No object is complete before all are."""
        output = self._outputs[level]
        sides = [
            range(part.start // size, (part.stop - 1) // size + 1)
            for part, size in zip(box, output.chunks, strict=True)
        ]
        for index in product(*sides):
            whole = self._parts.completed((level, index), output.chunk(index), box, values)
            if whole is not None:
                self._store(level, index[-2:], whole if whole.ndim == 3 else whole[None])
        return []

    def _store(self, level: int, place: tuple[int, ...], values: NDArray[Any]) -> None:
        files = self._cog.levels[level]
        pixels, valid = self._cog.look.finished(values)
        tiles = [encode_tile(files.image, pixels)]
        if valid is not None and files.mask is not None:
            tiles.append(encode_tile(files.mask, valid[None]))
        data = block(*tiles)
        row, column = place
        self.sizes[level][:, row, column] = list(map(len, tiles))
        with self._lock:
            self._places[level][row, column] = self._end
            self._end += len(data)
            self._spool.write(data)

    def file(self) -> Iterator[bytes]:
        """The COG, piece by piece."""
        yield cog_head(self._cog.levels, self.sizes)
        self._spool.flush()
        for sizes, places in zip(reversed(self.sizes), reversed(self._places), strict=True):
            lengths = sizes.sum(axis=0) + np.uint64(FRAME * len(sizes))
            for place, length in zip(places.ravel().tolist(), lengths.ravel().tolist(), strict=True):
                self._spool.seek(place)
                yield self._spool.read(length)

    @property
    def nbytes(self) -> int:
        """Of all blocks."""
        return self._end


def run_cog(
    plan: PyramidPlan, cog: Cog, executor: Any, *, overwrite: bool, keep: bool, progress: Any
) -> Mapping[str, Any]:
    """Make a COG. See `PyramidPlan.run`. Returns how many levels and bytes it has."""
    from gigapix.pyramids.run import told

    if executor is not None or keep:
        raise RequestError("a COG is one file: it is written by this process in one go, and can't be updated")
    target = plan.target
    if not overwrite and target.size("") is not None:
        raise RequestError("it exists; say overwrite=True to replace it", path=target.name)
    with _spool(target) as spool, plan.opening.both() as (whole, image), told(progress, plan) as advance:
        pixels, _ = cog_pixels(whole, image, cog.codec, cog.select)
        writer = TileWriter(plan, cog, spool)
        try:
            Builder(plan, pixels, writer.write, lambda index, root: None, advance).run()
        except GigapixError as error:
            raise error.located(plan.name) from error.__cause__
        size = _put(target, writer)
    return {"levels": len(cog.levels), "bytes": size}


@contextmanager
def _spool(target: Folder) -> Iterator[IO[bytes]]:
    """A file without a name: on the target's disk, or where temporary files are."""
    folder = target.path.parent if target.path is not None else None
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except OSError as error:
        if isinstance(error, GigapixError):
            raise
        raise os_error(error, target.name) from error


def _put(target: Folder, writer: TileWriter) -> int:
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in writer.file():
            size += len(piece)
            yield piece

    if target.path is not None:
        with fresh_file(target.path) as file:
            for piece in counted():
                file.write(piece)
        return size
    target.upload(counted(), part_bytes(writer.nbytes))
    return size
