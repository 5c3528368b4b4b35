"""The rules of OME-Zarr 0.4 and 0.5, held against a group's attributes and the metadata of its arrays.

What the specification says by MUST is a fault, what it says by SHOULD a doubt. Beyond it: each level must cover what
level 0 covers, and lie in the same place. The specification can't say so, since it allows any scales; but a viewer that
is told otherwise shows levels that jump.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import floor, prod
from typing import Any, Final

from gigapix.errors import RequestError, UnsupportedError
from gigapix.pyramids.findings import SLACK, Finding, Findings, Nodes, doubt, is_number, numbers, shown
from gigapix.pyramids.nodes import Node, is_path
from gigapix.pyramids.ome import UNITS

_COLOR: Final = re.compile(r"[0-9a-fA-F]{6}")
_WINDOW: Final = ("min", "max", "start", "end")


Vectors = tuple[tuple[float, ...], tuple[float, ...]]
"""Scale and translation."""


@dataclass(frozen=True, kw_only=True)
class Ome:
    """What a group says of itself."""

    version: str
    found: Mapping[str, Any]

    @property
    def images(self) -> list[Any]:
        """Its multiscales, as far as they are a list."""
        images = self.found.get("multiscales")
        return images if isinstance(images, list) else []


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """One dataset of an image, as its transformations say."""

    at: str
    """For messages."""
    node: Node
    scale: tuple[float, ...]
    translation: tuple[float, ...]


def ome_of(node: Node) -> Ome | None:
    """The OME-Zarr metadata of a group, None where there are none.

    Raises UnsupportedError where they are of another version than 0.4 and 0.5.
    """
    found = node.attributes.get("ome")
    if isinstance(found, dict):
        version = found.get("version")
    elif isinstance(node.attributes.get("multiscales"), list):
        found = node.attributes
        first = next(iter(found["multiscales"]), None)
        version = first.get("version", "0.4") if isinstance(first, dict) else "0.4"
    elif node.zarr_format == 2 and {"labels", "image-label", "plate", "well"} & set(node.attributes):
        found, version = node.attributes, "0.4"
    else:
        return None
    if isinstance(version, str) and re.match(r"0\.([1236]|5-)", version):
        raise UnsupportedError(f"OME-Zarr {shown(version)} is not checked; 0.4 and 0.5 are")
    return Ome(version=version if isinstance(version, str) else "", found=found)


def dataset_paths(ome: Ome) -> Iterator[str]:
    """Of all arrays, as far as their paths are some."""
    for image in ome.images:
        datasets = image.get("datasets") if isinstance(image, dict) else None
        for each in datasets if isinstance(datasets, list) else []:
            if isinstance(each, dict) and is_path(each.get("path")):
                yield each["path"]


def check_ome(root: Node, ome: Ome, nodes: Nodes) -> Findings:
    """All rules for an image."""
    expected = {2: "0.4", 3: "0.5"}[root.zarr_format]
    if ome.version != expected:
        yield Finding(f"OME-Zarr has version {shown(ome.version)}; in Zarr v{root.zarr_format} it must be {expected}")
    if not ome.images:
        yield Finding("multiscales is no list of images")
    channels = None
    for n, image in enumerate(ome.images):
        at = f"multiscales[{n}]"
        if not isinstance(image, dict):
            yield Finding(f"{at} is no object")
            continue
        names = yield from _axes(image.get("axes"), f"{at}.axes")
        levels = yield from _datasets(image, names, nodes, at)
        yield from _geometry(levels, image.get("type"), names)
        for name in ("name", "type"):
            # An image without further levels has no method.
            if not isinstance(image.get(name), str) and (name == "name" or len(levels) > 1):
                yield doubt(f"{at} has no {name}")
        if n == 0 and names and levels and "c" in names:
            channels = levels[0].node.shape[names.index("c")]
    if "omero" in ome.found:
        yield from _omero(ome.found["omero"], channels)


def _axes(axes: Any, at: str) -> Generator[Finding, None, tuple[str, ...] | None]:
    """Returns their names, None where they have none."""
    if not isinstance(axes, list) or not 2 <= len(axes) <= 5:
        yield Finding(f"{at} is no list of two to five axes")
        return None
    for n, axis in enumerate(axes):
        if not isinstance(axis, dict) or not isinstance(axis.get("name"), str) or not axis["name"]:
            yield Finding(f"{at}[{n}] has no name")
            return None
        if not isinstance(axis.get("type"), str | None):
            yield Finding(f"{at}[{n}].type is {shown(axis['type'])}, no text")
            return None
        unit = axis.get("unit")
        if unit is not None and (not isinstance(unit, str) or unit not in UNITS.get(str(axis.get("type")), (unit,))):
            yield doubt(f"{at}[{n}].unit {shown(unit)} is none of those that OME-Zarr lists")
    names = tuple(axis["name"] for axis in axes)
    types = [axis.get("type") for axis in axes]
    if len(set(names)) < len(names):
        yield Finding(f"{at}: two have the same name")
    if types.count("space") not in (2, 3):
        yield Finding(f"{at}: {types.count('space')} are of type space; it must be 2 or 3")
    if types.count("time") > 1:
        yield Finding(f"{at}: {types.count('time')} are of type time; it may be 1")
    others = [kind for kind in types if kind not in ("space", "time")]
    if len(others) > 1:
        yield Finding(f"{at}: {len(others)} are of type channel, of another type or of none; it may be 1")
    ranks = [{"time": 0, "space": 2}.get(kind or "", 1) for kind in types]
    if ranks != sorted(ranks):
        yield Finding(f"{at}: the order must be time, channel or another type, space")
    spaces = [name for name, kind in zip(names, types, strict=True) if kind == "space"]
    if set(spaces) <= {"z", "y", "x"} and spaces != sorted(spaces, reverse=True):
        yield doubt(f"{at}: spatial axes are in the order {''.join(spaces)}, not zyx")
    return names


def _datasets(
    image: dict[str, Any], names: tuple[str, ...] | None, nodes: Nodes, at: str
) -> Generator[Finding, None, list[Resolution]]:
    """Their rules one by one. Returns the `Resolution`s that are sound."""
    datasets = image.get("datasets")
    levels: list[Resolution] = []
    if not isinstance(datasets, list) or not datasets:
        yield Finding(f"{at}.datasets is no list of arrays")
        return levels
    ndim = len(names) if names else None
    if "coordinateTransformations" in image:
        yield from _transformations(image["coordinateTransformations"], ndim, f"{at}.coordinateTransformations")
    for n, each in enumerate(datasets):
        here = f"{at}.datasets[{n}]"
        if not isinstance(each, dict) or not is_path(each.get("path")):
            yield Finding(f"{here} has no path of an array in the group")
            continue
        transforms = yield from _transformations(
            each.get("coordinateTransformations"), ndim, f"{here}.coordinateTransformations"
        )
        node = nodes.get(each["path"])
        if node is None or node.kind != "array":
            yield Finding(f"{here}: there is no array {shown(each['path'])}")
            continue
        yield from _array(node, names)
        if transforms and len(node.shape) == len(transforms[0]):
            levels.append(Resolution(at=here, node=node, scale=transforms[0], translation=transforms[1]))
    return levels


def _array(node: Node, names: tuple[str, ...] | None) -> Findings:
    at = f"array {node.path}"
    if names and len(node.shape) != len(names):
        yield Finding(f"{at} has {len(node.shape)} dimensions; there are {len(names)} axes")
    if 0 in node.shape:
        yield Finding(f"{at} is empty: its shape is {shown(node.shape)}")
    if node.zarr_format == 2:
        if not node.nested:
            yield Finding(f'{at} has not the dimension separator "/"')
    elif node.dimension_names is None:
        yield Finding(f"{at} has no dimension_names")
    elif names and node.dimension_names != names:
        yield Finding(f"{at}: dimension_names {shown(node.dimension_names)} are not the axes {shown(names)}")


def _transformations(value: Any, ndim: int | None, at: str) -> Generator[Finding, None, Vectors | None]:
    """Returns (scale, translation), None where they can't be told."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        yield Finding(f"{at} is no list of transformations")
        return None
    kinds = [each.get("type") for each in value]
    if kinds not in (["scale"], ["scale", "translation"]):
        yield Finding(f"{at} is {shown(kinds)}; it must be one scale, then at most one translation")
        return None
    found = []
    for each in value:
        kind = each["type"]
        vector = numbers(each.get(kind))
        if vector is None and kind not in each and isinstance(each.get("path"), str):
            yield doubt(f"{at}: its {kind} lies in an array, which is not looked at")
            return None
        if vector is None or (ndim is not None and len(vector) != ndim):
            yield Finding(f"{at}: {kind} is no list of one number an axis")
            return None
        found.append(vector)
    scale = found[0]
    if not all(step > 0 for step in scale):
        yield Finding(f"{at}: scale {shown(list(scale))} is not positive")
        return None
    return scale, found[1] if len(found) > 1 else (0.0,) * len(scale)


def _geometry(levels: list[Resolution], method: Any, names: tuple[str, ...] | None) -> Findings:
    """Whether levels are in order, and each covers what the first covers."""
    for finer, level in pairwise(levels):
        if len(finer.node.shape) != len(level.node.shape):
            continue  # said already
        if prod(level.node.shape) > prod(finer.node.shape) or prod(level.scale) < prod(finer.scale) * (1 - SLACK):
            yield Finding(f"{level.at} is larger than the one before; the order must be from largest to smallest")
        if level.node.dtype != finer.node.dtype:
            yield doubt(f"array {level.node.path} is of type {level.node.dtype}, the one before {finer.node.dtype}")
    for level in levels[1:]:
        first = levels[0]
        if len(first.node.shape) != len(level.node.shape):
            continue
        for axis, name in enumerate(names or ()):
            step, base = level.scale[axis], first.scale[axis]
            extent, whole = level.node.shape[axis] * step, first.node.shape[axis] * base
            if abs(extent - whole) > step * (1 + SLACK):
                yield Finding(
                    f"{level.at}: {level.node.shape[axis]} samples of {step:g} along {name} don't cover the "
                    f"{first.node.shape[axis]} of {base:g} of level 0"
                )
            else:
                yield from _shift(level, first, axis, name, method)


def _shift(level: Resolution, first: Resolution, axis: int, name: str, method: Any) -> Findings:
    """Whether the first sample of a level lies where its method puts it. In samples of level 0."""
    base = first.scale[axis]
    factor = level.scale[axis] / base
    shift = (level.translation[axis] - first.translation[axis]) / base
    centre = (factor - 1) / 2
    if abs(shift) >= factor * (1 + SLACK) and factor > 1:
        yield Finding(
            f"{level.at} is shifted along {name} by {shift:g} samples of level 0, more than a sample of its own"
        )
        return
    allowed = [centre] if takes_centre(method) else [centre, 0.0, float(floor(factor / 2))]
    # A translation may be large beside the scale: so many digits are lost.
    slack = max(1e-3, 1e-14 * abs(first.translation[axis]) / base)
    if min(abs(shift - each) for each in allowed) > slack:
        yield doubt(
            f"{level.at} is shifted along {name} by {shift:g} samples of level 0: averages of {factor:g} lie at "
            f"{centre:g}, picked samples at 0"
        )


def takes_centre(method: Any) -> bool:
    """Whether values of this method are known to lie at the centres of windows."""
    from gigapix.pyramids.reducers import reducer_of

    try:
        return isinstance(method, str) and reducer_of(method).position == "centre"
    except RequestError:
        return False


def _omero(omero: Any, count: int | None) -> Findings:
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        yield Finding("omero has no list of channels")
        return
    if count is not None and len(channels) != count:
        yield doubt(f"omero has {len(channels)} channels, the image {count}")
    for n, channel in enumerate(channels):
        at = f"omero.channels[{n}]"
        if not isinstance(channel, dict):
            yield Finding(f"{at} is no object")
            continue
        color, window = channel.get("color"), channel.get("window")
        if not isinstance(color, str) or not _COLOR.fullmatch(color):
            yield Finding(f"{at}.color is {shown(color)}, not six hexadecimal digits")
        if not isinstance(window, dict) or not all(is_number(window.get(name)) for name in _WINDOW):
            yield Finding(f"{at}.window must have the numbers {', '.join(_WINDOW)}")
        elif not window["start"] < window["end"]:
            yield doubt(f"{at}.window starts at {window['start']} and ends at {window['end']}")
