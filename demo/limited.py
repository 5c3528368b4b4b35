"""Exact statistics in a process that the kernel allows no more than 16 MiB: `python demo/limited.py PATH SMALL`.

Everything is imported, and the small image asked, before the limit is set: it is for the work alone. What may be held
is then RLIMIT_DATA's business: an allocation beyond it fails, in whatever library.
"""

from __future__ import annotations

import ctypes
import resource
import sys
import threading
import time
from pathlib import Path

import gigapix

LIMIT = 16 << 20
MEMORY = "12MB"
"""What gigapix is told, so that Python has some of it, too."""


def status(name: str) -> int:
    """Bytes of a line of /proc/self/status."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) << 10


def main() -> None:
    """Print what was found, and what it took."""
    path, small = sys.argv[1:]
    threading.stack_size(512 << 10)  # of each thread; 8 MiB by default, which count as data
    with gigapix.open(small) as image:
        image.summary(percentiles=[2, 98])
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # what is free by now would not count
        allowed = status("VmData") + LIMIT
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
        Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
        before = status("VmHWM")
    began = time.perf_counter()
    with gigapix.open(path) as image:
        print(image.plan(memory=MEMORY))
        found = image.summary(percentiles=[2, 98], memory=MEMORY)
        decoded = image.plan().nbytes
    seconds = time.perf_counter() - began
    for place, band in enumerate(found.bands):
        print(f"band {place}: {band.statistics}, percentiles {band.percentiles}")
    print(f"{decoded >> 20} MiB of pixels in {seconds:.2f} s", end="")
    print(f", {(status('VmHWM') - before) / 2**20:.1f} MiB at the peak" if sys.platform == "linux" else "")


if __name__ == "__main__":
    main()
