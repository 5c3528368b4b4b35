"""Files whose segments are streams once the thresholds are low: one strip of each codec that gives rows, and PNGs."""

import io

import numpy as np
import tifffile
from PIL import Image

ROWS, COLUMNS = 210, 90

ONE_STRIP = {
    "deflate": {"compression": "zlib"},
    "deflate, predictor": {"compression": "zlib", "predictor": 2},
    "LZW": {"compression": "lzw"},
    "LZW, predictor": {"compression": "lzw", "predictor": 2},
    "zstd": {"compression": "zstd"},
    "LZMA": {"compression": "lzma"},
    "PackBits": {"compression": "packbits"},
    "planar deflate": {"compression": "zlib", "planarconfig": "separate"},
    "planar LZW": {"compression": "lzw", "planarconfig": "separate"},
    "three strips": {"compression": "zlib", "rowsperstrip": 70},
}

PNGS = ("RGB", "I;16", "L", "P")

STREAMS = (*ONE_STRIP, *PNGS)


def picture(dtype="u1", bands=3):
    """Pixels that compress, and none like its neighbours: (y, x, band)."""
    y, x, c = np.mgrid[:ROWS, :COLUMNS, :bands]
    return ((x * 3 + y * 5 + c * 11) % 97 + (x * y) % 3 + (y // 50) * 20).astype(dtype)


def written(kind):
    """(bytes of a file, its pixels band first)."""
    buffer = io.BytesIO()
    if kind in ONE_STRIP:
        options = {"rowsperstrip": ROWS} | ONE_STRIP[kind]
        pixels = np.moveaxis(picture(), -1, 0)
        data = pixels if "planarconfig" in options else picture()
        tifffile.imwrite(buffer, data, photometric="rgb", **options)
        return buffer.getvalue(), pixels
    pixels = picture("u2" if kind == "I;16" else "u1", 3 if kind == "RGB" else 1)
    image = Image.fromarray(pixels if kind == "RGB" else pixels[..., 0])
    if kind == "P":
        image.putpalette([value for n in range(256) for value in (n, 255 - n, 7)])
    image.save(buffer, "PNG")
    return buffer.getvalue(), np.moveaxis(pixels, -1, 0)
