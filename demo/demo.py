"""`make demo`: gigapix on a large image, on an odd one, and on whatever the world has put into the corpus.

Makes two files in `.demo/`: a large COG and a TIFF that few readers open (big-endian, planar, 12 bits a sample packed,
LZW, its last strip shorter, its directory at the end). Then runs the real commands on them, each shown before it runs,
with the time, the processor time and the memory that it took. Ends with what to try next.
"""

from __future__ import annotations

import os
import shlex
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
DEMO = Path(".demo")  # relative, so that commands can be copied from the screen
CORPUS = Path("..", "shared", "corpus", "tiff")
GIGAPIX = Path(sys.executable).with_name("gigapix")
SIDE = 16384
STRIP = 512


def say(text: str) -> None:
    """A line of the story."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(*arguments: str | Path, fails: bool = False) -> None:
    """Show and run `gigapix ...`, and say what it took. `fails`: the file is broken, and 1 is the right status."""
    words = [str(word) for word in arguments]
    print(f"\n$ gigapix {shlex.join(words)}", flush=True)
    began = time.perf_counter()
    child = subprocess.Popen([GIGAPIX, *words])
    _, status, usage = os.wait4(child.pid, 0)
    code = child.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss / (1 << 10 if sys.platform != "darwin" else 1 << 20)
    print(f"  ({wall:.2f} s, {cpu:.2f} s of processor, at most {peak:.0f} MiB, exit status {code})", flush=True)
    if code != int(fails):
        raise SystemExit(f"demo: gigapix {shlex.join(words)} ended with status {code}")


def show(code: str) -> None:
    """Show and run a few lines of Python."""
    print("\n" + "\n".join(f">>> {line}" for line in code.strip().splitlines()), flush=True)
    exec(code, {})


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
                np.sin(x + 2 * np.sin(y / 2)) + np.sin(y * 1.7 + np.cos(x * 0.8)) + 0.3 * np.sin(5 * x) * np.cos(6 * y)
            )
            level = ((hills + 2.3) * 50).astype(np.uint8)
            shift = chance.integers(STRIP)
            grain = noise[:, shift : shift + STRIP]
            bands = np.stack([level // 2 + 30, 200 - level // 2, 60 + level // 4]) + grain
            target.write(bands.astype(np.uint8), window=((row, row + STRIP), (0, SIDE)))
    partial = path.with_suffix(".partial")
    options = {"COMPRESS": "ZSTD", "PREDICTOR": "YES", "LEVEL": "1", "NUM_THREADS": "ALL_CPUS", "BIGTIFF": "YES"}
    rasterio.shutil.copy(source, partial, driver="COG", **options)
    source.unlink()
    partial.rename(path)


def odd(path: Path) -> np.ndarray:
    """A big-endian, planar, 12-bit, LZW TIFF of 1000 x 701 pixels in strips of 64 rows; returns its pixels."""
    import imagecodecs

    width, height, bands, rows = 1000, 701, 3, 64
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([(x * 4 + y * band) % 4096 for band in range(1, bands + 1)]).astype(np.uint16)
    strips = []
    for plane in pixels:
        for top in range(0, height, rows):
            first, second = plane[top : top + rows, 0::2], plane[top : top + rows, 1::2]
            packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
            strips.append(imagecodecs.lzw_encode(packed.astype(np.uint8).tobytes()))
    offsets = 8 + np.cumsum([0, *map(len, strips)])
    arrays = int(offsets[-1]) + (int(offsets[-1]) & 1)
    count = len(strips)
    ifd = arrays + 8 * count + 2 * bands
    entries = [
        (256, 3, 1, width << 16), (257, 3, 1, height << 16), (258, 3, bands, arrays + 8 * count), (259, 3, 1, 5 << 16),
        (262, 3, 1, 2 << 16), (273, 4, count, arrays), (277, 3, 1, bands << 16), (278, 3, 1, rows << 16),
        (279, 4, count, arrays + 4 * count), (284, 3, 1, 2 << 16),
    ]  # fmt: skip
    with path.open("wb") as file:
        file.write(struct.pack(">2sHL", b"MM", 42, ifd) + b"".join(strips))
        file.write(bytes(arrays - int(offsets[-1])))
        file.write(struct.pack(f">{2 * count}L{bands}H", *offsets[:-1], *map(len, strips), *[12] * bands))
        file.write(struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHLL", *entry) for entry in entries))
        file.write(bytes(4))
    return pixels


def main() -> None:
    """The story."""
    os.chdir(ROOT)
    DEMO.mkdir(exist_ok=True)
    path = DEMO / "large.tif"
    if not path.exists():
        say(f"Making a COG of {SIDE} x {SIDE} pixels, {SIDE * SIDE * 3 / 2**20:.0f} MiB of them (once, a few seconds)")
        large(path)
    say(f"1. A large COG: {path}, {path.stat().st_size / 2**20:.0f} MiB")
    run("info", path)
    run("read", path, "--window", "8000,8000,1000,1000", "-o", DEMO / "window.png")
    run("read", path, "--level", "4", "--window", "0,0,1024,1024", "-o", DEMO / "overview.png")

    say("What opening it and reading one tile asks of the disk (and, later, of the network)")
    show(f"""
import gigapix
with gigapix.open("{path}") as image:
    print(image.width, "x", image.height, image.dtype, "EPSG:" + str(image.epsg), len(image.levels), "levels")
    tile = image.tile(20, 11)
    print("tile", tile.shape, "mean", tile.mean().round(2))
    print(image.stats.requests, "requests,", image.stats.bytes, "bytes:", list(image.stats.ranges))
""")
    say("Exact statistics of all of it, block by block")
    run("stats", path)

    strange = DEMO / "odd.tif"
    pixels = odd(strange)
    say(
        "2. An odd TIFF: big-endian, planar, 12 packed bits a sample, LZW, a short last strip, its directory at the end"
    )
    run("info", strange)
    run("read", strange, "-o", DEMO / "odd.npy")
    read = np.load(DEMO / "odd.npy")
    if not np.array_equal(read, pixels):
        raise SystemExit("demo: what was read is not what was written")
    print(f"  {read.shape} {read.dtype}: every pixel is the one that was written")
    run("stats", strange)

    corpus = [
        ("info", CORPUS / "libvips/test/test-suite/images/CMU-1-Small-Region.svs", False),
        ("info", CORPUS / "exampletiffs/4D-series.ome.tif", False),
        ("stats", CORPUS / "rio-cogeo/tests/fixtures/image_rgb_mask.tif", False),
        ("info", CORPUS / "image-tiff/tests/fuzz_images/inf_loop/id=000041,src=000698+000155,op=splice,rep=8", True),
    ]
    if CORPUS.exists():
        say("3. From the corpus: a slide, an OME-TIFF of five dimensions, a COG with a mask, and a file made to harm")
        for command, file, fails in corpus:
            run(command, file, fails=fails)

    say("Next")
    print(f"""
  {GIGAPIX.parent}/gigapix --help
  {GIGAPIX.parent}/gigapix info YOUR.tif           what is in it
  {GIGAPIX.parent}/gigapix tags {strange}     every tag of it
  look at {DEMO}/window.png and {DEMO}/overview.png
  make test        the tests        make bench        against rasterio, tifffile and async-geotiff
  README.md        the Python side: gigapix.open(path).read(window, level=..., bands=...)
""")


if __name__ == "__main__":
    main()
