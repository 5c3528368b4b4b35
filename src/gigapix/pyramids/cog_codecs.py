"""Compressions of a COG's tiles, by the names that `gigapix.pyramid` takes, and what each of them can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gigapix.errors import RequestError, UnsupportedError
from gigapix.formats.tiff.write import COMPRESSIONS, DEFLATE, JPEG, LERC, NONE, WEBP, ZSTD

NAMES: Final = "deflate:1, zstd:1, lzw, none, jpeg:85, webp:75, webp:lossless, lerc:0.01, lerc:0.01+zstd"

_CODES: Final = {**COMPRESSIONS, "gzip": DEFLATE, "jpeg": JPEG, "webp": WEBP, "lerc": LERC}
_LEVELS: Final[dict[int, tuple[float, float, float]]] = {
    DEFLATE: (1, 1, 12),
    ZSTD: (1, 1, 22),
    JPEG: (85, 1, 100),
    WEBP: (75, 0, 100),
    LERC: (0, 0, float("inf")),
}
"""The level, quality or error where none is named, the least and the most. Of predicted images, deflate:6 saves
0 to 5 percent and takes two to four times as long; zstd:9 saves 1 to 14, and takes six times as long."""


@dataclass(frozen=True, kw_only=True)
class CogCodec:
    """One compression, as `formats.tiff.write.TiffFile` has it."""

    text: str
    compression: int
    level: float | None = None
    around: int = NONE

    def __str__(self) -> str:
        return self.text

    def loses(self, dtype: np.dtype[Any]) -> bool:
        """Whether samples come out of it as others than they went in."""
        if self.compression == LERC:  # of integers everything below 1 is no error at all
            return (self.level or 0) > 0 if dtype.kind == "f" else (self.level or 0) >= 1
        return self.compression == JPEG or (self.compression == WEBP and self.level is not None)

    def check(self, dtype: np.dtype[Any], bands: int) -> None:
        """Raise UnsupportedError for samples that it can't hold."""
        fits = True
        if self.compression in (JPEG, WEBP):
            fits = dtype == np.uint8 and bands in ((1, 3) if self.compression == JPEG else (3, 4))
        elif self.compression == LERC:
            fits = dtype.kind in "iuf" and dtype not in (np.int64, np.uint64, np.float16)
        if not fits:
            raise UnsupportedError(f"{self.text} can't hold {bands} bands of {dtype}")


def cog_codec_of(text: str) -> CogCodec:
    """As in `NAMES`. Raises RequestError for any other."""
    main, _, around = text.partition("+")
    name, _, level = main.partition(":")
    code = _CODES.get(name)
    if code is None or (around and (code != LERC or around not in ("deflate", "zstd"))):
        raise RequestError(f"a COG has no codec {text!r}; it has {NAMES}")
    default, least, most = _LEVELS.get(code, (0, 0, 0))
    number: float | None = default
    if level == "lossless" and code == WEBP:
        number = None
    elif level:
        number = _number(level) if code in _LEVELS else None
        if number is None or not least <= number <= most or (code != LERC and number != int(number)):
            raise RequestError(f"{name} has no level {level!r}; a COG has the codecs {NAMES}")
    shown = "" if code not in _LEVELS else f":{'lossless' if number is None else f'{number:g}'}"
    return CogCodec(
        text=f"{'deflate' if code == DEFLATE else name}{shown}{'+' if around else ''}{around}",
        compression=code,
        level=number if code in _LEVELS else None,
        around=COMPRESSIONS[around] if around else NONE,
    )


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if found == found and found != float("inf") else None
