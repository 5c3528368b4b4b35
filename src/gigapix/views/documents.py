"""The metadata of a view, as the JSON of Zarr v3."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gigapix.views.model import Array, Group

Codecs = Sequence[Mapping[str, Any]]

CODECS: Codecs = ({"name": "bytes", "configuration": {"endian": "little"}},)
"""Of chunks that are samples as they are."""


def documents_of(root: Group, codecs: Callable[[Array], Codecs] = lambda array: CODECS) -> dict[str, dict[str, Any]]:
    """The documents of a group and of everything in it, by key (``zarr.json``, ``0/zarr.json``). The first one has all
    others in it ("consolidated metadata"), so that a reader asks for it alone."""
    found = {
        node.path: array_document(node, codecs(node)) if isinstance(node, Array) else group_document(node)
        for node in root.nodes()
    }
    others = {path: document for path, document in found.items() if path}
    found[""]["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": others}
    return {f"{path}/zarr.json".lstrip("/"): document for path, document in found.items()}


def group_document(group: Group) -> dict[str, Any]:
    """Of one group."""
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(group.attributes)}


def array_document(array: Array, codecs: Codecs = CODECS) -> dict[str, Any]:
    """Of one array."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(array.shape),
        "data_type": array.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(array.chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": _fill_value(array.fill, array.dtype),
        "codecs": [dict(codec) for codec in codecs],
        "dimension_names": list(array.dimension_names),
        "attributes": dict(array.attributes),
    }


def _fill_value(value: Any, dtype: np.dtype[Any]) -> Any:
    """A sample as JSON (Zarr v3, "fill_value" of each core data type)."""
    if dtype.kind == "c":
        return [_float(value.real), _float(value.imag)]
    if dtype.kind == "f":
        return _float(value)
    return bool(value) if dtype.kind == "b" else int(value)


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
