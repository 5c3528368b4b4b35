"""Headers of 20,000 COGs into Parquet: gigapix against tiff-dumper, and against loops that only fetch.

    python bench/scan.py                        the table of record: five repetitions
    python bench/scan.py --quick                one repetition: does it run?
    python bench/scan.py --only near --peers "gigapix,bare threads"
    python bench/scan.py --memory               peak memory over 1,000 to 1,000,000 objects

The server is nginx on loopback as an anonymous S3 with path-style URLs (scan_server.py): it shares the machine's cores
with the peers, and counts the requests and bytes. Each peer has a setting that suits it, but for the last row:

    near    no latency: images a second are what the processors allow
    motley  the same, and nearly every image has a size of its own, so that no header is laid out as another
    far     30 ms on every answer, listings too; 200 requests in flight where a peer lets one choose
    wide    the same with 1,000 in flight, which is what tiff-dumper has on its machine of 32 cores

CPU seconds are the peer's own, all threads and workers. gigapix and tiff-dumper list the bucket, read, and write
Parquet; the others are given the keys and keep nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from apart import python_of
from report import environment, heading, last_words, markdown, save
from scan_inputs import FOLDER, Bucket, bucket
from scan_peers import PEERS, high_water
from scan_server import Bench, MissingError, options, server

OBJECTS, WARM = 20_000, 1_000
LENGTH = 16_384
"""What a bare loop fetches of each object: all of these headers and no more than gigapix asks for."""
OF_DUMPER, OF_BARE = 5.0, 0.7
"""The aims: times tiff-dumper's images a second, and its images a CPU second; of the best bare loop's a second."""
MOST = 300 * 2**20
SCALES = (1_000, 10_000, 100_000, 1_000_000)

PLACES: Mapping[str, Mapping[str, int | None]] = MappingProxyType(
    {
        "near": {"gigapix": None, "tiff-dumper": 1000, "async-tiff": 64, "bare threads": 16, "bare async": 64},
        "motley": {"gigapix": None, "tiff-dumper": 1000, "async-tiff": 64, "bare threads": 16, "bare async": 64},
        "far": {"gigapix": None, "tiff-dumper": 1000, "async-tiff": 200, "bare threads": 200, "bare async": 200},
        "wide": dict.fromkeys(PEERS, 1000),
    }
)
"""Requests in flight. None: the library's own default."""
FAR = ("far", "wide")


def interpreter(peer: str) -> str:
    """The Python that has the peer."""
    return python_of("tiff-dumper") if peer == "tiff-dumper" else sys.executable


def keys(of: Bucket) -> str:
    """The bucket's keys in a file."""
    path = FOLDER / f"{of.name}.keys"
    if not path.exists():
        path.write_text("".join(f"{key}\n" for key in of.objects()))
    return str(path)


def watched(command: Sequence[str]) -> tuple[subprocess.CompletedProcess[str], int]:
    """A command run to its end, and the most that its children had at one time: the sum of their high-water marks."""
    most = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while True:
            try:
                out, err = process.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                most = max(most, sum(high_water(child) for child in descendants(process.pid)))
            else:
                return subprocess.CompletedProcess(command, process.returncode, out, err), most


def descendants(pid: int) -> list[int]:
    """The processes under a process."""
    with contextlib.suppress(OSError):
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        children = [int(child) for text in lists for child in text.split()]
        return [*children, *(below for child in children for below in descendants(child))]
    return []


def run(peer: str, place: str, of: Bucket, at: Bench, executor: str | None = None) -> dict[str, Any]:
    """One peer over one bucket, once, in a fresh process."""
    endpoint, warm = at.far if place in FAR else at.near, bucket(WARM)
    order = {
        "peer": peer, "options": options(endpoint), "concurrency": PLACES[place][peer], "length": LENGTH,
        "executor": executor, "bucket": of.name, "keys": keys(of), "warm": {"bucket": warm.name, "keys": keys(warm)},
    }  # fmt: skip
    command = [interpreter(peer), str(Path(__file__).with_name("scan_peers.py")), json.dumps(order)]
    at.counted()
    done, workers = watched(command)
    found = {"peer": peer, "place": place, "bucket": of.name, "count": of.count, "workers": workers, **at.counted()}
    if done.returncode:
        print(f"{place} {peer}: {last_words(done)}", file=sys.stderr)
        return {**found, "error": last_words(done)}
    found |= json.loads(done.stdout.splitlines()[-1])
    if found["rows"] != of.count:
        found["error"] = f"{found['rows']} rows of {of.count} objects"
        print(f"{place} {peer}: {found['error']}", file=sys.stderr)
    return found


def table(runs: Sequence[dict[str, Any]], places: Sequence[str], peers: Sequence[str]) -> tuple[str, bool]:
    """Each peer's best and median of each place, the medians' ratios to the others; whether gigapix missed an aim.

    Of the medians, because a best CPU time is luck: obstore's threads wake each other, or find each other awake.
    """
    rows, missed = [], False
    for place in places:
        found = {}
        for peer in peers:
            mine = [r for r in runs if (r["place"], r["peer"]) == (place, peer) and "error" not in r]
            if mine:
                rates, by_cpu = ([r["rows"] / r[clock] for r in mine] for clock in ("wall", "cpu"))
                found[peer] = {
                    "best": max(rates),
                    "rate": statistics.median(rates),
                    "best cpu": max(by_cpu),
                    "cpu": statistics.median(by_cpu),
                    "peak": max(r["peak"] + r["workers"] for r in mine),
                    # The warm bucket's requests are among those that the server counted.
                    "requests": statistics.median(r["requests"] / (r["rows"] + WARM) for r in mine),
                    "bytes": statistics.median(r["bytes"] / (r["rows"] + WARM) for r in mine),
                }
        dumper = found.get("tiff-dumper")
        bare = max((f["rate"] for peer, f in found.items() if peer.startswith("bare")), default=None)
        missed |= "gigapix" in peers and "gigapix" not in found
        for peer in peers:
            if peer not in found:
                rows.append([f"{place}: {peer}", *["fails"] * 10])
                continue
            f = found[peer]
            ratios = [f["rate"] / dumper["rate"], f["cpu"] / dumper["cpu"]] if dumper else [None, None]
            ratios.append(f["rate"] / bare if bare else None)
            if peer == "gigapix":
                aims = (OF_DUMPER, OF_DUMPER, OF_BARE)
                missed |= any(r is not None and r < aim for r, aim in zip(ratios, aims, strict=True))
            rows.append([
                f"{place}: {peer}", *(f"{f[key]:,.0f}" for key in ("best", "rate", "best cpu", "cpu")),
                f"{f['peak'] / 2**20:,.0f}", f"{f['requests']:.2f}", f"{f['bytes'] / 1e3:.1f}",
                *("-" if r is None else f"{r:.2f}" for r in ratios),
            ])  # fmt: skip
    columns = ["place: peer", "images/s", "median", "a CPU s", "median", "peak MiB", "requests", "kB"]
    columns += ["x dumper", "x CPU", "x bare"]
    return markdown(columns, rows), missed


def memory(runs: Sequence[dict[str, Any]]) -> tuple[str, bool]:
    """The peak of each size; whether one was above `MOST`, or ten times as many objects took a fifth more."""
    rows = [
        [f"{r['count']:,} {r['peer']}", "fails", "-", "-", "-"] if "error" in r else
        [f"{r['count']:,} {r['peer']}", f"{(r['peak'] + r['workers']) / 2**20:,.0f}", f"{r['peak'] / 2**20:,.0f}",
         f"{r['rows'] / r['wall']:,.0f}", f"{r['written'] / r['rows']:,.0f}"]
        for r in runs
    ]  # fmt: skip
    ours = [r for r in runs if r["peer"] == "gigapix"]
    missed = any("error" in r for r in ours)
    peaks = [r["peak"] + r["workers"] for r in ours if "error" not in r]
    missed |= any(peak > MOST for peak in peaks) or peaks[-1:] > [1.2 * peak for peak in peaks[-2:-1]]
    return markdown(["objects", "peak MiB", "without workers", "images/s", "bytes a row"], rows), missed


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where gigapix meets its aims in every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repetition; with --memory no million")
    parser.add_argument("--only", default=",".join(PLACES), help="of " + ", ".join(PLACES))
    parser.add_argument("--peers", default=None, help="of " + ", ".join(PEERS))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="peak memory by number of objects, in place of the table")
    parser.add_argument("--executor", help="of gigapix: threads of one process, or `processes:2`")
    chosen = parser.parse_args(arguments)
    facts = environment()
    runs: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bucket(WARM)
        try:
            at = stack.enter_context(server(folder))
        except MissingError as reason:
            sys.exit(f"scan: {reason}")
        if chosen.memory:
            peers = (chosen.peers or "gigapix").split(",")
            for count in SCALES[: -1 if chosen.quick else None]:
                print(f"{count:,} ...", file=sys.stderr)
                runs += [run(peer, "near", bucket(count), at, chosen.executor) for peer in peers]
            text, missed = memory(runs)
        else:
            peers, places = (chosen.peers or ",".join(PEERS)).split(","), chosen.only.split(",")
            for place in places:
                print(f"{place} ...", file=sys.stderr)
                of = bucket(OBJECTS, motley=place == "motley")
                for turn in range(1 if chosen.quick else chosen.repeat):
                    first = turn % len(peers)
                    runs += [run(peer, place, of, at, chosen.executor) for peer in (*peers[first:], *peers[:first])]
            text, missed = table(runs, places, peers)
    print(heading(f"scan: {'peak memory' if chosen.memory else f'the headers of {OBJECTS:,} COGs'}", facts))
    print(text)
    if unequal := _unequal(runs):
        print(f"NOT EQUAL: {unequal}\n")
    save("scan", facts, runs)
    return int(missed or bool(unequal))


def _unequal(runs: Sequence[dict[str, Any]]) -> str:
    """Where two scans of the same bucket have not found the same."""
    found = {(r["bucket"], r["digest"]) for r in runs if "digest" in r}
    names = [name for name, _ in found]
    return ", ".join(name for name in sorted(set(names)) if names.count(name) > 1)


if __name__ == "__main__":
    raise SystemExit(main())
