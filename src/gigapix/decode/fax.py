"""CCITT fax codings (TIFF 6.0 sections 10 and 11): runs of black and white to one byte a pixel, 0 or 1.

Where the data end early the codec leaves the rest white and says nothing. So, as for JPEG, whether anything was missing
is found out by offering it more data: a complete stream gives the same pixels whatever follows it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.codecs import imagecodec
from gigapix.decode.support import name
from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer, Encoding

EOFB: Final = 0x001001
"""Two end-of-line codes: the end of a T.6 stream, and part of that of a T.4 stream. What has it is whole."""

MORE: Final = (
    *(bytes((first * 167 + i * i * 29) & 0xFF for i in range(64)) for first in (5, 9, 22, 31, 74, 98)),
    bytes.fromhex("135fbafbafba") * 2,
    bytes.fromhex("19afddf5df5d") * 2,
)
"""Ways to go on. Several, since the codec takes some of them for damage, which to it is another end: six of any bits,
and the end of an end-of-line code with a row of short runs behind it, without and with the tag bit of 2D coding."""


def decode(data: Buffer, encoding: Encoding, rows: int, width: int) -> NDArray[np.uint8]:
    """(rows, width) of 0 and 1: 1 is a run of what T.4 calls black, whatever the photometric interpretation."""
    raw = bytes(data)
    pixels = _decode(raw, encoding, rows, width)
    tail = int.from_bytes(raw[-6:], "big")
    if any(tail >> bit & 0xFFFFFF == EOFB for bit in range(24)):
        return pixels
    for more in MORE:
        if not np.array_equal(pixels, _decode(raw + more, encoding, rows, width)):
            raise DecodeError(f"the {name(encoding)} stream ends before its {rows} rows do")
    return pixels


def _decode(data: bytes, encoding: Encoding, rows: int, width: int) -> NDArray[np.uint8]:
    if encoding.compression == 2:
        pixels = imagecodec("ccittrle_decode")(data, rows, width)
    elif encoding.compression == 3:
        pixels = imagecodec("ccittfax3_decode")(data, rows, width, t4options=encoding.t4_options)
    else:
        pixels = imagecodec("ccittfax4_decode")(data, rows, width)
    return np.asarray(pixels, np.uint8).reshape(rows, width)
