"""Images on a web server with 30 ms of latency: gigapix against async-geotiff and rasterio.

    python bench/remote.py                        the table of record: nine repetitions
    python bench/remote.py --quick                one repetition: does it run?
    python bench/remote.py --only window --peers gigapix,rasterio

The server is nginx on loopback, which holds every answer back for 30 ms (echo_sleep) and writes down each request: the
requests and bytes below are its own count. A repetition runs every peer once, each in a fresh process, in an order that
rotates. What all need and none is measured for is warm: imports are done, and another small image has been read from
another server. The clock then starts before the peer makes its client.

    open      one COG of 8192 x 8192 pixels, its shape and type
    tile      the same, and one tile of 512 x 512 pixels
    window    the same, and 2048 x 2048 pixels
    tiles     four tiles each of 50 COGs of 2048 x 2048 pixels, as many at once as the peer can

rasterio is set as GDAL's documentation advises for COGs on servers ("Cloud Optimized GeoTIFF driver", "/vsicurl/").
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from inputs import CASES, TILE, path_of
from peers import two_cores
from report import environment, heading, last_words, markdown, save

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.remote.servers import MissingError, Nginx, nginx

CASE = next(case for case in CASES if case.name == "deflate-u16")
LARGE, SMALL, WARM = 8192, 2048, 1024
IMAGES, TILES = 50, 200
WINDOW = (1900, 2300, 2048, 2048)
JOBS = ("open", "tile", "window", "tiles")
THREADS = 32

GDAL_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
        "CPL_VSIL_CURL_CACHE_SIZE": "200000000",
        "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_HTTP_MULTIPLEX": "YES",
        "GDAL_HTTP_VERSION": "2",
        "VSI_CACHE": "TRUE",
        "VSI_CACHE_SIZE": "5000000",
        "GDAL_NUM_THREADS": "2",
    }
)

Box = tuple[int, int, int, int]
Wanted = Sequence[tuple[str, Sequence[Box]]]
"""Names of images, and the windows to read of each."""


def wanted(job: str) -> Wanted:
    """What a job reads: nothing of the pixels, a tile, a window, or many tiles."""
    chance = random.Random(40)

    def tile(size: int) -> Box:
        return chance.randrange(size // TILE) * TILE, chance.randrange(size // TILE) * TILE, TILE, TILE

    if job == "tiles":
        return [(f"{n}.tif", [tile(SMALL) for _ in range(TILES // IMAGES)]) for n in range(IMAGES)]
    return [("large.tif", {"open": [], "tile": [tile(LARGE)], "window": [WINDOW]}[job])]


async def gigapix_tasks(origin: str, job: Wanted) -> int:
    """`open_async`, `read_async`."""
    import gigapix

    async def one(name: str, boxes: Sequence[Box]) -> int:
        async with gigapix.open_async(f"{origin}/{name}") as image:
            assert image.shape
            return summed(await asyncio.gather(*(image.read_async(box) for box in boxes)))

    return sum(await asyncio.gather(*(one(*each) for each in job)))


async def gigapix_threads(origin: str, job: Wanted) -> int:
    """`open`, `read`, an image a thread."""
    import gigapix

    def one(name: str, boxes: Sequence[Box]) -> int:
        with gigapix.open(f"{origin}/{name}") as image:
            assert image.shape
            return summed([image.read(box) for box in boxes])

    return in_threads(one, job)


async def async_geotiff(origin: str, job: Wanted) -> int:
    """One obstore for the server; tiles by `fetch_tile`."""
    from async_geotiff import GeoTIFF, Window
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(origin, client_options={"allow_http": True})

    async def read(image: Any, box: Box) -> Any:
        x, y, width, height = box
        if (width, height) == (TILE, TILE):
            return (await image.fetch_tile(x // TILE, y // TILE)).array.data
        return (await image.read(window=Window(col_off=x, row_off=y, width=width, height=height))).data

    async def one(name: str, boxes: Sequence[Box]) -> int:
        image = await GeoTIFF.open(name, store=store)
        assert image.shape
        return summed(await asyncio.gather(*(read(image, box) for box in boxes)))

    return sum(await asyncio.gather(*(one(*each) for each in job)))


async def rasterio_threads(origin: str, job: Wanted) -> int:
    """GDAL's /vsicurl/, an image a thread."""
    import rasterio
    from rasterio.windows import Window

    def one(name: str, boxes: Sequence[Box]) -> int:
        with rasterio.open(f"{origin}/{name}") as image:
            assert image.shape
            return summed([image.read(window=Window(*box)) for box in boxes])

    return in_threads(one, job)


def in_threads(one: Callable[[str, Sequence[Box]], int], job: Wanted) -> int:
    """`one` for each image, without a thread where there is one image."""
    if len(job) == 1:
        return one(*job[0])
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda each: one(*each), job))


def summed(parts: Sequence[Any]) -> int:
    """Of the pixels: peers that read the same have the same."""
    return sum(int(np.asarray(part).sum(dtype="u8")) for part in parts)


PEERS: Mapping[str, Callable[[str, Wanted], Any]] = MappingProxyType(
    {
        "gigapix": gigapix_tasks,
        "gigapix blocking": gigapix_threads,
        "async-geotiff": async_geotiff,
        "rasterio": rasterio_threads,
    }
)


def child(order: dict[str, Any]) -> dict[str, Any]:
    """One measured run."""
    two_cores()
    os.environ.update(GDAL_ADVICE)
    read, job = PEERS[order["peer"]], wanted(order["job"])

    async def main() -> dict[str, Any]:
        await read(order["warm"], [("warm.tif", [(0, 0, TILE, TILE), (100, 100, 600, 600)])])
        wall, cpu = time.perf_counter(), time.process_time()
        total = await read(order["origin"], job)
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "sum": total}

    return asyncio.run(main())


def runs_of(job: str, peers: Sequence[str], repeat: int, server: Nginx) -> list[dict[str, Any]]:
    """All repetitions of one row."""
    runs = []
    for repetition in range(repeat):
        turn = repetition % len(peers)
        for peer in (*peers[turn:], *peers[:turn]):
            order = {"peer": peer, "job": job, "origin": server.slow, "warm": server.plain}
            server.lines()
            command = [sys.executable, __file__, "--child", json.dumps(order)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            lines = [line for line in server.lines() if server.slow.endswith(f":{line.port}")]
            run = {"peer": peer, "job": job, "requests": len(lines), "bytes": sum(line.sent for line in lines)}
            if done.returncode:
                run["error"] = last_words(done)
                print(f"{job} {peer}: {run['error']}", file=sys.stderr)
            runs.append(run if done.returncode else {**run, **json.loads(done.stdout)})
    return runs


def table(runs: Sequence[dict[str, Any]], jobs: Sequence[str], peers: Sequence[str]) -> tuple[str, bool]:
    """Requests, kB, seconds (minimum / median) of each peer; whether gigapix missed the aim on a row."""
    rows, missed = [], False
    for job in jobs:
        found = {}
        for peer in peers:
            mine = [run for run in runs if (run["job"], run["peer"]) == (job, peer) and "wall" in run]
            if not mine:
                missed |= peer == "gigapix"
                continue
            walls = [run["wall"] for run in mine]
            found[peer] = {
                "requests": statistics.median(run["requests"] for run in mine),
                "bytes": statistics.median(run["bytes"] for run in mine),
                "min": min(walls),
                "median": statistics.median(walls),
                "cpu": min(run["cpu"] for run in mine),
            }
        rivals = [found[peer] for peer in peers if peer in found and not peer.startswith("gigapix")]
        for peer in peers:
            if peer not in found:
                rows.append([f"{job}: {peer}", *["fails"] * 7])
                continue
            f = found[peer]
            ratios = ["-", "-"]
            if peer.startswith("gigapix") and rivals:
                ratios = [f"{f[key] / min(rival[key] for rival in rivals):.2f}" for key in ("min", "median")]
            rows.append([
                f"{job}: {peer}", f"{f['requests']:.0f}", f"{f['bytes'] / 1e3:,.0f}", f"{f['min'] * 1e3:.0f}",
                f"{f['median'] * 1e3:.0f}", f"{f['cpu'] * 1e3:.0f}", *ratios,
            ])  # fmt: skip
        if "gigapix" in found:
            ours = found["gigapix"]
            missed |= any(ours[key] > rival[key] for rival in rivals for key in ("requests", "bytes", "median"))
    columns = ["job", "requests", "kB", "ms, minimum", "median", "CPU", "ratio min", "ratio median"]
    return markdown(columns, rows), missed


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where gigapix needs no more requests, bytes and time than anyone on every row, and all read the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition")
    parser.add_argument("--only", default="", help="jobs whose name is one of " + ", ".join(JOBS))
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ", ".join(PEERS))
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(child(json.loads(options.child))))
        return 0
    peers = options.peers.split(",")
    jobs = [job for job in JOBS if not options.only or job in options.only.split(",")]
    facts = environment()
    runs: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            server = stack.enter_context(nginx(folder))
        except MissingError as reason:
            sys.exit(f"remote: {reason}")
        if not server.slow:
            sys.exit("remote: needs nginx's echo module (Debian, Ubuntu: apt-get install libnginx-mod-http-echo)")
        for name, size in (("large", LARGE), ("warm", WARM), *((str(n), SMALL) for n in range(IMAGES))):
            (server.root / f"{name}.tif").symlink_to(path_of(CASE, size).resolve())
        for job in jobs:
            print(f"{job} ...", file=sys.stderr)
            runs += runs_of(job, peers, 1 if options.quick else options.repeat, server)
    text, missed = table(runs, jobs, peers)
    print(heading("remote: a server with 30 ms of latency", facts))
    print(text)
    unequal = [job for job in jobs if len({run["sum"] for run in runs if run["job"] == job and "sum" in run}) > 1]
    if unequal:
        print(f"NOT EQUAL: {', '.join(unequal)}\n")
    save("remote", facts, runs)
    return int(missed or bool(unequal))


if __name__ == "__main__":
    raise SystemExit(main())
