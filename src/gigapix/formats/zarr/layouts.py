"""What images a group says that it holds: OME-Zarr, the multiscales convention and its drafts, ndpyramid, xcube, or
none of these, where each array of two or more dimensions is an image of its own.

A level is an array, or in geospatial layouts a group with an array for each variable: then each variable is an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gigapix import limits
from gigapix.errors import FormatError, LimitError
from gigapix.formats.model import Steps
from gigapix.formats.zarr.tree import Node, Tree, is_path, joined, mapping, texts

METHODS: Final = "resampling_method"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One image: its arrays, the finest first, and what is said of them."""

    kind: str
    """``ome``, ``label``, ``multiscales``, ``ndpyramid``, ``levels`` or ``array``."""
    name: str = ""
    group: Node | None = field(default=None, repr=False)
    """Whose attributes say so."""
    arrays: tuple[Node, ...]
    axes: tuple[str, ...] | None = None
    """Names of dimensions, where the group gives them."""
    scales: tuple[tuple[float, ...] | None, ...] = ()
    """Of each array: sizes of its samples, all in one unit, along its dimensions or those of a map."""
    transforms: tuple[Any, ...] = ()
    """Of each array: ``spatial:transform`` as it stands there."""
    multiscale: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The entry of OME-Zarr."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A level as it is listed."""

    path: str
    parent: str | None = None
    method: str = ""
    scale: tuple[float, ...] | None = None
    transform: Any = None


def series_of(tree: Tree, node: Node) -> Steps[list[Series]]:
    """The images that a group lists, or that an array is. Raises FormatError."""
    if node.array is not None:
        return [Series(kind="array", name=node.path.rpartition("/")[2], arrays=(node,))]
    ome = mapping(node.attributes.get("ome")) or node.attributes
    listed = ome.get("multiscales")
    if isinstance(listed, list):
        found: list[Series] = []
        for entry in listed[: limits.MAX_ZARR_LEVELS]:
            found += yield from _listed(tree, node, mapping(entry), label="image-label" in ome)
        if found:
            return found
    convention = mapping(node.attributes.get("multiscales"))
    return (yield from _convention(tree, node, convention)) if convention else []


def variables(nodes: Sequence[Node], group: Node | None = None) -> list[Series]:
    """The arrays of a group that are images: those of two or more dimensions that are no coordinates of others."""
    named = {name for node in nodes for name in _coordinates(node)}
    return [
        Series(kind="array", name=node.path.rpartition("/")[2], arrays=(node,), group=group)
        for node in nodes
        if _is_image(node) and node.path.rpartition("/")[2] not in named
    ]


def levels_folder(tree: Tree, count: int) -> Steps[list[Series]]:
    """xcube's ``.levels``: groups ``0.zarr``, ``1.zarr`` ... of variables."""
    if count > limits.MAX_ZARR_LEVELS:
        raise LimitError(f"{count} levels")
    entries = [_Entry(path=f"{n}.zarr") for n in range(count)]
    return (yield from _chain(tree, None, entries, "levels"))


def _listed(tree: Tree, node: Node, entry: Mapping[str, Any], *, label: bool) -> Steps[list[Series]]:
    """A multiscale image of OME-Zarr, or of ndpyramid, whose datasets are groups."""
    datasets = entry.get("datasets")
    entries = [
        _Entry(path=_path(node, each.get("path")), scale=_ome_scale(each))
        for each in map(mapping, datasets if isinstance(datasets, list) else [])
    ]
    found = yield from _chain(tree, node, entries, "label" if label else "ome")
    name = entry.get("name")
    axes = entry.get("axes")
    names = tuple(str(mapping(axis).get("name", axis)) for axis in axes) if isinstance(axes, list) else None
    if names is None and found and found[0].kind == "ome":
        shape = mapping(found[0].arrays[0].array).get("shape")
        names = tuple("tczyx"[-len(shape) :]) if isinstance(shape, list) and shape else None
    return [
        each
        if each.kind == "ndpyramid"
        else replace(each, name=name if isinstance(name, str) else "", axes=names, multiscale=entry)
        for each in found
    ]


def _convention(tree: Tree, node: Node, convention: Mapping[str, Any]) -> Steps[list[Series]]:
    """The convention multiscales, v0.1 and before: one image for each way in which level 0 was made smaller."""
    layout = convention.get("layout")
    if not isinstance(layout, list):
        layout = mapping(convention.get("tile_matrix_set")).get("tileMatrices")
    entries = []
    for each in map(mapping, layout if isinstance(layout, list) else []):
        path = next((each[key] for key in ("asset", "group", "path", "id") if key in each), None)
        parent = each.get("derived_from", each.get("from_group"))
        scale = mapping(each.get("transform")).get("scale", each.get("scale", each.get("factors")))
        entries.append(
            _Entry(
                path=_path(node, path),
                parent=joined(node.path, parent) if isinstance(parent, str) else None,
                method=str(each.get(METHODS, "")),
                scale=_numbers(scale),
                transform=each.get("spatial:transform"),
            )
        )
    parents = {each.path: each.parent for each in entries}
    coarsest = [each for each in entries if each.path not in parents.values()]
    found: list[Series] = []
    methods = dict.fromkeys(each.method for each in coarsest)
    for method in methods:
        wanted = {path for each in coarsest if each.method == method for path in _ancestors(each.path, parents)}
        chain = _to_base([each for each in entries if each.path in wanted])
        series = yield from _chain(tree, node, chain, "multiscales")
        found += [replace(one, name=f"{one.name} ({method})".strip()) if len(methods) > 1 else one for one in series]
    return found


def _ancestors(path: str | None, parents: Mapping[str, str | None]) -> set[str]:
    """A level and those that it is derived from."""
    found: set[str] = set()
    while path is not None and path not in found:
        found.add(path)
        path = parents.get(path)
    return found


def _to_base(entries: Sequence[_Entry]) -> list[_Entry]:
    """Entries with scales relative to the first level and not to the one that each is derived from."""
    known: dict[str, tuple[float, ...] | None] = {}
    found = []
    for each in entries:
        scale, above = each.scale, known.get(each.parent) if each.parent is not None else None
        if each.parent is None:
            scale = (1.0,) * len(scale) if scale is not None else None
        elif scale is not None and above is not None and len(above) == len(scale):
            scale = tuple(a * b for a, b in zip(scale, above, strict=True))
        known[each.path] = scale
        found.append(_Entry(path=each.path, scale=scale, transform=each.transform))
    return found


def _chain(tree: Tree, group: Node | None, entries: Sequence[_Entry], kind: str) -> Steps[list[Series]]:
    """Levels as images: one where they are arrays, one for each variable where they are groups."""
    if len(entries) > limits.MAX_ZARR_LEVELS:
        raise LimitError(f"{len(entries)} levels")
    nodes = yield from tree.read([each.path for each in entries])
    there = [(entry, node) for entry, node in zip(entries, nodes, strict=True) if node is not None]
    if len(there) < len(entries) or not there:
        missing = next((entry.path for entry, node in zip(entries, nodes, strict=True) if node is None), "")
        raise FormatError(f"{group.document if group else 'levels'}: there is no level {missing!r}")
    if all(node.array is not None for _, node in there):
        return [_series(kind, "", group, there)]
    if kind == "ome":
        kind = "ndpyramid"
    found = []
    members = yield from tree.members(there[0][1])
    for each in variables([node for node in members if node.array is not None]):
        inner = yield from tree.read([joined(node.path, each.name) for _, node in there])
        levels = [
            (entry, node) for (entry, _), node in zip(there, inner, strict=True) if node and node.array is not None
        ]
        found.append(_series(kind, each.name, group or there[0][1], levels))
    return found


def _series(kind: str, name: str, group: Node | None, levels: Sequence[tuple[_Entry, Node]]) -> Series:
    return Series(
        kind=kind,
        name=name,
        group=group,
        arrays=tuple(node for _, node in levels),
        scales=tuple(entry.scale for entry, _ in levels),
        transforms=tuple(entry.transform for entry, _ in levels),
    )


def _path(node: Node, path: Any) -> str:
    if isinstance(path, str):
        path = path.removeprefix("./").rstrip("/")
    if not is_path(path):
        raise FormatError(f"{node.document}: {path!s:.60} is no path to a level")
    return joined(node.path, path)


def _ome_scale(dataset: Mapping[str, Any]) -> tuple[float, ...] | None:
    transforms = dataset.get("coordinateTransformations")
    for each in map(mapping, transforms if isinstance(transforms, list) else []):
        inner = each.get("transformations") if each.get("type") == "sequence" else None
        for one in map(mapping, inner if isinstance(inner, list) else [each]):
            if one.get("type") == "scale":
                return _numbers(one.get("scale"))
    return None


def _numbers(given: Any) -> tuple[float, ...] | None:
    """Positive numbers, else None."""
    if not isinstance(given, list) or not all(type(each) in (int, float) and 1e-150 < each < 1e150 for each in given):
        return None
    return tuple(map(float, given))


def _is_image(node: Node) -> bool:
    shape = mapping(node.array).get("shape")
    return isinstance(shape, list) and len(shape) > 1 and all(type(size) is int and size > 0 for size in shape)


def _coordinates(node: Node) -> list[str]:
    """Names that an array calls its dimensions, its coordinates, or their bounds (CF, sections 5 and 7.1)."""
    names = [*texts(mapping(node.array).get("dimension_names")), *texts(node.attributes.get("_ARRAY_DIMENSIONS"))]
    for key in ("coordinates", "bounds", "grid_mapping"):
        told = node.attributes.get(key)
        names += told.split() if isinstance(told, str) else []
    return names
