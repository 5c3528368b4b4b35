"""An image that gigapix opens, as the `Pixels` of a pyramid."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from numpy.typing import NDArray

from gigapix.errors import GigapixError, MissingExtraError
from gigapix.image.image import Image
from gigapix.image.window import Window
from gigapix.pyramids.pixels import Box, Pixels, check_axes
from gigapix.pyramids.samples import samples_of


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

    stack = image.metadata.get("stack")
    sizes = stack.pixel_size if stack is not None else {}
    transform = tuple(image.transform)[:6]
    mapped = transform != (1, 0, 0, 0, 1, 0)
    scale, units = [], []
    for axis in level.axes:
        size, unit = sizes.get(axis, (0, None))
        scale.append(float(size) or 1.0)
        units.append(unit if size else None)
    origin = [0.0] * len(dims)
    if mapped and transform[1] == transform[3] == 0:
        scale[-2:], origin[-2:] = (transform[4], transform[0]), (
            transform[5] + transform[4] / 2, transform[2] + transform[0] / 2)  # fmt: skip
    chunks = level.chunks if access == "chunked" else tuple(
        size if axis == "C" and not level.spec.planar else 1 for axis, size in zip(level.axes, level.shape, strict=True)
    )  # fmt: skip
    return Pixels(
        name=image.path,
        title=image.spec.name or PurePosixPath(image.path).stem.strip("<>"),
        dims=dims,
        shape=level.shape,
        samples=samples_of(level.dtype, image.nodata if nodata is None else nodata),
        chunks=chunks,
        access="chunks" if access == "chunked" else "free" if access == "addressable" else "stream",
        read=read,
        version=_image_version(image),
        scale=tuple(scale),
        origin=tuple(origin),
        units=tuple(units),
        transform=transform if mapped else None,
        crs=_crs(image),
        channels=_channels(image, stack),
    )


def _crs(image: Image) -> Any:
    """The CRS; none where the extra for it isn't there."""
    try:
        return image.crs
    except (MissingExtraError, GigapixError):
        return None


def _channels(image: Image, stack: Any) -> tuple[Mapping[str, Any], ...]:
    named = [channel for channel in (stack.channels if stack is not None else ()) for _ in range(channel.samples or 1)]
    if len(named) == image.bands:
        return tuple({"label": channel.name, "color": channel.color} for channel in named)
    plain = {"red": (255, 0, 0, 255), "green": (0, 255, 0, 255), "blue": (0, 0, 255, 255)}
    return tuple({"label": name, "color": plain.get(name)} for name in image.color_interpretation)


def _image_version(image: Image) -> str:
    from gigapix.image.version import version_of

    found = version_of(image.cache.source)
    return repr(found) if found is not None else uuid.uuid4().hex  # never the same: a run of it is not gone on with
