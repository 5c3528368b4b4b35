"""The contract of every cursor: rows in order, a place to come back to, and how much it holds.

A cursor goes one way. To go back, or far ahead, one opens another at a checkpoint: a few bytes for LZW and PackBits,
some 33 KiB and a row for deflate.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer, Steps

Shape = tuple[int, int, int]

SEAL: Final = struct.Struct("<4sI")
MAGIC: Final = b"gpx1"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A place in the stream of one segment: what `open_cursor` needs to go on from `row`."""

    row: int
    state: bytes
    """For gigapix only. It is checked when it is used, and it fits no other segment."""


class Cursor(Protocol):
    """The rows of one segment, in order. Not for several threads at once."""

    rows: int
    """Rows of the segment: its depth times its height."""
    row: int
    """The next row that it gives; after an error the number of rows that were good."""

    @property
    def held(self) -> int:
        """Bytes that it holds, its target apart."""
        ...

    def read(self, target: NDArray[Any], *, column: int = 0, samples: Sequence[int] | None = None) -> Steps[None]:
        """Decode the next ``target.shape[2]`` rows into `target` (samples, 1, rows, columns), from `column` on.

        target: of any strides, of the encoding's dtype. samples: which of the interleaved ones, all by default.
        Where the data are damaged or end early, the good rows are written, `row` counts them, and DecodeError or
        TruncatedError is raised: now, and whenever it is asked for more. ValueError where the rows or columns are not
        in the segment.
        """
        ...

    def skip(self, rows: int) -> Steps[None]:
        """Pass over `rows` rows. Errors as those of `read`."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """The present place; None where the codec has none (zstd, LZMA) and after an error."""
        ...


def seal(body: bytes) -> bytes:
    """`body` with its version and checksum in front."""
    return SEAL.pack(MAGIC, zlib.crc32(body)) + body


def unseal(state: bytes) -> memoryview:
    """The body of a sealed state; DecodeError where it isn't what was sealed."""
    body = memoryview(state)[SEAL.size :]
    if len(state) < SEAL.size or SEAL.unpack_from(state) != (MAGIC, zlib.crc32(body)):
        raise DecodeError("the checkpoint is damaged, or of another version of gigapix")
    return body


def unpacked(layout: struct.Struct, state: Buffer) -> tuple[Any, ...]:
    """The fields of a state; DecodeError where it has another size."""
    try:
        return layout.unpack(state)
    except struct.error:
        raise DecodeError("the checkpoint is damaged") from None
