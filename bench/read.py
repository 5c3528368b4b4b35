"""Whole images and 512-pixel windows of COGs, gigapix against rasterio, tifffile and async-geotiff.

    python bench/read.py                          the table of record: 8192 x 8192 pixels, five repetitions
    python bench/read.py --quick                  2048 x 2048, one repetition: does it run?
    python bench/read.py --only lzw --peers gigapix,rasterio --mode window

A repetition runs every peer once, each in a fresh process (see child.py), in an order that rotates: what the machine
does meanwhile hits them alike. Of the repetitions the minimum says what the code costs and the median what a user
sees.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inputs import CASES, Case, path_of
from peers import PEERS
from report import environment, heading, last_words, markdown, save

CHILD = Path(__file__).with_name("child.py")
WARM = 1024
Run = dict[str, Any]


def measured(peer: str, case: Case, mode: str, size: int, windows: int, check: bool) -> Run:
    """One child's figures, or its last words under `error`."""
    order = {
        "peer": peer,
        "path": str(path_of(case, size)),
        "warm": str(path_of(case, WARM)),
        "size": size,
        "windows": windows if mode == "window" else 0,
        "check": check,
    }
    run: Run = {"peer": peer, "case": case.name, "mode": mode}
    child = subprocess.run([sys.executable, str(CHILD), json.dumps(order)], capture_output=True, text=True, check=False)
    if child.returncode:
        words = last_words(child)
        print(f"{case.name} {mode} {peer}: {words}", file=sys.stderr)
        return {**run, "error": words}
    return {**run, **json.loads(child.stdout)}


def series(case: Case, mode: str, peers: Sequence[str], options: argparse.Namespace) -> list[Run]:
    """All repetitions of one row."""
    path_of(case, options.size).read_bytes()  # into the page cache
    runs: list[Run] = []
    for repetition in range(options.repeat):
        order = (*peers[repetition % len(peers) :], *peers[: repetition % len(peers)])
        runs += [measured(peer, case, mode, options.size, options.windows, check=repetition == 0) for peer in order]
    return runs


def compressed_ratio(case: Case, size: int) -> float:
    """Bytes of the pixels of level 0 for one byte of the file that holds them."""
    import tifffile

    with tifffile.TiffFile(path_of(case, size)) as tif:
        page = tif.pages.first
        return page.nbytes / sum(page.databytecounts)


def figures(runs: Sequence[Run], case: str, mode: str, peer: str) -> dict[str, float] | None:
    """Minimum and median of a peer's runs in one row; None where it failed."""
    mine = [run for run in runs if (run["case"], run["mode"], run["peer"]) == (case, mode, peer) and "wall" in run]
    if not mine:
        return None
    return {
        "min": min(run["wall"] for run in mine),
        "median": statistics.median(run["wall"] for run in mine),
        "cpu": min(run["cpu"] for run in mine),
        "peak": max(run["peak"] for run in mine),
        "nbytes": mine[0]["nbytes"],
        "difference": max((run["difference"] for run in mine if run["difference"] is not None), default=float("nan")),
    }


def table(runs: Sequence[Run], cases: Sequence[Case], mode: str, peers: Sequence[str], size: int) -> str:
    """Seconds (or ms a window): minimum / median / CPU of each peer, and gigapix over the fastest of the others."""
    scale, digits = (1e3, 2) if mode == "window" else (1.0, 3)
    others = [peer for peer in peers if peer != "gigapix"]
    rows = []
    for case in cases:
        row = [case.name, f"{compressed_ratio(case, size):.2f}"]
        found = {peer: f for peer in peers if (f := figures(runs, case.name, mode, peer))}
        row += [
            " / ".join(f"{f[key] * scale:.{digits}f}" for key in ("min", "median", "cpu"))
            if (f := found.get(peer))
            else "fails"
            for peer in peers
        ]
        if "gigapix" in peers:
            rivals = [found[peer] for peer in others if peer in found]
            ours = found.get("gigapix")
            row += [
                f"{ours[key] / min(rival[key] for rival in rivals):.2f}" if ours and rivals else "-"
                for key in ("min", "median", "cpu")
            ]
        rows.append(row)
    ratios = ["ratio min", "ratio median", "ratio CPU"] if "gigapix" in peers else []
    return markdown(["case", "compression", *peers, *ratios], rows)


def side_table(runs: Sequence[Run], cases: Sequence[Case], mode: str, peers: Sequence[str]) -> str:
    """Peak memory over the output's own bytes (the worst of all repetitions), and the largest difference to GDAL."""
    rows = []
    for case in cases:
        found = {peer: figures(runs, case.name, mode, peer) for peer in peers}
        row = [case.name, next((f"{f['nbytes'] / 2**20:.1f}" for f in found.values() if f), "-")]
        for peer in peers:
            f = found[peer]
            if f is None:
                row.append("fails")
                continue
            # Not a number means not compared, which must not look like equal.
            pixels = "equal" if f["difference"] == 0 else f"differs by {f['difference']:g}"
            wrong = "" if f["difference"] <= case.tolerance else " WRONG"
            row.append(f"{f['peak'] / f['nbytes']:.2f} {pixels}{wrong}")
        rows.append(row)
    return markdown(["case", "output MiB", *peers], rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 unless gigapix failed on a row or read it wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2048 x 2048 pixels, 20 windows, one repetition")
    parser.add_argument("--only", default="", help="cases whose name contains one of these, separated by commas")
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ", ".join(PEERS))
    parser.add_argument("--mode", choices=("whole", "window"), help="one of the two; both without it")
    parser.add_argument("--repeat", type=int, default=0)
    options = parser.parse_args(arguments)
    options.size, options.windows = (2048, 20) if options.quick else (8192, 200)
    options.repeat = options.repeat or (1 if options.quick else 5)
    peers = options.peers.split(",")
    if unknown := set(peers) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    cases = [case for case in CASES if any(part in case.name for part in options.only.split(","))]
    modes = [options.mode] if options.mode else ["whole", "window"]

    facts = environment()
    runs: list[Run] = []
    for mode in modes:
        for case in cases:
            print(f"{mode} {case.name} ...", file=sys.stderr)
            runs += series(case, mode, peers, options)
    for mode in modes:
        what = (
            f"{options.size} x {options.size} pixels, seconds"
            if mode == "whole"
            else "512 x 512 pixels, milliseconds a window"
        )
        print(heading(f"read: {mode}, {what}: minimum / median / CPU of {options.repeat}", facts))
        print(table(runs, cases, mode, peers, options.size))
        print("Peak memory over output, and pixels against GDAL's:\n")
        print(side_table(runs, cases, mode, peers))
    save("read", facts, runs)
    tolerance = {case.name: case.tolerance for case in cases}
    ours = [run for run in runs if run["peer"] == "gigapix"]
    return int(any("error" in run or (run["difference"] or 0) > tolerance[run["case"]] for run in ours))


if __name__ == "__main__":
    raise SystemExit(main())
