"""What the tests of `decode` share: an Encoding from few words, and a segment decoded whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import decode_into
from gigapix.formats.model import Buffer, Encoding

FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def encoding(compression: int = 1, dtype: str = "u1", samples: int = 1, **more: Any) -> Encoding:
    """Plain samples of `dtype`, whose byte order is that of the file; `more` are further fields of Encoding."""
    kind = np.dtype(dtype)
    more.setdefault("bits", (8 * kind.itemsize,) * samples)
    more.setdefault("sample_format", FORMATS[kind.kind])
    more.setdefault("byteorder", dtype[0] if dtype[0] in "<>" else "<")
    return Encoding(compression=compression, dtype=kind.newbyteorder("="), samples=samples, **more)


def decoded(data: Buffer, how: Encoding, shape: tuple[int, ...], **more: Any) -> NDArray[Any]:
    """The whole segment as (samples, depth, height, width); `shape` is (height, width) or (depth, height, width)."""
    box = (1, *shape) if len(shape) == 2 else shape
    target = np.full((how.samples, *box), 77, how.dtype)
    decode_into(memoryview(data), how, box, target, **more)  # a memoryview is what readers pass
    return target


def planes(pixels: NDArray[Any]) -> NDArray[Any]:
    """(height, width[, samples]) to what `decoded` returns of it."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    return np.moveaxis(pixels, -1, 0)[:, np.newaxis]


def picture(height: int, width: int, samples: int = 1, dtype: str = "u1") -> NDArray[Any]:
    """Something smooth with something rough in it, (height, width, samples), or (height, width) for one sample."""
    y, x, s = np.mgrid[:height, :width, :samples]
    waves = 100 + 60 * np.sin(x / 9 + s) + 40 * np.cos(y / 7 - s) + (x * 7919 + y * 104729) % 13
    pixels = waves.clip(0, 255).astype(dtype)
    return pixels if samples > 1 else pixels[:, :, 0]
