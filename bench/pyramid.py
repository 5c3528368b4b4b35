"""Pyramids: seconds, CPU seconds and peak memory of making all levels, against those who make the same.

    python bench/pyramid.py                     the tables of record: three repetitions, about ten minutes
    python bench/pyramid.py --quick             small images, one repetition: does it run?
    python bench/pyramid.py --only scene,cog --peers "gigapix,ome-zarr-py"
    python bench/pyramid.py --only memory       peaks that do not grow with the image, and hold under RLIMIT_DATA

    scene   16384 x 16384 uint16, deflate, to Zarr: six levels, zstd
    cog     the same to a Cloud-Optimised GeoTIFF (libvips: to a tiled pyramid), deflate with predictor 2
    slide   8192 x 8192 RGB, JPEG, to Zarr
    stack   32 x 2048 x 2048 uint16, deflate, to Zarr, halved along z, y and x

All peers read the same TIFF, run in turn, each in a fresh process that has done a small file before the clock starts.
What they wrote is compared with the direct reduction: `off` is the largest difference of a sample of any level to the
mean of the samples of level 0 under it. Peers that halve what they have halved are off by 1 and more.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from apart import FOLDER, python_of
from memory_run import ENVIRONMENT
from pyramid_check import off_by, tiff_rows, zarr_rows
from pyramid_inputs import source_of
from pyramid_peers import PATHS
from report import environment, heading, last_words, markdown, save

OUT = FOLDER / f"pyramid-out-{os.getpid()}"
WARM, LAST = 512, 512
"""Sides of the file that is done first, and of the coarsest level."""
SECONDS = 300

Row = tuple[str, int, tuple[str, ...]]
ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "scene": ("scene", 16384, ("gigapix", "topozarr", "ome-zarr-py", "ngff-zarr")),
        "cog": ("scene", 16384, ("gigapix", "GDAL COG", "rio-cogeo", "libvips")),
        "slide": ("slide", 8192, ("gigapix", "ome-zarr-py", "ngff-zarr")),
        "stack": ("stack", 2048, ("gigapix", "ome-zarr-py", "ngff-zarr")),
    }
)
"""Kind of source, its side, peers. topozarr held 10 GB of the slide before it was stopped."""
OF_FASTEST, MOST = 0.5, 150 * 2**20
"""The aims: gigapix's seconds by those of the fastest peer, and its peak above imports."""
GROWTH = 1.1
SIDES = (4096, 32768)
NAMED = 100 * 2**20
"""The memory of the runs that may have no more."""


def run(
    row: str, peer: str, source: str | int, warm: str | int, levels: int, kind: str,
    around: Mapping[str, str] = ENVIRONMENT, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """One peer once, in a fresh process with `around` in its environment; its output is left for `checked`."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    target = str(OUT / ("out.tif" if row == "cog" else "out.zarr"))
    order = {
        "peer": peer, "kind": kind, "source": source, "target": target, "warm": warm, "levels": levels, "options": {},
    } | more  # fmt: skip
    command = [
        sys.executable if peer == "gigapix" else python_of("pyramid"),
        str(Path(__file__).with_name("pyramid_peers.py")), json.dumps(order),
    ]  # fmt: skip
    found = {"row": row, "peer": peer, "source": source, **more}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env={**os.environ, **around}
        )
    except subprocess.TimeoutExpired:
        return {**found, "error": f"stopped after {SECONDS} s"}
    if done.returncode:
        print(f"{row} {peer}: {last_words(done)}", file=sys.stderr)
        return {**found, "error": last_words(done)}
    files = [file for file in OUT.rglob("*") if file.is_file()]
    os.sync()  # or the next one's writes wait for this one's
    size = sum(file.stat().st_size for file in files)
    return {**found, **json.loads(done.stdout.splitlines()[-1]), "size": size, "objects": len(files)}


def checked(row: str, peer: str, levels: int, kind: str) -> int:
    """How far what the last run has written is off."""
    rows, height = tiff_rows(str(OUT / "out.tif")) if row == "cog" else zarr_rows(str(OUT / "out.zarr"), PATHS[peer])
    return off_by(rows, height, levels, deep=kind == "stack")


def side_by_side(names: Sequence[str], peers: Sequence[str], repeat: int, quick: bool) -> list[dict[str, Any]]:
    """All runs of the rows."""
    runs = []
    for name in names:
        kind, side, wanted = ROWS[name]
        print(f"{name} ...", file=sys.stderr)
        side //= 8 if quick else 1
        levels = 3 if kind == "stack" else int(math.log2(side // LAST))
        source = str(source_of(kind, side))
        warm = str(source_of(kind, WARM))
        wanted = tuple(peer for peer in wanted if not peers or peer in peers)
        for turn in range(repeat):
            for peer in (*wanted[turn % len(wanted) :], *wanted[: turn % len(wanted)]):
                found = run(name, peer, source, warm, levels, kind)
                if turn == 0 and "error" not in found:
                    found["off"] = checked(name, peer, levels, kind)
                runs.append(found)
    return runs


def table(runs: Sequence[dict[str, Any]], names: Sequence[str]) -> tuple[str, list[str]]:
    """Minima and medians, and the aims that were missed."""
    rows, said = [], []
    for name in names:
        mine = [r for r in runs if r["row"] == name]
        good = {peer: [r for r in mine if r["peer"] == peer and "error" not in r] for peer in ROWS[name][2]}
        best = {peer: min(r["wall"] for r in found) for peer, found in good.items() if found}
        others = [wall for peer, wall in best.items() if peer != "gigapix"]
        ours = good.get("gigapix", [])
        for peer in dict.fromkeys(r["peer"] for r in mine):
            found = good[peer]
            if not found:
                rows.append([f"{name}: {peer}", "fails", *["-"] * 8])
                continue
            wall, size = best[peer], found[0]["size"]
            rows.append([
                f"{name}: {peer}", f"{wall:.2f}", f"{statistics.median(r['wall'] for r in found):.2f}",
                f"{min(r['cpu'] for r in found):.2f}", f"{max(r['peak'] for r in found) / 2**20:,.0f}",
                f"{found[0]['imports'] / 2**20:,.0f}", f"{size / 1e6:,.0f}", f"{found[0]['objects']:,}",
                str(max(r.get("off", 0) for r in found)),
                f"{best['gigapix'] / wall:.2f}" if ours else "-",
            ])  # fmt: skip
        if ours and others:
            ratio, peak = best["gigapix"] / min(others), max(r["peak"] for r in ours)
            said.append(_aim(ratio <= OF_FASTEST, f"{name}: {ratio:.2f} of the fastest peer's time ({OF_FASTEST})"))
            said.append(_aim(peak <= MOST, f"{name}: {peak / 2**20:.0f} MiB above imports ({MOST >> 20})"))
        if ours:
            off = max(r.get("off", 0) for r in ours)
            said.append(_aim(off == 0, f"{name}: off by {off} (0)"))
        elif any(r["peer"] == "gigapix" for r in mine):
            said.append(_aim(False, f"{name}: gigapix fails"))
    columns = ["row: peer", "s", "median", "CPU s", "peak MiB", "imports", "MB", "objects", "off", "gigapix/it"]
    return markdown(columns, rows), said


def memory(quick: bool) -> tuple[list[dict[str, Any]], str, list[str]]:
    """Peaks of gigapix alone over small and large sources, each in a fresh process.

    The first ones with freed memory given back at once, since what is compared is what is held, and what glibc keeps
    grows for some seconds. The last ones as it comes, under a limit.
    """
    sides = (1024, 4096) if quick else SIDES
    scene, warm = ROWS["scene"][1] // (8 if quick else 1), source_of("scene", WARM)
    small, large = sides
    cases = [
        ("synthetic", "scene", small, small, {}), ("synthetic", "scene", large, small, {}),
        ("TIFF", "scene", str(source_of("scene", scene // 4)), str(warm), {}),
        ("TIFF", "scene", str(source_of("scene", scene)), str(warm), {}),
        ("limited", "scene", large, small, {"limit": NAMED}),
        ("limited TIFF", "scene", str(source_of("scene", scene)), str(warm), {"limit": NAMED}),
    ]  # fmt: skip
    runs, rows, said, peaks = [], [], [], {}
    for name, kind, source, before, more in cases:
        print(f"memory: {name} {source} ...", file=sys.stderr)
        options = {"memory": NAMED, "chunks": 512}
        around = ENVIRONMENT if more else {**ENVIRONMENT, "MALLOC_MMAP_THRESHOLD_": "131072"}
        found = run(name, "gigapix", source, before, 4, kind, around, options=options, **more)
        runs.append(found)
        side = str(source).rpartition("-")[2].removesuffix(".tif")
        peak = f"{found['peak'] / 2**20:.1f}" if "peak" in found else "fails"
        rows.append([f"{name} {side}", peak, f"{found.get('wall', 0):.2f}"])
        peaks.setdefault(name, []).append(found.get("peak"))
        if "limit" in more:
            said.append(_aim("peak" in found, f"{name} {side}: within RLIMIT_DATA of {NAMED >> 20} MiB beside imports"))
    for name in ("synthetic", "TIFF"):
        first, last = (peak or 0 for peak in peaks[name])
        grown = last / first if first else float("inf")
        said.append(_aim(last > 0 and grown <= GROWTH, f"{name}: the large one takes {grown:.2f} of the small one"))
    return runs, markdown(["source", "peak MiB", "s"], rows), said


def _aim(met: bool, what: str) -> str:
    return f"- {'met' if met else 'MISSED'}: {what}"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where gigapix meets its aims."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, one repetition")
    parser.add_argument("--only", default=",".join((*ROWS, "memory")), help="of " + ", ".join((*ROWS, "memory")))
    parser.add_argument("--peers", default="", help="separated by commas")
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args(arguments)
    names = [name for name in chosen.only.split(",") if name in ROWS]
    facts = environment()
    peers = [peer for peer in chosen.peers.split(",") if peer]
    runs = side_by_side(names, peers, 1 if chosen.quick else chosen.repeat, chosen.quick)
    facts["versions"] |= {name: number for r in runs for name, number in r.pop("versions", {}).items()}
    said: list[str] = []
    if names:
        text, said = table(runs, names)
        print(heading("pyramid: all levels from one TIFF", facts))
        print(text)
    if "memory" in chosen.only.split(","):
        more, text, aims = memory(chosen.quick)
        print(heading("pyramid: peak memory of gigapix above imports", facts))
        print(text)
        runs, said = [*runs, *more], [*said, *aims]
    print("\n".join(said) + "\n")
    shutil.rmtree(OUT, ignore_errors=True)
    save("pyramid", facts, runs)
    return int(any("MISSED" in line for line in said))


if __name__ == "__main__":
    raise SystemExit(main())
