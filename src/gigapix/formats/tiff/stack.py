"""Planes as one array: which IFD holds the plane at each T, C and Z.

OME-XML, ImageJ and tifffile each say in their own way in what order the pages of a file follow one another. Here that
becomes one table, transposed to OME's order T, C, Z, so that a reader stacks planes to ``TCZYX`` and knows nothing of
vendors. The samples of a page (RGB) are no planes: the reader multiplies them into C.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import FormatError, LimitError
from gigapix.formats.tiff.imagej import ImageJ, ImageJMetadata, extent_of
from gigapix.formats.tiff.ome_model import ChannelInfo, OmeImage, Quantity
from gigapix.formats.tiff.ome_planes import PlanesElsewhere, place_planes, planes_along_c
from gigapix.formats.tiff.shaped import Shaped

MAX_PLANES: Final = 1 << 21
"""Planes of one stack: twice the `limits.MAX_IFDS` of a file. The table takes some 30 bytes a plane to make."""


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """The planes of one image."""

    axes: str
    """A subset of ``TCZ`` in that order: the axes with more than one plane."""
    shape: tuple[int, ...]
    ifd: NDArray[np.int64]
    """Of that shape: the index in the chain of the IFD that holds the plane, -1 where this file does not hold it.
    Where `contiguous`: the plane's place in the run of planes that begins at the first IFD's data."""
    missing: PlanesElsewhere = field(default_factory=PlanesElsewhere)
    """Plane (its index in the raveled `ifd`) to the file that holds it and is not this one. A plane that is -1 there
    and not in here is in no file."""
    contiguous: bool = False
    """All planes lie behind one another from the first IFD's first strip on, without IFDs of their own."""
    channels: tuple[ChannelInfo, ...] = ()
    pixel_size: Mapping[str, Quantity] = field(default_factory=_nothing)
    """By axis: X, Y, Z, and T for the time from one frame to the next. Only what is known."""
    name: str = ""
    problems: tuple[str, ...] = ()


def stack_of_ome(
    image: OmeImage,
    uuid: str = "",
    file_name: str | None = None,
    *,
    pages: int | None = None,
    samples: int | None = None,
) -> Stack:
    """The stack that an OME image is.

    `uuid` is the OME element's, `file_name` the name of the file that holds the text: both tell which planes are in
    this file. `pages` is the number of its IFDs (None: not counted; a plane may then name an IFD that there is not),
    `samples` that of one page (None: as the text says).

    Raises LimitError over `MAX_PLANES`, UnsupportedError where channels differ in their samples, FormatError where
    TiffData elements overlap.
    """
    sizes = {"T": image.size_t, "C": planes_along_c(image, samples, pages), "Z": image.size_z}
    _check(sizes)
    there, part = place_planes(image, sizes, uuid, file_name, pages)
    ifd = np.where(part >= 0, -1, there)
    order = image.dimension_order[2:]
    elsewhere = int(np.count_nonzero(part >= 0))
    absent = len(ifd) - int(np.count_nonzero(ifd >= 0)) - elsewhere
    of = f"of {len(ifd)} planes of OME image {image.id!r:.80}"
    time = {} if image.time_increment is None else {"T": image.time_increment}
    return _stack(
        order,
        sizes,
        ifd,
        missing=PlanesElsewhere(_to_tcz(part, order, sizes).ravel(), image.parts, _to_tcz(there, order, sizes).ravel())
        if elsewhere
        else PlanesElsewhere(),
        channels=image.channels,
        pixel_size=MappingProxyType({**image.physical_size, **time}),
        name=image.name,
        problems=(f"{elsewhere} {of} are in other files",) * bool(elsewhere)
        + (f"{absent} {of} are in no file",) * bool(absent),
    )


def stack_of_imagej(
    facts: ImageJ,
    *,
    contiguous: bool,
    pages: int | None = None,
    samples: int = 1,
    planar: bool = False,
    resolution: tuple[float, float] | None = None,
    metadata: ImageJMetadata | None = None,
) -> Stack:
    """The stack that an ImageJ file is.

    `contiguous` is what `imagej.is_contiguous` says. `pages` is the number of IFDs (None: not counted), `samples` and
    `planar` are the first page's, `resolution` its (XResolution, YResolution) in pixels a unit.

    Raises FormatError where the description's counts can't be, or are not the file's, LimitError over `MAX_PLANES`.
    """
    t, c, z = extent_of(facts, samples=samples, planar=planar)
    if t * c * z == 1 and not contiguous and pages is not None:
        z = pages  # the description names no axis: ImageJ shows the pages as slices
    sizes = {"T": t, "C": c, "Z": z}
    size: dict[str, Quantity] = {}
    if facts.unit and resolution is not None:
        size |= {axis: (1 / value, facts.unit) for axis, value in zip("XY", resolution, strict=True) if value > 0}
    if facts.unit and facts.spacing:
        size["Z"] = (abs(facts.spacing), facts.unit)
    if facts.interval:
        size["T"] = (facts.interval, facts.time_unit)
    colors, ranges = (metadata.colors, metadata.ranges) if metadata is not None else ((), ())
    return _stack(
        facts.order,
        sizes,
        _in_order(sizes, contiguous, pages),
        contiguous=contiguous,
        channels=tuple(
            ChannelInfo(color=color, display=display) for color, display in list(zip_longest(colors, ranges))[:c]
        ),
        pixel_size=MappingProxyType(size),
    )


def stack_of_shaped(facts: Shaped, page_shape: Sequence[int], *, contiguous: bool, pages: int | None = None) -> Stack:
    """The stack that an array written by tifffile is. `page_shape` is that of one page: rows, columns, samples.

    Axes without a name, and those that are none of T, C and Z, become one axis Z. Raises FormatError where pages don't
    make up the array.
    """
    total, page = math.prod(facts.shape), math.prod(page_shape)
    if page < 1 or total < page or total % page:
        raise FormatError(f"pages of shape {tuple(page_shape)} don't make an array of shape {facts.shape!s:.100}")
    planes = total // page
    sizes: dict[str, int] = {}
    for axis, size in zip(facts.axes, facts.shape, strict=False):
        if math.prod(sizes.values()) == planes:
            break
        if size > 1:
            sizes[axis] = size
    if math.prod(sizes.values()) != planes or not set(sizes) <= set("TCZ"):
        sizes = {"Z": planes}
    order = "".join(reversed(sizes)) + "".join(axis for axis in "ZCT" if axis not in sizes)
    sizes = {axis: sizes.get(axis, 1) for axis in "TCZ"}
    return _stack(order, sizes, _in_order(sizes, contiguous, pages), contiguous=contiguous, name=facts.name)


def _check(sizes: Mapping[str, int]) -> None:
    if min(sizes.values()) < 1:
        raise FormatError(f"a stack of {dict(sizes)} planes")
    if math.prod(sizes.values()) > MAX_PLANES:
        raise LimitError(f"a stack of {dict(sizes)} planes, more than {MAX_PLANES}")


def _in_order(sizes: Mapping[str, int], contiguous: bool, pages: int | None) -> NDArray[np.int64]:
    """The table of planes that follow one another in the file."""
    _check(sizes)
    planes = math.prod(sizes.values())
    if not contiguous and pages is not None and pages != planes:
        raise FormatError(f"the description names {planes} planes, and the file has {pages}")
    return np.arange(planes, dtype=np.int64)


def _to_tcz(planes: NDArray[Any], order: str, sizes: Mapping[str, int]) -> NDArray[Any]:
    """Planes in the file's order (`order` names its axes, fastest first) as an array of axes T, C, Z."""
    stored = order[::-1]
    return planes.reshape([sizes[axis] for axis in stored]).transpose([stored.index(axis) for axis in "TCZ"])


def _stack(order: str, sizes: Mapping[str, int], planes: NDArray[np.int64], **rest: Any) -> Stack:
    axes = "".join(axis for axis in "TCZ" if sizes[axis] > 1)
    shape = tuple(sizes[axis] for axis in axes)
    return Stack(axes=axes, shape=shape, ifd=np.ascontiguousarray(_to_tcz(planes, order, sizes)).reshape(shape), **rest)
