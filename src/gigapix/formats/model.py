"""The one model that every format fills in and everything above reads.

An image has levels (resolutions), a level has planes (its Z sections, channels and times, stored apart), a plane is cut
into a grid of segments (tiles, strips, rows or chunks), a segment is a range of bytes and an `Encoding` that says what
they mean. TIFF, PNG and Zarr differ in how they fill this in and nowhere else.

Nothing here does I/O. What must be read from the file to answer a question is a `Steps`: a generator that yields the
byte ranges that it needs, is sent their bytes, and returns its answer. A driver of a few lines runs it over any source,
blocking or async (`gigapix.source.drive`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeVar

import numpy as np

T = TypeVar("T")

UNCOMPRESSED: Final = 1
"""`Encoding.compression` of samples that are stored as they are."""

PNG_FILTERS: Final = 15
"""`Encoding.predictor` of rows that begin with a byte which names their filter. The number is PDF's for the same."""

ZARR_CHUNK: Final = 1 << 16
"""`Encoding.compression` of a Zarr chunk that needs more than its bytes as they are: `Encoding.packing` says what."""

HTJ2K: Final = ZARR_CHUNK + 1
"""`Encoding.compression` of an HTJ2K codestream (ISO 15444-15), for which TIFF has no number."""

SPAN: Final = 1 << 48
"""Where an image is a folder of objects, an offset is number of the object * `SPAN` + place in it. So a range is
a pair of numbers as in a file, and ranges of two objects never touch. Places in the upper half are counted from the
object's end: its last n bytes begin at (number + 1) * SPAN - n. An empty answer says that there is no object."""

Framing = Literal["", "IDAT", "fdAT"]
"""How the bytes of a segment lie in the file: one behind the other, or in the data of a PNG's chunks of that type."""

Range = tuple[int, int]
"""``(offset, length)`` in bytes."""

Buffer = bytes | bytearray | memoryview

ByteOrder = Literal["<", ">"]

Steps = Generator["Sequence[Range] | Elsewhere", Any, T]
"""Yields ranges, is sent one buffer a range (shorter than asked where the file ends), returns a `T`."""


@dataclass(frozen=True)
class Elsewhere:
    """Yielded in place of ranges by steps that need another file: `steps` are run on it, and their answer is sent.

    A multi-file OME-TIFF is the reason. `file` is a bare name: it lies beside the file that names it, or nowhere.
    """

    file: str
    steps: Steps[Any]


@dataclass(frozen=True, kw_only=True)
class OldJpeg:
    """What a TIFF 6.0 section 22 ("old-style") JPEG keeps outside its segments (tags 512 to 521)."""

    interchange: bytes = b""
    """The bytes of JPEGInterchangeFormat, where the file has them; empty otherwise."""
    quantization: tuple[bytes, ...] = ()
    dc_tables: tuple[bytes, ...] = ()
    ac_tables: tuple[bytes, ...] = ()
    restart_interval: int = 0
    process: int = 1


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How the bytes of a Zarr chunk become an array of any rank, and which part of that array is a segment."""

    codecs: tuple[tuple[str, Mapping[str, Any]], ...]
    """Names and configurations, in the order of encoding: behind the array's own bytes in C order."""
    dtype: np.dtype[Any]
    """As stored, with its byte order."""
    shape: tuple[int, ...]
    """As stored."""
    index: tuple[int | slice, ...]
    """Cuts the segment out of the array,"""
    order: tuple[int, ...]
    """transposes what is left,"""
    expand: tuple[slice | None, ...]
    """and puts axes back, which gives (samples, depth, height, width)."""
    interleaved: bool = False
    """The array is (depth, height, width, samples) as it is stored."""

    @property
    def nbytes(self) -> int:
        """Of the whole array."""
        return math.prod(self.shape) * self.dtype.itemsize


def encoded_bytes(nbytes: int) -> int:
    """The most that a codec makes of so many bytes: what can't be made smaller, and what tells that."""
    return nbytes + nbytes // 16 + (1 << 16)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How the bytes of one segment become samples. The fields carry the names and the values of TIFF's tags."""

    compression: int
    """Tag 259 (1 none, 5 LZW, 7 JPEG, 8 deflate, 50000 zstd ...)."""
    dtype: np.dtype[Any]
    """Of the decoded samples, in native byte order: uint8 for 1 to 8 bits, uint16 for 9 to 16 and so on."""
    samples: int = 1
    """Interleaved samples of a pixel in a segment: SamplesPerPixel where chunky, 1 where planar."""
    bits: tuple[int, ...] = (8,)
    """Bits of each interleaved sample as stored, `samples` entries."""
    sample_format: int = 1
    byteorder: ByteOrder = "<"
    """Of the stored samples, ``<`` or ``>``."""
    predictor: int = 1
    fill_order: int = 1
    photometric: int = 1
    planar: bool = False
    extra_samples: tuple[int, ...] = ()
    subsampling: tuple[int, int] = (1, 1)
    """YCbCrSubSampling (horizontal, vertical), (1, 1) where the photometric interpretation is not YCbCr."""
    jpeg_tables: bytes = b""
    old_jpeg: OldJpeg | None = None
    t4_options: int = 0
    t6_options: int = 0
    lerc_parameters: tuple[int, ...] = ()
    nodata: Any = None
    """A number: fills a sparse segment (0 where None)."""
    absent: bool = False
    """A segment whose range turns out to be of no object is sparse."""
    packing: Packing | None = None
    reduce: int = 0
    """Of HTJ2K: a segment is its codestream at 1/2**reduce of the size, or the first bytes of that."""
    framing: Framing = ""
    """Where it is not empty, a segment's range begins with the first of its chunks and reaches to the file's end."""
    interlaced: bool = False
    """Rows come in the seven passes of PNG's Adam7."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """Where segments lie and how they are encoded: the answer of `LevelSpec.locate`."""

    encoding: Encoding
    ranges: tuple[Range | None, ...]
    """One a segment asked for; None where the segment is sparse (not stored)."""
    file: str = ""
    """The file beside this one that the ranges are of; this one where empty."""


@dataclass(frozen=True, kw_only=True)
class LevelSpec:
    """One resolution of an image, as its format describes it."""

    axes: str
    """One letter a dimension of `shape`: ``CYX``, or with OME's further axes in front, ``TCZYX`` without those of
    size 1."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    segment: tuple[int, int, int]
    """(depth, height, width) of a full segment in pixels. Depth is 1 but for volumetric tiles."""
    volume: tuple[int, int, int]
    """(depth, height, width) of one plane in pixels."""
    samples: int
    """Samples of a pixel of one plane (SamplesPerPixel)."""
    planar: bool
    """True where a plane stores its samples in grids of their own, one behind the other."""
    tiled: bool
    """True where segments at the right and bottom edge are stored whole (tiles), False where they are cut (strips)."""
    planes: int
    """How many planes; `plane_index` places them."""
    plane_axes: str
    """The axes of `shape` along which planes are stacked, slowest first; the remaining ones lie inside a plane."""
    plane_shape: tuple[int, ...]
    locate: Callable[[int, Sequence[int]], Steps[Located]] = field(repr=False)
    """``locate(plane, segments)``: the encoding of that plane and the byte range of each of its segments, by index."""
    encoding: Encoding = field(repr=False)
    """That of the first plane."""
    mask: LevelSpec | None = None
    """The internal mask of this level (a mask IFD of the same size)."""
    depth_axis: str = "Z"
    """The axis that is the depth of volumes."""
    scale: tuple[float, float] | None = None
    """(y, x) size of its pixels in pixels of level 0, where the metadata say so; None: that of the shapes."""


class Described(Protocol):
    """An image as its format describes it: each format has a class of its own, with more than this."""

    @property
    def name(self) -> str:
        """That the file gives it, empty where it has none."""
        ...

    @property
    def levels(self) -> tuple[LevelSpec, ...]:
        """Its resolutions, the full one first."""
        ...
