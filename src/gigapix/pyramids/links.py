"""What each level of a pyramid was made of, and how, as far as its metadata say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gigapix.errors import RequestError
from gigapix.pyramids.check_conventions import layout_of
from gigapix.pyramids.check_group import Checked
from gigapix.pyramids.findings import Finding, doubt, is_number, numbers, shown
from gigapix.pyramids.nodes import Node
from gigapix.pyramids.reducers import Reducer, reducer_of

MOST_STEP: Final = 1 << 22
"""From level to level along one axis."""

ALIKE: Final = frozenset({"mean", "min", "max", "sum"})
"""Methods that mean the same to everybody."""

_NAMES: Final = {"q1": "quantile(0.25)", "q3": "quantile(0.75)"}


@dataclass(frozen=True, kw_only=True)
class Link:
    """A level, and what it was made of."""

    path: str
    parent: str
    base: str
    factors: tuple[int, ...]
    """From the parent."""
    strides: tuple[int, ...]
    """From the base, level 0."""
    reducer: Reducer
    nodata: float | None
    ours: bool


def links_of(checked: Checked, findings: list[Finding]) -> list[Link]:
    """All levels whose making is known, those first that others are made of. The others are added to the findings."""
    steps = dict(_layout_steps(checked)) | dict(_ome_steps(checked))
    made = checked.root.attributes.get("multiscales") if checked.root is not None else None
    note = made.get("gigapix") if isinstance(made, dict) else None
    links: dict[str, Link] = {}

    def depth(path: str) -> int:
        count = 0
        while path in steps and count <= len(steps):  # a hostile file leads in circles
            path, count = steps[path][0], count + 1
        return count

    for path in sorted(steps, key=depth):  # layouts may begin with the coarsest
        parent, method, scale, kept = steps[path]
        try:
            above, below = array_of(checked, parent), array_of(checked, path)
            factors = _factors(scale, above, below)
            own = kept if isinstance(kept, dict) else note
            links[path] = _link(path, parent, factors, method, own, links)
        except RequestError as error:
            findings.append(doubt(f"level {path} is not compared: {error.message}"))
    return list(links.values())


Step = tuple[str, str, tuple[float, ...], Any]
"""(parent, method, scale to it, what gigapix noted)."""


def _ome_steps(checked: Checked) -> Iterator[tuple[str, Step]]:
    for image in checked.ome.images if checked.ome is not None else []:
        if not isinstance(image, dict) or not isinstance(image.get("datasets"), list):
            continue
        made = image.get("metadata")
        ours = isinstance(made, dict) and made.get("method") == "gigapix.pyramid"
        kept = made.get("kwargs") if ours and isinstance(made, dict) else None
        before: tuple[str, tuple[float, ...]] | None = None
        for each in image["datasets"]:
            try:
                path, scale = each["path"], numbers(each["coordinateTransformations"][0]["scale"])
            except (KeyError, IndexError, TypeError):
                return  # said already
            if scale is None or not isinstance(path, str) or not all(scale):
                return
            if before is not None:
                steps = tuple(a / b for a, b in zip(scale, before[1], strict=False))
                yield path, (before[0], str(image.get("type") or ""), steps, (kept or {}) if ours else None)
            before = path, scale


def _layout_steps(checked: Checked) -> Iterator[tuple[str, Step]]:
    attributes = checked.root.attributes if checked.root is not None else {}
    for path, entry in layout_of(attributes).items():
        transform, parent = entry.get("transform"), entry.get("derived_from")
        scale = numbers(transform.get("scale")) if isinstance(transform, dict) else None
        if isinstance(parent, str) and scale is not None:
            method = entry.get("resampling_method", attributes["multiscales"].get("resampling_method"))
            yield path, (parent, str(method or ""), scale, None)


def array_of(checked: Checked, path: str) -> Node:
    """Raises RequestError where there is none."""
    node = checked.nodes.get(path)
    if node is None or node.kind != "array":
        raise RequestError(f"{path} is no array")
    return node


def _factors(scale: Sequence[float], above: Node, below: Node) -> tuple[int, ...]:
    """Whole numbers. Where a last window was left out, others write the ratio of the sizes as the scale."""
    if not len(scale) == len(above.shape) == len(below.shape):
        raise RequestError("its scale has not one number an axis")
    factors = tuple(round(step) if step < MOST_STEP else 0 for step in scale)
    for factor, whole, size in zip(factors, above.shape, below.shape, strict=True):
        if factor < 1 or size not in (whole // factor, -(-whole // factor)):
            raise RequestError("its scale is no whole number")
    return factors


def _link(
    path: str, parent: str, factors: tuple[int, ...], method: str, kept: Any, links: Mapping[str, Link]
) -> Link:  # fmt: skip
    ours = isinstance(kept, dict)
    try:
        reducer = reducer_of(_NAMES.get(method, method))
    except RequestError:  # a function, or a method of others
        reducer = None
    if reducer is None or not (ours or reducer.name in ALIKE):
        raise RequestError(f"{shown(method)} is no method that is known exactly" if method else "no method is named")
    if reducer.halo and not set(factors) <= {1, 2}:
        raise RequestError(f"{reducer.name} is made in steps of 2")
    nodata = kept.get("nodata") if ours else None
    if nodata == "mask":
        raise RequestError("the mask of its source, which is not here, hid samples")
    above = links.get(parent)
    if above is not None and above.reducer.name != reducer.name:
        raise RequestError("it and the one above are of different methods")
    strides = tuple(a * b for a, b in zip(above.strides, factors, strict=True)) if above else factors
    return Link(
        path=path, parent=parent, base=above.base if above else parent, factors=factors, strides=strides,
        reducer=reducer, nodata=nodata if is_number(nodata) else None, ours=ours,
    )  # fmt: skip
