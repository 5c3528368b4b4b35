"""Bytes from anywhere: a `Source` counts what it reads from a store, and `drive` runs a format's `Steps` over it."""

from gigapix.source.budget import ByteBudget
from gigapix.source.blocks import HeaderCache
from gigapix.source.drive import drive, drive_async
from gigapix.source.merge import LOCAL, Merged, MergeLimits, merge, merge_limits
from gigapix.source.open import open_source
from gigapix.source.settings import Settings
from gigapix.source.source import Source, Stats, Store
from gigapix.source.together import together

__all__ = [
    "LOCAL",
    "ByteBudget",
    "HeaderCache",
    "MergeLimits",
    "Merged",
    "Settings",
    "Source",
    "Stats",
    "Store",
    "drive",
    "drive_async",
    "merge",
    "merge_limits",
    "open_source",
    "together",
]
