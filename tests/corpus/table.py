"""The developer's table: over folders of TIFFs, what gigapix reads against what tifffile reads.

    python -m tests.corpus.table [FOLDER ...] [--json] [--only WORD]

Prints how many files fall in each column and names each file of the bad ones with its reason. Exits with 1 where a file
differs, raises an exception that is no GigapixError, or does harm.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests import guard
from tests.corpus.compare import Result, Verdict, compare

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "tiff"

COLUMNS: dict[Verdict, str] = {
    "equal": "equal",
    "typed": "typed error where tifffile fails too",
    "more": "read where tifffile fails",
    "differs": "differs",
    "error": "error where tifffile reads",
    "untyped": "untyped exception",
    "harm": "crash, hang or memory",
}
"""From the best to the worst: a file stands in the worst column of its images."""

BAD: tuple[Verdict, ...] = ("differs", "untyped", "harm")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One file."""

    path: str
    verdict: Verdict
    results: tuple[Result, ...]

    @property
    def difference(self) -> float:
        """The largest accepted difference of a lossy image."""
        return max((r.difference for r in self.results if r.verdict == "equal"), default=0.0)


def tiff_files(folders: Iterable[Path]) -> list[Path]:
    """TIFFs by their suffix or by their first bytes."""
    return sorted(path for folder in folders for path in _walk(folder) if _is_tiff(path))


def _walk(folder: Path) -> Iterable[Path]:
    return [folder] if folder.is_file() else (path for path in folder.rglob("*") if path.is_file())


def _is_tiff(path: Path) -> bool:
    suffixes = {".tif", ".tiff", ".btf", ".tf8", ".svs", ".ovr", ".ndpi", ".lsm", ".stk", ".scn", ".qptiff", ".dng"}
    if path.suffix.lower() in suffixes:
        return True
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def sweep(paths: Sequence[Path], *, workers: int | None = None) -> list[Row]:
    """Compare every file in guarded children."""
    outcomes = guard.run_all(compare, [(str(path), True) for path in paths], workers=workers)
    lost = [n for n, outcome in enumerate(outcomes) if outcome.fault and outcome.step.startswith("tifffile")]
    again = guard.run_all(compare, [(str(paths[n]), False) for n in lost], workers=workers)
    for n, outcome in zip(lost, again, strict=True):
        outcomes[n] = outcome
    return [_row(path, outcome) for path, outcome in zip(paths, outcomes, strict=True)]


def _row(path: Path, outcome: guard.Outcome) -> Row:
    if outcome.fault:
        reason = f"{outcome.fault}: {outcome.detail}"
        results: tuple[Result, ...] = (Result(what=outcome.step, verdict="harm", reason=reason),)
    else:
        results = tuple(outcome.value)
    rank = list(COLUMNS)
    return Row(path=str(path), verdict=max((r.verdict for r in results), key=rank.index), results=results)


def report(rows: Sequence[Row], base: Path | None) -> str:
    """The table, and each file of the columns right of `more`."""
    lines = []
    images = [result for row in rows for result in row.results]
    width = max(map(len, COLUMNS.values()))
    lines.append(f"{'':{width}}  files  images")
    for verdict, title in COLUMNS.items():
        files = sum(row.verdict == verdict for row in rows)
        lines.append(f"{title:{width}}  {files:5}  {sum(r.verdict == verdict for r in images):6}")
    lines.append(f"{'all':{width}}  {len(rows):5}  {len(images):6}")
    for verdict in ("differs", "error", "untyped", "harm"):
        chosen = [row for row in rows if row.verdict == verdict]
        if chosen:
            lines += ["", f"{COLUMNS[verdict]}:"]  # type: ignore[index]
        for row in chosen:
            lines.append(f"  {_shown(row.path, base)}")
            lines += [f"    {r.what}: {r.reason.strip()}" for r in row.results if r.verdict == verdict]
    rounded = [row for row in rows if row.difference]
    if rounded:
        lines += ["", "equal within the rounding of a JPEG decoder:"]
        lines += [f"  {_shown(row.path, base)}: {row.difference:g}" for row in rounded]
    return "\n".join(lines)


def _shown(path: str, base: Path | None) -> str:
    return str(Path(path).relative_to(base)) if base is not None and Path(path).is_relative_to(base) else path


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.table", description=__doc__.split("\n")[0])
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[CORPUS], help="folders or files; the corpus by default"
    )
    parser.add_argument("--json", action="store_true", help="one object a file on stdout")
    parser.add_argument("--only", default="", help="only files whose path holds this")
    parser.add_argument("--all", action="store_true", help="name every file, with every image's verdict")
    parser.add_argument("--workers", type=int, help="children at a time; one a core by default")
    options = parser.parse_args(arguments)
    paths = [path for path in tiff_files(options.folders) if options.only in str(path)]
    if not paths:
        print("no TIFF there", file=sys.stderr)
        return 2
    rows = sweep(paths, workers=options.workers)
    base = options.folders[0] if len(options.folders) == 1 else None
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        if options.all:
            for row in rows:
                print(
                    row.verdict,
                    _shown(row.path, base),
                    *(f"\n    {r.what}: {r.verdict} {r.reason}" for r in row.results),
                )
        print(report(rows, base))
    return 1 if any(row.verdict in BAD for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
