"""Each library's best way to survey a whole image in little memory, and the usual way beside it, behind one signature.

A peer takes a path, the sample type and the memory that gigapix is given (the others can't be told) and returns what
`memory_tally.Survey` asks for. Peers that hand out arrays are counted by numpy; libvips counts by itself what it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from memory_tally import FLOAT_BINS, FLOAT_RANGE, Pixels, Survey, Tally, of_counts, survey_of
from peers import THREADS

ROWS = 128
"""Rows that are asked for at a time where a file has no blocks, or blocks of fewer rows across the whole image."""


def gigapix_summary(path: Path, dtype: str, memory: str) -> Survey:
    """`Image.summary`, all in one pass."""
    import gigapix

    with gigapix.open(path) as image:
        wide = {"bins": FLOAT_BINS, "range": FLOAT_RANGE} if dtype == "f32" else {}
        return survey_of_summary(image.summary(histogram=True, memory=memory, **wide), dtype)


def survey_of_summary(summary, dtype: str) -> Survey:
    """gigapix's histograms of 8 and 16 bits begin at the smallest value that occurs."""
    bins = {"u8": 256, "u16": 65536, "f32": FLOAT_BINS}[dtype]
    counts = np.zeros((len(summary.bands), bins), np.int64)
    for row, histogram in zip(counts, (band.histogram for band in summary.bands), strict=True):
        first = int(histogram.min) if histogram.kind == "values" else 0
        row[first : first + len(histogram.counts)] = histogram.counts
    bands = [band.statistics for band in summary.bands]
    return survey_of(counts, [b.min for b in bands], [b.max for b in bands], [b.mean for b in bands])


def tifffile_segments(path: Path, dtype: str, memory: str) -> Survey:
    """`TiffPage.segments`, two threads decoding and as few segments ahead as it allows. A strip is decoded whole."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        planar = page.planarconfig == 2
        tally = Tally(page.samplesperpixel, page.dtype)
        for segment, (band, _, y, x, _), _ in page.segments(maxworkers=THREADS, buffersize=1):
            if segment is None:
                raise ValueError("a segment that is not there")
            pixels = segment[0, : page.imagelength - y, : page.imagewidth - x]
            if planar:
                tally.add(band, pixels[..., 0])
            else:
                tally.add_pixels(pixels)
        return tally.survey()


def tifffile_imread(path: Path, dtype: str, memory: str) -> Survey:
    """What most people write."""
    import tifffile

    pixels = tifffile.imread(path, maxworkers=THREADS)
    if pixels.ndim == 3 and pixels.shape[0] < 4:
        pixels = np.moveaxis(pixels, 0, -1)
    tally = Tally(pixels.shape[2] if pixels.ndim == 3 else 1, pixels.dtype)
    tally.add_pixels(pixels)
    return tally.survey()


def rasterio_windows(path: Path, dtype: str, memory: str) -> Survey:
    """GDAL's blocks in file order with a cache of 16 MB. Bands apart are read apart: a strip of one is decoded once."""
    import rasterio
    from rasterio.windows import Window

    with (
        rasterio.Env(GDAL_CACHEMAX=16, GDAL_NUM_THREADS=THREADS),
        rasterio.open(path, num_threads=THREADS, sharing=False) as dataset,
    ):
        tally = Tally(dataset.count, dataset.dtypes[0])
        height, width = dataset.block_shapes[0]
        if width == dataset.width:
            height = max(height, ROWS)
        windows = [
            Window(x, y, min(width, dataset.width - x), min(height, dataset.height - y))
            for y in range(0, dataset.height, height)
            for x in range(0, dataset.width, width)
        ]
        every = [*range(1, dataset.count + 1)]
        for bands in [[band] for band in every] if dataset.interleaving == "band" else [every]:
            for window in windows:
                for band, samples in zip(bands, dataset.read(bands, window=window), strict=True):
                    tally.add(band - 1, samples)
        return tally.survey()


def pyvips_sequential(path: Path, dtype: str, memory: str) -> Survey:
    """`hist_find` for whole numbers; floats it can't bin, so they are fetched by rows. `unlimited`: or it refuses."""
    import pyvips

    options = {} if path.suffix == ".png" else {"unlimited": True}
    image = pyvips.Image.new_from_file(str(path), access="sequential", **options)
    if image.format in ("uchar", "ushort"):
        found = image.hist_find().numpy().reshape(-1, image.bands)
        counts = np.zeros((image.bands, 256 if image.format == "uchar" else 65536), np.int64)
        counts[:, : len(found)] = found.T
        return survey_of(counts, *of_counts(counts))
    tally, region = Tally(image.bands, np.float32), pyvips.Region.new(image)
    for y in range(0, image.height, ROWS):
        rows = min(ROWS, image.height - y)
        pixels = np.frombuffer(region.fetch(0, y, image.width, rows), np.float32)
        tally.add_pixels(pixels.reshape(rows, image.width, image.bands))
    return tally.survey()


def pillow(path: Path, dtype: str, memory: str) -> Survey:
    """The whole image, as an array: `Image.histogram` has no 16 bits and no floats."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as image:
        pixels: Pixels = np.asarray(image)
    tally = Tally(pixels.shape[2] if pixels.ndim == 3 else 1, pixels.dtype)
    tally.add_pixels(pixels)
    return tally.survey()


def pypng_rows(path: Path, dtype: str, memory: str) -> Survey:
    """Rows as Python makes them. `read`, not `asDirect`: indices of a palette stay indices."""
    import png

    width, _, rows, info = png.Reader(str(path)).read()
    stored = "u2" if info["bitdepth"] == 16 else "u1"
    tally = Tally(info["planes"], stored)
    for row in rows:
        tally.add_pixels(np.frombuffer(row, stored).reshape(1, width, info["planes"]))
    return tally.survey()


PEERS: Mapping[str, Callable[[Path, str, str], Survey]] = MappingProxyType(
    {
        "gigapix": gigapix_summary,
        "tifffile": tifffile_segments,
        "imread": tifffile_imread,
        "rasterio": rasterio_windows,
        "pyvips": pyvips_sequential,
        "Pillow": pillow,
        "pypng": pypng_rows,
    }
)
TIFF_PEERS = ("gigapix", "tifffile", "imread", "rasterio", "pyvips", "Pillow")
PNG_PEERS = ("gigapix", "rasterio", "pyvips", "Pillow", "pypng")
