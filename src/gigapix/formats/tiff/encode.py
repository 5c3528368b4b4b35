"""The bytes of one tile: padded to its size, predicted, compressed. All encoders release the GIL.

JPEG tiles are abbreviated streams: the tables, which all tiles share, stand in the tag JPEGTables (TIFF Technical Note
2). LERC tiles are blobs of version 4, as libtiff writes them, of all bands together, or where bands are NaN in
different places, one a band.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.formats.tiff.write import DEFLATE, JPEG, LERC, LZW, MASK, NONE, WEBP, ZSTD, Tag, TiffFile

LEVELS: Final = {DEFLATE: 6, ZSTD: 9}
"""GDAL's, where none is named."""

LERC_VERSION: Final = 4
LERC_AROUND: Final = {NONE: 0, DEFLATE: 1, ZSTD: 2}
"""LercParameters' numbers of the compression around the blobs."""

_TABLES: Final = (0xDB, 0xC4)
_JFIF: Final = 0xE0
_SCAN: Final = 0xDA


def encode_tile(file: TiffFile, pixels: NDArray[Any]) -> bytes:
    """The bytes of one tile.

    `pixels` is ``(samples, height, width)``, smaller than a tile at the right and bottom edge; there the last column
    and row are repeated, which compresses best."""
    missing = file.tile - pixels.shape[1], file.tile - pixels.shape[2]
    if any(missing):
        pixels = np.pad(pixels, [(0, 0), (0, missing[0]), (0, missing[1])], mode="edge")
    chunky = np.ascontiguousarray(np.moveaxis(pixels, 0, -1), file.dtype.newbyteorder("<"))
    if file.photometric == MASK:
        return _compressed(file, np.packbits(chunky[..., 0], axis=1))
    if file.compression == JPEG:
        return _without_tables(_jpeg(file, chunky))
    if file.compression == WEBP:
        import imagecodecs

        return bytes(imagecodecs.webp_encode(chunky, level=file.level, lossless=file.level is None))
    if file.compression == LERC:
        return _lerc(file, chunky)
    return _compressed(file, _predicted(file, chunky))


def codec_tags(file: TiffFile) -> dict[int, Tag]:
    """The tags that a reader needs to decode the tiles, beside Compression and Predictor."""
    if file.compression == LERC:
        return {50674: (4, [LERC_VERSION, LERC_AROUND[file.around]])}
    if file.compression != JPEG:
        return {}
    tables = _tables(_jpeg(file, np.zeros((16, 16, file.samples), np.uint8)))
    tags: dict[int, Tag] = {347: (7, b"\xff\xd8" + b"".join(tables) + b"\xff\xd9")}
    if file.samples == 3:  # YCbCrSubSampling, and the reference black and white of JFIF
        tags |= {530: (3, [2, 2]), 532: (5, [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1])}
    return tags


def _predicted(file: TiffFile, chunky: NDArray[Any]) -> NDArray[Any]:
    if file.predictor == 2:
        unsigned = chunky.view(f"<u{file.dtype.itemsize}")
        differences = np.empty_like(unsigned)
        differences[:, 0] = unsigned[:, 0]
        np.subtract(unsigned[:, 1:], unsigned[:, :-1], out=differences[:, 1:])
        return differences
    if file.predictor == 3:
        import imagecodecs

        return np.asarray(imagecodecs.floatpred_encode(chunky, axis=-2))
    return chunky


def _compressed(file: TiffFile, samples: NDArray[Any]) -> bytes:
    if file.compression == NONE:
        return samples.tobytes()
    return _packed(file.compression, samples.reshape(-1).view(np.uint8), file.level)


def _packed(compression: int, data: Any, level: float | None) -> bytes:
    import imagecodecs

    if compression == LZW:
        return bytes(imagecodecs.lzw_encode(data))
    encode: Any = {DEFLATE: imagecodecs.deflate_encode, ZSTD: imagecodecs.zstd_encode}[compression]
    return bytes(encode(data, level=LEVELS[compression] if level is None else int(level)))


def _lerc(file: TiffFile, chunky: NDArray[Any]) -> bytes:
    import imagecodecs

    options: dict[str, Any] = {}
    if file.dtype.kind == "f" and (empty := np.isnan(chunky)).any():
        options["masks"] = ~empty[..., 0]
        if not (empty == empty[..., :1]).all():
            chunky, options["masks"] = (np.ascontiguousarray(np.moveaxis(each, -1, 0)) for each in (chunky, ~empty))
            options["planar"] = True
    blob = bytes(imagecodecs.lerc_encode(chunky, level=file.level or 0, version=LERC_VERSION, **options))
    return blob if file.around == NONE else _packed(file.around, blob, None)


def _jpeg(file: TiffFile, chunky: NDArray[Any]) -> bytes:
    """A stream with its tables: of three bands YCbCr with its colours at half the resolution."""
    import imagecodecs

    level: Any = None if file.level is None else int(file.level)
    return bytes(imagecodecs.jpeg8_encode(chunky if file.samples > 1 else chunky[..., 0], level=level))


def _tables(stream: bytes) -> list[bytes]:
    return [stream[start:stop] for marker, start, stop in _segments(stream) if marker in _TABLES]


def _without_tables(stream: bytes) -> bytes:
    """Those of a quality are the same for all tiles: libjpeg's own Huffman tables, and no others."""
    kept = [stream[start:stop] for marker, start, stop in _segments(stream) if marker not in (*_TABLES, _JFIF)]
    return b"".join([stream[:2], *kept])


def _segments(stream: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, stop) of what lies behind SOI, the scan and what follows it as one."""
    found, at = [], 2
    while (marker := stream[at + 1]) != _SCAN:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        found.append((marker, at, end))
        at = end
    return [*found, (_SCAN, at, len(stream))]
