"""PNGs of every kind, written from the specification: any filter, Adam7, animations, chunks cut anywhere.

Pixels are (y, x, sample) as stored, a palette's indices too. Rows are filtered by plain loops: an encoder that is as
slow as this one can be read.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [(color_type, depth) for color_type, depths in DEPTHS.items() for depth in depths]
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
ALL_FILTERS = (0, 1, 2, 3, 4)

Pixels = NDArray[Any]
Chunks = Iterable[tuple[str, bytes]]


def noise(color_type: int, depth: int, height: int = 13, width: int = 11, *, seed: int = 0) -> Pixels:
    """A slope with noise, of the type that a reader gives."""
    shape = (height, width, SAMPLES[color_type])
    slope = np.linspace(0, 0.5, height * width).reshape(height, width, 1)
    values = np.random.default_rng(seed).random(shape) * 0.5 + slope
    return (values * ((1 << depth) - 1)).round().astype(np.uint16 if depth == 16 else np.uint8)


def palette(entries: int) -> bytes:
    """PLTE's data."""
    return bytes((n * step + 7) % 256 for n in range(entries) for step in (3, 5, 11))


def chunk(kind: str, data: bytes = b"", *, crc: int | None = None) -> bytes:
    body = kind.encode() + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body) if crc is None else crc)


def ihdr(width: int, height: int, depth: int = 8, color_type: int = 0, interlace: int = 0, method: int = 0) -> bytes:
    return chunk("IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, method, interlace))


def png(
    pixels: Pixels,
    depth: int = 8,
    color_type: int = 0,
    *,
    filters: Sequence[int] = ALL_FILTERS,
    interlaced: bool = False,
    cuts: Sequence[int] = (1 << 16,),
    before: Chunks = (),
    behind: Chunks = (),
) -> bytes:
    """A PNG. `cuts` are the lengths of its IDATs, over and over; a palette gets a PLTE."""
    height, width = pixels.shape[:2]
    own = [("PLTE", palette(1 << depth))] if color_type == 3 and "PLTE" not in dict(before) else []
    chunks = itertools.chain(own, before, pieces("IDAT", stream(pixels, depth, filters, interlaced), cuts), behind)
    return b"".join([
        SIGNATURE, ihdr(width, height, depth, color_type, interlaced), *(chunk(*each) for each in chunks), chunk("IEND"),
    ])  # fmt: skip


def apng(
    frames: Sequence[tuple[Pixels, int, int]],
    color_type: int,
    *,
    default: Pixels | None = None,
    depth: int = 8,
    cuts: Sequence[int] = (1 << 16,),
    interlaced: bool = False,
) -> bytes:
    """An animation of frames (pixels, x, y). Without a `default` image, which is no part of it, that is its first."""
    numbers = itertools.count()
    shown = frames[0][0] if default is None else default
    before: list[tuple[str, bytes]] = [("acTL", struct.pack(">II", len(frames), 3))]
    behind: list[tuple[str, bytes]] = []
    for place, (pixels, x, y) in enumerate(frames):
        height, width = pixels.shape[:2]
        header = (
            "fcTL",
            struct.pack(">IIIIIHHBB", next(numbers), width, height, x, y, place + 1, 10, place % 3, place % 2),
        )
        if place == 0 and default is None:
            before.append(header)
            continue
        data = pieces("fdAT", stream(pixels, depth, ALL_FILTERS, interlaced), cuts)
        behind += [header, *((kind, next(numbers).to_bytes(4, "big") + piece) for kind, piece in data)]
    return png(shown, depth, color_type, cuts=cuts, before=before, behind=behind, interlaced=interlaced)


def pieces(kind: str, data: bytes, cuts: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """Chunks of these lengths, over and over, until all data is in one."""
    at, lengths = 0, itertools.cycle(cuts)
    while at < len(data):
        length = next(lengths)
        yield kind, data[at : at + length]
        at += length


def stream(pixels: Pixels, depth: int, filters: Sequence[int], interlaced: bool) -> bytes:
    """The zlib stream of an image."""
    return zlib.compress(raw(pixels, depth, filters, interlaced))


def raw(pixels: Pixels, depth: int, filters: Sequence[int], interlaced: bool) -> bytes:
    """The filtered rows. `filters` are those of the rows, over and over."""
    passes = [pixels[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [pixels]
    chosen = itertools.cycle(filters)
    step = max(pixels.shape[2] * depth // 8, 1)
    rows = bytearray()
    for part in passes:
        if not part.size:
            continue
        above = bytes(len(packed(part[0], depth)))
        for row in part:
            plain = packed(row, depth)
            rows += filtered(plain, above, step, next(chosen))
            above = plain
    return bytes(rows)


def packed(row: Pixels, depth: int) -> bytes:
    """A row's samples as they are stored."""
    if depth >= 8:
        return row.astype(f">u{depth // 8}").tobytes()
    bits = row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()


def filtered(row: bytes, above: bytes, step: int, kind: int) -> bytes:
    """A row behind its filter byte (PNG section 9)."""
    left, corner = bytes(step) + row, bytes(step) + above
    guess = {
        0: lambda a, b, c: 0, 1: lambda a, b, c: a, 2: lambda a, b, c: b, 3: lambda a, b, c: (a + b) // 2, 4: paeth,
    }[kind]  # fmt: skip
    values = ((x - guess(a, b, c)) & 255 for x, a, b, c in zip(row, left, above, corner, strict=False))
    return bytes([kind, *values])


def paeth(a: int, b: int, c: int) -> int:
    """The neighbour that is nearest to a + b - c."""
    return min((a, b, c), key=lambda value: abs(a + b - c - value))
