"""What a Zarr hierarchy says of an image (`image.facts`): attributes, CRS and transform, channels, units.

Where it lies on a map is said in one of several ways, which are tried in this order: the conventions spatial and proj,
of the array or of a group above it; a grid mapping (CF, section 5.6, with GDAL's ``GeoTransform``); evenly spaced
coordinates of x and y (CF, section 5), of which only arrays of one dimension are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigapix.errors import FormatError, GigapixError, MissingExtraError, RequestError, UnsupportedError
from gigapix.formats.model import Steps
from gigapix.formats.zarr.array import ArrayInfo, array_of
from gigapix.formats.zarr.dtypes import fill_of
from gigapix.formats.zarr.image import ZarrImage, count_images, is_transform
from gigapix.formats.zarr.levels import level_of
from gigapix.formats.zarr.tree import joined, mapping
from gigapix.image.plan import plan_read
from gigapix.image.window import Window
from gigapix.source import drive

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray
    from pyproj import CRS

    from gigapix.image.image import Image

MOST_COORDINATES: Final = 1 << 22
"""Positions along an axis whose coordinates are read to find its origin and spacing."""

EVEN: Final = 1e-3
"""How much spacings may differ, as a part of one: coordinates are often stored as float32."""


DOUBLE: Final = 12
"""Characters of eight bytes in base64."""


def spec_of(image: Image) -> ZarrImage:
    """The image as the Zarr parser describes it. Raises UnsupportedError for other formats."""
    if not isinstance(image.spec, ZarrImage):
        raise UnsupportedError("it is no Zarr hierarchy", path=image.path)
    return image.spec


def kind(image: Image) -> str:
    """``ome``, ``label``, ``multiscales``, ``ndpyramid``, ``levels`` or ``array``."""
    return spec_of(image).series.kind


def count(image: Image) -> Steps[int]:
    """All images of the hierarchy."""
    return count_images(spec_of(image).tree, image.path)


def tags(image: Image) -> Mapping[str | int, Any]:
    """The attributes of the group, and before them those of the array."""
    spec = spec_of(image)
    return MappingProxyType(_attributes(spec))


def _attributes(spec: ZarrImage) -> dict[Any, Any]:
    group = spec.series.group.attributes if spec.series.group is not None else {}
    return dict(group) | dict(spec.arrays[0].attributes)


def geokeys(image: Image) -> None:
    """None: Zarr has none."""


def gcps(image: Image) -> tuple[()]:
    """None: no convention has them."""
    return ()


def gdal_metadata(image: Image) -> None:
    """None."""


def colormap(image: Image) -> dict[int, tuple[int, int, int, int]] | None:
    """The colours of labels, of OME-Zarr's ``image-label``."""
    label = mapping(_ome(image).get("image-label"))
    found: dict[int, tuple[int, int, int, int]] = {}
    colors = label.get("colors")
    for each in map(mapping, colors if isinstance(colors, list) else []):
        value, rgba = each.get("label-value"), each.get("rgba") or []
        sound = (
            isinstance(rgba, list) and len(rgba) == 4 and all(type(part) is int and 0 <= part < 256 for part in rgba)
        )
        if type(value) is int and sound:
            found[value] = (rgba[0], rgba[1], rgba[2], rgba[3])
    return found or None


def color_interpretation(image: Image) -> tuple[str, ...]:
    """``red``, ``green`` and ``blue`` where the channels are labelled so, else ``gray`` and ``undefined``, as GDAL."""
    labels = [str(each.get("label", "")).lower() for each in channels(image)]
    named = {"red": "red", "green": "green", "blue": "blue", "alpha": "alpha", "r": "red", "g": "green", "b": "blue"}
    known = [named.get(label) for label in labels]
    if len(known) == image.bands and known[:3] == ["red", "green", "blue"]:
        return tuple(each or "undefined" for each in known)
    return ("gray",) + ("undefined",) * (image.bands - 1)


def crs(image: Image) -> CRS | None:
    """Of proj:code, proj:wkt2 or proj:projjson, of a grid mapping's WKT, or EPSG:4326 for latitudes and longitudes."""
    told = crs_of(image)
    if told is None:
        return None
    try:
        from pyproj import CRS
        from pyproj.exceptions import CRSError
    except ImportError as error:
        raise MissingExtraError("the CRS needs pyproj: install gigapix[geo]", path=image.path) from error
    try:
        return CRS.from_user_input(told)
    except (CRSError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise FormatError(f"{told!s:.60} is no CRS ({error!s:.200})", path=image.path) from None


def epsg(image: Image) -> int | None:
    """Of proj:code, else of the CRS where that is exactly one of EPSG's."""
    told = crs_of(image)
    if isinstance(told, str) and told.upper().startswith("EPSG:") and told[5:].isdigit():
        return int(told[5:])
    found: int | None = image.crs.to_epsg(min_confidence=100) if told is not None and image.crs is not None else None
    return found


def crs_of(image: Image) -> Any:
    """What says which CRS it is, as pyproj takes it; None where nothing does."""
    for attributes in _places(image):
        for key in ("proj:code", "proj:wkt2", "proj:projjson"):
            if attributes.get(key):
                return attributes[key]
    grid = _grid_mapping(image)
    for key in ("crs_wkt", "spatial_ref"):
        if isinstance(grid.get(key), str):
            return grid[key]
    group = spec_of(image).series.group
    listed = group.attributes.get("multiscales") if group is not None else None
    if kind(image) == "ndpyramid" and isinstance(listed, list) and listed:
        first = mapping(listed[0]).get("datasets")
        told = mapping(first[0]).get("crs") if isinstance(first, list) and first else None
        return told if isinstance(told, str) else None
    names = spec_of(image).arrays[0].names or ()
    return "EPSG:4326" if {"lat", "lon"} <= set(names) or {"latitude", "longitude"} <= set(names) else None


def transform(image: Image) -> Affine:
    """From spatial:transform, a grid mapping's GeoTransform, or evenly spaced coordinates; else the identity."""
    from affine import Affine

    spec = spec_of(image)
    for given in (
        *(spec.series.transforms[:1] if spec.series.arrays[:1] == (spec.arrays[0].node,) else ()),
        *(attributes.get("spatial:transform") for attributes in _places(image)),
    ):
        if is_transform(given):
            return Affine(*map(float, given))
    told = _grid_mapping(image).get("GeoTransform")
    numbers = [_number(part) for part in told.split()] if isinstance(told, str) else []
    if len(numbers) == 6 and all(map(math.isfinite, numbers)):
        return Affine.from_gdal(*numbers)
    x, y = (_spacing(image, axis) for axis in "XY")
    if x is None or y is None:
        return Affine.identity()
    return Affine(x[1], 0, x[0] - x[1] / 2, 0, y[1], y[0] - y[1] / 2)


def nodata(image: Image) -> Any:
    """``_FillValue`` or ``missing_value`` of the array (CF, section 2.5), else what gigapix has noted. A fill value
    alone is none: it stands for what was not written."""
    spec = spec_of(image)
    array = spec.arrays[0]
    told: Any = next(
        (array.attributes[key] for key in ("_FillValue", "missing_value") if key in array.attributes), None
    )
    if told is None and spec.series.group is not None:
        told = mapping(mapping(spec.series.group.attributes.get("multiscales")).get("gigapix")).get("nodata")
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if told is None or isinstance(told, bool):
        return None
    try:
        # xarray writes floats of any size as eight bytes in base64.
        double = isinstance(told, str) and array.dtype.kind == "f" and len(told) == DOUBLE
        found = fill_of(told, np.dtype("<f8") if double else array.dtype)
    except FormatError:
        return None
    return None if isinstance(found, complex) else float(found)


def profile(image: Image) -> dict[str, Any]:
    """As rasterio's of a Zarr array."""
    level = image.levels[0]
    return {
        "driver": "Zarr",
        "dtype": str(image.dtype),
        "nodata": image.nodata,
        "width": image.width,
        "height": image.height,
        "count": image.bands,
        "crs": image.crs,
        "transform": image.transform,
        "blockxsize": level.spec.segment[2],
        "blockysize": level.spec.segment[1],
        "tiled": True,
        "interleave": "pixel" if level.spec.samples > 1 else "band",
    }


def metadata(image: Image) -> dict[str, Any]:
    """Kind, name, channels, pixel size by axis, codecs, shards, and all attributes as they stand there."""
    spec = spec_of(image)
    array = spec.arrays[0]
    found = {
        "kind": kind(image),
        "name": spec.name,
        "path": array.node.path,
        "zarr_format": array.node.version,
        "dimension_names": array.names,
        "channels": tuple(channels(image)),
        "pixel_size": pixel_size(image),
        "codecs": codecs(image),
        "shards": array.outer if array.sharded else None,
        "fill_value": array.fill,
        "attributes": _attributes(spec),
        "problems": spec.problems,
    }
    return {key: value for key, value in found.items() if value not in (None, (), {}, "")}


def codecs(image: Image) -> tuple[str, ...]:
    """Names of the codecs of a chunk."""
    chain = spec_of(image).arrays[0].chain
    return (f"image {chain.image}",) if chain.image else tuple(name for name, _ in chain.codecs)


def channels(image: Image) -> list[Mapping[str, Any]]:
    """OME-Zarr's ``omero`` channels: label, color, window and others; of a stack of named bands, their names."""
    listed = mapping(_ome(image).get("omero")).get("channels")
    return [mapping(each) for each in listed] if isinstance(listed, list) else []


def pixel_size(image: Image) -> dict[str, tuple[float, str]]:
    """By axis, the size of level 0's samples and its unit, where OME-Zarr says so."""
    spec = spec_of(image)
    axes = spec.series.multiscale.get("axes")
    scale = next((each for each in spec.series.scales[:1] if each is not None and len(each) == len(spec.letters)), None)
    if not isinstance(axes, list) or scale is None or len(axes) != len(spec.letters):
        return {}
    units = [mapping(axis).get("unit") for axis in axes]
    return {
        letter: (size, str(unit))
        for letter, size, unit in zip(spec.letters, scale, units, strict=True)
        if unit is not None and letter != "C"
    }


def _ome(image: Image) -> Mapping[str, Any]:
    group = spec_of(image).series.group
    return {} if group is None else mapping(group.attributes.get("ome")) or group.attributes


def _places(image: Image) -> list[Mapping[str, Any]]:
    """Attributes that may say where it lies: of the array, of the group of its level, of the group of all."""
    spec = spec_of(image)
    found = [spec.arrays[0].attributes]
    parent = spec.arrays[0].node.path.rpartition("/")[0]
    for node in drive(spec.tree.read([parent]), image.cache):
        found += [node.attributes] if node is not None else []
    return found + ([spec.series.group.attributes] if spec.series.group is not None else [])


def _beside(image: Image, name: str) -> ArrayInfo | None:
    """An array in the group of level 0, None where there is none that is sound."""
    spec = spec_of(image)
    parent = spec.arrays[0].node.path.rpartition("/")[0]
    if not spec.arrays[0].node.path or not name or "/" in name:
        return None
    (node,) = drive(spec.tree.read([joined(parent, name)]), image.cache)
    if node is None or node.array is None:
        return None
    try:
        return array_of(node)
    except GigapixError:
        return None


def _grid_mapping(image: Image) -> Mapping[str, Any]:
    """The attributes of the grid mapping that the array names; rioxarray's ``spatial_ref`` where it names none."""
    spec = spec_of(image)
    array = spec.arrays[0]
    named = array.attributes.get("grid_mapping")
    if not isinstance(named, str) and not (array.names and spec.series.kind in ("array", "ndpyramid", "levels")):
        return {}
    name = named.split(":")[0].strip() if isinstance(named, str) else "spatial_ref"
    parent = array.node.path.rpartition("/")[0]
    if not array.node.path or not name or "/" in name:
        return {}
    (node,) = drive(spec.tree.read([joined(parent, name)]), image.cache)
    return node.attributes if node is not None else {}


def _spacing(image: Image, axis: str) -> tuple[float, float] | None:
    """The first coordinate along X or Y and the step to the next; None where there are none, or not evenly spaced."""
    spec = spec_of(image)
    array = spec.arrays[0]
    if array.names is None or axis not in spec.letters or spec.series.kind in ("ome", "label"):
        return None
    name = array.names[spec.letters.index(axis)]
    found = _beside(image, name)
    size = array.shape[spec.letters.index(axis)]
    if found is None or found.shape != (size,) or not 1 < size <= MOST_COORDINATES or found.dtype.kind not in "fiu":
        return None
    try:
        level = level_of(spec.tree.keys, found, "X", "CYX")
        values: NDArray[Any] = image.reader.run(plan_read(level, Window(0, 0, size, 1))).ravel().astype(np.float64)
    except (RequestError, UnsupportedError):
        return None
    steps = np.diff(values)
    step = (values[-1] - values[0]) / (size - 1)
    if not np.isfinite(values).all() or step == 0 or np.abs(steps - step).max() > EVEN * abs(step):
        return None
    return float(values[0]), float(step)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
