"""JPEG 2000 headers: the size, and a bound on what the codec allocates for its precincts.

OpenJPEG keeps about 2 KB for each precinct of a tile before it reads any of it, and a header of 50 bytes may ask for
precincts of 2 x 2 pixels: 0.6 GB for a megapixel. So the markers that set precincts are found wherever they may stand
(the main header and the header of each tile-part) and their precincts are counted.
"""

from __future__ import annotations

from typing import Final

from gigapix.decode.headers import Size, boxes, unpack
from gigapix.errors import DecodeError, LimitError, UnsupportedError
from gigapix.formats.model import Buffer

MAX_PRECINCTS: Final = 1 << 16
"""Precincts of one codestream, all components: some 120 MB. Encoders make them 128 pixels wide or wider."""

SOC_SIZ, SOT, SOD, EOC, COD, COC = b"\xff\x4f\xff\x51", 0xFF90, 0xFF93, 0xFFD9, 0xFF52, 0xFF53


def jpeg2000_size(data: Buffer) -> Size:
    """ISO 15444-1, A.5.1: SIZ follows SOC. In a JP2 file (annex I) the codestream is the content of the box `jp2c`."""
    at = 0 if bytes(data[:4]) == SOC_SIZ else _codestream(data)
    right, bottom, left, top, *_, samples = unpack(">8IH", data, at + 8)
    size = Size(height=bottom - top, width=right - left, samples=samples, sample_bytes=8)
    if min(size.height, size.width, samples) < 1:
        raise DecodeError("the JPEG 2000 header makes no sense")
    precincts = sum(
        _precincts(body, marker, size) * (samples if marker == COD else 1)
        for marker, body in _coding_styles(data, at + 2)
    )
    if precincts > MAX_PRECINCTS:
        raise LimitError(f"a JPEG 2000 segment asks for {precincts} precincts")
    return size


def _codestream(data: Buffer) -> int:
    for kind, start, end in boxes(data, 0, len(data)):
        if kind == b"jp2h" and any(inner == b"pclr" for inner, _, _ in boxes(data, start, end)):
            raise UnsupportedError("a JPEG 2000 palette inside a TIFF is not supported")
        if kind == b"jp2c" and bytes(data[start : start + 4]) == SOC_SIZ:
            return start
    raise DecodeError("not a JPEG 2000 codestream")


def _coding_styles(data: Buffer, at: int) -> list[tuple[int, bytes]]:
    """(marker, body) of each COD and COC, of the main header and of the tile-parts."""
    found = []
    part_end = 0
    while at + 4 <= len(data):
        marker, length = unpack(">HH", data, at)
        if marker == EOC or marker < 0xFF00:
            break
        if marker == SOD:  # coded data up to the end of the tile-part (all that is left, where Psot is 0)
            if part_end <= at:  # of an earlier tile-part, or of none
                break
            at = part_end
            continue
        if marker == SOT:
            (part,) = unpack(">I", data, at + 6)
            part_end = at + max(part, 14) if part else len(data)
        if marker in (COD, COC):
            found.append((marker, bytes(data[at + 4 : at + 2 + length])))
        at += 2 + max(length, 2)
    return found


def _precincts(body: bytes, marker: int, size: Size) -> int:
    """Precincts of one component (A.6.1, A.6.2): a byte of exponents a resolution, or none: one precinct."""
    head = 0 if marker == COD else 2 if size.samples > 256 else 1
    levels_at, sizes_at = head + (5 if marker == COD else 1), head + (10 if marker == COD else 6)
    if len(body) <= sizes_at or not body[head] & 1:
        return 0
    total, levels = 0, body[levels_at]
    for resolution, exponents in enumerate(body[sizes_at : sizes_at + levels + 1]):
        down = max(levels - resolution, 0)
        total += -(-size.width >> (down + (exponents & 15))) * -(-size.height >> (down + (exponents >> 4)))
    return total
