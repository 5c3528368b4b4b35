"""Files of any size for the gate, written as streams: making a 4-gigapixel image takes no more memory than reading it.

An image is a scene of 1024 x 1024 pixels, repeated: what its pixels add up to is known without reading it. Across the
image each repetition is rolled down a little further, so that a row has no period that a codec's window could see; down
the image the rows repeat, and what can be encoded once a period is.
"""

from __future__ import annotations

import io
import itertools
import lzma
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from inputs import FOLDER, SCENES
from inputs_memory import JPEG_QUALITY, LZMA_FILTERS
from memory_tally import Pixels, Survey, Tally, survey_of

PERIOD = 1024
ROLL = 37
BRIGHT = 128
STRIP_PIXELS = 64 * PERIOD
"""Strips keep their bytes, as writers do: a wider image has fewer rows in each."""
TILE = 512
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, columns apart, rows apart: PNG 3rd edition, section 8.2."""
COMPRESSION = {"none": 1, "lzw": 5, "jpeg": 7, "deflate": 8, "packbits": 32773, "lzma": 34925, "zstd": 50000}


@dataclass(frozen=True, kw_only=True)
class Giant:
    """A kind of file. `layout` is ``one-strip``, ``strips``, ``tiles`` or ``planar`` (a strip a band); for ``png`` one
    of ``rgb8``, ``gray8``, ``gray16``, ``binary`` (gray of 0 and 255), ``palette`` and ``adam7``."""

    codec: str
    layout: str
    dtype: str = "u8"
    bands: int = 1

    @property
    def name(self) -> str:
        return f"{self.codec} {self.layout} {self.dtype}" + (" x 3" if self.bands == 3 else "")


def giant_path(giant: Giant, side: int) -> Path:
    """The file, `side` x `side` pixels (a multiple of 1024), made if it is not there."""
    path = FOLDER / f"giant-{giant.name.replace(' ', '-')}-{side}.{'png' if giant.codec == 'png' else 'tif'}"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".partial")
        with unfinished.open("wb") as file:
            (_write_png if giant.codec == "png" else _write_tiff)(file, giant, side)
        unfinished.rename(path)
    return path


def giant_truth(giant: Giant, side: int) -> Survey:
    """What the pixels add up to: the scene's, times its repetitions."""
    pixels = _scene(giant)
    tally = Tally(len(pixels), pixels.dtype)
    for band, samples in enumerate(pixels):
        tally.add(band, samples)
    one = tally.survey()
    return survey_of(tally.counts * (side // PERIOD) ** 2, one.minimum, one.maximum, one.mean)


def _scene(giant: Giant) -> Pixels:
    """(bands, 1024, 1024)."""
    pixels = SCENES[{"u8": "rgb"}.get(giant.dtype, giant.dtype)](PERIOD)[: giant.bands]
    if giant.layout == "binary":
        return (pixels > BRIGHT) * np.uint8(255)
    return pixels // 4 if giant.layout == "palette" else pixels


def _period(giant: Giant, side: int) -> Pixels:
    """The rows of one period: (1024, side, bands)."""
    scene = np.moveaxis(_scene(giant), 0, -1)
    return np.concatenate([np.roll(scene, ROLL * step, axis=0) for step in range(side // PERIOD)], axis=1)


# --- PNG ---


def _write_png(file: BinaryIO, giant: Giant, side: int) -> None:
    period = _period(giant, side)
    depth, colour = 8 * period.itemsize, {"palette": 3}.get(giant.layout, 2 if giant.bands == 3 else 0)
    adam7 = giant.layout == "adam7"
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">2I5B", side, side, depth, colour, 0, 0, adam7))
    if colour == 3:
        _chunk(file, b"PLTE", bytes(value * 4 for value in range(64) for _ in range(3)))
    deflate = zlib.compressobj(1)
    for x, y, dx, dy in ADAM7 if adam7 else ((0, 0, 1, 1),):
        rows = np.ascontiguousarray(period[y::dy, x::dx]).astype(period.dtype.newbyteorder(">"))
        rows = rows.reshape(len(rows), -1).view(np.uint8)
        bpp = period.itemsize * giant.bands
        first = _filtered(rows, np.zeros_like(rows[0]), bpp)
        later = _filtered(rows, rows[-1], bpp)  # the row above the second period's first is the first period's last
        for data in itertools.chain([first], itertools.repeat(later, side // PERIOD - 1)):
            for at in range(0, len(data), 64):
                if packed := deflate.compress(data[at : at + 64]):
                    _chunk(file, b"IDAT", packed)
    _chunk(file, b"IDAT", deflate.flush())
    _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))


def _filtered(rows: Pixels, above: Pixels, bpp: int) -> Pixels:
    """Sub, Up, Average and Paeth in turn, each with its filter byte (PNG 3rd edition, section 9.2)."""
    out = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    up = np.concatenate([above[None], rows[:-1]])
    for kind in (1, 2, 3, 4):
        mine, b = rows[kind - 1 :: 4], up[kind - 1 :: 4].astype(np.int16)
        a, c = (np.pad(each, ((0, 0), (bpp, 0)))[:, :-bpp].astype(np.int16) for each in (mine, b))
        if kind == 4:
            pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            guess = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        else:
            guess = (a, b, (a + b) // 2)[kind - 1]
        out[kind - 1 :: 4, 0] = kind
        out[kind - 1 :: 4, 1:] = mine - guess.astype(np.uint8)
    return out


# --- TIFF ---


def _write_tiff(file: BinaryIO, giant: Giant, side: int) -> None:
    """A BigTIFF: header, segments as they come, tables, IFD."""
    file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    offsets, counts = [], []
    for segment in _segments(giant, side):
        offsets.append(file.tell())
        file.writelines(segment)
        counts.append(file.tell() - offsets[-1])
    tiles = giant.layout == "tiles"
    photometric = 6 if giant.codec == "jpeg" else 2 if giant.bands == 3 else 1
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [side]), (257, "I", [side]), (258, "H", [8 * np.dtype(_TYPES[giant.dtype]).itemsize] * giant.bands),
        (259, "H", [COMPRESSION[giant.codec]]), (262, "H", [photometric]), (277, "H", [giant.bands]),
        (284, "H", [2 if giant.layout == "planar" else 1]), (317, "H", [_predictor(giant)]),
        (324 if tiles else 273, "Q", offsets), (325 if tiles else 279, "Q", counts),
        *([(322, "I", [TILE]), (323, "I", [TILE])] if tiles else [(278, "I", [_rows(giant, side)])]),
        (339, "H", [3 if giant.dtype == "f32" else 1] * giant.bands),
        *([(530, "H", [2, 2])] if giant.codec == "jpeg" else []),
    ]  # fmt: skip
    entries = []
    for tag, kind, values in sorted(tags):
        value = struct.pack(f"<{len(values)}{kind}", *values)
        if len(value) > 8:
            file.seek(-file.tell() % 8, io.SEEK_CUR)
            at = file.tell()
            file.write(value)
            value = struct.pack("<Q", at)
        entries.append(struct.pack("<HHQ8s", tag, {"H": 3, "I": 4, "Q": 16}[kind], len(values), value))
    file.seek(-file.tell() % 8, io.SEEK_CUR)
    ifd = file.tell()
    file.write(struct.pack("<Q", len(entries)) + b"".join(entries) + bytes(8))
    file.seek(8)
    file.write(struct.pack("<Q", ifd))


_TYPES = {"u8": np.uint8, "u16": np.uint16, "f32": np.float32}


def _predictor(giant: Giant) -> int:
    if giant.codec not in ("deflate", "lzw", "zstd"):
        return 1
    return 3 if giant.dtype == "f32" else 2


def _rows(giant: Giant, side: int) -> int:
    return STRIP_PIXELS // side if giant.layout == "strips" else side


def _segments(giant: Giant, side: int) -> Iterator[Iterable[bytes]]:
    """The pieces of each segment, in the order of the tables."""
    period, repeat = _period(giant, side), side // PERIOD
    if giant.codec == "jpeg":
        yield _jpeg(period, repeat, restarts=giant.layout == "one-strip")
        return
    stream = partial(_STREAMS[giant.codec])
    if giant.layout == "planar":
        for band in range(giant.bands):
            yield stream(_predicted(giant, period[..., band : band + 1]), repeat)
        return
    if giant.layout == "one-strip":
        yield stream(_predicted(giant, period), repeat)
        return
    down, across = (TILE, TILE) if giant.layout == "tiles" else (_rows(giant, side), side)
    pieces = [
        b"".join(stream(_predicted(giant, period[y : y + down, x : x + across]), 1))
        for y in range(0, PERIOD, down)
        for x in range(0, side, across)
    ]
    for _ in range(repeat):
        yield from ([piece] for piece in pieces)


def _predicted(giant: Giant, rows: Pixels) -> Pixels:
    """(rows, bytes) as the codec gets them. Predictors begin anew with each row."""
    import imagecodecs

    rows = np.ascontiguousarray(rows)
    if _predictor(giant) == 3:
        rows = imagecodecs.floatpred_encode(rows, axis=-2)
    elif _predictor(giant) == 2:
        rows = imagecodecs.delta_encode(rows, axis=-2)
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)


def _plain(rows: Pixels, repeat: int) -> Iterator[bytes]:
    return itertools.repeat(rows.tobytes(), repeat)


def _streamed(compressor: Callable[[], Any], rows: Pixels, repeat: int) -> Iterator[bytes]:
    coder = compressor()
    for _ in range(repeat):
        for at in range(0, len(rows), 64):
            yield coder.compress(rows[at : at + 64].tobytes())
    yield coder.flush()


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdCompressor(level=3).compressobj()


def _packbits(rows: Pixels, repeat: int) -> Iterator[bytes]:
    import imagecodecs

    return itertools.repeat(b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in rows), repeat)


def _lzw(rows: Pixels, repeat: int) -> Iterator[bytes]:
    """Pieces follow one another in one stream, bit by bit, since each begins with a ClearCode. The last code of a
    piece, EndOfInformation (257), is odd, and its last bit the last that is set: without it, it is a ClearCode (256) in
    the width of the moment."""
    import imagecodecs

    pieces = [imagecodecs.lzw_encode(rows[at : at + 64].tobytes()) for at in range(0, len(rows), 64)]
    carried = np.empty(0, np.uint8)
    for piece in itertools.chain.from_iterable(itertools.repeat(pieces, repeat)):
        bits = np.unpackbits(np.frombuffer(piece, np.uint8))
        end = len(bits) - int(bits[:-33:-1].argmax())
        bits[end - 1] = 0
        bits = np.concatenate([carried, bits[:end]])
        whole = len(bits) // 8 * 8
        yield np.packbits(bits[:whole]).tobytes()
        carried = bits[whole:]
    end_code = np.unpackbits(np.frombuffer(b"\x80\x80", np.uint8))[:9]  # nine bits: a ClearCode was before
    yield np.packbits(np.concatenate([carried, end_code])).tobytes()


def _jpeg(period: Pixels, repeat: int, *, restarts: bool) -> Iterator[bytes]:
    """With a restart marker after each row of blocks these rows stand alone: 64 of them, over and over. Their markers
    count to eight. Without restarts it is one period alone that is encoded, `repeat` times as high."""
    from PIL import Image

    out = io.BytesIO()
    whole = Image.fromarray(period if restarts else np.concatenate([period] * repeat))
    whole.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=2, **({"restart_marker_rows": 1} if restarts else {}))
    data = out.getvalue()
    if not restarts:
        yield data
        return
    scan = data.index(b"\xff\xda")
    scan += 2 + int.from_bytes(data[scan + 2 : scan + 4])
    frame = data.index(b"\xff\xc0")
    height = (PERIOD * repeat).to_bytes(2)
    yield data[: frame + 5] + height + data[frame + 7 : scan]
    for index in range(repeat):
        yield (b"\xff\xd7" if index else b"") + data[scan:-2]
    yield data[-2:]


_STREAMS: dict[str, Callable[[Pixels, int], Iterator[bytes]]] = {
    "none": _plain,
    "deflate": partial(_streamed, lambda: zlib.compressobj(1)),
    "zstd": partial(_streamed, _zstd),
    "lzma": partial(_streamed, lambda: lzma.LZMACompressor(filters=LZMA_FILTERS)),
    "packbits": _packbits,
    "lzw": _lzw,
}
