"""gigapix opens images that don't fit in memory and reads only what it must."""

from gigapix.errors import (
    DecodeError,
    DeniedError,
    FormatError,
    GigapixError,
    LimitError,
    MemoryBudgetError,
    MissingExtraError,
    MissingPartError,
    NotFoundError,
    RequestError,
    SourceError,
    TruncatedError,
    UnsupportedError,
)
from gigapix.image.image import Image, Level
from gigapix.image.open import open  # noqa: A004
from gigapix.image.window import Window

__all__ = [
    "DecodeError",
    "DeniedError",
    "FormatError",
    "GigapixError",
    "Image",
    "Level",
    "LimitError",
    "MemoryBudgetError",
    "MissingExtraError",
    "MissingPartError",
    "NotFoundError",
    "RequestError",
    "SourceError",
    "TruncatedError",
    "UnsupportedError",
    "Window",
    "open",
]
