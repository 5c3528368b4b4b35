"""What was asked of an image's source so far."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from gigapix.formats.model import Range

KEPT_RANGES: Final = 128
"""Ranges that `Stats` remembers, 17 kB: a pass over a large file in little memory makes thousands of requests."""


@dataclass(eq=False)
class Stats:
    """Requests as they were sent: those that failed, those that were given up and each further try count too.

    A redirect that the client follows by itself is part of its request, and of a body that broke off half way nothing
    is counted: neither is told by the client. The text of a refusal is no byte of the object.
    """

    requests: int = 0
    bytes: int = 0
    """Of the object, received."""
    cache_hits: int = 0
    """Header ranges and segments that were there already."""
    retries: int = 0
    seconds: float = 0.0
    """Spent on requests, summed over those that ran side by side."""
    ranges: deque[Range] = field(default_factory=lambda: deque(maxlen=KEPT_RANGES), repr=False)
    """(offset, length received) of the latest requests."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, offset: int, received: int, seconds: float) -> None:
        """One request."""
        with self.lock:
            self.requests += 1
            self.bytes += received
            self.seconds += seconds
            self.ranges.append((offset, received))

    def hit(self, number: int = 1) -> None:
        """Something was there already."""
        with self.lock:
            self.cache_hits += number

    def retry(self) -> None:
        """A request is sent again."""
        with self.lock:
            self.retries += 1
