"""The Zarr conventions multiscales, spatial and proj, v0.1: pyramids of any axes and any reducers, and images on a map.

The convention multiscales is a graph: each level names the one that it is derived from, so several reducers have one
level 0 in common. Its scale and translation lead from one to the other ("X_source = X_level * scale + translation"), in
samples, along all axes of the array. Positions are those of corners, as in `spatial:transform`, so a mean has no
translation; what takes the first sample of each window has.

The URLs, names and descriptions are constants of the conventions' schemas. Drafts named tags "v1", which never were.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from gigapix.errors import RequestError
from gigapix.pyramids.levels import LevelInfo

if TYPE_CHECKING:
    from pyproj import CRS

_ABOUT: Final = {
    "multiscales": ("d35379db-88df-4056-af3a-620245f8e347", "Multiscale layout of zarr datasets"),
    "spatial": ("689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "Spatial coordinate information"),
    "proj": ("f17cb550-5864-4468-aeb7-f3180cfb622f", "Coordinate reference system information for geospatial data"),
}

CODE: Final = re.compile(r"[^:]+:[^:]+")
"""Of a CRS, ``EPSG:32632``."""


def convention(name: str) -> dict[str, str]:
    """What declares a convention in a node's ``zarr_conventions``."""
    uuid, description = _ABOUT[name]
    return {
        "uuid": uuid,
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{name}/refs/tags/v0.1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{name}/blob/v0.1/README.md",
        "name": name,
        "description": description,
    }


def convention_attributes(
    levels: Sequence[LevelInfo], *, crs: CRS | None = None, nodata: float | str | None = None
) -> dict[str, Any]:
    """The attributes of a pyramid's group: multiscales; where levels have a transform spatial, and proj with a CRS.

    Beside what the convention defines, which allows for more, ``gigapix`` has what was left out (``nodata``).
    """
    methods = list(dict.fromkeys(method_of(level.reducer) for level in levels if level.reducer))
    parents = {level.path: level for level in levels}
    multiscales: dict[str, Any] = {"layout": [_entry(level, parents) for level in levels]}
    if len(methods) == 1:
        multiscales["resampling_method"] = methods[0]
    multiscales["gigapix"] = made_by(nodata)
    found, names = {"multiscales": multiscales}, ["multiscales"]
    first = levels[0]
    if first.transform is not None:
        found |= _spatial(first)
        names.append("spatial")
        if crs is not None:
            found |= _proj(crs)
            names.append("proj")
    return {"zarr_conventions": [convention(name) for name in names], **found}


def made_by(nodata: float | str | None) -> dict[str, Any]:
    """What a reader needs to make the levels again: who made them, and which samples were left out beside NaN."""
    from importlib.metadata import version

    made: dict[str, Any] = {"version": version("gigapix")}
    known = isinstance(nodata, str) or (nodata is not None and math.isfinite(nodata))
    return made | ({"nodata": nodata} if known else {})


def method_of(reducer: str) -> str:
    """The name that the convention has for a reducer, else its own."""
    from gigapix.pyramids.reducers import reducer_of

    try:
        return reducer_of(reducer).method
    except RequestError:  # a function's name
        return reducer


def map_axes(dims: Sequence[str]) -> tuple[int, int]:
    """Which axes are those of a map: y and x, else the last two."""
    return (dims.index("y"), dims.index("x")) if {"y", "x"} <= set(dims) else (len(dims) - 2, len(dims) - 1)


def _entry(level: LevelInfo, parents: Mapping[str, LevelInfo]) -> dict[str, Any]:
    entry: dict[str, Any] = {"asset": level.path}
    if level.derived_from is not None:
        parent = parents[level.derived_from]
        translation = [
            # `shift`: where the first sample lies, in samples of the parent from its first one.
            round(shift + (1 - factor) / 2, 9)
            for shift, factor in (
                ((to - of) / scale, factor)
                for to, of, scale, factor in zip(
                    level.translation, parent.translation, parent.scale, level.factors, strict=True
                )
            )
        ]
        entry |= {
            "derived_from": level.derived_from,
            "transform": {"scale": [float(factor) for factor in level.factors], "translation": translation},
        }
        if level.reducer:
            entry["resampling_method"] = method_of(level.reducer)
    if level.transform is not None:
        entry |= {
            "spatial:shape": [level.shape[axis] for axis in map_axes(level.dims)],
            "spatial:transform": list(level.transform),
        }
    return entry


def _spatial(level: LevelInfo) -> dict[str, Any]:
    assert level.transform is not None  # noqa: S101  # for mypy
    y, x = map_axes(level.dims)
    height, width = level.shape[y], level.shape[x]
    return {
        "spatial:dimensions": [level.dims[y], level.dims[x]],
        "spatial:transform": list(level.transform),
        "spatial:shape": [height, width],
        "spatial:bbox": list(bbox_of(level.transform, height, width)),
        "spatial:registration": "pixel",
    }


def bbox_of(transform: Sequence[float], height: float, width: float) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of all corners."""
    a, b, c, d, e, f = transform
    corners = [(column, row) for column in (0, width) for row in (0, height)]
    xs = [a * column + b * row + c for column, row in corners]
    ys = [d * column + e * row + f for column, row in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _proj(crs: CRS) -> dict[str, Any]:
    """The registry's code where it names this very CRS, else the whole of it."""
    named = crs.to_authority(min_confidence=100)
    if named is not None and CODE.fullmatch(":".join(named)):
        return {"proj:code": ":".join(named)}
    return {"proj:projjson": crs.to_json_dict()}
