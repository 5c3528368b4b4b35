"""The hard gate: each layout in a fresh process that may have 16 MiB more data than its imports, at any size.

RLIMIT_DATA decides: the kernel refuses memory beyond it, no sampling and no luck. Each file is read at one size and at
sixteen times as many pixels; what the peak (VmHWM) grows by, over the pixels that were added, must be less than 0.001
byte. At the end come the giants: a PNG of a gigapixel and a one-strip LZW TIFF of four. A JPEG in one strip that can't
be entered must be refused before it is read, naming the bytes that it needs. Before a file is used as a fixture another
library has decoded it at the small size and found what was meant to be in it.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import asdict
from typing import Any

from memory_giants import PERIOD, Giant, giant_path, giant_truth
from memory_run import measured
from report import environment, heading, markdown, save

LIMIT = 16 << 20
SLOPE = 0.001
ROWS = (
    Giant(codec="png", layout="rgb8", bands=3),
    Giant(codec="png", layout="gray16", dtype="u16"),
    Giant(codec="png", layout="palette"),
    Giant(codec="png", layout="adam7", bands=3),
    *(Giant(codec=codec, layout="one-strip") for codec in ("none", "deflate", "lzw", "zstd", "lzma", "packbits")),
    Giant(codec="jpeg", layout="one-strip", bands=3),
    Giant(codec="lzw", layout="one-strip", dtype="u16"),
    Giant(codec="deflate", layout="one-strip", dtype="f32"),
    Giant(codec="deflate", layout="planar", bands=3),
    Giant(codec="deflate", layout="strips", bands=3),
    Giant(codec="deflate", layout="tiles", bands=3),
    Giant(codec="none", layout="tiles", bands=3),
)
GIANTS = (
    (Giant(codec="png", layout="gray8"), 32 * PERIOD),
    (Giant(codec="lzw", layout="one-strip"), 64 * PERIOD),
)
REFUSED = Giant(codec="jpeg", layout="no-restarts", bands=3)


def gated(giant: Giant, side: int, options: argparse.Namespace) -> dict[str, Any]:
    """gigapix on one file under the limit: the smallest peak of the repetitions, each of which must be right."""
    path, truth = giant_path(giant, side), giant_truth(giant, side)
    order = {"peer": "gigapix", "path": str(path), "warm": str(giant_path(giant, PERIOD)), "dtype": giant.dtype}
    runs = []
    for _ in range(options.repeat):
        run = measured({**order, "memory": options.memory, "limit": LIMIT})
        if "error" in run:
            return run
        if not run["survey"].agrees(truth, lossy=giant.codec == "jpeg"):
            return {**run, "survey": asdict(run["survey"]), "error": "WRONG pixels"}
        runs.append({**run, "survey": asdict(run["survey"])})
    return min(runs, key=lambda run: run["peak"])


def proven(giant: Giant, side: int) -> bool:
    """Whether another library finds in the file what was meant to be in it."""
    peer = "Pillow" if giant.codec == "png" else "imread"
    path, warm = str(giant_path(giant, side)), str(giant_path(giant, PERIOD))
    run = measured({"peer": peer, "path": path, "warm": warm, "dtype": giant.dtype, "memory": ""})
    return "error" not in run and run["survey"].agrees(giant_truth(giant, side), lossy=giant.codec == "jpeg")


def main(options: argparse.Namespace) -> int:
    """0 where every row passes."""
    small = (2 if options.quick else 4) * PERIOD
    chosen = [giant for giant in ROWS if any(part in giant.name for part in options.only.split(","))]
    facts = environment()
    runs: list[dict[str, Any]] = []
    rows, failures = [], []

    def gate(giant: Giant, side: int) -> dict[str, Any]:
        print(f"{giant.name}, {side} x {side} ...", file=sys.stderr)
        run = {"row": giant.name, "side": side, **gated(giant, side, options)}
        runs.append(run)
        if "error" in run:
            failures.append(f"- {giant.name}, {side} x {side}: {run['error']}")
        return run

    for giant in chosen:
        if not proven(giant, small):
            failures.append(f"- {giant.name}: the fixture itself is wrong")
        few, many = gate(giant, small), gate(giant, 4 * small)
        growth = "-"
        if "error" not in few and "error" not in many:
            slope = (many["peak"] - few["peak"]) / (15 * small * small)
            growth = f"{slope:.5f}"
            if slope >= SLOPE and not options.quick:  # what fits in the memory needs less
                failures.append(f"- {giant.name}: grows by {slope:.5f} byte a pixel")
        rows.append([giant.name, _cell(few), _cell(many), growth])
    for giant, side in GIANTS:
        if any(part in giant.name for part in options.only.split(",")) and not options.quick:
            rows.append([f"{giant.name}, {side} x {side}", "", _cell(gate(giant, side)), ""])
    if any(part in REFUSED.name for part in options.only.split(",")):
        run = {"row": REFUSED.name, "side": 4 * PERIOD, **gated(REFUSED, 4 * PERIOD, options)}
        runs.append(run)
        refused = "MemoryBudgetError" in run.get("error", "") and re.search(r"\d{3}", run["error"])
        rows.append([REFUSED.name, "refused" if refused else "NOT REFUSED", "", ""])
        if not refused:
            failures.append(f"- {REFUSED.name}: {run.get('error', 'was read')}")
    title = f"memory: the gate, 16 MiB above imports, gigapix with {options.memory}, best of {options.repeat}"
    print(heading(title, facts))
    columns = ["row", f"{small} x {small}: s, peak MiB", f"{4 * small} x {4 * small}: s, peak MiB", "byte a pixel more"]
    print(markdown(columns, rows))
    print("Every row passes.\n" if not failures else "Not passed:\n" + "\n".join(failures) + "\n")
    save("memory-gate", facts, runs)
    return int(bool(failures))


def _cell(run: dict[str, Any]) -> str:
    return "FAILS" if "error" in run else f"{run['wall']:.2f}, {run['peak'] / 2**20:.2f}"
