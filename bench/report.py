"""What a table leaves behind: Markdown on stdout, JSON in `.bench/results`, and what both were measured with."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / ".bench" / "results"
PACKAGES = (
    *("gigapix", "rasterio", "tifffile", "async-geotiff", "async-tiff", "imagecodecs", "zarr", "obstore", "numpy"),
    *("pyvips-binary", "pillow", "pypng", "memray", "tensorstore", "zarrista"),
)


def environment() -> dict[str, Any]:
    """Versions, processor and load: without them a figure means nothing."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    if "rasterio" in versions:
        import rasterio

        versions["GDAL"] = rasterio.__gdal_version__
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return {"versions": versions, "cpu": cpu, "cores": os.cpu_count(), "load": os.getloadavg()[0]}


def heading(title: str, facts: dict[str, Any]) -> str:
    """The lines above a table."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    busy = " THE MACHINE IS BUSY: trust CPU seconds and minima." if facts["load"] > 0.5 else ""
    return f"## {title}\n\n{versions}; {facts['cpu']}, {facts['cores']} cores, load {facts['load']:.1f}.{busy}\n"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up in a terminal too; the first is text, the others are figures."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        return (
            "| "
            + " | ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
            + " |"
        )

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join((line(columns), rule, *(line(row) for row in rows))) + "\n"


def last_words(child: subprocess.CompletedProcess[str]) -> str:
    """Why a child failed: the signal that killed it, or the last line of its traceback."""
    if child.returncode < 0:
        return f"killed by {signal.Signals(-child.returncode).name}"
    return (child.stderr.strip().splitlines() or [f"exit status {child.returncode}"])[-1]


def save(table: str, facts: dict[str, Any], runs: Sequence[dict[str, Any]]) -> Path:
    """Every single run, so that another figure can be drawn from it later."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{table}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"table": table, **facts, "runs": list(runs)}, indent=1))
    print(f"runs: {path}", file=sys.stderr)
    return path
