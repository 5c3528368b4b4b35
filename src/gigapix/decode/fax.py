"""CCITT fax codings (TIFF 6.0 sections 10 and 11): runs of black and white to one byte a pixel, 0 or 1.

Where the data end early the codec leaves the rest white and says nothing. So, as for JPEG, whether anything was missing
is found out by offering it more data: a complete stream gives the same pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.codecs import imagecodec
from gigapix.decode.support import name
from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer, Encoding

NOISE: Final = bytes(range(7, 251, 4)) * 8

EOFB: Final = 0x001001
"""End of facsimile block (T.6): two end-of-line codes. A stream that has it is whole."""


def decode(data: Buffer, encoding: Encoding, rows: int, width: int) -> NDArray[np.uint8]:
    """(rows, width) of 0 and 1: 1 is a run of what T.4 calls black, whatever the photometric interpretation."""
    raw = bytes(data)
    pixels = _decode(raw, encoding, rows, width)
    tail = int.from_bytes(raw[-6:], "big")
    whole = any(tail >> bit & 0xFFFFFF == EOFB for bit in range(24))
    if not whole and not np.array_equal(pixels, _decode(raw + NOISE, encoding, rows, width)):
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
