"""Chunks that are put together from boxes, which come in any order and from any thread, each sample once."""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.tree import Box, overlap, size_of, within


@dataclass(kw_only=True)
class _Part:
    values: NDArray[Any]
    left: int


class Parts:
    """The chunks of which some samples are there and some are not."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, _Part] = {}
        self._lock = threading.Lock()

    def completed(self, key: Hashable, bounds: Box, box: Box, values: NDArray[Any]) -> NDArray[Any] | None:
        """The samples of the chunk that lies at `bounds`, None where some are missing still.

        key: what the chunk is called among all others. box, values: of which the chunk takes what it shares.
        """
        shared = overlap(bounds, box)
        if shared is None:
            return None
        if shared == bounds:
            return values[within(shared, box)]
        with self._lock:
            part = self._parts.get(key)
            if part is None:
                empty = np.empty(size_of(bounds), values.dtype)
                part = self._parts[key] = _Part(values=empty, left=empty.size)
        part.values[within(shared, bounds)] = values[within(shared, box)]
        with self._lock:
            part.left -= math.prod(size_of(shared))
            if part.left:
                return None
            del self._parts[key]
        return part.values
