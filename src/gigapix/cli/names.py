"""What people call the values of TIFF's enumerated tags."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gigapix.formats.model import HTJ2K

COMPRESSIONS: Final[Mapping[int, str]] = MappingProxyType({
    1: "none", 2: "ccitt-rle", 3: "ccitt-g3", 4: "ccitt-g4", 5: "lzw", 6: "old-jpeg", 7: "jpeg", 8: "deflate",
    32771: "none (word-aligned rle)", 32773: "packbits", 32946: "deflate", 33003: "jpeg2000 (aperio ycbcr)",
    33005: "jpeg2000 (aperio rgb)", 33007: "jpeg (alternative)", 34712: "jpeg2000", 34887: "lerc",
    34892: "jpeg (lossy dng)", 34925: "lzma", 34926: "zstd (old code)", 34927: "webp (old code)", 34933: "png",
    34934: "jpegxr",
    50000: "zstd", 50001: "webp", 50002: "jpegxl", 50013: "deflate (pixtiff)", 52546: "jpegxl (dng)",
    HTJ2K: "htj2k",
})  # fmt: skip
"""Tag 259."""

PHOTOMETRICS: Final[Mapping[int, str]] = MappingProxyType({
    0: "min-is-white", 1: "min-is-black", 2: "rgb", 3: "palette", 4: "mask", 5: "separated (cmyk)", 6: "ycbcr",
    8: "cielab", 9: "icclab", 10: "itulab", 32803: "cfa (raw)", 32844: "logl", 32845: "logluv", 34892: "linear raw",
    51177: "depth", 52527: "semantic mask",
})  # fmt: skip
"""Tag 262."""

PREDICTORS: Final[Mapping[int, str]] = MappingProxyType({
    1: "none", 2: "horizontal differences", 3: "floating point", 15: "png filters",
})  # fmt: skip
"""Tag 317."""


def named(names: Mapping[int, str], value: int) -> str:
    """The name, or the number where there is none."""
    return names.get(value, str(value))
