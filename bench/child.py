"""One measured run, in a process of its own: `python child.py '{"peer": ..., "path": ..., ...}'` prints a line of
JSON.

A fresh process has no block cache, no warm allocator and no peer's memory to hide in. Before the clock starts
everything is imported, thread pools are up (a small file of the same kind has been read), and the file is in the page
cache: what is timed is decoding and copying. Pixels are compared after the clock has stopped.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from peers import PEERS, Box, Pixels, two_cores

WINDOW = 512
SEED = 20
CHECKED = 10
"""Of the windows, so many are read again and compared."""


def say_and_leave(result: dict[str, Any]) -> NoReturn:
    """Print the figures and end the process at once: async-geotiff's threads crash one ordinary exit in ten."""
    print(json.dumps(result), flush=True)
    os._exit(0)


def boxes(count: int, width: int, height: int) -> list[Box]:
    """`count` windows anywhere in the image, the same ones for everybody."""
    chance = random.Random(SEED)
    return [
        (chance.randint(0, width - WINDOW), chance.randint(0, height - WINDOW), WINDOW, WINDOW) for _ in range(count)
    ]


def resident(field: str) -> int:
    """`VmRSS` or `VmHWM` (its high-water mark) of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Run one order: `peer`, `path`, `warm` (the small file), `windows` (0 for the whole image), `size`, `check`."""
    open_reader = PEERS[order["peer"]]
    path = Path(order["path"])
    todo: list[Box | None] = [*boxes(order["windows"], order["size"], order["size"])] if order["windows"] else [None]

    with open_reader(Path(order["warm"])) as read:
        read(None)
        read((100, 100, WINDOW, WINDOW))
    gc.collect()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM to VmRSS

    if order["windows"]:
        with open_reader(path) as read:
            wall, cpu = time.perf_counter(), time.process_time()
            for box in todo:
                pixels = read(box)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            peak = resident("VmHWM") - before
            wrong = max(difference(path, read(box), box) for box in todo[:CHECKED]) if order["check"] else None
    else:
        wall, cpu = time.perf_counter(), time.process_time()
        with open_reader(path) as read:
            pixels = read(None)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resident("VmHWM") - before
        wrong = difference(path, pixels, None) if order["check"] else None
    return {
        "wall": wall / len(todo),
        "cpu": cpu / len(todo),
        "peak": peak,
        "nbytes": pixels.nbytes,
        "difference": wrong,
    }


def difference(path: Path, pixels: Pixels, box: Box | None) -> float:
    """The largest difference between a sample of `pixels` and GDAL's."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path, sharing=False) as dataset:
        truth = dataset.read(window=Window(*box) if box else None)
    ours = pixels.reshape(truth.shape[1:])[None] if pixels.size == truth[0].size else pixels
    if ours.shape != truth.shape:
        ours = np.moveaxis(ours, -1, 0)
    if ours.shape != truth.shape or ours.dtype != truth.dtype:
        raise ValueError(f"{ours.shape} {ours.dtype} is not {truth.shape} {truth.dtype}")
    # By blocks of rows: a difference of whole images as floats would be several times their size.
    rows = range(0, truth.shape[1], WINDOW)
    return max(
        float(np.abs(np.subtract(ours[:, r : r + WINDOW], truth[:, r : r + WINDOW], dtype=np.float64)).max())
        for r in rows
    )


if __name__ == "__main__":
    two_cores()
    say_and_leave(measure(json.loads(sys.argv[1])))
