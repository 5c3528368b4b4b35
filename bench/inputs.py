"""The images that the tables read: synthesised once, written by GDAL's COG driver, kept in `.bench/inputs`.

What a decoder does depends on what it decodes. Zeros and smooth ramps make long matches that no photograph has, and
noise has none at all. A scene here is what a camera sees: texture at all scales (noise with a 1/f spectrum), regions
with sharp edges between them, and a sensor whose noise grows with the light. Its figures are chosen so that deflate
with predictor 2 saves a third, as it does with satellite images; the ratio of every file is printed in its row.

All files are made from three uncompressed ones (one a sample type), so that all rows show the same pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / ".bench" / "inputs"
TILE = 512
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: a compression of one of the three scenes."""

    name: str
    scene: str
    """``u16`` (one band), ``rgb`` (three bands of uint8, interleaved by pixel) or ``f32`` (one band, height in m)."""
    options: Mapping[str, str]
    """Creation options of GDAL's COG driver. ``PREDICTOR=YES`` is 2 for integers and 3 for floats."""
    tolerance: float = 0.0
    """Two decoders of a lossy codec may differ by this much in a sample and both be right."""


CASES: tuple[Case, ...] = (
    Case(name="none-u16", scene="u16", options={"COMPRESS": "NONE"}),
    Case(name="none-rgb", scene="rgb", options={"COMPRESS": "NONE"}),
    Case(name="deflate-u16", scene="u16", options={"COMPRESS": "DEFLATE", "PREDICTOR": "YES"}),
    Case(name="deflate-rgb", scene="rgb", options={"COMPRESS": "DEFLATE", "PREDICTOR": "YES"}),
    Case(name="lzw-u16", scene="u16", options={"COMPRESS": "LZW", "PREDICTOR": "YES"}),
    Case(name="lzw-rgb", scene="rgb", options={"COMPRESS": "LZW", "PREDICTOR": "YES"}),
    Case(name="zstd-u16", scene="u16", options={"COMPRESS": "ZSTD", "PREDICTOR": "YES"}),
    Case(name="zstd-rgb", scene="rgb", options={"COMPRESS": "ZSTD", "PREDICTOR": "YES"}),
    # 4:2:0 YCbCr: decoders choose their own inverse DCT and chroma upsampling
    Case(name="jpeg-rgb", scene="rgb", options={"COMPRESS": "JPEG", "QUALITY": "75"}, tolerance=4),
    # quality 75 is GDAL's default too
    Case(name="webp-rgb", scene="rgb", options={"COMPRESS": "WEBP", "QUALITY": "75"}, tolerance=2),
    Case(name="lerc-u16", scene="u16", options={"COMPRESS": "LERC"}),
    Case(name="lerc-f32", scene="f32", options={"COMPRESS": "LERC", "MAX_Z_ERROR": "0.01"}),
    Case(name="deflate-f32", scene="f32", options={"COMPRESS": "DEFLATE", "PREDICTOR": "YES"}),
)


def path_of(case: Case, size: int) -> Path:
    """The COG of `case` at `size` x `size` pixels, made if it is not there."""
    path = FOLDER / f"{case.name}-{size}.tif"
    if not path.exists():
        _write(case, size, path)
    return path


def _write(case: Case, size: int, path: Path) -> None:
    import rasterio.shutil

    FOLDER.mkdir(parents=True, exist_ok=True)
    # A name of its own until it is whole: an interrupted run leaves no half file to be timed.
    partial = path.with_suffix(".partial")
    options = {"BLOCKSIZE": str(TILE), "NUM_THREADS": "ALL_CPUS", "OVERVIEWS": "AUTO", **case.options}
    source = _source(case.scene, size)
    rasterio.shutil.copy(source, partial, driver="COG", **options)
    partial.rename(path)


def _source(scene: str, size: int) -> Path:
    """The uncompressed GeoTIFF that the COGs of a scene are made from."""
    import rasterio
    from rasterio.transform import from_origin

    path = FOLDER / f"source-{scene}-{size}.tif"
    if path.exists():
        return path
    pixels = SCENES[scene](size)
    partial = path.with_suffix(".partial")
    profile = {
        "driver": "GTiff",
        "width": size,
        "height": size,
        "count": pixels.shape[0],
        "dtype": pixels.dtype.name,
        "crs": "EPSG:32632",  # without GeoKeys async-geotiff opens nothing
        "transform": from_origin(500_000, 5_000_000, 10, 10),
        "interleave": "pixel",
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
    }
    with rasterio.open(partial, "w", **profile) as target:
        target.write(pixels)
    partial.rename(path)
    return path


def _octaves(size: int, seed: int, slope: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Noise whose amplitude falls with frequency as ``1 / f ** slope``, of mean 0 and deviation 1. It tiles."""
    noise = np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32)
    spectrum = np.fft.rfft2(noise)
    rows = np.fft.fftfreq(size, 1 / size).astype(np.float32)
    columns = np.fft.rfftfreq(size, 1 / size).astype(np.float32)
    frequency = np.hypot(rows[:, None], columns[None, :])
    frequency[0, 0] = np.inf
    spectrum *= frequency**-slope
    field = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return (field - field.mean()) / field.std()


def _ground(size: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """What is seen, without the sensor: regions of even brightness with sharp edges, and texture over them. 0 to 1."""
    regions = np.digitize(_octaves(size, seed, 1.6), (-1.2, -0.5, 0.0, 0.4, 0.9, 1.5))
    brightness = np.array((0.15, 0.55, 0.35, 0.7, 0.25, 0.5, 0.85), np.float32)[regions]
    return np.clip(brightness + 0.08 * _octaves(size, seed + 1, 1.05), 0.02, 0.98)


def _sensed(light: Pixels, seed: int, full: int, noise: float) -> Pixels:
    """`light` (0 to 1) through a sensor that counts to `full` with noise of `noise` at full light, as floats."""
    grain = np.random.default_rng(seed).standard_normal(light.shape, dtype=np.float32)
    return np.clip(np.rint(light * full + grain * noise * np.sqrt(light)), 0, full)


def _u16(size: int) -> Pixels:
    return _sensed(_ground(size, 1), 2, 1_500, 4)[None].astype(np.uint16)


def _rgb(size: int) -> Pixels:
    light = _ground(size, 3)
    tint = _octaves(size, 5, 1.8)
    bands = [np.clip(light * (1 + change * tint), 0, 1) for change in (0.10, 0.02, -0.12)]
    return np.stack([_sensed(band, 6 + i, 255, 1.5).astype(np.uint8) for i, band in enumerate(bands)])


def _f32(size: int) -> Pixels:
    heights = 800 + 350 * _octaves(size, 9, 1.9)
    grain = np.random.default_rng(10).standard_normal(heights.shape, dtype=np.float32)
    # A laser's centimetres, in metres: the mantissa's last bits are as arbitrary as they are in a real terrain model.
    return (np.rint((heights + 0.05 * grain) * 100) / 100)[None].astype(np.float32)


SCENES = {"u16": _u16, "rgb": _rgb, "f32": _f32}


if __name__ == "__main__":
    for size in (1024, 2048, 8192):
        for case in CASES:
            path = path_of(case, size)
            print(f"{path.name:28} {path.stat().st_size:>12,} bytes")
