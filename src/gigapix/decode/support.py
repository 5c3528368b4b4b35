"""What can be decoded, said before a byte is read, and how many bytes a segment is worth.

The table below is the whole list of compression schemes. `supported` is cheap enough to be asked for each segment.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import Final

from gigapix import limits
from gigapix.errors import LimitError, UnsupportedError
from gigapix.formats.model import HTJ2K, PNG_FILTERS, ZARR_CHUNK, Encoding


class Family(Enum):
    """How a compressed segment turns into samples."""

    BYTES = "bytes"
    """To the bytes of an uncompressed segment: packed samples in the file's byte order."""
    IMAGE = "image"
    """To an array whose size and type the codec's own header tells."""
    JPEG = "jpeg"
    FAX = "fax"
    PACKED = "packed"
    """To an array as `Encoding.packing` says."""


COMPRESSIONS: Final[dict[int, tuple[str, Family]]] = {
    1: ("none", Family.BYTES),
    2: ("CCITT RLE", Family.FAX),
    3: ("CCITT G3", Family.FAX),
    4: ("CCITT G4", Family.FAX),
    5: ("LZW", Family.BYTES),
    6: ("old-style JPEG", Family.JPEG),
    7: ("JPEG", Family.JPEG),
    8: ("deflate", Family.BYTES),
    22610: ("JPEG XR (NDPI)", Family.IMAGE),
    32773: ("PackBits", Family.BYTES),
    32909: ("PixarLog", Family.IMAGE),
    32946: ("deflate", Family.BYTES),
    33003: ("JPEG 2000 (Aperio YCbCr)", Family.IMAGE),
    33004: ("JPEG 2000 (lossy)", Family.IMAGE),
    33005: ("JPEG 2000 (Aperio RGB)", Family.IMAGE),
    33007: ("JPEG", Family.JPEG),
    34712: ("JPEG 2000", Family.IMAGE),
    34887: ("LERC", Family.IMAGE),
    34892: ("lossy JPEG (DNG)", Family.JPEG),
    34925: ("LZMA", Family.BYTES),
    34926: ("zstd", Family.BYTES),
    34927: ("WebP", Family.IMAGE),
    34933: ("PNG", Family.IMAGE),
    34934: ("JPEG XR", Family.IMAGE),
    50000: ("zstd", Family.BYTES),
    50001: ("WebP", Family.IMAGE),
    50002: ("JPEG XL", Family.IMAGE),
    50013: ("deflate (PixTIFF)", Family.BYTES),
    52546: ("JPEG XL (DNG)", Family.IMAGE),
    HTJ2K: ("HTJ2K", Family.IMAGE),
    ZARR_CHUNK: ("Zarr chunk", Family.PACKED),
}

DISTANCES: Final[dict[int, int]] = {34892: 2, 34893: 4, 34894: 2, 34895: 4}
"""DNG 1.4: predictors that difference against the pixel two or four columns to the left."""

FLOAT_PREDICTORS: Final = (3, 34894, 34895)

MAX_RATIOS: Final[dict[int, int]] = {5: 4096, 8: 2064, 32773: 128, 32946: 2064, 34925: 16384, 50013: 2064}
"""Twice what these codecs can make of a byte (deflate 1032, LZW some 1400 with Clear codes and 2560 without, PackBits
64, LZMA some 7000); twice, since a segment may hold less than its shape. Of the others it is `limits.MAX_RATIO`."""

KNOWN_GAPS: Final[dict[int, str]] = {
    9: "JBIG (T.85)", 10: "JBIG (T.43)", 32766: "NeXT", 32771: "CCITT RLE, word-aligned", 32809: "ThunderScan",
    32895: "IT8 CT", 32896: "IT8 LW", 32897: "IT8 MP", 32898: "IT8 BL", 32908: "PixarFilm", 34661: "JBIG",
    34676: "SGILog", 34677: "SGILog24", 34713: "Nikon NEF", 34715: "JBIG2", 48124: "Jetraw",
    65000: "EER", 65001: "EER", 65002: "EER",
}  # fmt: skip
"""Names for the error message only."""

COMPLEX_INTEGER: Final = 5
COMPLEX_FLOAT: Final = 6

NATIVE: Final = "<" if sys.byteorder == "little" else ">"
"""This machine's byte order, as `Encoding.byteorder` writes it."""


def family(encoding: Encoding) -> Family:
    """The family of a supported encoding."""
    return COMPRESSIONS[encoding.compression][1]


def name(encoding: Encoding) -> str:
    """The compression's name, for messages."""
    if encoding.packing is not None:
        return " + ".join(codec for codec, _ in encoding.packing.codecs) or "none"
    known = COMPRESSIONS.get(encoding.compression)
    return known[0] if known else KNOWN_GAPS.get(encoding.compression, "unknown")


def is_plain(encoding: Encoding) -> bool:
    """True where a stored sample is a sample of the dtype, but for its byte order: nothing to unpack."""
    width = 8 * encoding.dtype.itemsize
    return encoding.sample_format != COMPLEX_INTEGER and all(bits == width for bits in encoding.bits)


def pixel_bits(encoding: Encoding) -> int:
    """Bits of one pixel as stored."""
    return sum(encoding.bits) if len(encoding.bits) == encoding.samples else encoding.bits[0] * encoding.samples


def row_bytes(encoding: Encoding, width: int) -> int:
    """Bytes of one row of an uncompressed segment: TIFF 6.0 pads each row to a byte."""
    return (pixel_bits(encoding) * width + 7) // 8


def expected_bytes(encoding: Encoding, shape: tuple[int, int, int]) -> int:
    """Bytes of a decoded segment of `shape` (depth, height, width), before its samples are unpacked."""
    if encoding.packing is not None:
        return encoding.packing.nbytes
    depth, height, width = shape
    if COMPRESSIONS.get(encoding.compression, ("", Family.BYTES))[1] in (Family.IMAGE, Family.JPEG):
        return depth * height * width * encoding.samples * encoding.dtype.itemsize
    return depth * height * row_bytes(encoding, width)


def check_ratio(encoding: Encoding, expected: int, held: int) -> None:
    """Raise LimitError where `held` compressed bytes can't be the `expected` ones of a large segment."""
    if (
        expected > limits.SEGMENT_TRUST_BYTES
        and expected > MAX_RATIOS.get(encoding.compression, limits.MAX_RATIO) * held
    ):
        raise LimitError(f"a segment of {held} bytes can't hold the {expected} bytes that its size asks for")


def supported(encoding: Encoding) -> None:
    """Raise UnsupportedError, with a sentence that says why, for what `decode_into` can't decode."""
    if encoding.compression not in COMPRESSIONS:
        raise UnsupportedError(f"compression {encoding.compression} ({name(encoding)}) is not supported")
    kind = COMPRESSIONS[encoding.compression][1]
    if kind is Family.FAX:
        if encoding.samples != 1 or encoding.bits != (1,):
            raise UnsupportedError(f"{name(encoding)} of {encoding.samples} samples of {encoding.bits[:8]} bits")
    elif kind is Family.BYTES:
        _bytes_supported(encoding)


def _bytes_supported(encoding: Encoding) -> None:
    bits, form, dtype = encoding.bits, encoding.sample_format, encoding.dtype
    if len(bits) not in (1, encoding.samples) or min(bits) < 1:
        raise UnsupportedError(f"{len(bits)} bit depths {bits[:8]} for {encoding.samples} samples")
    if encoding.subsampling != (1, 1):
        raise UnsupportedError(f"YCbCr subsampling {encoding.subsampling} without JPEG compression is not supported")
    if form in (1, 2, 4):
        fits = dtype.kind in "iu" and max(bits) <= 8 * dtype.itemsize
    elif form == 3:
        fits = dtype.kind == "f" and (is_plain(encoding) or (set(bits) == {24} and dtype.itemsize == 4))
    elif form == COMPLEX_INTEGER:
        fits = dtype.kind == "c" and set(bits) in ({16}, {32}, {64}) and bits[0] <= 8 * dtype.itemsize
    else:
        fits = form == COMPLEX_FLOAT and dtype.kind == "c" and is_plain(encoding)
    if not fits:
        raise UnsupportedError(f"samples of {bits[:8]} bits with SampleFormat {form} are not supported")
    _predictor_supported(encoding)


def _predictor_supported(encoding: Encoding) -> None:
    predictor = encoding.predictor
    if predictor == 1:
        return
    if predictor in FLOAT_PREDICTORS:
        fits = encoding.sample_format == 3 and is_plain(encoding)
    elif predictor == PNG_FILTERS and encoding.framing:
        fits = True
    elif predictor == 2 or predictor in DISTANCES:
        plain = is_plain(encoding) and encoding.dtype.itemsize <= 8
        packed = len(set(encoding.bits)) == 1 and encoding.sample_format in (1, 2, 4)
        fits = plain or packed
    else:
        raise UnsupportedError(f"predictor {predictor} is not supported")
    if not fits:
        raise UnsupportedError(
            f"predictor {predictor} on samples of {encoding.bits[:8]} bits with SampleFormat {encoding.sample_format} "
            "is not supported"
        )
