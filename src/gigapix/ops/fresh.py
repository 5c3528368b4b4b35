"""What is written takes its name when it is complete; what had the name before is there until then."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gigapix.errors import GigapixError


@contextmanager
def fresh_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to. Raises OSError with its name."""
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):  # a device or a pipe is written to, not replaced
        with path.open("wb") as file:
            yield file
        return
    part = _part(path)
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except OSError as error:  # a full disk, a file too large: the system doesn't say which
        if error.filename is None and not isinstance(error, GigapixError):
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, which does not exist yet. A folder that has the name already is replaced."""
    part, old = _part(path), _part(path.with_name(path.name + ".old"))
    try:
        yield part
        if path.exists():
            path.rename(old)
        part.rename(path)
    finally:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
