"""`make demo`: gigapix on large images, on an odd one, and on files of the corpus where it is there.

Makes files in `.demo/` (see make.py): a large COG, the same as a PNG, a TIFF that few readers open. Then runs the
real commands on them, each shown before it runs, with the time, the processor time and the memory that it took. Ends
with what to try.

Nothing heavy is imported here: a child's peak memory, as Linux counts it, begins with that of its parent.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEMO = Path(".demo")  # relative, so that commands can be copied from the screen
CORPUS = Path("..", "shared", "corpus", "tiff")
GIGAPIX = Path(sys.executable).with_name("gigapix")


def say(text: str) -> None:
    """A heading of the story."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(*arguments: str | Path, program: Path = GIGAPIX, status: int = 0) -> None:
    """Show and run `gigapix ...`, and say what it took. Any other `status` than the one given ends the demo."""
    words = [str(word) for word in arguments]
    print(f"\n$ {program.name} {shlex.join(words)}", flush=True)
    began = time.perf_counter()
    child = subprocess.Popen([program, *words])
    _, ended, usage = os.wait4(child.pid, 0)
    code = child.returncode = os.waitstatus_to_exitcode(ended)
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss / (1 << 10 if sys.platform != "darwin" else 1 << 20)
    print(f"  ({wall:.2f} s, {cpu:.2f} s of processor, at most {peak:.0f} MiB, exit status {code})", flush=True)
    if code != status:
        raise SystemExit(f"demo: {program.name} {shlex.join(words)} ended with status {code}")


def python(code: str) -> None:
    """Show and run a few lines of Python."""
    print("\n" + "\n".join(f">>> {line}" for line in code.strip().splitlines()), flush=True)
    subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    """The story."""
    os.chdir(ROOT)
    path, strange, stream, small = (DEMO / name for name in ("large.tif", "odd.tif", "large.png", "small.png"))
    if not path.exists() or not stream.exists():
        say("Making a COG of 16384 x 16384 pixels, 768 MiB of them, and the same as a PNG (once, about half a minute)")
    subprocess.run([sys.executable, "demo/make.py", DEMO], check=True)

    say(f"1. A large COG: {path}")
    run("info", path)
    run("read", path, "--window", "8000,8000,1000,1000", "-o", DEMO / "window.png")
    run("read", path, "--level", "4", "--window", "0,0,1024,1024", "-o", DEMO / "overview.png")

    say("What opening it and reading one tile asks of the disk: requests, bytes, and (offset, length) of each")
    python(f"""
import gigapix
with gigapix.open("{path}") as image:
    print(image.width, "x", image.height, image.dtype, "EPSG:" + str(image.epsg), len(image.levels), "levels")
    tile = image.tile(20, 11)
    print("tile", tile.shape, "mean", tile.mean().round(2))
    print(image.stats.requests, "requests,", image.stats.bytes, "bytes:", list(image.stats.ranges))
""")

    say("Exact statistics of all of it: 768 MiB of pixels, in 64 MiB beside Python and its libraries")
    run("stats", path, "--memory", "64MB")

    say("2. The same as a PNG: one stream, in a process that the kernel allows 16 MiB of data for it")
    run("demo/limited.py", stream, small, program=Path(sys.executable))
    say("The figures are those of the COG. A window far down, without an index and with one")
    stream.with_name(f"{stream.name}.gpxi").unlink(missing_ok=True)
    python(f"""
import time, gigapix
def window():
    with gigapix.open("{stream}") as image:
        began = time.perf_counter()
        pixels = image.read((8000, 15000, 1000, 256))
        print(f"{{time.perf_counter() - began:.3f}} s, {{image.stats.bytes / image.file_size:.1%}} of the file")
    return pixels
window()
with gigapix.open("{stream}") as image:
    print(image.index())
pixels = window()
with gigapix.open("{path}") as cog:
    print("pixels of the COG:", (cog.read((8000, 15000, 1000, 256)) == pixels).all())
""")

    say(
        "3. An odd TIFF: big-endian, planar, 12 packed bits a sample, LZW, a short last strip, its directory at the end"
    )
    run("info", strange)
    run("read", strange, "-o", DEMO / "odd.npy")
    python(f"""
import numpy
read, written = numpy.load("{DEMO}/odd.npy"), numpy.load("{DEMO}/odd-written.npy")
print("the pixels that were written:", read.dtype == written.dtype and numpy.array_equal(read, written))
""")
    run("stats", strange)

    say("4. All resolutions of the COG as OME-Zarr and GeoZarr in one group, in one pass and 128 MB; a PNG's as a COG")
    pyramid, cog = DEMO / "large.zarr", DEMO / "small.tif"
    run("pyramid", path, pyramid, "--memory", "128MB", "--overwrite")
    run("validate", pyramid)
    run("info", pyramid)
    run("pyramid", small, cog, "--overwrite")
    run("validate", cog)
    python(f"""
import gigapix, zarr
group = zarr.open_group(gigapix.virtual("{path}"), mode="r")
print(group.tree())
with gigapix.open("{pyramid}") as image:
    print(image, "as the COG:", (image.levels[0][:, 5000:5100, 7000:7100] == group["0"][:, 5000:5100, 7000:7100]).all())
""")

    say("5. The headers of a folder in one table, from which images open without a request")
    catalogue = DEMO / "catalogue"
    shutil.rmtree(catalogue, ignore_errors=True)
    if CORPUS.exists():
        run("scan", CORPUS, catalogue, "--headers", status=3)  # some are broken, and are rows all the same
    else:
        run("scan", DEMO, catalogue, "--headers")
    run("query", catalogue, "select kind, error_code, count(*) from images group by all order by 3 desc limit 8")

    if CORPUS.exists():
        say(
            "6. From the corpus: a slide, an OME-TIFF of five dimensions, a COG with a mask, and a file made to do harm"
        )
        run("info", CORPUS / "libvips/test/test-suite/images/CMU-1-Small-Region.svs")
        run("info", CORPUS / "exampletiffs/4D-series.ome.tif")
        run("stats", CORPUS / "rio-cogeo/tests/fixtures/image_rgb_mask.tif")
        harm = "image-tiff/tests/fuzz_images/oor_panic/sample-get-lzw-stuck.tiff"
        run("stats", CORPUS / harm, status=1)

    say("Next")
    command = os.path.relpath(GIGAPIX) if GIGAPIX.is_relative_to(ROOT) else str(GIGAPIX)
    hints = {
        f"{command} info YOUR.tif": "what is in it; --json for programs",
        f"{command} tags {strange}": "every tag",
        f"{command} read --help": "windows and levels to .npy, .tif or .png",
        f"{command} stats YOUR.png --memory 64MB": "a histogram, percentiles, a threshold: --help",
        f"{DEMO}/window.png, {DEMO}/overview.png": "what was read above",
        "README.md, docs/": "the Python side",
        "make test, make bench": "the tests; timings beside rasterio, tifffile and async-geotiff",
    }
    for what, why in hints.items():
        print(f"  {what:<50}  {why}")


if __name__ == "__main__":
    main()
