"""What a PNG's header says, over bytes, and the stream that it points at, put together by hand."""

from __future__ import annotations

import struct
import zlib

from gigapix.formats.model import Range
from gigapix.formats.png.series import PngImage, read_image
from tests.formats.tiff.steps import answer


def opened(data: bytes, index: int = 0, *, verify: bool = True, asked: list[Range] | None = None) -> PngImage:
    return answer(read_image(index, verify=verify, size_of=lambda: len(data)), data, asked)


def raw_rows(image: PngImage, data: bytes) -> bytes:
    """The filtered rows of the image's segment."""
    located = answer(image.levels[0].locate(0, [0]), data)
    ((offset, length),) = located.ranges
    kind, end = located.encoding.framing.encode(), offset + length
    body = b""
    while offset < end:
        size, found = struct.unpack_from(">I4s", data, offset)
        if found != kind:
            break
        body += data[offset + 8 : offset + 8 + size][4 * (kind == b"fdAT") :]
        offset += 12 + size
    return zlib.decompress(body)
