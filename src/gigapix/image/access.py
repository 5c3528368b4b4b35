"""How the pixels of a level can be got at within a memory, known from its header alone.

addressable: uncompressed; any rows can be read alone.
chunked: a segment, compressed and decoded, fits.
stream: a segment doesn't fit, and its codec gives its rows one after the other.
opaque: neither. Reading raises MemoryBudgetError, which names the bytes that it would take.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, Literal

from gigapix.decode import expected_bytes
from gigapix.decode.support import COMPRESSIONS, Family, family
from gigapix.errors import MemoryBudgetError
from gigapix.formats.model import UNCOMPRESSED, Encoding, LevelSpec
from gigapix.image.streams import LOCAL_WINDOW

Kind = Literal["addressable", "chunked", "stream", "opaque"]

PARTLY_BYTES: Final = 4 << 20
"""A segment that takes more than this to decode is read by the row where only a part of it is wanted: the next part
goes on from there."""

SMALL_BYTES: Final = 16 << 10
"""The least that is read or visited at once."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """How segments are read."""

    kind: Kind
    need: int
    """Bytes that one worker must hold."""
    whole: int
    """Bytes that a worker would hold that reads a segment as a whole."""
    memory: int

    def workers(self, most: int) -> int:
        """How many can work side by side."""
        return max(min(most, self.memory // self.need), 1)

    def check(self) -> Access:
        """Itself; raises MemoryBudgetError where one worker would hold too much."""
        if self.need > self.memory:
            raise MemoryBudgetError(f"{self.what} takes {self.need} bytes of memory; there is room for {self.memory}")
        return self

    @property
    def what(self) -> str:
        """What takes `need` bytes."""
        return "a segment that can only be decoded whole" if self.kind == "opaque" else "a row and its decoder"


def is_better_by_row(encoding: Encoding, shape: tuple[int, int, int], cost: int) -> bool:
    """Whether a part of a segment, which takes `cost` bytes to decode whole, is read by the row all the same."""
    return cost > PARTLY_BYTES and is_surely_streamable(encoding, shape)


def is_surely_streamable(encoding: Encoding, shape: tuple[int, int, int]) -> bool:
    """Whether the rows of a segment can be read one by one, for certain: of JPEG, the stream alone tells."""
    from gigapix.decode.cursor import is_streamable

    known = encoding.compression in COMPRESSIONS and family(encoding) is not Family.JPEG
    return known and is_streamable(encoding, shape)


def access_of(level: LevelSpec, memory: int, *, most: int = 1, streams: int = 1, block: int = sys.maxsize) -> Access:
    """The access to a level within so many bytes.

    most: workers that would share them.
    streams: giant segments that each worker must keep open side by side.
    block: bytes of pixels that are wanted at a time.
    """
    encoding, segment = level.encoding, level.segment
    depth, height, width = segment
    samples = 1 if level.planar else level.samples
    row = width * samples * level.dtype.itemsize
    if encoding.compression == UNCOMPRESSED:
        # Rows as they are stored, and decoded ones.
        need = 2 * min(max(row, SMALL_BYTES), depth * height * row)
        return Access(kind="addressable", need=need, whole=need, memory=memory)
    raw = expected_bytes(encoding, segment)
    # Fetched bytes are fewer than raw ones, or little more; and where they are undone in one buffer, placed in another.
    whole = 2 * raw + depth * height * row
    together = 1 if level.tiled else streams  # strips of all planes make a block, of tiles one may
    by_row = depth * height * row * together > block and is_better_by_row(encoding, segment, whole)
    if not encoding.framing and not by_row and whole * min(most, 2) <= memory:
        return Access(kind="chunked", need=whole, whole=whole, memory=memory)
    from gigapix.decode.cursor import cursor_bytes, is_streamable

    # JPEG may turn out to have no rows that can be read alone: it is tried where all else is in vain.
    if is_streamable(encoding, segment) and (whole > memory or is_surely_streamable(encoding, segment)):
        need = streams * cursor_bytes(encoding, segment, window=LOCAL_WINDOW[0], room=0) + max(row, SMALL_BYTES)
        if need < whole or by_row or encoding.framing:
            return Access(kind="stream", need=need, whole=whole, memory=memory)
    return Access(kind="chunked" if whole <= memory else "opaque", need=whole, whole=whole, memory=memory)
