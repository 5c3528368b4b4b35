"""The rules of OME-Zarr for images of labels, beside those for all images."""

from __future__ import annotations

import re
from typing import Any, Final

from gigapix.pyramids.check_ome import Ome, dataset_paths
from gigapix.pyramids.findings import Finding, Findings, Nodes, doubt, is_number, shown

_INTEGERS: Final = re.compile(r"u?int(8|16|32|64)")


def check_label(ome: Ome, nodes: Nodes, levels: int) -> Findings:
    """What holds for an image of labels beside the rules for images. `levels`: of the image that is labelled."""
    label = ome.found.get("image-label")
    if label is None:
        yield doubt("there is no image-label")
    elif not isinstance(label, dict):
        yield Finding("image-label is no object")
    else:
        yield from _colors(label.get("colors", []))
    paths = list(dataset_paths(ome))
    for path in paths:
        node = nodes.get(path)
        if node is not None and node.kind == "array" and not _INTEGERS.fullmatch(node.dtype):
            yield Finding(f"array {node.path} is of type {node.dtype}; labels must be integers")
    first = ome.images[0].get("datasets") if ome.images and isinstance(ome.images[0], dict) else None
    if isinstance(first, list) and len(first) != levels:
        yield Finding(f"labels have {len(first)} levels, the image {levels}; it must be as many")


def _colors(colors: Any) -> Findings:
    if not isinstance(colors, list) or not all(isinstance(each, dict) for each in colors):
        yield Finding("image-label.colors is no list of objects")
        return
    values = [each.get("label-value") for each in colors]
    if not all(is_number(value) for value in values):
        yield Finding("image-label.colors: each must have a number as label-value")
    elif len(set(values)) < len(values):
        yield Finding("image-label.colors: two have the same label-value")
    for n, each in enumerate(colors):
        rgba = each.get("rgba")
        if rgba is not None and not (
            isinstance(rgba, list) and len(rgba) == 4 and all(type(part) is int and 0 <= part <= 255 for part in rgba)
        ):
            yield Finding(f"image-label.colors[{n}].rgba is {shown(rgba)}, not four integers from 0 to 255")
