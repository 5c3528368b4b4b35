"""Metadata of Zarr arrays and groups, of version 3 and 2, and the order in which they are written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gigapix.pyramids.codecs import Codec
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.outputs import Output


def array_documents(output: Output, codec: Codec, zarr_format: int, reduce: int = 0) -> Mapping[str, Any]:
    """The metadata of an array, by the name of the object. `reduce`: as `Codec.v3` has it."""
    fill = _json_value(output.fill, output.dtype)
    if zarr_format == 2:
        kind = "|" if output.dtype.itemsize == 1 else "<"
        return {
            f"{output.path}/.zarray": {
                "zarr_format": 2,
                "shape": output.shape,
                "chunks": output.chunks,
                "dtype": f"{kind}{output.dtype.kind}{output.dtype.itemsize}",
                "compressor": codec.v2(),
                "fill_value": fill,
                "order": "C",
                "filters": None,
                "dimension_separator": "/",
            },
            f"{output.path}/.zattrs": {"_ARRAY_DIMENSIONS": output.dims},
        }
    stored = codec.stored(output.dtype)
    chain = codec.v3(stored, output.chunks, reduce)
    if output.shards != output.chunks:
        whole = {"name": "bytes", "configuration": {"endian": "little"}}
        sharding = {
            "chunk_shape": output.chunks,
            "codecs": chain,
            "index_codecs": [whole, {"name": "crc32c"}],
            "index_location": "end",
        }
        chain = [{"name": "sharding_indexed", "configuration": sharding}]
    return {
        f"{output.path}/zarr.json": {
            "zarr_format": 3,
            "node_type": "array",
            "shape": output.shape,
            "data_type": stored.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": output.shards}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": fill,
            "codecs": chain,
            "dimension_names": output.dims,
            "attributes": {} if stored == output.dtype else {"gigapix": {"dtype": output.dtype.name}},
        }
    }


def group_documents(path: str, attributes: Mapping[str, Any], zarr_format: int) -> Mapping[str, Any]:
    """The metadata of a group."""
    at = f"{path}/" if path else ""
    if zarr_format == 2:
        return {f"{at}.zattrs": attributes, f"{at}.zgroup": {"zarr_format": 2}}
    return {f"{at}zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": attributes}}


def consolidated(group: Mapping[str, Any], below: Mapping[str, Any]) -> Mapping[str, Any]:
    """The documents of the outermost group with copies of all others in them, as zarr-python has it, so that a reader
    far away opens the hierarchy by one request. The last one stays the last."""
    if ".zgroup" in group:
        return {".zmetadata": {"metadata": {**group, **below}, "zarr_consolidated_format": 1}, **group}
    found = {key.removesuffix("/zarr.json"): document for key, document in below.items()}
    copies = {"kind": "inline", "must_understand": False, "metadata": found}
    return {"zarr.json": {**group["zarr.json"], "consolidated_metadata": copies}}


def write_documents(folder: Folder, documents: Mapping[str, Any]) -> None:
    """Write metadata, in the order in which they are given."""
    for key, document in documents.items():
        folder.put(key, json.dumps(document, indent=1, allow_nan=False).encode())


def _json_value(value: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind != "f":
        return int(value)
    value = float(value)
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
