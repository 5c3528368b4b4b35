"""The first bytes of a TIFF: byte order, classic or BigTIFF, where the first IFD lies (TIFF 6.0 section 2, BigTIFF).

All sizes that differ between the two forms are fields of `Header`, so that nothing after this module asks which it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from gigapix.errors import FormatError
from gigapix.formats.model import Buffer, ByteOrder

HEADER_BYTES: Final = 16
"""Enough for both forms."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """How every number of the file is written."""

    byteorder: ByteOrder
    """``<`` (II) or ``>`` (MM)."""
    bigtiff: bool
    first_ifd: int
    """Offset of the first IFD; 0 where there is none."""

    @property
    def count_format(self) -> str:
        """struct format of the number of entries of an IFD."""
        return self.byteorder + ("Q" if self.bigtiff else "H")

    @property
    def offset_format(self) -> str:
        """struct format of an offset, also of the next-IFD pointer."""
        return self.byteorder + ("Q" if self.bigtiff else "I")

    @property
    def entry_format(self) -> str:
        """struct format of an entry: tag, type, count, and its value field as one number."""
        return self.byteorder + ("HHQQ" if self.bigtiff else "HHII")

    @property
    def entry_bytes(self) -> int:
        """Bytes of an entry of an IFD."""
        return 20 if self.bigtiff else 12

    @property
    def inline_bytes(self) -> int:
        """A value of at most this many bytes stands in the entry itself."""
        return 8 if self.bigtiff else 4


def parse_header(data: Buffer) -> Header:
    """Read the header from the file's first `HEADER_BYTES` bytes (fewer where the file is shorter)."""
    head = bytes(data[:HEADER_BYTES])
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">", b"EP": "<"}
    order = orders.get(head[:2])
    if order is None or len(head) < 8:
        raise FormatError(f"not a TIFF: it begins with {head[:4]!r}" if head else "not a TIFF: it is empty", offset=0)
    (version,) = struct.unpack_from(order + "H", head, 2)
    if version == 43:
        if len(head) < 16:
            raise FormatError("the BigTIFF header is cut short", offset=len(head))
        offset_size, zero, first = struct.unpack_from(order + "HHQ", head, 4)
        if offset_size != 8 or zero != 0:
            raise FormatError(f"BigTIFF with offsets of {offset_size} bytes; only 8 are defined", offset=4)
        return Header(byteorder=order, bigtiff=True, first_ifd=first)
    if version not in CLASSIC_VERSIONS:
        raise FormatError(f"not a TIFF: version {version} is neither 42 (TIFF) nor 43 (BigTIFF)", offset=2)
    (first,) = struct.unpack_from(order + "I", head, 4)
    return Header(byteorder=order, bigtiff=False, first_ifd=first)


CLASSIC_VERSIONS: Final = frozenset({42, 0x55, 0x4F52, 0x5352, 0x4352})
"""42, and the raw formats that are TIFF in all but this number: Panasonic (0x55), Olympus (RO, RS), and RC."""
