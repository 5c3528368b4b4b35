"""How long `import gigapix` and `gigapix --help` take, beside Python itself and numpy.

A command line that thinks before it answers is not used in loops, and an import is paid by every worker. The aims:
`--help` within 150 ms, the import within 100 ms more than numpy's. Every repetition runs every command once, in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report import environment, heading, markdown, save

COMMANDS: dict[str, list[str]] = {
    "python": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import gigapix": [sys.executable, "-c", "import gigapix"],
    "gigapix.open": [sys.executable, "-c", "import gigapix; gigapix.open"],  # what the import puts off
    "import rasterio": [sys.executable, "-c", "import rasterio"],
    "import tifffile": [sys.executable, "-c", "import tifffile"],
    "import async_geotiff": [sys.executable, "-c", "import async_geotiff"],
    "gigapix --help": [str(Path(sys.executable).with_name("gigapix")), "--help"],
    "gigapix info --help": [str(Path(sys.executable).with_name("gigapix")), "info", "--help"],
}


def once(command: Sequence[str]) -> dict[str, float]:
    """Wall and CPU seconds of one process, as the operating system counted them."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode and child.stderr:
        raise RuntimeError(f"{' '.join(command)}: {child.stderr.read().strip()[-300:]}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where the two aims are met by the minimum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three repetitions in place of twenty")
    options = parser.parse_args(arguments)
    repeat = 3 if options.quick else 20
    facts = environment()
    for command in COMMANDS.values():
        once(command)  # compiles what is not compiled yet, and fills the page cache
    runs: list[dict[str, Any]] = []
    for _ in range(repeat):
        runs += [{"what": what, **once(command)} for what, command in COMMANDS.items()]

    def column(what: str, key: str) -> list[float]:
        return [run[key] * 1e3 for run in runs if run["what"] == what]

    low = {what: min(column(what, "wall")) for what in COMMANDS}
    more = max(low["import gigapix"], low["gigapix.open"]) - low["import numpy"]
    rows = [
        [what, f"{low[what]:.0f}", f"{statistics.median(column(what, 'wall')):.0f}", f"{min(column(what, 'cpu')):.0f}"]
        for what in COMMANDS
    ]
    print(heading(f"start: milliseconds of {repeat}", facts))
    print(markdown(["command", "minimum", "median", "CPU"], rows))
    answer = low["gigapix --help"]
    print(
        f"gigapix, ready to open: {more:+.0f} ms to numpy (aim: under +100); --help: {answer:.0f} (aim: under 150).\n"
    )
    save("start", facts, runs)
    return int(more > 100 or answer > 150)


if __name__ == "__main__":
    raise SystemExit(main())
