"""The tags of one IFD as a grid of segments and an encoding (TIFF 6.0 sections 8, 13, 14, 15, 19, 21, 22; TTN2).

This is where defaults are filled in and where figures that can't be are refused. It is a pure function of loaded tags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from gigapix import limits
from gigapix.errors import FormatError, LimitError, UnsupportedError
from gigapix.formats.model import Encoding, OldJpeg
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.tags import name_of

EXTRA_ENTRIES: Final = 1024
"""Entries beyond those of the segments that a table may have: some writers allocate them in advance."""

SHORT: Final = 1024
"""Bytes of a value that is remembered: an array of numbers (`values.ARRAY_FROM`) is longer and can't be."""

_ENCODING: Final = (258, 262, 266, 292, 293, 317, 338, 339, 347, 530, 42113, 50674)
"""Tags that `_encoding_of` reads."""

YCBCR: Final = 6
OLD_JPEG: Final = 6


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the samples of one IFD are cut and stored."""

    volume: tuple[int, int, int]
    """(depth, height, width) in pixels."""
    segment: tuple[int, int, int]
    grid: tuple[int, int, int]
    """Segments along (depth, height, width)."""
    samples: int
    planar: bool
    tiled: bool
    encoding: Encoding
    offsets_tag: int
    counts_tag: int

    @property
    def segments(self) -> int:
        """Segments in all: those of every sample's grid where planar."""
        return math.prod(self.grid) * (self.samples if self.planar else 1)


def layout_of(ifd: Ifd, old_jpeg: OldJpeg | None = None) -> Layout:
    """The layout of an IFD whose `tags.STRUCTURE` is loaded. Raises FormatError, LimitError or UnsupportedError."""
    volume = (ifd.image_depth, ifd.image_length, ifd.image_width)
    if min(volume) < 1:
        raise FormatError(f"an image of {volume[2]} x {volume[1]} x {volume[0]} pixels", offset=ifd.offset)
    if max(volume) > limits.MAX_DIMENSION:
        raise LimitError(f"an image of {volume[2]} x {volume[1]} pixels", offset=ifd.offset)
    compression = ifd.compression
    samples = _samples(ifd, compression)
    planar = samples > 1 and ifd.planar_configuration == 2
    tiled = 322 in ifd.entries
    segment = _tile(ifd) if tiled else _strip(ifd, volume)
    grid = tuple(-(-size // step) for size, step in zip(volume, segment, strict=True))
    if math.prod(grid) * samples > limits.MAX_TABLE_ENTRIES:
        raise LimitError(f"an image of {math.prod(grid)} segments", offset=ifd.offset)
    offsets = next((tag for tag in (324, 273, 513) if tag in ifd.entries), 0)
    counts = next((tag for tag in (325, 279, 514) if tag in ifd.entries), 0)
    if not offsets:
        raise FormatError("there are neither TileOffsets nor StripOffsets", offset=ifd.offset)
    segments = math.prod(grid) * (samples if planar else 1)
    for tag in (offsets, counts):
        if tag and ifd.entries[tag].count > 4 * segments + EXTRA_ENTRIES:
            raise FormatError(f"{name_of(tag)} claims {ifd.entries[tag].count} entries for {segments} segments")
    return Layout(
        volume=volume,
        segment=segment,
        grid=(grid[0], grid[1], grid[2]),
        samples=samples,
        planar=planar,
        tiled=tiled,
        encoding=_encoding(ifd, compression, samples, planar, old_jpeg),
        offsets_tag=offsets,
        counts_tag=counts,
    )


def _samples(ifd: Ifd, compression: int) -> int:
    photometric = ifd.integer(262, -1)
    # Old JPEG files leave SamplesPerPixel out and mean three (libtiff's tif_dirread.c does the same).
    default = 3 if compression == OLD_JPEG and photometric in (-1, 2, YCBCR) else 1
    samples = ifd.integer(277, default)
    if not 1 <= samples <= limits.MAX_SAMPLES:
        raise FormatError(f"{samples} samples per pixel", offset=ifd.offset)
    return samples


def _tile(ifd: Ifd) -> tuple[int, int, int]:
    tile = (ifd.integer(32998, 1), ifd.integer(323, 0), ifd.integer(322, 0))
    if min(tile) < 1:
        raise FormatError(f"tiles of {tile[2]} x {tile[1]} x {tile[0]} pixels", offset=ifd.offset)
    if max(tile) > limits.MAX_DIMENSION:
        raise LimitError(f"tiles of {tile[2]} x {tile[1]} pixels", offset=ifd.offset)
    return tile


def _strip(ifd: Ifd, volume: tuple[int, int, int]) -> tuple[int, int, int]:
    _, height, width = volume
    entry = ifd.entries.get(278)
    # Several values of RowsPerStrip have no meaning, nor has 0; such files hold one strip (libtiff reads them so).
    rows = height if entry is None or entry.count > 1 else ifd.rows_per_strip
    if rows == 0:
        ifd.note("RowsPerStrip is 0; taken for one strip")
        rows = height
    if rows < 1:
        raise FormatError(f"RowsPerStrip is {rows}", offset=ifd.offset)
    return 1, min(rows, height), width


def _encoding(ifd: Ifd, compression: int, samples: int, planar: bool, old_jpeg: OldJpeg | None) -> Encoding:
    """Worked out once for directories that say the same: those of a file, and of files of the same kind."""
    entries = {code: ifd.entries[code] for code in _ENCODING if code in ifd.entries}
    values = {code: ifd.values[code] for code in entries if code in ifd.values}
    if old_jpeg is not None or len(values) < len(entries) or any(each.nbytes > SHORT for each in entries.values()):
        return _encoding_of(ifd, compression, samples, planar, old_jpeg)
    alone = replace(ifd, next=0, entries=entries, values=values, problems=[])  # no more than this is remembered
    kinds = tuple([each.type for each in entries.values()])
    facts = _Facts((ifd.header.byteorder, compression, samples, planar, kinds, tuple(values.items())), alone)
    return _remembered(facts, compression, samples, planar)


class _Facts:
    """A directory that is compared by what `key` says of it."""

    def __init__(self, key: tuple[Any, ...], ifd: Ifd) -> None:
        self.key = key
        self.ifd = ifd

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facts) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=256)
def _remembered(facts: _Facts, compression: int, samples: int, planar: bool) -> Encoding:
    return _encoding_of(facts.ifd, compression, samples, planar, None)


def _encoding_of(ifd: Ifd, compression: int, samples: int, planar: bool, old_jpeg: OldJpeg | None) -> Encoding:
    photometric = ifd.integer(262, 0 if compression in (2, 3, 4) else 1)
    if compression == OLD_JPEG and photometric in (1, 2) and (262 not in ifd.entries or photometric == 2):
        photometric = YCBCR
    bits = _bits(ifd, compression, samples)
    formats = ifd.sample_format[:samples]
    if len(set(formats)) > 1:
        raise UnsupportedError(f"samples of different formats {formats}", offset=ifd.offset)
    interleaved = 1 if planar else samples
    if planar and len(set(bits)) > 1:
        raise UnsupportedError(f"planes of different bit depths {bits}", offset=ifd.offset)
    dtype = dtype_of(formats[0], bits)
    subsampling = ifd.ycbcr_subsampling if photometric == YCBCR else (1, 1)
    return Encoding(
        compression=compression,
        dtype=dtype,
        samples=interleaved,
        bits=bits[:interleaved],
        sample_format=formats[0],
        byteorder=ifd.header.byteorder,
        predictor=ifd.predictor,
        fill_order=ifd.fill_order,
        photometric=photometric,
        planar=planar,
        extra_samples=ifd.extra_samples,
        subsampling=subsampling,
        jpeg_tables=ifd.jpeg_tables,
        old_jpeg=old_jpeg,
        t4_options=ifd.integer(292, 0),
        t6_options=ifd.integer(293, 0),
        lerc_parameters=ifd.integers(50674),
        nodata=_nodata(ifd, dtype),
    )


def _bits(ifd: Ifd, compression: int, samples: int) -> tuple[int, ...]:
    bits = ifd.integers(258) or (8 if compression == OLD_JPEG else 1,)
    bits = bits[:samples]
    if len(set(bits)) == 1:
        bits = bits[:1] * samples
    if len(bits) != samples:
        raise FormatError(f"BitsPerSample gives {len(bits)} of {samples} samples", offset=ifd.offset)
    if min(bits) < 1:
        raise FormatError(f"samples of {min(bits)} bits", offset=ifd.offset)
    return bits


def dtype_of(sample_format: int, bits: tuple[int, ...]) -> np.dtype[Any]:
    """The numpy type that holds a sample: SampleFormat 1 unsigned, 2 signed, 3 float, 4 undefined, 5 and 6 complex.

    Packed integers take the next larger unsigned type. Raises UnsupportedError where no type holds them.
    """
    most = max(bits)
    if sample_format in (1, 4) and most <= 64:
        return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if most <= 8 * size)}")
    named = {
        (2, 8): "i1",
        (2, 16): "i2",
        (2, 32): "i4",
        (2, 64): "i8",
        (3, 16): "f2",
        (3, 24): "f4",
        (3, 32): "f4",
        (3, 64): "f8",
        (5, 16): "c8",
        (5, 32): "c8",
        (5, 64): "c16",
        (6, 64): "c8",
        (6, 128): "c16",
    }.get((sample_format, most))
    if named is None or len(set(bits)) > 1:
        raise UnsupportedError(
            f"samples of {bits if len(set(bits)) > 1 else most} bits with SampleFormat {sample_format}"
        )
    return np.dtype(named)


def _nodata(ifd: Ifd, dtype: np.dtype[Any]) -> float | int | None:
    """What fills a sparse segment: GDAL_NODATA where the type can hold it (GDAL does the same)."""
    from gigapix.formats.tiff.gdal import nodata_of

    value = nodata_of(ifd.text(42113), dtype) if 42113 in ifd.values else None
    if value is not None and dtype.kind in "ui":
        info = np.iinfo(dtype)
        return int(value) if value == value and info.min <= value <= info.max and value == int(value) else None
    return value
