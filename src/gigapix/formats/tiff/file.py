"""A TIFF as a file: its header, and its chain of IFDs as far as it was walked.

The chain is walked no further than a question needs: the first image of a file with half a million pages costs one IFD.
What is kept of a page is its `Page`, a few numbers; whole IFDs are kept for the latest pages only. A chain that turns
back on itself, points outside the file or at garbage ends there: the pages before it stay readable, and `problems` says
what is wrong.
"""

from __future__ import annotations

import threading
import weakref
from typing import Final, NamedTuple

from gigapix import limits
from gigapix.errors import FormatError, GigapixError
from gigapix.formats.model import OldJpeg, Steps
from gigapix.formats.tiff.directory import read_ifd
from gigapix.formats.tiff.ghost import GHOST_BYTES, Ghost, parse_ghost
from gigapix.formats.tiff.header import HEADER_BYTES, Header, parse_header
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.tags import STRUCTURE

KEPT_IFDS: Final = 64
"""Parsed IFDs that are kept. One costs some 10 kB; a pyramid has under 20."""

REDUCED: Final = 1
MASK: Final = 4


class Page(NamedTuple):
    """What must be known of an IFD to tell whether it is an image of its own: values that stand in its entries."""

    offset: int
    subfile: int
    """NewSubfileType: bit 0 a reduced-resolution image, bit 2 a transparency mask."""
    width: int
    height: int
    samples: int
    tiled: bool
    has_subifds: bool


class Tiff:
    """The state of one file. Made by `open_tiff`; its methods are `Steps`, which any number of threads may run.

    While a page is read, another thread may read the same one: the first to have it moves `_next` on, and the others
    find it moved. The lock is never held while bytes are awaited.
    """

    def __init__(self, header: Header, ghost: Ghost | None) -> None:
        self.header = header
        self.ghost = ghost
        self.problems: list[str] = []
        self._pages: list[Page] = []
        self._seen: set[int] = set()
        self._next = header.first_ifd
        self._ifds: dict[int, Ifd] = {}
        self._loaded: weakref.WeakSet[Ifd] = weakref.WeakSet()
        self._lock = threading.Lock()

    def note(self, problem: str) -> None:
        """Remember what is wrong, once however often it is met."""
        if problem not in self.problems:
            self.problems.append(problem)

    @property
    def walked(self) -> int:
        """Pages of the chain that are known by now."""
        return len(self._pages)

    def page(self, index: int) -> Steps[Page | None]:
        """Page `index` of the chain, None behind its end."""
        while len(self._pages) <= index and (offset := self._next):
            try:
                ifd = yield from read_ifd(self.header, offset)
            except GigapixError as error:
                if offset == self.header.first_ifd:
                    raise
                with self._lock:
                    if self._next == offset:
                        self._end(error.message)
            else:
                self._append(ifd)
        return self._pages[index] if index < len(self._pages) else None

    def _append(self, ifd: Ifd) -> None:
        page = page_of(ifd)
        with self._lock:
            if self._next != ifd.offset:
                return
            self._pages.append(page)
            self._seen.add(ifd.offset)
            self._next = ifd.next
            if ifd.next in self._seen:
                self._end("it turns back on itself")
            elif ifd.next and len(self._pages) >= limits.MAX_IFDS:
                self._end(f"no more than {limits.MAX_IFDS} are read")
        self._keep(ifd)

    def _end(self, why: str) -> None:
        self._next = 0
        self.note(f"the chain of IFDs ends after {len(self._pages)}: {why}")

    def ifd_at(self, offset: int) -> Steps[Ifd]:
        """The IFD at an offset with its `tags.STRUCTURE` loaded."""
        ifd = self._ifds.get(offset)
        if ifd is None:
            ifd = yield from read_ifd(self.header, offset)
            self._keep(ifd)
        if ifd not in self._loaded:
            yield from ifd.load(STRUCTURE)
            self._loaded.add(ifd)
        return ifd

    def _keep(self, ifd: Ifd) -> None:
        with self._lock:
            while len(self._ifds) >= KEPT_IFDS:
                del self._ifds[next(iter(self._ifds))]
            self._ifds[ifd.offset] = ifd


def open_tiff() -> Steps[Tiff]:
    """Read the header, and GDAL's ghost area behind it. Raises FormatError where this is no TIFF or has no image."""
    (data,) = yield [(0, HEADER_BYTES + GHOST_BYTES)]
    header = parse_header(data)
    if header.first_ifd == 0:
        raise FormatError("a TIFF without an image", offset=4)
    return Tiff(header, parse_ghost(bytes(data[16 if header.bigtiff else 8 :])))


def page_of(ifd: Ifd) -> Page:
    """The page of an IFD, from inline values alone; a value that is not inline or no number counts as missing."""

    def inline(code: int, default: int) -> int:
        value = ifd.values.get(code, default)
        return value if isinstance(value, int) else default

    # The retired SubfileType says 2 for a reduced image (TIFF 6.0 page 40).
    old = {2: REDUCED}.get(inline(255, 0), 0)
    return Page(
        offset=ifd.offset,
        subfile=inline(254, old) or old,
        width=inline(256, 0),
        height=inline(257, 0),
        samples=inline(277, 1),
        tiled=322 in ifd.entries,
        has_subifds=330 in ifd.entries,
    )


def load_old_jpeg(ifd: Ifd) -> Steps[OldJpeg]:
    """Fetch what an old-style JPEG keeps outside its strips: whole tables at offsets of their own (TIFF 6.0 section
    22)."""
    stream, length = ifd.integer(513, 0), ifd.integer(514, 0)
    # 64 bytes of a quantization table; 16 counts and up to 256 values of a Huffman table.
    spans = [(519, 64), (520, 16 + 256), (521, 16 + 256)]
    ranges = [(offset, size) for code, size in spans for offset in ifd.integers(code)[:4]]
    if stream:
        ranges.append((stream, min(length or limits.SEGMENT_TRUST_BYTES, limits.SEGMENT_TRUST_BYTES)))
    buffers = [bytes(data) for data in (yield ranges)] if ranges else []
    tables = []
    for code, _ in spans:
        several = len(ifd.integers(code)[:4])
        tables.append(tuple(buffers[:several]))
        buffers = buffers[several:]
    quantization, dc, ac = tables
    return OldJpeg(
        interchange=buffers[0] if stream else b"",
        quantization=quantization,
        dc_tables=tuple(t[: 16 + sum(t[:16])] for t in dc),
        ac_tables=tuple(t[: 16 + sum(t[:16])] for t in ac),
        restart_interval=ifd.integer(515, 0),
        process=ifd.integer(512, 1),
    )
