"""Makes the demo's files in the folder that is named: `python demo/make.py FOLDER`.

Written by others than gigapix: the large one by GDAL, the odd ones and the PNGs by hand, so that reading them proves
something.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np

SIDE = 16384
STRIP = 512


def large(path: Path) -> None:
    """A COG of 16384 x 16384 RGB pixels: hills in false colour with a sensor's noise, zstd, with overviews."""
    import rasterio
    import rasterio.shutil
    from rasterio.transform import from_origin

    chance = np.random.default_rng(1)
    x = np.linspace(0, 24, SIDE, dtype=np.float32)
    noise = chance.integers(0, 6, (3, 2 * STRIP, SIDE), np.uint8)
    source = path.with_suffix(".source")
    profile = {
        "driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8", "photometric": "RGB",
        "tiled": True, "blockxsize": STRIP, "blockysize": STRIP, "interleave": "pixel", "bigtiff": "YES",
        "crs": "EPSG:32632", "transform": from_origin(5e5, 5.3e6, 0.5, 0.5),
    }  # fmt: skip
    with rasterio.open(source, "w", **profile) as target:
        for row in range(0, SIDE, STRIP):
            y = x[row : row + STRIP, None]
            hills = (
                np.sin(x + 2 * np.sin(y / 2)) + np.sin(1.7 * y + np.cos(0.8 * x)) + np.sin(5 * x) * np.cos(6 * y) / 3
            )
            level = ((hills + 2.4) * 50).astype(np.uint8)
            shift = chance.integers(STRIP)
            grain = noise[:, shift : shift + STRIP]
            bands = np.stack([level // 2 + 30, 200 - level // 2, 60 + level // 4]) + grain
            target.write(bands.astype(np.uint8), window=((row, row + STRIP), (0, SIDE)))
    partial = path.with_suffix(".partial")
    options = {"COMPRESS": "ZSTD", "PREDICTOR": "YES", "LEVEL": "1", "NUM_THREADS": "ALL_CPUS", "BIGTIFF": "YES"}
    rasterio.shutil.copy(source, partial, driver="COG", **options)
    source.unlink()
    partial.rename(path)


def png(path: Path, source: Path, rows: int) -> None:
    """The first rows of an RGB image as a PNG, each row less the one above it (filter 2, Up). Row by row: no encoder at
    hand writes 768 MiB of pixels without holding them."""
    import rasterio
    from rasterio.windows import Window

    def chunk(kind: bytes, data: bytes) -> None:
        file.write(struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(data, zlib.crc32(kind))))

    partial = path.with_suffix(".partial")
    deflate = zlib.compressobj(1)
    with rasterio.open(source) as image, partial.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        chunk(b"IHDR", struct.pack(">2L5B", image.width, rows, 8, 2, 0, 0, 0))
        above = np.zeros((1, 3 * image.width), np.uint8)
        for row in range(0, rows, STRIP):
            pixels = np.moveaxis(image.read(window=Window(0, row, image.width, STRIP)), 0, -1)
            lines = np.concatenate([above, pixels.reshape(STRIP, -1)])
            filtered = np.full((STRIP, 1 + lines.shape[1]), 2, np.uint8)
            np.subtract(lines[1:], lines[:-1], out=filtered[:, 1:])
            above = lines[-1:]
            for part in np.split(filtered, 8):
                chunk(b"IDAT", deflate.compress(part.tobytes()))
        chunk(b"IDAT", deflate.flush())
        chunk(b"IEND", b"")
    partial.rename(path)


def odd(path: Path, truth: Path) -> None:
    """A big-endian, planar, 12-bit, LZW TIFF of 1000 x 701 pixels in strips of 64 rows; its pixels go to `truth`."""
    import imagecodecs

    width, height, bands, rows = 1000, 701, 3, 64
    y, x = np.mgrid[0:height, 0:width] / 100
    pixels = np.stack([2048 + 2000 * np.sin(x * band) * np.cos(y / band) for band in range(1, bands + 1)]).astype("u2")
    strips = []
    for plane in pixels:
        for top in range(0, height, rows):
            first, second = plane[top : top + rows, 0::2], plane[top : top + rows, 1::2]
            packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
            strips.append(imagecodecs.lzw_encode(packed.astype(np.uint8).tobytes()))
    offsets = [int(at) for at in 8 + np.cumsum([0, *map(len, strips)])]
    tables = offsets[-1] + offsets[-1] % 2
    count = len(strips)
    bits = tables + 8 * count
    entries = [
        (256, 3, 1, width << 16), (257, 3, 1, height << 16), (258, 3, bands, bits), (259, 3, 1, 5 << 16),
        (262, 3, 1, 2 << 16), (273, 4, count, tables), (277, 3, 1, bands << 16), (278, 3, 1, rows << 16),
        (279, 4, count, tables + 4 * count), (284, 3, 1, 2 << 16),
    ]  # fmt: skip
    with path.open("wb") as file:
        file.write(struct.pack(">2sHL", b"MM", 42, bits + 2 * bands) + b"".join(strips))
        file.write(bytes(tables - offsets[-1]))
        file.write(struct.pack(f">{2 * count}L{bands}H", *offsets[:-1], *map(len, strips), *[12] * bands))
        file.write(struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHLL", *entry) for entry in entries))
        file.write(bytes(4))
    np.save(truth, pixels)


def main() -> None:
    """Large files only where they are not there yet."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    path, pictures = folder / "large.tif", {"large.png": SIDE, "small.png": STRIP}
    if not path.exists():
        large(path)
    for name, rows in pictures.items():
        if not (folder / name).exists():
            png(folder / name, path, rows)
    odd(folder / "odd.tif", folder / "odd-written.npy")


if __name__ == "__main__":
    main()
