"""What a hostile file is, and what is asked of the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Expect = Literal["pixels", "error", "either"]
"""``pixels``: image 0 must read as `Case.pixels`. ``error``: a GigapixError on opening or reading. ``either``: pixels of
the declared shape or a GigapixError, because the specification does not say."""


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    data: bytes
    expect: Expect = "error"
    pixels: npt.NDArray[Any] | None = None
    """(band, y, x), where they are known."""
    count: int | None = None
    """The number of images in the file, where it is known."""

    def __str__(self) -> str:
        return self.name


GRAY = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
"""The pixels of `baseline()`, whose data are `SOUND`."""

SOUND = GRAY.tobytes()


def reads(name: str, data: bytes, pixels: npt.NDArray[Any] = GRAY, *, count: int | None = None) -> Case:
    return Case(name=name, data=data, expect="pixels", pixels=pixels, count=count)


def fails(name: str, data: bytes) -> Case:
    return Case(name=name, data=data)


def either(name: str, data: bytes) -> Case:
    return Case(name=name, data=data, expect="either")
