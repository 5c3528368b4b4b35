"""Peers that can't live beside the others, or would change what those are, have an environment of their own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".bench"


def python_of(name: str) -> str:
    """The Python of `.bench/NAME`, made from `requirements-NAME.txt`, and made anew when that changes."""
    folder, wanted = FOLDER / name, Path(__file__).with_name(f"requirements-{name}.txt")
    made, python = folder / ".made", str(folder / "bin" / "python")
    if not made.exists() or made.read_bytes() != wanted.read_bytes():
        print(f"making {folder} ...", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", str(wanted)], check=True)
        made.write_bytes(wanted.read_bytes())
    return python
