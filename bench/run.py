"""Runs the tables named, or all of `TABLES`: `python bench/run.py [TABLE...] [options]`.

Options go to every table that runs (`--quick` is known to all); a table's own, such as `--only lzw`, need its name.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TABLES = ("start", "lazy", "read", "remote", "memory", "scan", "zarr_levels", "pyramid")


def main(arguments: list[str]) -> int:
    """The number of tables that fell short of their aims."""
    named = [word for word in arguments if word in TABLES]
    options = [word for word in arguments if word not in TABLES]
    folder = Path(__file__).parent
    return sum(
        subprocess.run([sys.executable, str(folder / f"{table}.py"), *options], check=False).returncode != 0
        for table in named or TABLES
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
