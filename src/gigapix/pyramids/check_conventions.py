"""The rules of the Zarr conventions multiscales, spatial and proj (v0.1), held against a group's attributes.

A scale is to be relative to the level that `derived_from` names. One example of the convention has it relative to the
first level, and so have files made after it: that is a doubt, not a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gigapix.pyramids.conventions import CODE, bbox_of, convention
from gigapix.pyramids.findings import SLACK, Finding, Findings, Nodes, doubt, numbers, shown
from gigapix.pyramids.nodes import Node, is_path

NAMES: Final = ("multiscales", "spatial", "proj")
_PROJ: Final = ("proj:code", "proj:wkt2", "proj:projjson")


def conventions_of(node: Node) -> tuple[str, ...]:
    """Those of ours that a node follows or says it follows."""
    declared = node.attributes.get("zarr_conventions")
    listed = declared if isinstance(declared, list) else []
    uuids = [each.get("uuid") for each in listed if isinstance(each, dict)]
    return tuple(name for name in NAMES if convention(name)["uuid"] in uuids or _has(name, node.attributes))


def check_conventions(root: Node, nodes: Nodes) -> Findings:
    """All rules."""
    attributes = root.attributes
    names = conventions_of(root)
    if names or "zarr_conventions" in attributes:
        yield from _declared(attributes)
    for name in names:
        if not _has(name, attributes) and not (name == "spatial" and _in_layout(attributes)):
            yield Finding(f"zarr_conventions has {name}, but nothing of it is there")
    if _has("multiscales", attributes):
        yield from _multiscales(attributes["multiscales"], nodes)
    if "spatial" in names:
        yield from _spatial(attributes, "the group")
        for path, entry in layout_of(attributes).items():
            at = f"level {path}"
            node = nodes.get(path)
            yield from _spatial(entry, at)
            yield from _spatial_shape(entry, node, attributes.get("spatial:dimensions"), at)
            yield from _same_place(entry, attributes, at)
    if "proj" in names:
        yield from _proj(attributes)


def _has(name: str, attributes: Mapping[str, Any]) -> bool:
    if name == "multiscales":
        return isinstance(attributes.get(name), dict)
    return any(key.startswith(f"{name}:") for key in attributes)


def _in_layout(attributes: Mapping[str, Any]) -> bool:
    return any(_has("spatial", entry) for entry in layout_of(attributes).values())


def layout_of(attributes: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The levels by path, as far as their paths are some."""
    multiscales = attributes.get("multiscales")
    layout = multiscales.get("layout") if isinstance(multiscales, dict) else None
    return {
        entry["asset"]: entry
        for entry in (layout if isinstance(layout, list) else [])
        if isinstance(entry, dict) and is_path(entry.get("asset"))
    }


def _declared(attributes: Mapping[str, Any]) -> Findings:
    declared = attributes.get("zarr_conventions")
    if not isinstance(declared, list) or not all(isinstance(each, dict) for each in declared):
        yield Finding("zarr_conventions is no list of objects")
        return
    for name in NAMES:
        known = convention(name)
        said = next((each for each in declared if each.get("uuid") == known["uuid"]), None)
        if said is None:
            if _has(name, attributes):
                yield Finding(f"there are attributes of the convention {name}, but zarr_conventions does not name it")
            continue
        for key, value in known.items():
            if said.get(key, value) == value:
                continue
            if str(said[key]) == value.replace("v0.1", "v1"):
                yield doubt(f"zarr_conventions: {key} of {name} is that of a draft, {shown(said[key])}")
            elif key in ("schema_url", "spec_url"):
                yield Finding(f"zarr_conventions: {key} of {name} is {shown(said[key])}, not {value}")
            else:
                yield doubt(f"zarr_conventions: {key} of {name} is {shown(said[key])}, not {value}")


def _multiscales(multiscales: Mapping[str, Any], nodes: Nodes) -> Findings:
    layout = multiscales.get("layout")
    if not isinstance(layout, list) or not layout:
        yield Finding("multiscales.layout is no list of levels")
        return
    entries: dict[str, Mapping[str, Any]] = {}
    for n, entry in enumerate(layout):
        at = f"multiscales.layout[{n}]"
        if not isinstance(entry, dict) or not is_path(entry.get("asset")):
            yield Finding(f"{at}.asset is no path of an array or a group in the group")
            continue
        path = entry["asset"]
        if path in entries:
            yield Finding(f"{at}: {shown(path)} is there twice")
        if nodes.get(path) is None:
            yield Finding(f"{at}: there is no {shown(path)}")
        if not isinstance(entry.get("resampling_method", ""), str):
            yield Finding(f"{at}.resampling_method is no text")
        entries[path] = entry
        if "derived_from" in entry and not isinstance(entry.get("transform"), dict):
            yield Finding(f"{at} is derived from another level, and has no transform")
    if not isinstance(multiscales.get("resampling_method", ""), str):
        yield Finding("multiscales.resampling_method is no text")
    for path, entry in entries.items():
        yield from _derived(path, entry, entries, nodes)


def _derived(path: str, entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], nodes: Nodes) -> Findings:
    at = f"level {path}"
    transform = entry.get("transform", {})
    if not isinstance(transform, dict):
        yield Finding(f"{at}: transform is no object")
        return
    for key in ("scale", "translation"):
        if key in transform and numbers(transform[key]) is None:
            yield Finding(f"{at}: transform.{key} is no list of numbers")
            return
    if "derived_from" not in entry:
        return
    chain, parent = [path], entry["derived_from"]
    while isinstance(parent, str) and parent in entries and parent not in chain:
        chain.append(parent)
        parent = entries[parent].get("derived_from")
    if len(chain) == 1 or parent is not None:
        what = "in a circle" if parent in chain else f"from {shown(parent)}, which is no level"
        yield Finding(f"{at} is derived {what}")
        return
    scale = numbers(transform.get("scale"))
    level, finer, base = nodes.get(path), nodes.get(chain[1]), nodes.get(chain[-1])
    if scale is None or level is None or finer is None or base is None:
        return
    if not scale or not all(step > 0 for step in scale):
        yield Finding(f"{at}: transform.scale {shown(list(scale))} is not positive")
    elif not _covers(scale, level, finer):
        if _covers(scale, level, base):
            yield doubt(f"{at}: transform.scale is relative to level {base.path}, not to {finer.path}")
        else:
            yield Finding(
                f"{at}: {shown(level.shape)} samples of {shown(list(scale))} don't cover level {finer.path}, "
                f"which has {shown(finer.shape)}"
            )


def _covers(scale: tuple[float, ...], level: Node, finer: Node) -> bool:
    """Whether a level of these steps covers another, but for a part of its last samples. Of the last axes where the
    scale has fewer; of groups it can't be told."""
    if level.kind == "group" or finer.kind == "group":
        return True
    count = len(scale)
    if not len(level.shape) == len(finer.shape) >= count:
        return False
    return all(
        abs(size * step - whole) <= step * (1 + SLACK)
        for size, whole, step in zip(level.shape[-count:], finer.shape[-count:], scale, strict=True)
    )


def _spatial(found: Mapping[str, Any], at: str) -> Findings:
    """Of a group or an entry of a layout."""
    dimensions = found.get("spatial:dimensions")
    if dimensions is not None and not (
        isinstance(dimensions, list) and len(dimensions) == 2 and all(isinstance(each, str) for each in dimensions)
    ):
        yield Finding(f"{at}: spatial:dimensions are no two names")
    transform, bbox = numbers(found.get("spatial:transform")), numbers(found.get("spatial:bbox"))
    affine = found.get("spatial:transform_type", "affine") == "affine"
    if "spatial:transform" in found and affine and (transform is None or len(transform) != 6):
        yield Finding(f"{at}: spatial:transform is no list of six numbers")
        transform = None
    if "spatial:bbox" in found and (bbox is None or len(bbox) != 4):
        yield Finding(f"{at}: spatial:bbox is no list of four numbers")
        bbox = None
    shape = found.get("spatial:shape")
    if shape is not None and not (
        isinstance(shape, list) and len(shape) == 2 and all(type(size) is int and size >= 1 for size in shape)
    ):
        yield Finding(f"{at}: spatial:shape is no height and width")
        shape = None
    registration = found.get("spatial:registration", "pixel")
    if registration not in ("pixel", "node"):
        yield Finding(f"{at}: spatial:registration is {shown(registration)}, neither pixel nor node")
    if transform and bbox and shape and affine and registration == "pixel":
        expected = bbox_of(transform, *shape)
        slack = max(abs(part) for part in (transform[0], transform[1], transform[3], transform[4])) / 2
        if any(abs(a - b) > slack for a, b in zip(bbox, expected, strict=True)):
            yield Finding(f"{at}: spatial:bbox is {shown(list(bbox))}; transform and shape make it {list(expected)}")


def _spatial_shape(entry: Mapping[str, Any], node: Node | None, dimensions: Any, at: str) -> Findings:
    """Whether an array has the shape that its entry says."""
    if node is None or node.kind != "array":
        return
    dimensions = entry.get("spatial:dimensions", dimensions)
    names = node.dimension_names
    if names is None or not isinstance(dimensions, list) or len(dimensions) != 2:
        sizes = list(node.shape[-2:])
    elif not all(name in names for name in dimensions):
        yield Finding(
            f"{at}: its dimension_names {shown(names)} have not all of spatial:dimensions {shown(dimensions)}"
        )
        return
    else:
        sizes = [node.shape[names.index(name)] for name in dimensions]
    if entry.get("spatial:shape", sizes) != sizes:
        yield Finding(f"{at}: spatial:shape is {shown(entry['spatial:shape'])}, that of the array {sizes}")


def _same_place(entry: Mapping[str, Any], group: Mapping[str, Any], at: str) -> Findings:
    """Whether a level covers what the group covers, but for a sample at each side."""
    boxes, step = [], 0.0
    for found in (group, entry):
        transform, shape = numbers(found.get("spatial:transform")), numbers(found.get("spatial:shape"))
        if transform is None or len(transform) != 6 or shape is None or len(shape) != 2:
            return
        boxes.append(bbox_of(transform, *shape))
        step = max(abs(part) for part in (transform[0], transform[1], transform[3], transform[4]))
    if any(abs(a - b) > step * (1 + SLACK) for a, b in zip(*boxes, strict=True)):
        yield Finding(f"{at}: spatial:transform and shape make it cover {list(boxes[1])}, the group {list(boxes[0])}")


def _proj(attributes: Mapping[str, Any]) -> Findings:
    if not any(key in attributes for key in _PROJ):
        yield Finding(f"of the convention proj one of {', '.join(_PROJ)} must be there")
    code = attributes.get("proj:code")
    if "proj:code" in attributes and not (isinstance(code, str) and CODE.fullmatch(code)):
        yield Finding(f"proj:code is {shown(code)}, no AUTHORITY:CODE")
    if not isinstance(attributes.get("proj:wkt2", ""), str):
        yield Finding("proj:wkt2 is no text")
    if not isinstance(attributes.get("proj:projjson", {}), dict):
        yield Finding("proj:projjson is no object")
