"""One level of an OME-Zarr pyramid: gigapix against zarr-python, tensorstore and zarrista.

    python bench/zarr_levels.py                   the table of record: seven repetitions
    python bench/zarr_levels.py --quick           one repetition: does it run?
    python bench/zarr_levels.py --only local-whole --peers gigapix,tensorstore

Level 0 has 8192 x 8192 pixels of uint16 (the scene of `inputs.py`), level 1 half of that a side, in chunks of
512 x 512, each alone or 64 of them in a shard, by zstd or by blosc (zstd with shuffled bytes). On disk everything is in
the page cache and level 0 is read; the server is nginx on loopback, which holds every answer back for 30 ms, and of it
level 1.

    whole     the whole level
    window    200 windows (of the server 16) of 512 x 512 pixels anywhere
    tiles     each chunk by itself (of the server 32 of them)

A repetition runs every peer once, each in a fresh process, in an order that rotates. What all need is warm: imports are
done, and a window of the same level has been read. What is timed is opening the level and reading.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inputs import FOLDER, TILE
from peers import two_cores
from report import environment, heading, last_words, markdown, save
from zarr_peers import PEERS, Box

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.remote.servers import MissingError, Nginx, nginx

SIZE = 8192
SHARD = 8 * TILE
CODECS = ("zstd", "blosc")
LAYOUTS = ("chunks", "shards")
JOBS = ("whole", "window", "tiles")
Run = dict[str, Any]


def path_of(codec: str, layout: str) -> Path:
    """The group, made if it is not there."""
    path = FOLDER / f"{codec}-{layout}-{SIZE}.ome.zarr"
    if not path.exists():
        _write(codec, layout, path)
    return path


def _write(codec: str, layout: str, path: Path) -> None:
    import rasterio
    import zarr
    from inputs import _source
    from zarr.codecs import BloscCodec, ZstdCodec

    with rasterio.open(_source("u16", SIZE)) as source:
        pixels = source.read(1)
    compressor = ZstdCodec(level=3) if codec == "zstd" else BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    partial = path.with_suffix(".partial")
    group = zarr.open_group(partial, mode="w", zarr_format=3)
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    scales = [{"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [2.0**n] * 2}]} for n in (0, 1)]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "u16", "axes": axes, "datasets": scales}]}
    for n in (0, 1):
        level = pixels[:: 2**n, :: 2**n]
        array = group.create_array(
            str(n),
            shape=level.shape,
            dtype=level.dtype,
            chunks=(TILE, TILE),
            shards=(SHARD, SHARD) if layout == "shards" else None,
            compressors=compressor,
            dimension_names=["y", "x"],
        )
        array[...] = level
    partial.rename(path)


def boxes_of(place: str, job: str) -> list[Box | None]:
    """What a job reads."""
    chance = random.Random(7)
    side = SIZE if place == "local" else SIZE // 2
    if job == "whole":
        return [None]
    if job == "window":
        count = 200 if place == "local" else 16
        return [(chance.randint(0, side - TILE), chance.randint(0, side - TILE), TILE, TILE) for _ in range(count)]
    tiles: list[Box | None] = [(x, y, TILE, TILE) for y in range(0, side, TILE) for x in range(0, side, TILE)]
    return tiles if place == "local" else tiles[: len(tiles) // 2]


def resident(field: str) -> int:
    """`VmRSS` or `VmHWM` of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def child(order: dict[str, Any]) -> Run:
    """One measured run."""
    two_cores()
    opened = PEERS[order["peer"]]
    boxes = boxes_of(order["place"], order["job"])
    level = 0 if order["place"] == "local" else 1
    with opened(order["warm"], level) as read:
        for _ in read([(100, 100, TILE, TILE)] * 4):
            pass
    gc.collect()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    total, largest = 0, 0
    wall, cpu = time.perf_counter(), time.process_time()
    with opened(order["path"], level) as read:
        for pixels in read(boxes):
            largest = max(largest, pixels.nbytes)
            total += int(pixels.ravel()[:: max(pixels.size // 64, 1)].sum(dtype="u8"))  # that all have read the same
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": resident("VmHWM") - before, "sum": total, "nbytes": largest}


def runs_of(row: tuple[str, str, str, str], peers: Sequence[str], repeat: int, server: Nginx | None) -> list[Run]:
    """All repetitions of one row."""
    place, job, codec, layout = row
    path = path_of(codec, layout)
    runs = []
    for repetition in range(repeat):
        turn = repetition % len(peers)
        for peer in (*peers[turn:], *peers[:turn]):
            where = warm = str(path)
            if place != "local":
                assert server is not None
                where, warm = f"{server.slow}/{path.name}", f"{server.plain}/{path.name}"
                server.lines()
            order = {"peer": peer, "place": place, "job": job, "path": where, "warm": warm}
            command = [sys.executable, __file__, "--child", json.dumps(order)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            run: Run = {"peer": peer, "row": "-".join(row)}
            if server is not None and place != "local":
                lines = [line for line in server.lines() if server.slow.endswith(f":{line.port}")]
                run |= {"requests": len(lines), "bytes": sum(line.sent for line in lines)}
            if done.returncode:
                run["error"] = last_words(done)
                print(f"{run['row']} {peer}: {run['error']}", file=sys.stderr)
            runs.append(run if done.returncode else {**run, **json.loads(done.stdout)})
    return runs


def table(runs: Sequence[Run], rows: Sequence[str], peers: Sequence[str]) -> tuple[str, bool]:
    """Milliseconds (minimum / median / CPU), peak memory in MB and requests of each peer; gigapix over tensorstore and
    over the fastest of all others; whether it missed its aim, to be no slower than tensorstore."""
    lines, missed = [], False
    for row in rows:
        found: dict[str, dict[str, float]] = {}
        for peer in peers:
            mine = [run for run in runs if (run["row"], run["peer"]) == (row, peer) and "wall" in run]
            if mine:
                found[peer] = {
                    "min": min(run["wall"] for run in mine),
                    "median": statistics.median(run["wall"] for run in mine),
                    "cpu": min(run["cpu"] for run in mine),
                    "peak": max(run["peak"] for run in mine),
                    "requests": statistics.median(run.get("requests", 0) for run in mine),
                }
        cells = [row]
        for peer in peers:
            f = found.get(peer)
            times = "fails" if f is None else " / ".join(f"{f[key] * 1e3:.0f}" for key in ("min", "median", "cpu"))
            more = (
                "" if f is None else f", {f['peak'] / 1e6:.0f} MB" + f", {f['requests']:.0f} rq" * (f["requests"] > 0)
            )
            cells.append(times + more)
        ours = found.get("gigapix")
        for rivals in ({"tensorstore"}, set(peers) - {"gigapix"}):
            others = [found[peer] for peer in rivals if peer in found]
            cells.append(
                " / ".join(f"{ours[key] / min(each[key] for each in others):.2f}" for key in ("min", "median", "cpu"))
                if ours and others
                else "-"
            )
        missed |= ours is None or ("tensorstore" in found and ours["median"] > found["tensorstore"]["median"])
        lines.append(cells)
    return markdown(["place-job-codec-layout", *peers, "over tensorstore", "over the best"], lines), missed


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where gigapix is no slower than tensorstore on every row, and all read the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition")
    parser.add_argument("--only", default="", help="rows whose name contains one of these, separated by commas")
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ", ".join(PEERS))
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(child(json.loads(options.child))), flush=True)
        os._exit(0)  # zarrista's threads crash one ordinary exit in ten
    peers = options.peers.split(",")
    every = [(p, j, c, y) for p in ("local", "remote") for j in JOBS for c in CODECS for y in LAYOUTS]
    rows = [row for row in every if any(word in "-".join(row) for word in options.only.split(","))]
    facts, runs = environment(), []
    with contextlib.ExitStack() as stack:
        server = None
        if any(row[0] == "remote" for row in rows):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                server = stack.enter_context(nginx(folder))
            except MissingError as reason:
                sys.exit(f"zarr_levels: {reason}")
            if not server.slow:
                sys.exit("zarr_levels: needs nginx's echo module (Debian, Ubuntu: libnginx-mod-http-echo)")
            for codec in CODECS:
                for layout in LAYOUTS:
                    path = path_of(codec, layout)
                    (server.root / path.name).symlink_to(path.resolve())
        for row in rows:
            print("-".join(row), "...", file=sys.stderr)
            for file in path_of(row[2], row[3]).rglob("*"):
                if file.is_file():
                    file.read_bytes()  # into the page cache
            runs += runs_of(row, peers, 1 if options.quick else options.repeat, server)
    names = ["-".join(row) for row in rows]
    text, missed = table(runs, names, peers)
    print(
        heading("zarr_levels: one level of an OME-Zarr; ms (minimum / median / CPU), peak beside what was there", facts)
    )
    print(text)
    unequal = [name for name in names if len({run["sum"] for run in runs if run["row"] == name and "sum" in run}) > 1]
    if unequal:
        print(f"NOT EQUAL: {', '.join(unequal)}\n")
    save("zarr_levels", facts, runs)
    return int(missed or bool(unequal))


if __name__ == "__main__":
    raise SystemExit(main())
