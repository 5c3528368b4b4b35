"""All that is checked of a pyramid but its pixels, without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gigapix.errors import FormatError, UnsupportedError
from gigapix.pyramids.check_conventions import check_conventions, conventions_of, layout_of
from gigapix.pyramids.check_labels import check_label
from gigapix.pyramids.check_ome import Ome, check_ome, dataset_paths, ome_of
from gigapix.pyramids.findings import Finding, doubt, shown
from gigapix.pyramids.nodes import Files, Node, is_path, read_node

MOST_NODES: Final = 1024
"""Arrays of a group, and images of labels. A pyramid has a level per power of two, a segmentation some kinds."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found."""

    findings: tuple[Finding, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    root: Node | None = None
    ome: Ome | None = None
    nodes: Mapping[str, Node | None] = field(default_factory=dict)


def check_group() -> Files[Checked | None]:
    """Check a group; None where there is no Zarr node.

    Raises UnsupportedError for a plate and the like, and for other versions of OME-Zarr than 0.4 and 0.5.
    """
    try:
        root = yield from read_node()
        if root is None:
            return None
        if root.kind == "array":
            return Checked(findings=(Finding("it is an array, not the group of a pyramid"),))
        return (yield from _check(root))
    except FormatError as error:
        return Checked(findings=(Finding(error.message),))


def _check(root: Node) -> Files[Checked]:
    ome = ome_of(root)
    names = conventions_of(root)
    if ome is not None and not ome.images:
        for other in ("plate", "well", "bioformats2raw.layout", "labels"):
            if other in ome.found:
                raise UnsupportedError(f"it holds {other}, not an image: its images are checked one by one")
    found: list[Finding] = []
    paths = list(dict.fromkeys([*(dataset_paths(ome) if ome else ()), *layout_of(root.attributes)]))
    nodes = yield from _nodes(paths, found)
    if ome is None and "multiscales" not in names:
        found.append(Finding("it has no multiscales, neither of OME-Zarr nor of the Zarr convention"))
    if ome is not None:
        found += check_ome(root, ome, nodes)
    found += check_conventions(root, nodes)
    labels = (yield from _labels(root, ome, found)) if ome is not None else []
    details = {
        "zarr_format": root.zarr_format,
        "ome": ome.version if ome else None,
        "conventions": list(names),
        "levels": [
            {"path": node.path, "shape": list(node.shape), "dtype": node.dtype}
            for node in nodes.values()
            if node is not None and node.kind == "array"
        ],
        "labels": labels,
    }
    return Checked(findings=tuple(found), details=details, root=root, ome=ome, nodes=nodes)


def _nodes(paths: Iterable[str], found: list[Finding], root: str = "") -> Files[dict[str, Node | None]]:
    nodes: dict[str, Node | None] = {}
    for path in paths:
        if len(nodes) == MOST_NODES:
            found.append(Finding(f"it has more than {MOST_NODES} arrays"))
            break
        try:
            node = yield from read_node(f"{root}{path}")
            nodes[path] = replace(node, path=path) if node is not None else None
        except FormatError as error:
            nodes[path] = None
            found.append(Finding(error.message))
    return nodes


def _labels(root: Node, ome: Ome, found: list[Finding]) -> Files[list[str]]:
    """Check the images of labels, if there are some. Returns their names."""
    try:
        group = yield from read_node("labels")
    except FormatError as error:
        found.append(Finding(error.message))
        return []
    if group is None:
        return []
    said = ome_of(group)
    names = said.found.get("labels") if said is not None else None
    if not isinstance(names, list) or not all(is_path(name) for name in names) or len(names) > MOST_NODES:
        found.append(Finding("the group labels has no list of labels"))
        return []
    levels = len(next((image["datasets"] for image in ome.images if _is_image(image)), []))
    for name in names:
        own: list[Finding] = []
        label = None
        try:
            label = yield from read_node(f"labels/{name}")
        except FormatError as error:
            own.append(Finding(error.message))
        its = ome_of(label) if label is not None and label.kind == "group" else None
        if label is None or its is None:
            own.append(Finding("there is no image"))
        else:
            nodes = yield from _nodes(dict.fromkeys(dataset_paths(its)), own, f"labels/{name}/")
            own += check_ome(label, its, nodes)
            own += check_label(its, nodes, levels)
        if its is not None and its.version != ome.version:
            own.append(Finding(f"OME-Zarr has version {shown(its.version)}, the image {shown(ome.version)}"))
        found += [Finding(f"labels/{name}: {each.message}", fault=each.fault) for each in own]
    if root.zarr_format != group.zarr_format:
        found.append(doubt("labels are of another version of Zarr than the image"))
    return list(names)


def _is_image(image: Any) -> bool:
    return isinstance(image, dict) and isinstance(image.get("datasets"), list)
