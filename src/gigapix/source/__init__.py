"""Bytes from anywhere: a `Source` counts what it reads from a store, and `drive` runs a format's `Steps` over it."""

from gigapix.source.budget import Budget
from gigapix.source.cache import Cache
from gigapix.source.drive import drive, drive_async
from gigapix.source.flight import SingleFlight
from gigapix.source.header_cache import HeaderCache
from gigapix.source.merge import LOCAL, Merged, MergeLimits, merge, merge_limits
from gigapix.source.open import is_folder, open_folder, open_source
from gigapix.source.settings import Settings
from gigapix.source.source import Source
from gigapix.source.stats import Stats
from gigapix.source.together import together

__all__ = [
    "LOCAL",
    "Budget",
    "Cache",
    "HeaderCache",
    "MergeLimits",
    "Merged",
    "Settings",
    "SingleFlight",
    "Source",
    "Stats",
    "drive",
    "drive_async",
    "is_folder",
    "merge",
    "merge_limits",
    "open_folder",
    "open_source",
    "together",
]
