"""The file that keeps checkpoints of streams when the process has ended.

    states      one behind the other, zlib-compressed
    table       an entry a state: segment, row, where the state lies, its length, its CRC-32
    footer      magic and version, the version of the image, entries, CRC-32 of table and footer

Footer and table stand last, so that a file is written in one go, with one state in memory, and found with one read of
its end and one of the state that is wanted. It is believed only where every checksum and every figure fits; what is
wrong with it costs a warning and the time that it would have saved, never a wrong pixel.
"""

from __future__ import annotations

import glob
import logging
import os
import struct
import threading
import time
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from gigapix.errors import FormatError
from gigapix.image.version import Version

if TYPE_CHECKING:
    from gigapix.decode.cursor import Checkpoint

FOOTER: Final = struct.Struct("<Qq32sI I8s")
"""Size, time and ETag of the image; entries; CRC-32; magic."""

MAGIC: Final = b"gpxindx1"

ENTRY: Final = struct.Struct("<QQQQII")
"""Offset of the segment in the image, row; offset, length and unpacked length of the state, its CRC-32."""

TAIL_BYTES: Final = 16 << 10
"""Read at once: footer and table of three hundred states."""

IDLE: Final = 60
"""Seconds without a write, after which a build whose process isn't there is taken to be dead."""

DAY: Final = 86400

log = logging.getLogger("gigapix")


@dataclass(frozen=True, slots=True)
class _State:
    offset: int
    length: int
    unpacked: int
    crc: int


@dataclass(slots=True)
class _Rows:
    rows: list[int] = field(default_factory=list)
    states: list[_State] = field(default_factory=list)


def write_index(path: Path, version: Version, checkpoints: Iterable[tuple[int, Checkpoint]]) -> int:
    """Write (offset of the segment, checkpoint) pairs; how many they were. The file is whole or is not there.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("xb") as file:
            entries = _write(file, version, checkpoints)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return entries


def _clear(path: Path) -> None:
    """Remove what builds that were killed have left of this index: nobody writes to it, and its process is gone."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.*"):
        writer, _, thread = left.name[len(path.name) + 1 :].partition(".")
        with suppress(OSError):
            idle = time.time() - left.stat().st_mtime
            # A process may be one of another machine, or have the number of one that is gone.
            if writer.isdigit() and thread.isdigit() and idle > (DAY if _is_alive(int(writer)) else IDLE):
                left.unlink()


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # there, os.kill is what its name says
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _write(file: BinaryIO, version: Version, checkpoints: Iterable[tuple[int, Checkpoint]]) -> int:
    table = bytearray()
    for segment, checkpoint in checkpoints:
        packed = zlib.compress(checkpoint.state, 1)
        sizes = file.tell(), len(packed), len(checkpoint.state)
        table += ENTRY.pack(segment, checkpoint.row, *sizes, zlib.crc32(packed))
        file.write(packed)
    entries = len(table) // ENTRY.size
    crc = zlib.crc32(FOOTER.pack(*version.fields, entries, 0, MAGIC), zlib.crc32(table))
    file.write(table)
    file.write(FOOTER.pack(*version.fields, entries, crc, MAGIC))
    return entries


class IndexFile:
    """A file of checkpoints that is there. Safe under threads."""

    def __init__(self, path: Path, version: Version) -> None:
        """Raises OSError where it can't be read, FormatError where it is damaged or of another version of the image."""
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            tail = _at(file, max(size - TAIL_BYTES, 0), min(size, TAIL_BYTES))
            if len(tail) < FOOTER.size:
                raise FormatError("is too short for an index")
            *fields, entries, crc, magic = FOOTER.unpack(tail[-FOOTER.size :])
            start = size - FOOTER.size - entries * ENTRY.size
            if magic != MAGIC or start < 0:
                raise FormatError("is no index, or one of another version of gigapix")
            if tuple(fields) != version.fields:
                raise FormatError("is of another version of the image")
            table = _at(file, start, size - FOOTER.size - start) if size - start > len(tail) else tail[start - size :]
        table = table[: entries * ENTRY.size]
        if crc != zlib.crc32(FOOTER.pack(*fields, entries, 0, magic), zlib.crc32(table)):
            raise FormatError("has a damaged table")
        self._segments: dict[int, _Rows] = {}
        for segment, row, offset, length, unpacked, checksum in sorted(ENTRY.iter_unpack(table)):
            found = self._segments.setdefault(segment, _Rows())
            found.rows.append(row)
            found.states.append(_State(offset, length, unpacked, checksum))

    def nearest(self, segment: int, row: int) -> int | None:
        """The last row at or before `row` that has a checkpoint."""
        found = self._segments.get(segment)
        place = bisect_right(found.rows, row) if found else 0
        return found.rows[place - 1] if found and place else None

    def load(self, segment: int, row: int) -> Checkpoint | None:
        """The checkpoint of a row that has one; None where it can't be had any more, which is logged."""
        from gigapix.decode.cursor import Checkpoint

        found = self._segments[segment]
        state = found.states[found.rows.index(row)]
        try:
            with self.path.open("rb") as file:
                packed = _at(file, state.offset, state.length)
            if zlib.crc32(packed) == state.crc:
                unpacked = zlib.decompressobj().decompress(packed, state.unpacked)
                return Checkpoint(row=row, state=unpacked)
            problem: object = "a damaged state"
        except (OSError, zlib.error) as error:
            problem = error
        log.warning("the index %s can't be used: %s", self.path, problem)
        del self._segments[segment]
        return None


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
