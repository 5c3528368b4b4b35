"""napari's reader: an image as layers of dask arrays, with all resolutions and what its metadata say of showing it.

napari asks for `get_reader` by the package's manifest, ``napari.yaml``. Nothing of napari is imported: a layer is a
tuple (npe2's ``LayerData``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gigapix.image.open import open as open_image
from gigapix.interop.arrays import CHUNK_BYTES
from gigapix.pyramids.images import about
from gigapix.pyramids.ome import unit_of

if TYPE_CHECKING:
    from gigapix.image.image import Image

LayerData = tuple[Any, dict[str, Any], str]

SHOWN_BYTES: Final = 4 << 20
"""Of a chunk: what is shown at once is some megabytes, and the rest should not be waited for."""

CHUNKS: Final = 1 << 16
"""Of a level with more of them they are larger: dask needs a second to plan so many."""

SHOWN_AS_RGB: Final = (("red", "green", "blue"), ("red", "green", "blue", "alpha"))


def get_reader(path: str | os.PathLike[str] | Sequence[str]) -> Callable[..., list[LayerData]] | None:
    """What reads a path; None for several at once, which are no stack that gigapix knows of."""
    return read_layers if isinstance(path, str | os.PathLike) else None


def read_layers(path: str | os.PathLike[str]) -> list[LayerData]:
    """The layers of a path or URL. Raises what `gigapix.open` raises. The image stays open as long as they exist."""
    return layers_of(open_image(path))


def layers_of(image: Image) -> list[LayerData]:
    """One layer, multiscale where the image has several levels; with ``channel_axis``, of which napari makes a layer a
    channel, where it has channels and isn't RGB.

    Scale and units are those of the microscope or slide scanner. What lies on the Earth is shown in its pixels, since
    napari's axes only go down and to the right. Raises MissingExtraError without the extra ``napari``.
    """
    facts, c = about(image), image.axes.index("C")
    sizes = [min(max(SHOWN_BYTES, level.nbytes // CHUNKS), CHUNK_BYTES) for level in image.levels]
    levels: list[Any] = [image.to_dask(level, chunk_bytes=size) for level, size in enumerate(sizes)]
    others = [n for n in range(image.ndim) if n != c]
    shown: dict[str, Any] = {"name": facts.title, "axis_labels": tuple(image.axes[n].lower() for n in others)}
    if image.color_interpretation in SHOWN_AS_RGB and image.dtype.kind in "uf":
        levels = [level.transpose(*others, c) for level in levels]
        shown["rgb"] = True
    elif image.bands == 1:
        levels = [level[(slice(None),) * c + (0,)] for level in levels]
        shown |= {name: values[0] for name, values in _channels(image, facts.channels).items() if name != "name"}
    else:
        shown |= {"channel_axis": c} | _channels(image, facts.channels)
        if isinstance(shown["name"], str):
            shown["name"] = [f"{facts.title} {n}" for n in range(image.bands)]
    units = [unit_of(facts.units[n]) for n in others]
    if facts.transform is None and any(units):
        shown |= {"scale": tuple(facts.scale[n] for n in others), "units": tuple(unit or "pixel" for unit in units)}
    shown["multiscale"] = len(levels) > 1
    return [(levels if len(levels) > 1 else levels[0], shown, "image")]


def _channels(image: Image, named: Sequence[Any]) -> dict[str, list[Any]]:
    """What is known of all channels alike: names, colours, what of their values is shown."""
    found: dict[str, list[Any]] = {}
    gdal = image.gdal_metadata
    described = [gdal.band(band).description for band in range(image.bands)] if gdal else []
    names = described if any(described) else [channel.get("label") for channel in named]
    if all(names) and len(set(names)) == image.bands:
        found["name"] = names
    colors = [_rgb(channel.get("color")) for channel in named]
    if len(colors) == image.bands and all(map(any, colors)):
        found["colormap"] = ["gray" if len(set(color)) == 1 else f"#{color.hex()}" for color in colors]
    limits = _limits(image)
    if limits and all(map(_is_range, limits)):
        found["contrast_limits"] = [list(each) for each in limits]
    return found


def _limits(image: Image) -> list[tuple[Any, Any]]:
    """(lowest, highest) value to show of each channel: ImageJ's display range, OME-Zarr's window, or the extremes that
    GDAL wrote down."""
    stack, told = image.metadata.get("stack"), image.metadata.get("channels", ())
    if stack is not None and len(stack.channels) == image.bands:
        return [channel.display or (None, None) for channel in stack.channels]
    if len(told) == image.bands:
        windows = [each.get("window") for each in told]
        return [(each.get("start"), each.get("end")) if isinstance(each, dict) else (None, None) for each in windows]
    if image.gdal_metadata is None:
        return []
    known = [image.gdal_metadata.band(band).statistics for band in range(image.bands)]
    return [(each.get("minimum"), each.get("maximum")) for each in known]


def _is_range(limits: tuple[Any, Any]) -> bool:
    sound = all(isinstance(each, int | float) and math.isfinite(each) for each in limits)
    return sound and limits[0] < limits[1]


def _rgb(color: str | Sequence[int] | None) -> bytes:
    """A colour, as OME-Zarr or OME-XML has it, as red, green and blue; nothing where there is none."""
    return bytes.fromhex(color) if isinstance(color, str) else bytes((color or ())[:3])
