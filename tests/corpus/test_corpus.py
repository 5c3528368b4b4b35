"""Every image of the public corpus that tifffile reads, gigapix reads with equal pixels; others give typed errors."""

from __future__ import annotations

from pathlib import Path

from tests.corpus.table import COLUMNS, report, sweep, tiff_files

NAMED: dict[str, str] = {}
"""Files that gigapix does not read and tifffile does, each with its reason."""


def test_corpus(corpus: Path) -> None:
    rows = sweep(tiff_files([corpus]))
    bad = [row for row in rows if row.verdict in ("differs", "error", "untyped", "harm")]
    left = [row for row in bad if str(Path(row.path).relative_to(corpus)) not in NAMED]
    assert not left, report(left, corpus)
    assert sum(row.verdict == "equal" for row in rows) > 500, list(COLUMNS)
