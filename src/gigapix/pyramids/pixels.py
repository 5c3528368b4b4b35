"""`Pixels`: what a pyramid is made of, whatever it is: named axes, a shape, and boxes of it on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from gigapix.errors import RequestError
from gigapix.pyramids.samples import Samples

Box = tuple[slice, ...]

AXES: dict[int, tuple[str, ...]] = {2: ("y", "x"), 3: ("z", "y", "x"), 4: ("c", "z", "y", "x"),
                                    5: ("t", "c", "z", "y", "x")}  # fmt: skip
"""Names of axes that have none, as OME orders them."""

MOST_AXES = 8


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """An array with named axes, opened."""

    name: str
    """For messages: a path or URL, or what kind of array it is."""
    title: str
    """What it calls itself; empty where it doesn't."""
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    samples: Samples
    chunks: tuple[int, ...]
    """What is decoded together; ones where anything can be had."""
    access: Literal["free", "chunks", "stream"]
    """Boxes cost what they are; or each chunk that they touch; or all rows above them too, so rows must be read in
    order, and by one."""
    read: Callable[[Box], NDArray[Any]] = field(repr=False)
    version: str
    """Another one if the pixels are others, as far as that can be told."""
    scale: tuple[float, ...]
    """Distance of two samples along each axis, 1 where it isn't known."""
    origin: tuple[float, ...]
    """Where the first sample lies (its centre)."""
    units: tuple[str | None, ...]
    transform: tuple[float, float, float, float, float, float] | None = None
    """From (column, row) to coordinates, where there is one."""
    crs: Any = None
    """pyproj's."""
    channels: tuple[Mapping[str, Any], ...] = ()
    """One a position along ``c``, with what is known of it: ``label``, ``color``."""


def unread(box: Box) -> NDArray[Any]:
    """The `read` of pixels that are not opened."""
    raise TypeError("the source is not open")


def check_axes(dims: tuple[str, ...], shape: tuple[int, ...]) -> None:
    """Raise RequestError where names don't fit, or there is nothing to reduce."""
    if len(dims) != len(shape):
        raise RequestError(f"{len(dims)} names for the {len(shape)} axes of {shape}")
    if not 1 <= len(shape) <= MOST_AXES:
        raise RequestError(f"a pyramid has 1 to {MOST_AXES} axes, not {len(shape)}")
    if 0 in shape:
        raise RequestError(f"there is nothing in an array of {shape}")
