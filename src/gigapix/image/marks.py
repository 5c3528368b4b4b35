"""Checkpoints of streams, kept as reads pass them, so that a later read of a row far down begins near it.

They are bounded in bytes. Where they would take more, the stream that has most of them loses every other one and keeps
its spacing twice as wide from then on: however long a stream is, what is kept covers all of it evenly.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_right
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gigapix.decode.cursor import Checkpoint

NONE: Final = sys.maxsize
"""The spacing of a stream that gets no checkpoint."""


@dataclass(slots=True)
class _Row:
    spacing: int
    """Rows between two checkpoints."""
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    nbytes: int = 0


class Marks:
    """Checkpoints by stream and row. Safe under threads."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.nbytes = 0
        self._rows: dict[Hashable, _Row] = {}
        self._lock = threading.Lock()

    def spacing(self, key: Hashable, first: int) -> int:
        """Rows between checkpoints of a stream, `first` where it has none yet; `NONE` where none are kept."""
        with self._lock:
            found = self._rows.get(key)
            return NONE if not self.capacity else found.spacing if found else first

    def nearest(self, key: Hashable, row: int) -> Checkpoint | None:
        """The last checkpoint at or before a row."""
        with self._lock:
            if key not in self._rows:
                return None
            known = self._rows[key].checkpoints
            rows = sorted(known)
            place = bisect_right(rows, row)
            return known[rows[place - 1]] if place else None

    def passed(self, key: Hashable, row: int, spacing: int, take: Callable[[], Checkpoint | None]) -> None:
        """Keep the checkpoint that `take` makes of a row, unless it is there already."""
        with self._lock:
            found = self._rows.get(key)
            if found and (row in found.checkpoints or row % found.spacing):
                return
        checkpoint = take()  # copies the decoder's state: not under the lock
        with self._lock:
            found = self._rows.setdefault(key, _Row(spacing))
            if checkpoint is None:
                found.spacing = NONE
            elif row % found.spacing == 0:
                self._add(found, checkpoint)

    def add(self, key: Hashable, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint of any row."""
        with self._lock:
            self._add(self._rows.setdefault(key, _Row(checkpoint.row)), checkpoint)

    def _add(self, found: _Row, checkpoint: Checkpoint) -> None:
        if checkpoint.row not in found.checkpoints:
            found.checkpoints[checkpoint.row] = checkpoint
            self._count(found, len(checkpoint.state))
            while self.nbytes > self.capacity:
                self._thin()

    def _count(self, row: _Row, nbytes: int) -> None:
        row.nbytes += nbytes
        self.nbytes += nbytes

    def _thin(self) -> None:
        most = max(self._rows.values(), key=lambda each: each.nbytes)
        most.spacing = most.spacing * 2 if len(most.checkpoints) > 1 else NONE
        for row in [row for row in most.checkpoints if row % most.spacing]:
            self._count(most, -len(most.checkpoints.pop(row).state))
