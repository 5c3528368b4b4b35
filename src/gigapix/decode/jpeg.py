"""JPEG segments (TIFF Technical Note 2, and DNG): tables, colour space, and what the codec does not tell.

libjpeg-turbo decodes every process of interest, lossless ones of 2 to 16 bits included; imagecodecs' two other lossless
decoders crash on damaged data and are not used. Two things are left to do here. The frame header is read first, so that
the size is known before anything is allocated. And where a stream ends without EOI, libjpeg fills in what is missing
with grey and says nothing: whether anything was missing is found out by offering it more data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.codecs import imagecodec
from gigapix.decode.headers import Size, unpack
from gigapix.errors import DecodeError, LimitError
from gigapix.formats.model import Encoding

MAX_MARKERS: Final = 4096
"""Markers before the first scan. Some twenty are usual; large ICC profiles come in up to 255 pieces."""

MAX_SCANS: Final = 100
"""Scans of a progressive picture. Each is a pass over all coefficients for a few bytes of file; encoders make ten."""

PROGRESSIVE: Final = (0xC2, 0xC6, 0xCA, 0xCE)
LOSSLESS: Final = (0xC3, 0xC7, 0xCB, 0xCF)
SOI: Final = b"\xff\xd8"
EOI: Final = b"\xff\xd9"

GRAYSCALE: Final = 1
RGB: Final = 2
CMYK: Final = 4
"""libjpeg's J_COLOR_SPACE."""

MORE: Final = (bytes(range(7, 251, 4)) * 8, bytes(range(250, 6, -3)) * 6)
"""Ways to go on with a scan, none of which is taken for the grey that fills a gap. No 0xFF in them."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The frame header (ITU T.81, B.2.2) of a JPEG stream."""

    process: int
    """Second byte of its marker, 0xC0 to 0xCF."""
    at: int
    """Offset of its fields (precision, height, width, components)."""
    height: int
    width: int
    components: int
    scan: int
    """Offset of the first SOS marker."""


def frame(data: bytes | bytearray) -> Frame:
    """The one frame header before the first scan."""
    if data[:2] != SOI:
        raise DecodeError(f"not a JPEG stream: it begins with {data[:2].hex(' ') or 'nothing'}")
    found: tuple[int, ...] = ()
    at = 2
    for _ in range(MAX_MARKERS):
        at = data.find(b"\xff", at)  # skips garbage between markers, as libjpeg does
        if not 0 <= at < len(data) - 3:
            break
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
        elif marker == 0xD9:
            break
        elif marker == 0xDA:
            if not found:
                break
            process, height, width, components, fields = found
            if process in PROGRESSIVE and data.count(b"\xff\xda", at) > MAX_SCANS:
                raise LimitError(f"a progressive JPEG of more than {MAX_SCANS} scans")
            return Frame(process=process, at=fields, height=height, width=width, components=components, scan=at)
        else:
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                if found:
                    raise DecodeError("a JPEG stream with two frames")
                found = (marker, *unpack(">xHHB", data, at + 4), at + 4)
            at += 2 + (data[at + 2] << 8 | data[at + 3])
    raise DecodeError("a JPEG stream without a frame and a scan")


def colours(encoding: Encoding, data: bytes | bytearray) -> tuple[int | None, int | None]:
    """(colour space of the stream, of the output) for libjpeg; None leaves it to the stream's own markers.

    YCbCr becomes RGB, as every reader of TIFF does. RGB without a JFIF marker is RGB whatever libjpeg would guess
    (Aperio's slides). With extra samples nothing is converted. Components stored apart are grey.
    """
    if encoding.planar:
        return None, GRAYSCALE
    if encoding.extra_samples:
        return None, None
    if encoding.photometric == 6 or (encoding.photometric == 2 and encoding.compression == 6):
        return None, RGB
    if encoding.photometric == 2:
        return None if data[6:10] == b"JFIF" else RGB, RGB
    return None, CMYK if encoding.photometric == 5 else None


def size(header: Frame, output: int | None) -> Size:
    """Size of what comes out: grey turns into RGB where RGB is asked for, and the other way round."""
    samples = {GRAYSCALE: 1, RGB: 3}.get(output or 0, header.components)
    return Size(height=header.height, width=header.width, samples=samples)


def decode(
    data: bytes | bytearray, header: Frame, tables: bytes, stream: int | None, output: int | None
) -> NDArray[Any]:
    """The picture as (rows, columns[, samples]); DecodeError where data are missing at its end."""

    def run(source: bytes | bytearray) -> NDArray[Any]:
        jpeg8 = imagecodec("jpeg8_decode")
        return np.asarray(jpeg8(source, tables=tables or None, colorspace=stream, outcolorspace=output))

    pixels = run(data)
    if data.rfind(EOI, header.scan) >= 0:
        return pixels
    # Of several scans the last ones may be missing whole, which nothing shows.
    if header.process in PROGRESSIVE or any(not np.array_equal(pixels, run(data + more + EOI)) for more in MORE):
        raise DecodeError("the JPEG stream ends before its picture does")
    return pixels
