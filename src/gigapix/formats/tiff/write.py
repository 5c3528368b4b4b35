"""The parts of a tiled TIFF as bytes, sans-I/O: header and directories. `formats.tiff.encode` makes the tiles;
`formats.tiff.writer` puts them together, and `formats.tiff.cog_write` in the order of a COG.

A plain file is written in one go and in the order of its bytes: header, tiles, directory. The sizes of compressed
tiles are known only when they are written, so the directory stands at the end, and the header, written twice, first
says that there is none and finally where it is: a write that stops half way leaves a file that no reader takes for
whole.

Always little-endian, chunky, SamplesPerPixel samples of one type; classic TIFF where the file surely stays below 4 GiB,
BigTIFF where not.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import UnsupportedError
from gigapix.formats.tiff.values import TYPES

NONE: Final = 1
LZW: Final = 5
JPEG: Final = 7
DEFLATE: Final = 8
LERC: Final = 34887
ZSTD: Final = 50000
WEBP: Final = 50001

COMPRESSIONS: Final[Mapping[str, int]] = {"none": NONE, "lzw": LZW, "deflate": DEFLATE, "zstd": ZSTD}
"""Those that keep every sample of every type as it is."""

PALETTE: Final = 3
MASK: Final = 4
"""Of PhotometricInterpretation. A mask has one bit a pixel."""

_SLACK: Final = 1 << 20
"""For directory and tables beside the tiles, when classic TIFF is chosen."""

Numbers = Sequence[int] | NDArray[np.unsignedinteger[Any]]
Tag = tuple[int, Any]
"""(field type, value): a str, bytes, or a sequence of numbers; a rational is two numbers."""


@dataclass(frozen=True, kw_only=True)
class TiffFile:
    """What is to be written."""

    width: int
    height: int
    samples: int
    dtype: np.dtype[Any]
    tile: int = 512
    """Width and height of a tile; TIFF 6.0 section 15 asks for a multiple of 16."""
    compression: int = DEFLATE
    level: float | None = None
    """Of deflate and zstd; the quality of JPEG and WebP, lossless where None; LERC's largest error."""
    around: int = NONE
    """The compression around LERC: NONE, DEFLATE or ZSTD."""
    photometric: int = 1
    extra_samples: tuple[int, ...] = ()
    subfile: int = 0
    """NewSubfileType: 1 for an overview, 4 for a mask, 5 for that of an overview."""
    tags: Mapping[int, Tag] = field(default_factory=dict)
    """Further tags by number."""
    big: bool | None = None
    """BigTIFF or not; by size where None."""

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of tiles."""
        return -(-self.height // self.tile), -(-self.width // self.tile)

    @property
    def predictor(self) -> int:
        """2 (differences along a row) of integers, 3 (of the bytes of floats) of floats; 1 (none) where nothing is
        compressed, or not so, and of numbers that are names: palettes and masks."""
        plain = self.compression not in (LZW, DEFLATE, ZSTD) or self.photometric in (PALETTE, MASK)
        return 1 if plain else {"i": 2, "u": 2, "f": 3}.get(self.dtype.kind, 1)

    @property
    def bigtiff(self) -> bool:
        """Whether the file could outgrow classic TIFF's 32-bit offsets: its codec at its worst, with the tables."""
        if self.big is not None:
            return self.big
        tile_bytes = self.tile**2 * self.samples * self.dtype.itemsize
        worst = tile_bytes + tile_bytes // (2 if self.compression == LZW else 200) + 64
        return math.prod(self.grid) * (worst + 8) + _SLACK >= 1 << 32


def header(file: TiffFile, directory: int = 0) -> bytes:
    """The first bytes of the file, pointing at its directory (0: there is none yet)."""
    return (
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, directory)
        if file.bigtiff
        else struct.pack("<2sHI", b"II", 42, directory)
    )


def directory(file: TiffFile, offset: int, tile_offsets: Numbers, tile_bytes: Numbers, *, following: int = 0) -> bytes:
    """The IFD and its values as they stand from `offset` (an even one) on. `following`: where the next IFD is."""
    return directory_parts(file, offset, tile_offsets, tile_bytes, following=following)[0]


def directory_parts(
    file: TiffFile, offset: int, tile_offsets: Numbers, tile_bytes: Numbers, *, following: int = 0,
    tables: int | None = None,
) -> tuple[bytes, bytes]:  # fmt: skip
    """The IFD and its values, and what lies elsewhere: at `tables`, the two tables of the tiles."""
    tags = {**_structure(file), 324: (_offset_type(file), tile_offsets), 325: (4, tile_bytes), **file.tags}
    entry_format, inline = ("<HHQ", 8) if file.bigtiff else ("<HHI", 4)
    count = struct.pack("<Q" if file.bigtiff else "<H", len(tags))
    pointer = "<Q" if file.bigtiff else "<I"
    place = offset + len(count) + len(tags) * (struct.calcsize(entry_format) + inline) + inline
    entries, values, apart = bytearray(count), bytearray(), bytearray()
    for number, (kind, value) in sorted(tags.items()):
        data = _value_bytes(kind, value)
        entries += struct.pack(entry_format, number, kind, len(data) // TYPES[kind][2])
        if len(data) <= inline:
            entries += data.ljust(inline, b"\0")
        elif tables is not None and number in (324, 325):
            entries += struct.pack(pointer, tables + len(apart))
            apart += data
        else:
            entries += struct.pack(pointer, place + len(values))
            values += data + bytes(len(data) % 2)  # values begin on even offsets
    return bytes(entries + struct.pack(pointer, following) + values), bytes(apart)


def _structure(file: TiffFile) -> dict[int, Tag]:
    formats = {"u": 1, "b": 1, "i": 2, "f": 3, "c": 6}
    if file.dtype.kind not in formats:
        raise UnsupportedError(f"samples of the type {file.dtype} can't be written to a TIFF")
    tags: dict[int, Tag] = {
        256: (4, [file.width]),
        257: (4, [file.height]),
        258: (3, [1 if file.photometric == MASK else 8 * file.dtype.itemsize] * file.samples),
        259: (3, [file.compression]),
        262: (3, [file.photometric]),
        277: (3, [file.samples]),
        284: (3, [1]),
        317: (3, [file.predictor]),
        322: (3, [file.tile]),
        323: (3, [file.tile]),
        339: (3, [formats[file.dtype.kind]] * file.samples),
    }
    if file.subfile:
        tags[254] = (4, [file.subfile])
    if file.extra_samples:
        tags[338] = (3, file.extra_samples)
    return tags


def _value_bytes(kind: int, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace") + b"\0"
    if isinstance(value, bytes):
        return value
    return np.asarray(value, f"<{TYPES[kind][1]}").tobytes()


def _offset_type(file: TiffFile) -> int:
    return 16 if file.bigtiff else 4


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")
