"""`Image.index`: checkpoints of all giant segments, made on request and saved; and the saved ones, found again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gigapix.errors import FormatError, RequestError, SourceError
from gigapix.formats.model import LevelSpec, Steps
from gigapix.image.fetch import batches
from gigapix.image.follow import run
from gigapix.image.index_file import IndexFile, write_index
from gigapix.image.memory import budget_of
from gigapix.image.plan import plan_read
from gigapix.image.streams import Giant, Stream
from gigapix.image.version import index_paths, version_of
from gigapix.image.window import Window
from gigapix.source import drive

if TYPE_CHECKING:
    from gigapix.decode.cursor import Checkpoint, Cursor
    from gigapix.image.image import Image
    from gigapix.source import Source

SPACING_BYTES: Final = 2 << 20
"""Decoded bytes between two checkpoints at least: what is decoded in vain of a window is half of that."""

SHARE: Final = 32
"""And at least so many times what a checkpoint holds, so that an index stays a few percent of its image."""

WINDOW_BYTES: Final = 32 << 10
"""What a decoder must keep of the past (RFC 1951), beside the row above."""

log = logging.getLogger("gigapix")


class SavedIndex:
    """The saved index of an image, read when it is first asked for; as good as none where it doesn't fit."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file: IndexFile | None = None
        self._asked = False
        self._lock = threading.Lock()

    def use(self, path: Path | None = None) -> None:
        """Take what lies there from now on, at `path` or where an index is expected."""
        with self._lock:
            self._file, self._asked = self._find([path] if path else None), True

    @property
    def file(self) -> IndexFile | None:
        """The index; None where there is none that fits."""
        if not self._asked:
            with self._lock:
                if not self._asked:
                    self._file, self._asked = self._find(), True
        return self._file

    def nearest(self, stream: Stream, row: int) -> int | None:
        """The last row of a stream, at or before `row`, that has a checkpoint."""
        return self.file.nearest(stream.range[0], row) if not stream.file and self.file else None

    def load(self, stream: Stream, row: int) -> Checkpoint | None:
        """The checkpoint of a row that has one."""
        return self.file.load(stream.range[0], row) if self.file else None

    def _find(self, paths: list[Path] | None = None) -> IndexFile | None:
        try:
            version = version_of(self._source)
            candidates = index_paths(self._source) if paths is None else paths
        except (OSError, RequestError):
            return None
        for path in candidates if version else []:
            try:
                if version and path.exists():
                    return IndexFile(path, version)
            except (OSError, FormatError) as error:
                log.warning("the index %s is not used: %s", path, error)
        return None


def build_index(image: Image, spacing: int | None, save: bool | str | Path, memory: int | str | None) -> Path | None:
    """See `Image.index`."""
    if spacing is not None and (not isinstance(spacing, int) or spacing < 1):
        raise RequestError(f"spacing can't be {spacing!r} rows", path=image.path)
    saved = image.reader.streams.saved
    if save is False:
        marks = image.reader.streams.marks
        marks.capacity = max(marks.capacity, budget_of(memory))
        for segment, checkpoint in _checkpoints(image, spacing):
            marks.add(("", segment), checkpoint)
        return None
    source = image.cache.source
    try:
        version = version_of(source)
        if version is None:
            raise RequestError("its version can't be told, so that no index of it can be kept", path=image.path)
        paths = index_paths(source) if save is True else [Path(save)]
    except OSError as error:
        raise SourceError(str(error), path=image.path) from error
    checkpoints: Iterator[tuple[int, Checkpoint]] = _checkpoints(image, spacing)
    first = next(checkpoints, None)
    if first is None:
        return None
    failed: OSError | None = None
    for path in paths:
        try:
            if not path.exists() and not _writable(path):
                raise PermissionError(f"{path.parent} can't be written to")
            write_index(path, version, chain([first], checkpoints))
        except OSError as error:
            if isinstance(error, SourceError):
                raise
            failed, checkpoints = error, islice(_checkpoints(image, spacing), 1, None)
            continue
        saved.use(path)
        return path
    raise SourceError(f"the index can't be written: {failed}", path=image.path) from failed


def _checkpoints(image: Image, spacing: int | None) -> Iterator[tuple[int, Checkpoint]]:
    """(offset of the segment, checkpoint) of all streams of the image, evenly spaced."""
    for stream in _streams(image):
        row_bytes = stream.row_bytes
        rows = spacing or max(max(SPACING_BYTES, SHARE * (row_bytes + WINDOW_BYTES)) // row_bytes, 1)
        passing = _Passing(stream, image.reader.streams.window, image.settings.verify)
        while passing.cursor is None or passing.cursor.row < passing.cursor.rows:
            run(passing.steps(rows), stream, image.cache.source, image.reader.workers)
            checkpoint = passing.cursor.checkpoint() if passing.cursor else None
            if checkpoint is None:
                break  # this codec has none, and there is no need to read on
            if 0 < checkpoint.row < passing.rows:
                yield stream.range[0], checkpoint


class _Passing:
    """A cursor that passes over a stream."""

    def __init__(self, stream: Stream, window: int, verify: bool) -> None:
        self.stream, self.window, self.verify = stream, window, verify
        self.cursor: Cursor | None = None

    @property
    def rows(self) -> int:
        """Of the stream."""
        return self.stream.shape[0] * self.stream.shape[1]

    def steps(self, rows: int) -> Steps[None]:
        """Open the cursor, or have it go on by so many rows."""
        from gigapix.decode.cursor import open_cursor

        if self.cursor is None:
            stream = self.stream
            self.cursor = yield from open_cursor(
                stream.encoding, stream.shape, stream.range, window=self.window, verify=self.verify
            )
        else:
            yield from self.cursor.skip(min(rows, self.rows - self.cursor.row))


def _streams(image: Image) -> Iterator[Stream]:
    """The giant segments of all levels that lie in the image's own file."""
    for level in image.levels:
        spec: LevelSpec = level.spec
        plan = plan_read(spec, Window(0, 0, spec.shape[-1], spec.shape[-2]))
        for plane, reads in batches(plan):
            located = drive(spec.locate(plane, [read.index for read in reads]), image.cache)
            for task in image.reader.tasks(plan, reads, located, partly=True) if not located.file else ():
                if isinstance(task, Giant):
                    yield task.stream


def _writable(path: Path) -> bool:
    import os

    folder = path.parent
    return not folder.exists() or os.access(folder, os.W_OK)
