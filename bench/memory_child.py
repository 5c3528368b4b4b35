"""One measured survey, in a process of its own: `python memory_child.py '{"peer": ..., "path": ..., ...}'`.

Prints a line of JSON. Before the clock starts everything is imported, and a small file of the same kind has been
surveyed: what is timed and weighed is the work on this file. `peak` is the kernel's high-water mark (VmHWM, mapped
file pages included) over what was resident before; `anon` is what the parent saw of the part that can't be dropped.
With `limit` the process may have no more data (RLIMIT_DATA) than that many bytes beside what it has after warming up.
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from child import resident, say_and_leave
from memory_peers import PEERS
from peers import two_cores

SMALL = "1MB"
"""The memory for a second warming up: it takes the roads that big files take."""


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Run one order: `peer`, `path`, `warm` (the small file), `dtype`, `memory`, `limit` (bytes, or 0)."""
    survey = PEERS[order["peer"]]
    warm, dtype = Path(order["warm"]), order["dtype"]
    survey(warm, dtype, order["memory"])
    if order["peer"] == "gigapix":
        from gigapix import GigapixError

        with suppress(GigapixError):
            survey(warm, dtype, SMALL)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what warming up has freed must not be a reserve that nobody counts
    if order.get("limit"):
        allowed = resident("VmData") + order["limit"]
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    before, anon = resident("VmRSS"), resident("RssAnon") + resident("RssShmem")
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM to VmRSS
    wall, cpu = time.perf_counter(), time.process_time()
    found = survey(Path(order["path"]), dtype, order["memory"])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resident("VmHWM") - before
    return {"wall": wall, "cpu": cpu, "peak": peak, "anon_before": anon, "imports": before, "survey": asdict(found)}


if __name__ == "__main__":
    two_cores()
    threading.stack_size(512 << 10)  # a thread's stack is data to RLIMIT_DATA, 8 MiB by default
    say_and_leave(measure(json.loads(sys.argv[1])))
