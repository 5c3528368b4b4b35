"""What an image codec's own header says of its size, read before the codec is called.

A codec allocates what its header asks for. A segment's size is known from the TIFF, so the two are compared first, and
a 30000 x 30000 WebP inside a 16 x 16 tile costs nothing. Each function reads the very field that the codec will read
(boxes are walked, not searched, so that a decoy can't stand in for it) and raises DecodeError where it can't be found.
JPEG and JPEG 2000 have modules of their own, since more than the size is needed from their headers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gigapix.errors import DecodeError, UnsupportedError
from gigapix.formats.model import Buffer


@dataclass(frozen=True, kw_only=True)
class Size:
    """Rows and columns of the picture in a codestream, and the most samples a pixel may come out with."""

    height: int
    width: int
    samples: int
    sample_bytes: int = 2
    """What the codec holds for a sample while it decodes."""


def unpack(fmt: str, data: Buffer, at: int) -> tuple[int, ...]:
    """`struct.unpack_from` that raises DecodeError where the data end."""
    try:
        return struct.unpack_from(fmt, data, at)
    except struct.error:
        raise DecodeError("the header of the compressed segment is cut short") from None


def boxes(data: Buffer, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of the boxes of a JP2 or JXL container (ISO 15444-1, I.4)."""
    while at + 8 <= end:
        length, kind, start = unpack(">I", data, at)[0], bytes(data[at + 4 : at + 8]), at + 8
        if length == 1:
            length, start = unpack(">Q", data, start)[0], at + 16
        at = end if length == 0 else max(at + length, start)
        yield kind, start, min(at, end)


def png_size(data: Buffer) -> Size:
    """PNG, 11.2.2: IHDR is the first chunk. A palette expands to RGB and tRNS adds alpha: at most 4 samples."""
    if bytes(data[:8]) != b"\x89PNG\r\n\x1a\n" or bytes(data[12:16]) != b"IHDR":
        raise DecodeError("not a PNG stream")
    width, height = unpack(">II", data, 16)
    return Size(height=height, width=width, samples=4)


def webp_size(data: Buffer) -> Size:
    """WebP container specification: VP8X gives the canvas, a simple file its one frame."""
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"WEBP":
        raise DecodeError("not a WebP stream")
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        flags, low_w, high_w, low_h, high_h = unpack("<B3xHBHB", data, 20)
        if flags & 2:
            raise UnsupportedError("an animated WebP inside a TIFF is not supported")
        width, height = 1 + low_w + (high_w << 16), 1 + low_h + (high_h << 16)
    elif kind == b"VP8L":
        (packed,) = unpack("<I", data, 21)
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in unpack("<HH", data, 26))
    else:
        raise DecodeError(f"a WebP stream begins with chunk {kind!r}")
    return Size(height=height, width=width, samples=4)


def lerc_size(data: Buffer) -> tuple[Size, int]:
    """(size, length) of a Lerc2 blob, versions 1 to 6. A band is a blob, and others of the same size may follow."""
    if bytes(data[:6]) != b"Lerc2 ":
        raise DecodeError("not a Lerc2 blob")
    (version,) = unpack("<i", data, 6)
    if not 1 <= version <= 6:
        raise UnsupportedError(f"LERC version {version} is not supported")
    at = 10 if version < 3 else 14  # a checksum since version 3
    height, width, depth = unpack("<iii", data, at)
    depth, at = (depth, at + 12) if version >= 4 else (1, at + 8)
    length = unpack("<8xi", data, at)[0]  # behind the number of valid pixels and the size of a block
    if min(height, width, depth, length) < 1:
        raise DecodeError("the LERC header makes no sense")
    return Size(height=height, width=width, samples=depth), length


def jpegxr_size(data: Buffer) -> Size:
    """ISO 29199-2: the container (annex A) names the size and so does the codestream (8.3); they must agree."""
    if bytes(data[:3]) != b"II\xbc":
        raise DecodeError("not a JPEG XR stream")
    (ifd,) = unpack("<I", data, 4)
    (count,) = unpack("<H", data, ifd)
    tags = {}
    for at in range(ifd + 2, ifd + 2 + 12 * count, 12):
        tag, kind = unpack("<HH", data, at)
        (tags[tag],) = unpack({1: "<B", 3: "<H"}.get(kind, "<I"), data, at + 8)
    try:
        width, height, start, length = (tags[tag] for tag in (0xBC80, 0xBC81, 0xBCC0, 0xBCC1))
    except KeyError:
        raise DecodeError("a JPEG XR container without size or image data") from None
    if start + length > len(data):
        raise DecodeError("the JPEG XR codestream is cut short")
    if bytes(data[start : start + 8]) != b"WMPHOTO\0":
        raise DecodeError("a JPEG XR container without a codestream")
    (flags,) = unpack(">B", data, start + 10)
    if (width - 1, height - 1) != unpack(">HH" if flags & 0x80 else ">II", data, start + 12):
        raise DecodeError("a JPEG XR container and its codestream differ in size")
    return Size(height=height, width=width, samples=4)


def jpegxl_size(data: Buffer) -> Size:
    """ISO 18181-1, annex D: SizeHeader and the front of ImageMetadata, bit by bit from the lowest."""
    start = 0
    if bytes(data[:2]) != b"\xff\x0a":
        # The codestream is the box jxlc, or begins after the number in the first box jxlp.
        starts = {b"jxlc": 0, b"jxlp": 4}
        found = (at + starts[kind] for kind, at, _ in boxes(data, 0, len(data)) if kind in starts)
        start = next(found, len(data))
    if bytes(data[start : start + 2]) != b"\xff\x0a":
        raise DecodeError("not a JPEG XL codestream")
    bits = _Bits(int.from_bytes(bytes(data[start + 2 : start + 34]), "little"))
    height, width = _jpegxl_sides(bits)
    turned, extra = False, 0
    if not bits.take(1):  # all_default
        if bits.take(1):  # extra_fields
            turned = bits.take(3) >= 4
            if bits.take(1):  # intrinsic size
                _jpegxl_sides(bits)
            if bits.take(2):
                raise UnsupportedError("a JPEG XL preview or animation inside a TIFF is not supported")
        if bits.take(1):  # floating-point samples
            bits.choose((0, 32), (0, 16), (0, 24), (6, 1))
            bits.take(4)
        else:
            bits.choose((0, 8), (0, 10), (0, 12), (6, 1))
        bits.take(1)  # modular_16bit_buffers
        extra = bits.choose((0, 0), (0, 1), (4, 2), (12, 1))
    if turned:
        height, width = width, height
    return Size(height=height, width=width, samples=max(4, 1 + extra), sample_bytes=16)


class _Bits:
    """Bits of an integer, lowest first."""

    def __init__(self, value: int) -> None:
        self.value = value

    def take(self, count: int) -> int:
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        return taken

    def choose(self, *options: tuple[int, int]) -> int:
        """JPEG XL's U32: two bits choose (bits, offset)."""
        count, offset = options[self.take(2)]
        return self.take(count) + offset


def _jpegxl_sides(bits: _Bits) -> tuple[int, int]:
    def side(small: int) -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choose((9, 1), (13, 1), (18, 1), (30, 1))

    small = bits.take(1)
    height = side(small)
    ratio = bits.take(3)
    if not ratio:
        return height, side(small)
    across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height, height * across // down
