"""What there is to work with: cores, and memory: what the caller names, else a quarter of what is free.

"Free" is what the system says could be allocated without swapping, and no more than the container (control group) that
the process is in still allows: in a container of 512 MB on a machine of 256 GB the former figure means nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from gigapix.errors import RequestError
from gigapix.source.settings import bytes_of

UNKNOWN_BYTES: Final = 1 << 30
"""What is taken to be free where the system does not say."""

SHARE: Final = 4


def cpus() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def budget_of(memory: int | str | None) -> int:
    """Bytes that may be held: `memory` as a number or as ``"64MB"``; a quarter of what is free where None.

    Raises RequestError for what is no amount.
    """
    if memory is None:
        return max(free_bytes() // SHARE, 1)
    try:
        size = 0 if isinstance(memory, bool) else bytes_of(memory)
    except (TypeError, ValueError, OverflowError, AttributeError):
        size = 0
    if size < 1:
        raise RequestError(f"memory can't be {memory!r}; name it as bytes or as in '64MB'")
    return size


def free_bytes(root: Path = Path("/")) -> int:
    """Memory that this process could still take. `root` is where ``proc`` and ``sys`` are."""
    found = [size for size in (_available(root), *_groups(root)) if size is not None]
    return max(min(found, default=UNKNOWN_BYTES), 0)


def _available(root: Path) -> int | None:
    fields = _fields(root / "proc/meminfo")
    return fields["MemAvailable:"] << 10 if "MemAvailable:" in fields else None


def _groups(root: Path) -> Iterator[int | None]:
    """What each control group around this process has left, version 2 and 1. A container sees its own as the root."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / ("sys/fs/cgroup/memory" if kinds else "sys/fs/cgroup")
        limit, used = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        group = PurePosixPath(path.lstrip("/"))
        for each in (group, *group.parents):
            yield _left(top / each, limit, used)


def _left(folder: Path, limit: str, used: str) -> int | None:
    most, now = _text(folder / limit).strip(), _text(folder / used).strip()
    if not (most.isdigit() and now.isdigit()):  # "max": none
        return None
    # File pages count as used and are given back when they are needed.
    pages = _fields(folder / "memory.stat")
    return int(most) - int(now) + pages.get("inactive_file", 0) + pages.get("active_file", 0)


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split()[:2] for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
