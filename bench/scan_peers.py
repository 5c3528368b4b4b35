"""One scan in a process of its own: `python scan_peers.py '{"peer": ..., "endpoint": ..., ...}'` prints a line of JSON.

Runs in the bench's environment or in tiff-dumper's, so that nothing is imported above that either lacks. Before the
clock starts everything is imported and a bucket of `warm` objects has been scanned; then stand, for all, the client's
making, the reading, and for those that have one the listing and the Parquet. The bare loops get their keys for nothing:
they are the floor under which nobody comes, and show what is the client's and the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import queue
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

Order = dict[str, Any]
"""peer, bucket, options (of the store), keys (a file), concurrency, length (bytes a bare loop asks for), executor (of
gigapix)."""


def _keys(order: Order) -> list[str]:
    return Path(order["keys"]).read_text().splitlines()


def bare_threads(order: Order, folder: Path) -> int:
    """`obstore.get_range` in threads."""
    from obstore.store import S3Store

    store, length = S3Store(order["bucket"], **order["options"]), order["length"]
    todo: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for key in _keys(order):
        todo.put(key)
    found: list[int] = []

    def work() -> None:
        count = 0
        while (key := todo.get()) is not None:
            count += len(store.get_range(key, start=0, length=length)) > 0
        found.append(count)

    threads = [threading.Thread(target=work) for _ in range(order["concurrency"])]
    for thread in threads:
        todo.put(None)
        thread.start()
    for thread in threads:
        thread.join()
    return sum(found)


def _loop(order: Order, read: Callable[[str], Awaitable[Any]]) -> int:
    """`read` of every key, so many at once."""

    async def main() -> int:
        keys = iter(_keys(order))

        async def work() -> int:
            count = 0
            for key in keys:  # shared: each takes the next
                await read(key)
                count += 1
            return count

        return sum(await asyncio.gather(*(work() for _ in range(order["concurrency"]))))

    return asyncio.run(main())


def bare_async(order: Order, folder: Path) -> int:
    """`obstore.get_range_async` in tasks."""
    from obstore.store import S3Store

    store, length = S3Store(order["bucket"], **order["options"]), order["length"]
    return _loop(order, lambda key: store.get_range_async(key, start=0, length=length))


def async_tiff(order: Order, folder: Path) -> int:
    """The newest async-tiff's `TIFF.open`: no listing, no table."""
    from async_tiff import TIFF
    from async_tiff.store import S3Store

    store = S3Store(order["bucket"], **order["options"])
    return _loop(order, lambda key: TIFF.open(key, store=store, prefetch=order["length"]))


def tiff_dumper(order: Order, folder: Path) -> int:
    """`dump_headers` as its command line runs it, with the buffers of its own configuration file."""
    from tiff_dumper.stores import Stores
    from tiff_dumper.tiff_dumper import dump_headers

    stores = Stores.init(f"s3://{order['bucket']}", **order["options"])
    asyncio.run(dump_headers(str(folder), stores, None, n_consumers=order["concurrency"], quiet=True))
    return 0  # counted below, when the clock has stopped


def gigapix(order: Order, folder: Path) -> int:
    """`gigapix.scan`."""
    import gigapix

    given = order["options"]
    concurrency = {"concurrency": order["concurrency"]} if order["concurrency"] else {}
    done = gigapix.scan(
        f"s3://{order['bucket']}", folder, endpoint=given["endpoint"], region=given["region"], anonymous=True,
        executor=order["executor"], **concurrency,
    )  # fmt: skip
    if done.errors:
        raise RuntimeError(f"{done.errors} rows of {done.objects} are errors")
    return done.objects


PEERS: Mapping[str, Callable[[Order, Path], int]] = MappingProxyType(
    {
        "gigapix": gigapix,
        "tiff-dumper": tiff_dumper,
        "async-tiff": async_tiff,
        "bare threads": bare_threads,
        "bare async": bare_async,
    }
)
SCANS = ("gigapix", "tiff-dumper")
"""These list and write; the others get keys and keep nothing, and say how many they have read."""

COMPARED = ("path", "image_width", "image_height", "tile_width", "tile_height", "samples_per_pixel")


def digest(folder: Path) -> tuple[int, str]:
    """Rows of a scan, and a sum over them that doesn't depend on their order."""
    import pyarrow.parquet

    rows, total = 0, 0
    for path in folder.glob("*.parquet"):
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(columns=list(COMPARED)):
            rows += batch.num_rows
            for row in zip(*(batch.column(name).to_pylist() for name in COMPARED), strict=True):
                total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=8).digest())
    return rows, f"{total % 2**64:016x}"


def _cpu() -> float:
    """Seconds of all threads, and of processes that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def high_water(pid: int | str = "self") -> int:
    """The most memory that a process has had, in bytes; 0 where it is gone. (getrusage's includes its parent's.)"""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def measure(order: Order) -> dict[str, Any]:
    """One scan. `peak` is the process's, imports and all."""
    peer = PEERS[order["peer"]]
    with tempfile.TemporaryDirectory() as folder:
        peer({**order, **order["warm"]}, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), _cpu()
        rows = peer(order, Path(folder))
        wall, cpu = time.perf_counter() - wall, _cpu() - cpu
        peak = high_water()
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        found = {"rows": rows, "wall": wall, "cpu": cpu, "peak": peak, "written": written}
        if order["peer"] in SCANS:
            found["rows"], found["digest"] = digest(Path(folder))
    return found


def main(arguments: Sequence[str]) -> None:
    """Ends without Python's ceremony: tokio's threads crash one ordinary exit in ten."""
    print(json.dumps(measure(json.loads(arguments[0]))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
