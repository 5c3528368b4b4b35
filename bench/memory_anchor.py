"""image-memory-tests' table: the histogram of four files, in seconds and in MiB as memray counts them.

The project (github.com/kostrykin/image-memory-tests) looks for a way to read PNG and TIFF by chunks that is fast and
small, for Galaxy. Its two functions are written anew here from their description, with the histogram that it counts
with (256 comparisons of the whole block); `bincount` marks the same reading with numpy's counting. Seconds are one
pair of `time.time` around a first call in a fresh process, imports done. MiB are memray's high-water mark of a second
call, every allocation of the heap, less those under a frame of numpy's memmap: pages of the file itself.

Python takes memory for small objects by the MiB, and whose call happens to need the next one is charged with all of it.
So each repetition begins with that MiB filled to another height, and MiB are the median of them; and there is a third
column that is not the project's: the same under PYTHONMALLOC=malloc, where each object counts.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from inputs_memory import ANCHOR, anchor_path, anchor_pixels
from memory_tally import Pixels
from report import environment, heading, last_words, markdown, save

Count = Callable[[Pixels], Pixels]
MEMORY = {"img1.png": "192kB", "img1.tiff": "64kB", "img1_czlib.tiff": "192kB", "img1_tiled.tiff": "128kB"}
"""For gigapix, where none is named: an inflater is 48 kB, beside its window and some rows."""
LATE = (
    "gigapix.image.image", "gigapix.ops.image", "gigapix.formats.detect", "gigapix.image.tiff_facts",
    "gigapix.image.png_facts", "gigapix.decode.cursor", "gigapix.kernels.counts", "gigapix.kernels.inflate",
    "gigapix.kernels.unfilter", "concurrent.futures.thread",
)  # fmt: skip
"""What gigapix imports when it is used, and its peers at once."""
AT_ONCE = 1 << 14
"""Samples that `bincount` counts at a time."""
BALLAST = 480
"""Bytes of an object, and objects, by which Python's memory is filled further in each repetition: 240 kB."""
SLOW = 5.0
"""Who takes longer is run once."""


def get_hist(block: Pixels) -> Pixels:
    """The project's: a pass over the block for each of 256 values."""
    hist = np.zeros(256, np.int64)
    for value in range(256):
        hist[value] += (block == value).sum()
    return hist


def bincount(block: Pixels) -> Pixels:
    """numpy's, some samples at a time: it makes int64 of them."""
    flat = block.reshape(-1)
    hist = np.zeros(256, np.int64)
    for start in range(0, flat.size, AT_ONCE):
        hist += np.bincount(flat[start : start + AT_ONCE], minlength=256)
    return hist


def rasterio_hist_patchwise(path: Path, count: Count, memory: str) -> Pixels:
    """The project's: block by block, band by band."""
    import rasterio

    hist = np.zeros(256, np.int64)
    with rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            for band in range(1, dataset.count + 1):
                hist += count(dataset.read(band, window=window))
    return hist


def rasterio_small_cache(path: Path, count: Count, memory: str) -> Pixels:
    """The same, all bands at once, with a block cache of 1 MB."""
    import rasterio

    hist = np.zeros(256, np.int64)
    with rasterio.Env(GDAL_CACHEMAX=1), rasterio.open(path) as dataset:
        for _, window in dataset.block_windows(1):
            hist += count(dataset.read(window=window))
    return hist


def tifffile_hist_combined(path: Path, count: Count, memory: str) -> Pixels:
    """The project's: segment by segment where there are several, else windows of 64 x 64 of a mapped array."""
    import tifffile

    hist = np.zeros(256, np.int64)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        if len(page.dataoffsets) > 1:
            for index, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
                tif.filehandle.seek(offset)
                hist += count(page.decode(tif.filehandle.read(size), index)[0])
        else:
            pixels = page.asarray(out="memmap")
            for y in range(0, pixels.shape[0], 64):
                for x in range(0, pixels.shape[1], 64):
                    hist += count(pixels[y : y + 64, x : x + 64])
    return hist


def pypng_rows(path: Path, count: Count, memory: str) -> Pixels:
    """The project's test: an array a row."""
    import png

    hist = np.zeros(256, np.int64)
    for row in png.Reader(str(path)).asDirect()[2]:
        hist += count(np.uint8(row))
    return hist


def pillow(path: Path, count: Count, memory: str) -> Pixels:
    """`Image.histogram`, of the whole image: what it counts with is its own."""
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image.histogram(), np.int64).reshape(-1, 256).sum(axis=0)


def pyvips_sequential(path: Path, count: Count, memory: str) -> Pixels:
    """`hist_find`: what it counts with is its own. Without its cache: the second call must not remember the first."""
    import pyvips

    pyvips.cache_set_max(0)
    image = pyvips.Image.new_from_file(str(path), access="sequential")
    return image.hist_find().numpy().reshape(256, -1).sum(axis=1).astype(np.int64)


def gigapix_summary(path: Path, count: Count, memory: str) -> Pixels:
    """`Image.summary` in the memory that is named."""
    import gigapix

    with gigapix.open(path) as image:
        found = image.summary(histogram=True, memory=memory)
    hist = np.zeros(256, np.int64)
    for band in found.bands:
        counts = band.histogram.counts  # of the values from the smallest that occurs
        hist[band.histogram.min :][: len(counts)] += counts
    return hist


TIFF, PNG, BOTH = ".tiff", ".png", ""
PEERS: dict[str, tuple[str, Callable[[Path, Count, str], Pixels], Count, str]] = {
    "gigapix summary": (BOTH, gigapix_summary, bincount, "gigapix"),
    "rasterio_hist_patchwise": (TIFF, rasterio_hist_patchwise, get_hist, "rasterio"),
    "tifffile_hist_combined": (TIFF, tifffile_hist_combined, get_hist, "tifffile"),
    "tifffile_hist_combined, bincount": (TIFF, tifffile_hist_combined, bincount, "tifffile"),
    "pypng": (PNG, pypng_rows, get_hist, "png"),
    "pypng, bincount": (PNG, pypng_rows, bincount, "png"),
    "rasterio, cache of 1 MB, bincount": (BOTH, rasterio_small_cache, bincount, "rasterio"),
    "pyvips sequential": (BOTH, pyvips_sequential, bincount, "pyvips"),
    "Pillow": (BOTH, pillow, bincount, "PIL.Image"),
}


def child(order: dict[str, Any]) -> dict[str, Any]:
    """Two calls: the first on the clock, the second under memray."""
    import memray

    _, function, count, module = PEERS[order["peer"]]
    importlib.import_module(module)
    if module == "gigapix":
        for late in LATE:
            importlib.import_module(late)
    path = Path(order["path"])
    filling = [bytes(BALLAST) for _ in range(BALLAST * order["repetition"])]
    began = time.time()
    first = function(path, count, order["memory"])
    seconds = time.time() - began
    gc.collect()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.bin"
        with memray.Tracker(trace):
            second = function(path, count, order["memory"])
        peak = high_water(trace)
    del filling
    return {"seconds": seconds, "mib": peak / 2**20, "hist": first.tolist(), "equal": bool((first == second).all())}


def high_water(trace: Path) -> int:
    """Bytes of the heap at its fullest, without what numpy's memmap maps."""
    import memray

    with memray.FileReader(trace) as reader:
        records = list(reader.get_high_watermark_allocation_records(merge_threads=True))
        return sum(
            record.size
            for record in records
            if not any("mmap" in file and "numpy" in file for _, file, _ in record.stack_trace())
        )


def main(options: argparse.Namespace) -> int:
    """0 where gigapix is first in all columns of every file, and all histograms are the same."""
    truth = bincount(anchor_pixels()).tolist()
    names = [name for name in ANCHOR if any(part in name for part in options.only.split(","))]
    peers = [peer for peer in PEERS if any(part in peer for part in options.peers.split(","))]
    facts = environment()
    runs: list[dict[str, Any]] = []
    for name in names:
        path = anchor_path(name)
        path.read_bytes()  # into the page cache
        for repetition in range(options.repeat):
            for peer in peers:
                mine = [run for run in runs if (run["file"], run["peer"]) == (name, peer)]
                if not name.endswith(PEERS[peer][0]) or any(run.get("seconds", SLOW) >= SLOW for run in mine):
                    continue
                print(f"{name} {peer} ...", file=sys.stderr)
                runs.append(_run(name, path, peer, options.memory or MEMORY[name], truth, repetition))
    rows, missed = [], []
    for name in names:
        found = {peer: f for peer in peers if (f := _best(runs, name, peer))}
        for peer, f in found.items():
            figures = (f"{f[key]:.3f}" for key in ("seconds", "mib", "objects"))
            rows.append([f"{name}: {peer}", *figures, f["hist"]])
        ours = found.pop("gigapix summary", None)
        if ours is None or ours["hist"] != "equal":
            missed.append(f"- {name}: gigapix fails")
            continue
        for key, unit in (("seconds", "s"), ("mib", "MiB"), ("objects", "MiB object by object")):
            first = min(found, key=lambda peer: found[peer][key], default=None)
            if first and found[first][key] < ours[key]:
                missed.append(f"- {name}: {ours[key]:.3f} {unit}, and {first} {found[first][key]:.3f}")
    print(
        heading(
            f"memory: image-memory-tests, gigapix with {options.memory or '64 to 192 kB'}, best of {options.repeat}",
            facts,
        )
    )
    print(markdown(["file: function", "s", "MiB", "MiB by object", "histogram"], rows))
    print("First in all columns on every file.\n" if not missed else "Not first:\n" + "\n".join(missed) + "\n")
    save("memory", facts, runs)
    return int(bool(missed))


def _run(name: str, path: Path, peer: str, memory: str, truth: list[int], repetition: int) -> dict[str, Any]:
    order = json.dumps({"peer": peer, "path": str(path), "memory": memory, "repetition": repetition})
    run: dict[str, Any] = {"file": name, "peer": peer}
    for allocator in ("pymalloc", "malloc"):
        variables = os.environ | {"PYTHONMALLOC": allocator}
        command = [sys.executable, __file__, order]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
        if done.returncode:
            print(f"{name} {peer}: {last_words(done)}", file=sys.stderr)
            return {**run, "error": last_words(done)}
        figures = json.loads(done.stdout)
        if allocator == "malloc":
            run["objects"] = figures["mib"]
        else:
            run |= {"equal": figures.pop("equal") and figures.pop("hist") == truth, **figures}
    return run


def _best(runs: list[dict[str, Any]], name: str, peer: str) -> dict[str, Any] | None:
    mine = [run for run in runs if (run["file"], run["peer"]) == (name, peer) and "seconds" in run]
    if not mine:
        return None
    return {
        "seconds": min(run["seconds"] for run in mine),
        "mib": statistics.median(run["mib"] for run in mine),
        "objects": statistics.median(run["objects"] for run in mine),
        "hist": "equal" if all(run["equal"] for run in mine) else "DIFFERS",
    }


if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
