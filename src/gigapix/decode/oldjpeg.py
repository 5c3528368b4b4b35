"""Old-style JPEG (TIFF 6.0 section 22, compression 6): a JPEG stream put together from where its parts lie.

Writers disagreed about what goes where. A segment may be a whole JPEG stream, or the bare data of a scan whose headers
are in JPEGInterchangeFormat (Wang) or whose tables are in tags of their own. All three come out as one ordinary stream.
"""

from __future__ import annotations

import struct
from typing import Final

from gigapix.decode import jpeg
from gigapix.decode.headers import unpack
from gigapix.errors import DecodeError, UnsupportedError
from gigapix.formats.model import Buffer, Encoding, OldJpeg

LOSSLESS_PROCESS: Final = 14
"""JPEGProc of the lossless process; baseline is 1."""


def stream(data: Buffer, encoding: Encoding, shape: tuple[int, int, int]) -> bytes:
    """A JPEG stream for one segment of `shape` (depth, height, width)."""
    raw = bytes(data)
    old = encoding.old_jpeg or OldJpeg()
    if raw[:2] == jpeg.SOI:
        return raw
    if old.interchange[:2] == jpeg.SOI:
        start, scan, rest = _from_interchange(old.interchange, shape)
        if rest and start + scan + rest == old.interchange:
            # One segment, and its whole stream is here. StripOffsets may point beside the scan (HP).
            return old.interchange
    elif old.process == LOSSLESS_PROCESS:
        raise UnsupportedError("lossless old-style JPEG is not supported")
    else:
        start, scan = _from_tags(old, encoding, shape)
    if raw[:1] == b"\xff" and raw[1:2] not in (b"\x00", b"\xff", b""):
        if 0xD0 <= raw[1] <= 0xD7:
            raw = raw[2:]  # the restart marker that closes the segment before
        else:
            scan = b""  # the segment brings a scan header of its own
    return start + scan + raw


def _from_interchange(interchange: bytes, shape: tuple[int, int, int]) -> tuple[bytes, bytes, bytes]:
    """(headers, scan header, what follows) of JPEGInterchangeFormat, the frame changed to one segment's size."""
    header = jpeg.frame(interchange)
    start = bytearray(interchange[: header.scan])
    struct.pack_into(">HH", start, header.at + 1, *_sides(shape))
    end = header.scan + 2 + unpack(">H", interchange, header.scan + 2)[0]
    return bytes(start), interchange[header.scan : end], interchange[end:]


def _from_tags(old: OldJpeg, encoding: Encoding, shape: tuple[int, int, int]) -> tuple[bytes, bytes]:
    """(headers, scan header) built from the tags JPEGQTables, JPEGDCTables, JPEGACTables and JPEGRestartInterval."""
    if not (old.quantization and old.dc_tables and old.ac_tables):
        raise DecodeError("old-style JPEG without the tables that it needs")
    across, down = encoding.subsampling
    components = range(encoding.samples)
    parts = [jpeg.SOI]
    parts += [_segment(0xDB, bytes([i]) + table) for i, table in enumerate(old.quantization)]
    parts += [_segment(0xC4, bytes([i]) + table) for i, table in enumerate(old.dc_tables)]
    parts += [_segment(0xC4, bytes([16 + i]) + table) for i, table in enumerate(old.ac_tables)]
    if old.restart_interval:
        parts.append(_segment(0xDD, struct.pack(">H", old.restart_interval)))
    sampling = [(across << 4 | down) if i == 0 and encoding.samples > 1 else 0x11 for i in components]
    frame = b"".join(bytes([i + 1, sampling[i], min(i, len(old.quantization) - 1)]) for i in components)
    parts.append(_segment(0xC0, struct.pack(">BHHB", 8, *_sides(shape), encoding.samples) + frame))
    chosen = b"".join(
        bytes([i + 1, min(i, len(old.dc_tables) - 1) << 4 | min(i, len(old.ac_tables) - 1)]) for i in components
    )
    return b"".join(parts), _segment(0xDA, bytes([encoding.samples]) + chosen + b"\x00\x3f\x00")


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def _sides(shape: tuple[int, int, int]) -> tuple[int, int]:
    depth, height, width = shape
    if max(depth * height, width) > 0xFFFF:
        raise UnsupportedError("an old-style JPEG segment of more than 65535 rows or columns")
    return depth * height, width
