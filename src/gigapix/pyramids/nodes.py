"""A Zarr group's metadata as they are, v2 or v3, without I/O: a reader yields the name of a file and is sent its bytes.

Read here and not by zarr-python, since a validator must see what is written and not what a library makes of it. The
files are hostile: whatever is wrong in one is a FormatError that names it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from gigapix.errors import FormatError
from gigapix.formats.zarr.tree import parsed

T = TypeVar("T")

Files = Generator[str, bytes | None, T]
"""Yields names of files within the group; is sent what is in them, None where there is no such file."""

NAMES: Final = ("zarr.json", ".zgroup", ".zarray")
"""One of these makes a folder a node."""

_V2_TYPE: Final = re.compile(r"[<>|][biufc](\d{1,2})")
_V2_KINDS: Final = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_PATH: Final = re.compile(r"[^/]+(/[^/]+)*")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A group or an array."""

    path: str
    """From the group that is validated, empty for that itself."""
    kind: Literal["group", "array"]
    zarr_format: Literal[2, 3]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    """This and the following are of arrays."""
    dtype: str = ""
    """As numpy names it: ``uint16``; a type of Zarr v3 that numpy doesn't have as it is named there."""
    dimension_names: tuple[str | None, ...] | None = None
    nested: bool = True
    """Whether chunks lie in nested folders."""
    codecs: frozenset[str] = frozenset()
    """Of v2: filters and compressor."""


def is_path(text: object) -> bool:
    """Whether this is the path of a node below another."""
    return isinstance(text, str) and bool(_PATH.fullmatch(text)) and not {".", ".."} & set(text.split("/"))


def read_node(path: str = "") -> Files[Node | None]:
    """The node at a path; None where there is none. Raises FormatError where its metadata are none."""
    at = f"{path}/" if path else ""
    if (data := (yield f"{at}zarr.json")) is not None:
        return _node_v3(path, parsed(data, f"{at}zarr.json"))
    if (data := (yield f"{at}.zarray")) is not None:
        array = parsed(data, f"{at}.zarray")
        attributes = yield f"{at}.zattrs"
        return _array_v2(path, array, parsed(attributes or b"{}", f"{at}.zattrs"))
    if (data := (yield f"{at}.zgroup")) is not None:
        group = parsed(data, f"{at}.zgroup")
        if group.get("zarr_format") != 2:
            raise FormatError(f"{at}.zgroup: zarr_format is {group.get('zarr_format')!r}, not 2")
        attributes = yield f"{at}.zattrs"
        return Node(
            path=path, kind="group", zarr_format=2, attributes=parsed(attributes or b"{}", f"{at}.zattrs")
        )  # fmt: skip
    return None


def _node_v3(path: str, found: dict[str, Any]) -> Node:
    at = f"{path}/zarr.json" if path else "zarr.json"
    kind, attributes = found.get("node_type"), found.get("attributes", {})
    if found.get("zarr_format") != 3 or kind not in ("group", "array"):
        raise FormatError(f"{at} is of no group and no array of Zarr v3")
    if not isinstance(attributes, dict):
        raise FormatError(f"{at}: its attributes are no JSON object")
    if kind == "group":
        return Node(path=path, kind="group", zarr_format=3, attributes=attributes)
    names, dtype = found.get("dimension_names"), found.get("data_type")
    shape = _shape(found.get("shape"), at)
    if names is not None and (
        not isinstance(names, list)
        or len(names) != len(shape)
        or not all(name is None or isinstance(name, str) for name in names)
    ):
        raise FormatError(f"{at}: dimension_names are no list of one name an axis")
    if isinstance(dtype, dict):
        dtype = dtype.get("name")
    if not isinstance(dtype, str):
        raise FormatError(f"{at}: it has no data_type")
    return Node(
        path=path,
        kind="array",
        zarr_format=3,
        attributes=attributes,
        shape=shape,
        dtype=dtype,
        dimension_names=None if names is None else tuple(names),
    )


def _array_v2(path: str, found: dict[str, Any], attributes: dict[str, Any]) -> Node:
    at = f"{path}/.zarray"
    if found.get("zarr_format") != 2:
        raise FormatError(f"{at}: zarr_format is {found.get('zarr_format')!r}, not 2")
    dtype = found.get("dtype")
    if not isinstance(dtype, str | list):
        raise FormatError(f"{at}: it has no dtype")
    filters = found.get("filters")
    codecs = [*(filters if isinstance(filters, list) else []), found.get("compressor")]
    match = _V2_TYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if match:
        dtype = "bool" if dtype[1] == "b" else f"{_V2_KINDS[dtype[1]]}{8 * int(match[1])}"
    return Node(
        path=path,
        kind="array",
        zarr_format=2,
        attributes=attributes,
        shape=_shape(found.get("shape"), at),
        dtype=str(dtype),
        nested=found.get("dimension_separator", ".") == "/",
        codecs=frozenset(str(each.get("id")) for each in codecs if isinstance(each, dict)),
    )


def _shape(shape: Any, at: str) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < 1 << 63 for size in shape):
        raise FormatError(f"{at}: its shape is no list of sizes")
    return tuple(shape)
