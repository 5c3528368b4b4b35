"""Peaks of memory: `python -m tests.pyramids.weigh TARGET SIDE...` makes a pyramid of a lazy square of each side, within
a limit on the process's data of what the plan promises, and prints the kernel's high-water marks above what was there.
"""

import ctypes
import os
import resource
import sys
import threading
from pathlib import Path

import numpy as np

from gigapix.pyramids.plan import pyramid

OPTIONS = {"chunks": 128, "shards": 512, "levels": 3, "workers": 2, "reducers": ["mean", "max"]}
MEMORY = 64 << 20


class Lazy:
    """An image that is nowhere."""

    dtype = np.dtype("u2")

    def __init__(self, side):
        self.shape = (side, side)
        self.tile = np.random.default_rng(0).integers(0, 3000, (2048, 2048), dtype=self.dtype)

    def __getitem__(self, box):
        return self.tile[tuple(slice(part.start % 2048, (part.stop - 1) % 2048 + 1) for part in box)]


def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure(side, target):
    source = Lazy(side)
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    resource.setrlimit(resource.RLIMIT_DATA, (resident("VmData") + MEMORY,) * 2)
    Path("/proc/self/clear_refs").write_text("5")
    plan = pyramid(source, target, memory=MEMORY, **OPTIONS)
    plan.run()
    print(resident("VmHWM") - before, plan.memory_bytes, flush=True)


if __name__ == "__main__":
    threading.stack_size(512 << 10)  # a thread's stack is data to RLIMIT_DATA
    target, *sides = sys.argv[1:]
    pyramid(Lazy(1024), f"{target}-warm", memory=MEMORY, **OPTIONS).run()
    for side in sides:  # in forks, so that none finds what another has left
        if os.fork() == 0:
            measure(int(side), f"{target}-{side}")
            os._exit(0)
        sys.exit(1) if os.wait()[1] else None
