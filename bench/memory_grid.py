"""The extended grid: histogram, minimum, maximum and mean of every layout of TIFF and PNG, in a memory that is named.

Every run is a fresh process (memory_child.py), all peers in turn, in an order that rotates. A peer is a rival on a row
where its answer is right. The aims: as fast as the fastest rival or within a tenth, in at most 16 MiB above imports.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from inputs_memory import CASES, Case, path_of, truth_of
from memory_peers import PNG_PEERS, TIFF_PEERS
from memory_run import measured
from report import environment, heading, markdown, save

WARM = 1024
ALLOWED = 16 << 20
WITHIN = 1.1
PYPNG_SIDE = 2048
"""pypng takes 500 ns a pixel: beyond this side it is left out unless it is named."""
Run = dict[str, Any]


def peers_of(case: Case, options: argparse.Namespace) -> list[str]:
    """Who can read the row at all, of those asked for."""
    can = PNG_PEERS if case.codec == "png" else TIFF_PEERS
    asked = [peer for peer in can if any(part in peer for part in options.peers.split(","))]
    return [peer for peer in asked if peer != "pypng" or options.peers or options.side <= PYPNG_SIDE]


def series(case: Case, options: argparse.Namespace) -> list[Run]:
    """All repetitions of one row. Who fails once isn't asked again."""
    path, warm, truth = path_of(case, options.side), path_of(case, WARM), truth_of(case, options.side)
    path.read_bytes()  # into the page cache
    order = {"path": str(path), "warm": str(warm), "dtype": case.dtype, "memory": options.memory}
    peers, runs = peers_of(case, options), []
    for repetition in range(options.repeat):
        for peer in (*peers[repetition % len(peers) :], *peers[: repetition % len(peers)]):
            if any("error" in run for run in runs if run["peer"] == peer):
                continue
            run = {"case": case.name, **measured({**order, "peer": peer})}
            if "error" in run:
                print(f"{case.name} {peer}: {run['error']}", file=sys.stderr)
            else:
                run["correct"] = run["survey"].agrees(truth, lossy=case.lossy)
                run["survey"] = asdict(run["survey"])
            runs.append(run)
    return runs


def best(runs: Sequence[Run], case: Case, peer: str) -> Run | None:
    """A peer's least seconds and its largest memory on a row; None where it failed."""
    mine = [run for run in runs if run["case"] == case.name and run["peer"] == peer]
    if not mine or any("error" in run for run in mine):
        return None
    return {
        "wall": min(run["wall"] for run in mine),
        "cpu": min(run["cpu"] for run in mine),
        "peak": max(run["peak"] for run in mine),
        "anon": max(run["anon"] for run in mine),
        "correct": all(run["correct"] for run in mine),
    }


def judged(found: dict[str, Run]) -> tuple[list[str], list[str]]:
    """The cells of a row that compare, and what of the aims it misses."""
    ours = found.get("gigapix")
    rivals = {peer: f for peer, f in found.items() if peer != "gigapix" and f["correct"]}
    if ours is None:
        return ["-", "-", "-"], ["fails"]
    missed = [] if ours["correct"] else ["WRONG"]
    if ours["peak"] > ALLOWED:
        missed.append(f"{ours['peak'] / 2**20:.1f} MiB")
    if not rivals:
        return ["-", "-", "-"], missed
    fastest = min(rivals, key=lambda peer: rivals[peer]["wall"])
    ratio = ours["wall"] / rivals[fastest]["wall"]
    if ratio > WITHIN:
        missed.append(f"{ratio:.2f} x {fastest}")
    cpu = ours["cpu"] / min(f["cpu"] for f in rivals.values())
    return [fastest, f"{ratio:.2f}", f"{cpu:.2f}"], missed


def main(options: argparse.Namespace) -> int:
    """0 where every row keeps both aims and is right."""
    cases = [case for case in CASES if any(part in case.name for part in options.only.split(","))]
    facts = environment()
    for case in cases:  # all inputs first: making them must not warm or tire the machine between two peers
        for side in (WARM, options.side):
            print(f"input {case.name} {side}", file=sys.stderr)
            path_of(case, side)
        truth_of(case, options.side)
    runs: list[Run] = []
    for case in cases:
        print(f"{case.name} ...", file=sys.stderr)
        runs += series(case, options)
    columns = [peer for peer in dict.fromkeys((*TIFF_PEERS, *PNG_PEERS)) if any(run["peer"] == peer for run in runs)]
    rows, shortfalls = [], []
    for case in cases:
        found = {peer: f for peer in columns if (f := best(runs, case, peer))}
        cells, missed = judged(found)
        asked = peers_of(case, options)
        rows.append([case.name, *(_cell(found.get(peer), peer in asked) for peer in columns), *cells])
        if missed:
            shortfalls.append(f"- {case.name}: {', '.join(missed)}")
    title = f"memory: {options.side} x {options.side} pixels, gigapix with {options.memory}, best of {options.repeat}"
    print(heading(title, facts))
    print("Seconds / CPU seconds / peak MiB above imports (of it anonymous); `!` where the answer is another.\n")
    print(markdown(["row", *columns, "fastest rival", "ratio", "ratio CPU"], rows))
    print(f"{len(cases) - len(shortfalls)} of {len(cases)} rows are right, within 16 MiB above imports, and fastest or")
    print(f"within a tenth of the fastest.{' Not so:' if shortfalls else ''}\n" + "\n".join(shortfalls))
    save("memory-grid", facts, runs)
    return int(bool(shortfalls))


def _cell(f: Run | None, asked: bool) -> str:
    if f is None:
        return "fails" if asked else ""
    figures = f"{f['wall']:.2f} / {f['cpu']:.2f} / {f['peak'] / 2**20:.1f} ({f['anon'] / 2**20:.1f})"
    return figures + ("" if f["correct"] else " !")
