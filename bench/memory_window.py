"""Two questions that a stream makes dear: a window deep in a PNG, and how many values there are (Galaxy's).

A window is 256 whole rows of an 8000 x 8000 RGB PNG, somewhere. Each is read from a file that has just been opened, so
what an open file remembers helps nobody; gigapix has the index that `Image.index` saved beside the file. The aims:
under 50 ms, and under 5 % of the file read. Galaxy asks of 604 MB whether there are more than two values: an image with
many, which is known at once, and one that has two indeed, which must be read to its end.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from child import resident, say_and_leave
from inputs_memory import Case, path_of
from lazy import received
from memory_giants import PERIOD, Giant, giant_path
from memory_tally import Pixels
from peers import two_cores
from report import environment, heading, last_words, markdown, save

ROWS = 256
WINDOWS = 20
SEED = 4
MILLISECONDS = 50
SHARE = 0.05
GALAXY = {
    "many values": Giant(codec="png", layout="gray8"),
    "two values": Giant(codec="png", layout="binary"),
}
PATIENCE = 10.0
"""Seconds of Galaxy's loop; the rest is reckoned from the rows that it did."""


def gigapix_window(path: Path, top: int, memory: str) -> Pixels:
    import gigapix

    with gigapix.open(path) as image:
        return image.read((0, top, image.width, ROWS))


def pyvips_window(path: Path, top: int, memory: str) -> Pixels:
    """Rows above are decoded and dropped."""
    import pyvips

    pyvips.cache_set_max(0)
    image = pyvips.Image.new_from_file(str(path), access="sequential")
    pixels = np.frombuffer(pyvips.Region.new(image).fetch(0, top, image.width, ROWS), np.uint8)
    return np.moveaxis(pixels.reshape(ROWS, image.width, 3), -1, 0)


def rasterio_window(path: Path, top: int, memory: str) -> Pixels:
    import rasterio
    from rasterio.windows import Window

    with rasterio.Env(GDAL_CACHEMAX=16), rasterio.open(path, sharing=False) as dataset:
        return dataset.read(window=Window(0, top, dataset.width, ROWS))


def pillow_window(path: Path, top: int, memory: str) -> Pixels:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as image:
        return np.moveaxis(np.asarray(image.crop((0, top, image.width, top + ROWS))), -1, 0)


def gigapix_unique(path: Path, limit: int, memory: str) -> bool:
    import gigapix

    with gigapix.open(path) as image:
        return any(band.more for band in image.unique(limit=limit, memory=memory))


def pyvips_unique(path: Path, limit: int, memory: str) -> bool:
    import pyvips

    image = pyvips.Image.new_from_file(str(path), access="sequential")
    return bool(np.count_nonzero(image.hist_find().numpy()) > limit)


def pillow_unique(path: Path, limit: int, memory: str) -> bool:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as image:
        return sum(count > 0 for count in image.histogram()) > limit


def galaxy_unique(path: Path, limit: int, memory: str) -> tuple[bool, float]:
    """As Galaxy's datatypes do it: `np.unique` of what was found and the next row. Also how much of it was done."""
    import png

    _, height, rows, _ = png.Reader(str(path)).asDirect()
    unique: list[int] = []
    began, done = time.perf_counter(), 0
    for done, row in enumerate(rows, 1):  # noqa: B007 - it is asked for after the loop
        unique = np.unique(unique + list(row)).tolist()
        if time.perf_counter() - began > PATIENCE:
            break
    return len(unique) > limit, done / height


WINDOW_PEERS: dict[str, Callable[[Path, int, str], Pixels]] = {
    "gigapix": gigapix_window,
    "pyvips": pyvips_window,
    "rasterio": rasterio_window,
    "Pillow": pillow_window,
}
UNIQUE_PEERS: dict[str, Callable[[Path, int, str], Any]] = {
    "gigapix": gigapix_unique,
    "pyvips": pyvips_unique,
    "Pillow": pillow_unique,
    "Galaxy's loop": galaxy_unique,
}


def child(order: dict[str, Any]) -> dict[str, Any]:
    """`tops`: the windows; without them, Galaxy's question. Imports are warm from a small file of the same kind."""
    two_cores()
    path, warm, peer, memory = Path(order["path"]), Path(order["warm"]), order["peer"], order["memory"]
    if order["tops"] is None:
        unique = UNIQUE_PEERS[peer]
        unique(warm, 2, memory)
        before = _rest()
        wall, cpu = time.perf_counter(), time.process_time()
        found = unique(path, 2, memory)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        more, done = found if isinstance(found, tuple) else (found, 1.0)
        return {"wall": wall / done, "cpu": cpu / done, "peak": resident("VmHWM") - before, "more": more, "done": done}
    read = WINDOW_PEERS[peer]
    read(warm, 0, memory)
    built, index = 0.0, None
    if peer == "gigapix":
        import gigapix

        began = time.perf_counter()
        with gigapix.open(path) as image:
            index = image.index(memory=memory)
        built = time.perf_counter() - began
    before = _rest()
    walls, cpus, shares, sums = [], [], [], []
    for top in order["tops"]:
        first, began, cpu = received()[0], time.perf_counter(), time.process_time()
        pixels = read(path, top, memory)
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - cpu)
        shares.append((received()[0] - first) / path.stat().st_size)
        sums.append(int(pixels.sum(dtype=np.uint64)))
    peak = resident("VmHWM") - before
    if index:
        index.unlink()  # the grid's figures for this file are without one
    return {"walls": walls, "cpus": cpus, "shares": shares, "sums": sums, "built": built, "peak": peak}


def _rest() -> int:
    """What is resident now; the high-water mark begins anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def main(options: argparse.Namespace) -> int:
    """0 where gigapix keeps its aims, and all found the same."""
    facts = environment()
    runs: list[dict[str, Any]] = []
    missed = [*_windows(options, facts, runs), *_galaxy(options, facts, runs)]
    print("All aims are met.\n" if not missed else "Not met:\n" + "\n".join(missed) + "\n")
    save("memory-window", facts, runs)
    return int(bool(missed))


def _windows(options: argparse.Namespace, facts: dict[str, Any], runs: list[dict[str, Any]]) -> list[str]:
    case = Case(codec="png", layout="rgb8", dtype="u8")
    path, warm = path_of(case, options.side), path_of(case, 1024)
    chance = random.Random(SEED)
    tops = [chance.randint(0, options.side - ROWS) for _ in range(4 if options.quick else WINDOWS)]
    rows, missed, sums = [], [], []
    for peer in _asked(WINDOW_PEERS, options):
        run = {"question": "window", **_run(peer, path, warm, options.memory, tops)}
        runs.append(run)
        if "error" in run:
            rows.append([peer, *["fails"] * 6])
            missed += [f"- window: {run['error']}"] if peer == "gigapix" else []
            continue
        median, most, share = statistics.median(run["walls"]) * 1e3, max(run["walls"]) * 1e3, max(run["shares"])
        sums.append(run["sums"])
        built = f"{run['built']:.2f}" if run["built"] else ""
        cpu = statistics.median(run["cpus"]) * 1e3
        rows.append(
            [peer, f"{median:.1f}", f"{most:.1f}", f"{cpu:.1f}", f"{share:.2%}", f"{run['peak'] / 2**20:.1f}", built]
        )
        if peer == "gigapix" and not options.quick and (median >= MILLISECONDS or share >= SHARE):
            missed.append(f"- window: {median:.1f} ms, {share:.2%} of the file")
    missed += [f"- window: not equal: {each} and {sums[0]}" for each in sums if each != sums[0]]
    what = f"{len(tops)} windows of {ROWS} rows of a {options.side} x {options.side} RGB PNG, opened for each"
    print(heading(f"memory: {what}", facts))
    print(
        markdown(["reader", "ms, median", "most", "CPU", "of the file, most", "peak MiB", "s to build the index"], rows)
    )
    return missed


def _galaxy(options: argparse.Namespace, facts: dict[str, Any], runs: list[dict[str, Any]]) -> list[str]:
    side = (2 if options.quick else 24) * PERIOD
    rows, missed = [], []
    for what, giant in GALAXY.items():
        path, warm = giant_path(giant, side), giant_path(giant, PERIOD)
        path.read_bytes()  # into the page cache
        walls = {}
        for peer in _asked(UNIQUE_PEERS, options):
            print(f"unique, {what}, {peer} ...", file=sys.stderr)
            run = {"question": what, **_run(peer, path, warm, options.memory, None)}
            runs.append(run)
            if "error" in run or run["more"] != (what == "many values"):
                rows.append([f"{what}: {peer}", *["fails"] * 3])
                missed += [f"- {what}: {run.get('error', 'wrong')}"] if peer == "gigapix" else []
                continue
            walls[peer] = run["wall"]
            about = "~" if run["done"] < 1 else ""
            figures = (f"{about}{run['wall']:.3f}", f"{about}{run['cpu']:.3f}", f"{run['peak'] / 2**20:.1f}")
            rows.append([f"{what}: {peer}", *figures])
        if walls and "gigapix" in walls and walls["gigapix"] > min(walls.values()):
            missed.append(f"- {what}: {walls['gigapix']:.3f} s, and another {min(walls.values()):.3f}")
    print(heading(f"memory: more than two values? A PNG of {side * side / 1e6:.0f} MB", facts))
    print(markdown(["image: reader", "s", "CPU", "peak MiB"], rows))
    return missed


def _asked(peers: dict[str, Any], options: argparse.Namespace) -> list[str]:
    return [peer for peer in peers if any(part in peer for part in options.peers.split(","))]


def _run(peer: str, path: Path, warm: Path, memory: str, tops: list[int] | None) -> dict[str, Any]:
    order = json.dumps({"peer": peer, "path": str(path), "warm": str(warm), "memory": memory, "tops": tops})
    done = subprocess.run([sys.executable, __file__, order], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{peer}: {last_words(done)}", file=sys.stderr)
        return {"peer": peer, "error": last_words(done)}
    return {"peer": peer, **json.loads(done.stdout)}


if __name__ == "__main__":
    say_and_leave(child(json.loads(sys.argv[1])))
