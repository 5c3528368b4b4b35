"""An image that gigapix opens, as the `Pixels` of a pyramid."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from numpy.typing import NDArray

from gigapix.errors import GigapixError, MissingExtraError
from gigapix.image.image import Image
from gigapix.image.window import Window
from gigapix.pyramids.pixels import Box, Pixels, check_axes
from gigapix.pyramids.samples import samples_of

FAR: Final = 1e30
"""No coordinate of a map is as large. Of those that are, sums of products may be infinite."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What an image says of itself, as `Pixels` names it."""

    title: str
    scale: tuple[float, ...]
    origin: tuple[float, ...]
    units: tuple[str | None, ...]
    transform: tuple[float, float, float, float, float, float] | None
    crs: Any
    channels: tuple[Mapping[str, Any], ...]


def about(image: Image) -> About:
    """Names, places and units of level 0. Costs no request."""
    # What a PNG tells of itself may lie behind its pixels, and its pixel size is that of paper.
    told = image.metadata if image.kind != "png" else {}
    stack = told.get("stack")
    sizes = stack.pixel_size if stack is not None else _slide_size(image) or told.get("pixel_size", {})
    transform = tuple(image.transform)[:6]
    mapped = transform != (1, 0, 0, 0, 1, 0) and _is_map(transform)
    scale, units = [], []
    for axis in image.axes:
        size, unit = sizes.get(axis, (0, None))
        scale.append(float(size) if 0 < abs(size) < FAR else 1.0)
        units.append(unit if size else None)
    origin = [0.0] * len(scale)
    if mapped and transform[1] == transform[3] == 0:
        scale[-2:], origin[-2:] = (transform[4], transform[0]), (
            transform[5] + transform[4] / 2, transform[2] + transform[0] / 2)  # fmt: skip
    return About(
        title=image.spec.name or PurePosixPath(image.path).stem.strip("<>"),
        scale=tuple(scale),
        origin=tuple(origin),
        units=tuple(units),
        transform=transform if mapped else None,
        crs=_crs(image),
        channels=_channels(image, stack, told.get("channels", ())),
    )


def image_pixels(image: Image, axes: tuple[str, ...] | None, nodata: float | None) -> Pixels:
    """Level 0 of an image."""
    from gigapix.image.outlook import outlook

    level = image.levels[0]
    dims = axes or tuple(axis.lower() for axis in level.axes)
    check_axes(dims, level.shape)
    plan = image.plan()
    access = outlook(plan).access.check().kind
    front = level.axes[:-2]

    def read(box: Box) -> NDArray[Any]:
        rows, columns = box[-2:]
        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        select: Any = dict(zip(front, box, strict=False))
        return image.reader.run(image.plan(window, select=select))

    chunks = level.chunks if access == "chunked" else tuple(
        size if axis == "C" and not level.spec.planar else 1 for axis, size in zip(level.axes, level.shape, strict=True)
    )  # fmt: skip
    return Pixels(
        name=image.path,
        dims=dims,
        shape=level.shape,
        samples=samples_of(level.dtype, image.nodata if nodata is None else nodata),
        chunks=chunks,
        access="chunks" if access == "chunked" else "free" if access == "addressable" else "stream",
        read=read,
        version=_image_version(image),
        **vars(about(image)),
    )


def _crs(image: Image) -> Any:
    """The CRS; none where the extra for it isn't there."""
    try:
        return image.crs
    except (MissingExtraError, GigapixError):
        return None


def _is_map(transform: tuple[float, ...]) -> bool:
    """Whether a transform has a place for each pixel and a pixel for each place: a file can say anything."""
    a, b, _, d, e, _ = transform
    return all(abs(each) < FAR for each in transform) and a * e - b * d != 0


def _slide_size(image: Image) -> Mapping[str, tuple[float, str]]:
    if image.kind != "svs" or not image.spec.name.startswith("slide"):
        return {}
    from gigapix.formats.tiff import aperio

    slide = aperio.parse(image.metadata.get("description", ""))
    return {} if slide is None or slide.mpp is None else dict.fromkeys("XY", (slide.mpp, "µm"))


def _channels(image: Image, stack: Any, told: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    named = [channel for channel in (stack.channels if stack is not None else ()) for _ in range(channel.samples or 1)]
    if len(named) == image.bands:
        return tuple({"label": channel.name, "color": channel.color} for channel in named)
    if len(told) == image.bands:  # of Zarr, where everything can be anything
        colors = [color if re.fullmatch("[0-9A-Fa-f]{6}", color := str(each.get("color"))) else None for each in told]
        return tuple(
            {"label": str(each.get("label", n)), "color": color}
            for n, (each, color) in enumerate(zip(told, colors, strict=True))
        )
    plain = {"red": (255, 0, 0, 255), "green": (0, 255, 0, 255), "blue": (0, 0, 255, 255)}
    return tuple({"label": name, "color": plain.get(name)} for name in image.color_interpretation)


def _image_version(image: Image) -> str:
    from gigapix.image.version import version_of

    found = version_of(image.cache.source)
    return repr(found) if found is not None else uuid.uuid4().hex  # never the same: a run of it is not gone on with
