"""One image file directory: its entries as they stand in the file, and the values that were asked for.

An entry's value lies in the entry itself where it is small, anywhere in the file where it is not. `read_ifd` reads the
entries and no value beside them; `Ifd.load` fetches values by tag, all in one batch; `Ifd.table` fetches a slice of
TileOffsets or the like, so that of a million entries only those that a read touches are ever seen.

A directory may lie: entries with unknown types, values beyond the end of the file, tags twice. What can't be read is
kept in `problems` as a sentence, and raises only when its value is asked for, so that a broken date doesn't cost the
pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.model import Range, Steps
from gigapix.formats.tiff.header import Header
from gigapix.formats.tiff.tags import LARGE, name_of
from gigapix.formats.tiff.values import TYPES, Value, decode_table, decode_value


class Entry(NamedTuple):
    """An entry of an IFD: what the value is and where its bytes are."""

    code: int
    type: int
    count: int  # type: ignore[assignment]  # TIFF's name, before tuple's
    offset: int
    """Of the value's first byte in the file, also where it stands in the entry itself."""
    nbytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Ifd:
    """A directory. `values` fills up as tags are loaded; all else is fixed."""

    header: Header
    offset: int
    next: int
    """Offset of the next IFD of the chain; 0 where this is the last."""
    entries: Mapping[int, Entry]
    values: dict[int, Value] = field(repr=False)
    problems: list[str] = field(default_factory=list)

    def __contains__(self, code: int) -> bool:
        return code in self.entries

    def get(self, code: int, default: Value = None) -> Value:
        """The value of a tag that is loaded, `default` where the file has no such tag.

        Raises FormatError where the file has the tag and its value could not be read.
        """
        if code in self.values:
            return self.values[code]
        if code not in self.entries:
            return default
        raise FormatError(f"the value of {name_of(code)} is not loaded or can't be", offset=self.entries[code].offset)

    def integer(self, code: int, default: int) -> int:
        """The value as one int (the first of several), `default` where the tag is missing."""
        value = self.values.get(code)
        if type(value) is int:  # as it should be; the rest is for files that are written otherwise
            return value
        value = self.get(code)
        if value is None:
            return default
        if isinstance(value, (tuple, np.ndarray, bytes)) and len(value):
            value = value[0]
        if not isinstance(value, (int, np.integer)):
            raise FormatError(
                f"{name_of(code)} must be an integer, and is {value!r:.60}", offset=self.entries[code].offset
            )
        return int(value)

    def integers(self, code: int) -> tuple[int, ...]:
        """All values as ints, () where the tag is missing."""
        value = self.get(code)
        if value is None:
            return ()
        several = value if isinstance(value, (tuple, np.ndarray, bytes)) else (value,)
        if not all(isinstance(v, (int, np.integer)) for v in several):
            raise FormatError(
                f"{name_of(code)} must be integers, and is {value!r:.60}", offset=self.entries[code].offset
            )
        return tuple(int(v) for v in several)

    def numbers(self, code: int) -> tuple[float, ...]:
        """All values as floats, () where the tag is missing or holds no numbers."""
        value = self.get(code)
        several = value if isinstance(value, (tuple, np.ndarray)) else (value,)
        return tuple(float(v) for v in several if isinstance(v, (int, float, np.number)))

    def text(self, code: int) -> str:
        """The value as text, "" where the tag is missing or is no text."""
        value = self.get(code, "")
        return value if isinstance(value, str) else ""

    def ratio(self, code: int) -> float | None:
        """A rational as a number, None where the tag is missing or is no ratio."""
        value = self.get(code)
        if isinstance(value, tuple) and len(value) == 2 and value[1]:
            return float(value[0] / value[1])
        return float(value) if isinstance(value, (int, float)) else None

    def raw(self, code: int) -> bytes:
        """The value as bytes, b"" where the tag is missing or is of another type."""
        value = self.get(code, b"")
        return value if isinstance(value, bytes) else b""

    def note(self, problem: str) -> None:
        """Remember what is wrong, once however often it is met."""
        if problem not in self.problems:
            self.problems.append(problem)

    def load(self, codes: Iterable[int], most: int = limits.MAX_FACT_BYTES) -> Steps[None]:
        """Fetch the values of these tags, those that the file has and that are not loaded yet, in one batch.

        A value of more than `most` bytes (`limits.MAX_TAG_BYTES` for those of `tags.LARGE`) is left out.
        """
        wanted = []
        missing = self.entries.keys() - self.values.keys()
        for code in codes:
            if code not in missing:
                continue
            entry = self.entries[code]
            room = limits.MAX_TAG_BYTES if code in LARGE else most
            if entry.nbytes > room:
                self.note(f"{name_of(code)} claims {entry.nbytes} bytes, more than {room}")
            else:
                wanted.append(entry)
        if not wanted:
            return
        buffers = yield [(entry.offset, entry.nbytes) for entry in wanted]
        for entry, data in zip(wanted, buffers, strict=True):
            if len(data) < entry.nbytes:
                self.note(f"{name_of(entry.code)} lies beyond the end of the file")
                continue
            self.values[entry.code] = decode_value(entry.code, entry.type, entry.count, data, self.header.byteorder)

    def value(self, code: int) -> Steps[Value]:
        """Fetch and return one tag's value whole; None where the file has no such tag.

        Raises LimitError over `limits.MAX_TAG_BYTES`, TruncatedError where the file ends before it.
        """
        entry = self.entries.get(code)
        if entry is None:
            return None
        if entry.nbytes > limits.MAX_TAG_BYTES:
            raise LimitError(f"{name_of(code)} claims {entry.nbytes} bytes", offset=entry.offset)
        yield from self.load([code], limits.MAX_TAG_BYTES)
        if code not in self.values:
            raise TruncatedError(f"{name_of(code)} lies beyond the end of the file", offset=entry.offset)
        return self.values[code]

    def slices(self, code: int, spans: Iterable[tuple[int, int]]) -> list[Range]:
        """The byte ranges of slices ``[start, stop)`` of a table of integers."""
        entry = self.entries[code]
        size = TYPES[entry.type][2]
        return [(entry.offset + start * size, (stop - start) * size) for start, stop in spans]

    def table(self, code: int, data: bytes) -> NDArray[np.uint64]:
        """The entries that a range of `slices` holds, as uint64."""
        return decode_table(code, self.entries[code].type, data, self.header.byteorder)

    # The tags by their names. A missing one has the specification's default; None, "" or () where it has none.

    @property
    def new_subfile_type(self) -> int:
        """Bit 0: a reduced image, bit 1: a page of several, bit 2: a mask."""
        return self.integer(254, 0)

    @property
    def image_width(self) -> int:
        """Columns; 0 where the tag, which has no default, is missing."""
        return self.integer(256, 0)

    @property
    def image_length(self) -> int:
        """Rows; 0 where the tag, which has no default, is missing."""
        return self.integer(257, 0)

    @property
    def image_depth(self) -> int:
        """Slices of a volume."""
        return self.integer(32997, 1)

    @property
    def bits_per_sample(self) -> tuple[int, ...]:
        """One for each sample, or one for all."""
        return self.integers(258) or (1,)

    @property
    def compression(self) -> int:
        """1 is none."""
        return self.integer(259, 1)

    @property
    def photometric_interpretation(self) -> int | None:
        """What the samples mean; it has no default."""
        return self.integer(262, -1) if 262 in self.entries else None

    @property
    def fill_order(self) -> int:
        """2 where the first pixel is in the lowest bits."""
        return self.integer(266, 1)

    @property
    def document_name(self) -> str:
        """Tag 269."""
        return self.text(269)

    @property
    def image_description(self) -> str:
        """Tag 270; OME-XML, for one."""
        return self.text(270)

    @property
    def make(self) -> str:
        """Of the scanner or camera."""
        return self.text(271)

    @property
    def model(self) -> str:
        """Of the scanner or camera."""
        return self.text(272)

    @property
    def orientation(self) -> int:
        """1 where row 0 is the top and column 0 the left; pixels are read as stored all the same."""
        return self.integer(274, 1)

    @property
    def samples_per_pixel(self) -> int:
        """Tag 277."""
        return self.integer(277, 1)

    @property
    def rows_per_strip(self) -> int:
        """The default means one strip."""
        return self.integer(278, 2**32 - 1)

    @property
    def x_resolution(self) -> float | None:
        """Pixels in a `resolution_unit` along a row."""
        return self.ratio(282)

    @property
    def y_resolution(self) -> float | None:
        """Pixels in a `resolution_unit` along a column."""
        return self.ratio(283)

    @property
    def planar_configuration(self) -> int:
        """1 chunky, 2 planar."""
        return self.integer(284, 1)

    @property
    def resolution_unit(self) -> int:
        """1 none, 2 inch, 3 centimetre."""
        return self.integer(296, 2)

    @property
    def software(self) -> str:
        """Tag 305."""
        return self.text(305)

    @property
    def date_time(self) -> str:
        """``YYYY:MM:DD HH:MM:SS``."""
        return self.text(306)

    @property
    def artist(self) -> str:
        """Tag 315."""
        return self.text(315)

    @property
    def host_computer(self) -> str:
        """Tag 316."""
        return self.text(316)

    @property
    def predictor(self) -> int:
        """1 none, 2 horizontal differencing, 3 floating point."""
        return self.integer(317, 1)

    @property
    def color_map(self) -> tuple[int, ...]:
        """All reds, all greens, all blues, of 16 bits."""
        return self.integers(320)

    @property
    def tile_width(self) -> int | None:
        """None where the image is in strips."""
        return self.integer(322, 0) or None

    @property
    def tile_length(self) -> int | None:
        """None where the image is in strips."""
        return self.integer(323, 0) or None

    @property
    def sub_ifds(self) -> tuple[int, ...]:
        """Offsets of IFDs below this one."""
        return self.integers(330)

    @property
    def extra_samples(self) -> tuple[int, ...]:
        """0 unspecified, 1 alpha that is multiplied in, 2 alpha that is not."""
        return self.integers(338)

    @property
    def sample_format(self) -> tuple[int, ...]:
        """1 unsigned, 2 signed, 3 float, 4 undefined, 5 and 6 complex; for each sample, or one for all."""
        return self.integers(339) or (1,)

    @property
    def jpeg_tables(self) -> bytes:
        """Tables that all segments share (TIFF Technical Note 2)."""
        return self.raw(347)

    @property
    def ycbcr_subsampling(self) -> tuple[int, int]:
        """(horizontal, vertical)."""
        stored = self.integers(530) or (2, 2)
        return stored[0], stored[-1]

    @property
    def copyright(self) -> str:
        """Tag 33432."""
        return self.text(33432)

    @property
    def model_pixel_scale(self) -> tuple[float, ...]:
        """GeoTIFF 1.1, section 7.2."""
        return self.numbers(33550)

    @property
    def model_tiepoint(self) -> tuple[float, ...]:
        """Six numbers a point."""
        return self.numbers(33922)

    @property
    def model_transformation(self) -> tuple[float, ...]:
        """A matrix of 4 x 4, row by row."""
        return self.numbers(34264)

    @property
    def geo_key_directory(self) -> tuple[int, ...]:
        """As it is stored; `Image.geokeys` has it parsed."""
        return self.integers(34735)

    @property
    def geo_double_params(self) -> tuple[float, ...]:
        """What the directory points into."""
        return self.numbers(34736)

    @property
    def geo_ascii_params(self) -> str:
        """What the directory points into."""
        return self.text(34737)

    @property
    def gdal_metadata(self) -> str:
        """XML; `Image.gdal_metadata` has it parsed."""
        return self.text(42112)

    @property
    def gdal_nodata(self) -> str:
        """As it is stored; `Image.nodata` is the number."""
        return self.text(42113)
