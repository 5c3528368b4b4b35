"""What OME-XML says of images, as data: `ome.parse` makes it, `stack.stack_of_ome` uses it.

Names are those of the OME schema 2016-06, in Python's spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Quantity = tuple[float, str]
"""A number and its unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelInfo:
    """What is known of one channel."""

    id: str = ""
    name: str = ""
    color: tuple[int, int, int, int] | None = None
    """Red, green, blue, alpha, 0 to 255."""
    emission: Quantity | None = None
    """EmissionWavelength."""
    excitation: Quantity | None = None
    """ExcitationWavelength."""
    fluor: str = ""
    display: tuple[float, float] | None = None
    """Lowest and highest value that is shown, as ImageJ keeps it."""
    samples: int | None = None
    """SamplesPerPixel; None where the text doesn't say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Modulo:
    """A further dimension, laid along Z, C or T (ModuloAlongZ, ...): kept as metadata, not split into an axis."""

    axis: str
    type: str
    unit: str = ""
    start: float | None = None
    step: float = 1.0
    end: float | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A file that holds planes, as a UUID element names it. Either may be empty, not both."""

    uuid: str
    file_name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class OmeImage:
    """One Image (strictly: one Pixels element, of which schemas before 2008 allow an image several)."""

    id: str
    name: str
    dimension_order: str
    """One of the six permutations ``XYZCT`` ..., fastest axis first."""
    size_x: int
    size_y: int
    size_z: int
    size_c: int
    size_t: int
    type: str
    """``uint8``, ``float``, ``complex``...: the schema's PixelType."""
    big_endian: bool | None
    significant_bits: int | None
    channels: tuple[ChannelInfo, ...]
    physical_size: Mapping[str, Quantity]
    """By axis ``X``, ``Y``, ``Z``: only what the text gives, in µm where it names no unit."""
    time_increment: Quantity | None
    tiff_data: NDArray[np.int64]
    """One row a TiffData element: IFD, FirstT, FirstC, FirstZ, PlaneCount (-1: as many as there are), index into
    `parts` (-1: the file that holds the text)."""
    parts: tuple[Part, ...]
    """The files that any image of the text names; the images share it."""
    modulo: tuple[Modulo, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Ome:
    """What an OME-XML text says."""

    uuid: str = ""
    creator: str = ""
    images: tuple[OmeImage, ...] = ()
    metadata_file: str | None = None
    """BinaryOnly: the text that describes these pixels is in that file, and there are no images here."""
    problems: tuple[str, ...] = ()
