"""Stored samples that are no numpy samples: packed bits, 24-bit floats, complex integers, RGB565.

Each becomes a flat native array of the encoding's dtype, row by row, so that what follows (predictor, placing) is the
same as for plain samples. Predictors that only DNG has are undone here too.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.codecs import imagecodec
from gigapix.decode.support import COMPLEX_INTEGER, DISTANCES, FLOAT_PREDICTORS, is_plain, row_bytes
from gigapix.formats.model import Buffer, Encoding
from gigapix.kernels import bits as bit_kernel

RGB565: Final = (5, 6, 5)

SIGNED: Final = 2
FLOAT: Final = 3


def unpack(raw: Buffer, encoding: Encoding, rows: int, width: int) -> NDArray[Any]:
    """`rows` rows of packed samples, flat, in the native form of the encoding's dtype."""
    raw = memoryview(raw)[: rows * row_bytes(encoding, width)]
    if encoding.sample_format == COMPLEX_INTEGER:
        half = encoding.bits[0] // 16
        parts = np.frombuffer(raw, f"{encoding.byteorder}i{half}")
        return parts.astype(f"f{encoding.dtype.itemsize // 2}").view(encoding.dtype)
    if encoding.sample_format == FLOAT:
        return np.asarray(imagecodec("float24_decode")(raw, byteorder=encoding.byteorder))
    if encoding.bits == RGB565 and encoding.dtype == np.uint8:
        return _rgb565(raw, encoding.byteorder)
    return _integers(raw, encoding, rows, width)


def _integers(raw: Buffer, encoding: Encoding, rows: int, width: int) -> NDArray[Any]:
    unsigned = np.dtype(f"u{encoding.dtype.itemsize}")
    packed = np.empty(rows * width * encoding.samples, unsigned)
    if len(set(encoding.bits)) == 1 and encoding.bits[0] == 8 * unsigned.itemsize:
        packed[:] = np.frombuffer(raw, f"{encoding.byteorder}u{unsigned.itemsize}")
    else:
        if encoding.byteorder == ">" and set(encoding.bits) == {24}:
            # libtiff turns triples of bytes round in big-endian files, as it does pairs: 24 bits are the one odd size.
            raw = np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(-1, 3)[:, ::-1]).data
        bit_kernel.unpack(raw, packed, encoding.bits, rows, width * encoding.samples)
    if encoding.sample_format != SIGNED:
        return packed.view(encoding.dtype)
    # Two's complement of fewer bits: move the sign up to the top, then back down with its copies.
    shifts = np.resize(np.array([8 * unsigned.itemsize - n for n in encoding.bits], unsigned), packed.size)
    signed: NDArray[Any] = (packed << shifts).view(encoding.dtype)
    signed >>= shifts.view(encoding.dtype)
    return signed


def _rgb565(raw: Buffer, byteorder: str) -> NDArray[Any]:
    """A 16-bit word a pixel, stretched to 8 bits by repeating the highest bits: 31 is 255."""
    words = np.frombuffer(raw, f"{byteorder}u2").astype(np.uint16)
    red, green, blue = words >> 11, words >> 5 & 63, words & 31
    stretched = red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2
    return np.stack(stretched, axis=1).astype(np.uint8).ravel()


def undo_far_predictor(raw: Buffer, encoding: Encoding, rows: int, width: int) -> NDArray[Any]:
    """DNG 1.4's predictors 34892 to 34895: differences to the pixel two or four columns to the left."""
    apart = DISTANCES[encoding.predictor] * encoding.samples
    count, item = width * encoding.samples, encoding.dtype.itemsize
    if encoding.predictor not in FLOAT_PREDICTORS:
        order = encoding.byteorder if is_plain(encoding) else "="
        table = np.frombuffer(raw, f"{order}u{item}", rows * count).reshape(rows, count).astype(f"u{item}")
        for first in range(min(apart, count)):
            np.cumsum(table[:, first::apart], axis=1, dtype=table.dtype, out=table[:, first::apart])
        return table.view(encoding.dtype)
    planes = np.frombuffer(raw, np.uint8, rows * count * item).reshape(rows, count * item).copy()
    for first in range(min(apart, count * item)):
        np.cumsum(planes[:, first::apart], axis=1, dtype=np.uint8, out=planes[:, first::apart])
    # The planes lie most significant byte first.
    joined = np.ascontiguousarray(planes.reshape(rows, item, count).swapaxes(1, 2))
    return joined.view(encoding.dtype.newbyteorder(">")).astype(encoding.dtype)
