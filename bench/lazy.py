"""What it costs to open a BigTIFF of a million tiles and read one of them: requests, bytes, memory, time.

A reader that fetches the tables whole reads 16 MB before the first pixel. The aim: under 100 kB in at most 4 ranges
(5 where the IFD is last), and under 2 MB of memory, wherever in the file the IFD is. The file is small on disk: its
offsets point at 64 real tiles.

gigapix counts its own requests; for every library what the kernel counts is shown too (`rchar` of /proc/self/io).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from child import resident, say_and_leave
from inputs import FOLDER
from peers import PEERS, THREADS, two_cores
from report import environment, heading, last_words, markdown, save

SIDE = 1000
TILE = 256
REAL = 64
LAYOUTS = ("first", "last")
RANGES = {"first": 4, "last": 5}
"""Header, offsets, byte counts, tile; the IFD is a range of its own where it is not with the header."""


def million(layout: str) -> Path:
    """A 256,000 x 256,000 uint8 BigTIFF, deflate, in 1000 x 1000 tiles, its only IFD `first` or `last` in the file."""
    path = FOLDER / f"million-{layout}.tif"
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(30)
    # Not so random that deflate gives up on it.
    tiles = [zlib.compress(chance.integers(0, 16, (TILE, TILE), np.uint8).tobytes(), 1) for _ in range(REAL)]
    count = SIDE * SIDE
    geokeys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632)
    entries = 15
    structure = 8 + entries * 20 + 8
    tables = 16 * count + 24 + 48 + 2 * len(geokeys)
    data = 64 << 10 if layout == "last" else 16 + structure + tables + 64
    ifd = 16 if layout == "first" else data + sum(map(len, tiles))
    after = ifd + structure
    scale_at, tiepoint_at = after, after + 24
    keys_at = tiepoint_at + 48
    offsets_at = keys_at + 2 * len(geokeys)
    counts_at = offsets_at + 8 * count
    where = data + np.cumsum([0, *map(len, tiles[:-1])], dtype="<u8")
    which = np.random.default_rng(31).integers(0, REAL, count)

    def short(tag: int, value: int) -> bytes:
        return struct.pack("<HHQHxxxxxx", tag, 3, 1, value)

    def far(tag: int, kind: int, number: int, offset: int) -> bytes:
        return struct.pack("<HHQQ", tag, kind, number, offset)

    def long(tag: int, value: int) -> bytes:
        return struct.pack("<HHQLxxxx", tag, 4, 1, value)

    body = b"".join((
        long(256, SIDE * TILE), long(257, SIDE * TILE), short(258, 8), short(259, 8), short(262, 1), short(277, 1),
        short(284, 1), short(317, 1), short(322, TILE), short(323, TILE), far(324, 16, count, offsets_at),
        far(325, 16, count, counts_at), far(33550, 12, 3, scale_at), far(33922, 12, 6, tiepoint_at),
        far(34735, 3, len(geokeys), keys_at),
    ))  # fmt: skip
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, ifd))
        file.seek(ifd)
        file.write(struct.pack("<Q", entries) + body + bytes(8))
        file.write(struct.pack("<3d6d", 10, 10, 0, 0, 0, 0, 500_000, 5_000_000, 0))
        file.write(struct.pack(f"<{len(geokeys)}H", *geokeys))
        file.write(where[which].astype("<u8").tobytes())
        file.write(np.array([len(tile) for tile in tiles], "<u8")[which].tobytes())
        file.seek(data)
        file.writelines(tiles)
    partial.rename(path)
    return path


def received() -> tuple[int, int]:
    """Bytes and calls of this process's reads so far, as the kernel counts them."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"]), int(fields["syscr"])


def child(order: dict[str, Any]) -> dict[str, Any]:
    """Open, read one tile, and say what that took. Imports and pools are warm from a small file."""
    two_cores()
    with PEERS[order["peer"]](Path(order["warm"])) as read:
        read((100, 100, TILE, TILE))
    x, y = order["tile"]
    box = (x * TILE, y * TILE, TILE, TILE)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    first, began = received(), time.perf_counter()
    with PEERS[order["peer"]](Path(order["path"])) as read:
        pixels = read(box)
        wall, last = time.perf_counter() - began, received()
        held = resident("VmHWM") - before
    # What asking costs is not what was asked for: /proc itself is read through a counted call.
    asking = received()
    overhead = received()[0] - asking[0]
    result = {"wall": wall, "bytes": last[0] - first[0] - overhead, "calls": last[1] - first[1], "memory": held}
    if order["peer"] == "gigapix":
        import gigapix

        with gigapix.open(order["path"]) as image:
            image.read(box)
            result["ranges"] = image.stats.requests
            result["bytes"] = image.stats.bytes
    return {**result, "sum": int(pixels.sum())}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where gigapix keeps to the aims in both layouts, and everybody read the same tile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition in place of five")
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ", ".join(PEERS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        say_and_leave(child(json.loads(options.child)))
    facts = environment()
    warm = FOLDER / "million-warm.tif"
    if not warm.exists():
        import tifffile

        # No GeoKeys are needed but by async-geotiff, which opens nothing without them.
        keys = (1, 1, 0, 1, 3072, 0, 1, 32632)
        extra = [
            (34735, 3, len(keys), keys, True),
            (33550, 12, 3, (1.0, 1.0, 0.0), True),
            (33922, 12, 6, (0.0,) * 6, True),
        ]
        pixels = np.random.default_rng(1).integers(0, 16, (1024, 1024), np.uint8)
        FOLDER.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(warm, pixels, tile=(TILE, TILE), compression="zlib", extratags=extra, metadata=None)
    runs: list[dict[str, Any]] = []
    chance = random.Random(5)
    for _ in range(1 if options.quick else 5):
        tile = chance.randrange(SIDE), chance.randrange(SIDE)
        for layout in LAYOUTS:
            for peer in options.peers.split(","):
                order = {"peer": peer, "path": str(million(layout)), "warm": str(warm), "tile": tile}
                command = [sys.executable, __file__, "--child", json.dumps(order)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                run = {"peer": peer, "layout": layout, "tile": tile}
                if done.returncode:
                    run["error"] = last_words(done)
                    print(f"{layout} {peer}: {run['error']}", file=sys.stderr)
                runs.append(run if done.returncode else {**run, **json.loads(done.stdout)})

    rows, missed = [], False
    for layout in LAYOUTS:
        for peer in options.peers.split(","):
            mine = [run for run in runs if (run["peer"], run["layout"]) == (peer, layout) and "wall" in run]
            if not mine:
                rows.append([f"{peer}, IFD {layout}", *["fails"] * 5])
                missed |= peer == "gigapix"
                continue
            worst = {key: max(run[key] for run in mine) for key in ("bytes", "calls", "memory")}
            ranges = "-"
            if peer == "gigapix":
                most = max(run["ranges"] for run in mine)
                missed |= worst["bytes"] > 100_000 or worst["memory"] > 2_000_000 or most > RANGES[layout]
                ranges = str(most)
            rows.append([
                f"{peer}, IFD {layout}", f"{worst['bytes']:,}", ranges, str(worst["calls"]),
                f"{worst['memory'] / 1e6:.2f}", f"{statistics.median(run['wall'] for run in mine) * 1e3:.1f}",
            ])  # fmt: skip
    print(heading(f"lazy: open a million tiles and read one ({THREADS} threads)", facts))
    print(markdown(["library", "bytes read", "ranges", "system calls", "memory, MB", "ms"], rows))
    sums = {run["layout"] + str(run["tile"]): set() for run in runs}
    for run in runs:
        sums[run["layout"] + str(run["tile"])].add(run.get("sum"))
    if disagree := [tile for tile, found in sums.items() if len(found - {None}) > 1]:
        print(f"NOT EQUAL: {', '.join(disagree)}\n")
    save("lazy", facts, runs)
    return int(missed or bool(disagree))


if __name__ == "__main__":
    raise SystemExit(main())
