"""The groups and arrays of a hierarchy, read when they are asked for: documents side by side, each at most once.

A v3 group with consolidated metadata is one request. Where the first document is not there, the hierarchy is v2 or
nothing, and those that v2 may have are asked for together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gigapix import limits
from gigapix.errors import FormatError, LimitError
from gigapix.formats.model import SPAN, Steps
from gigapix.formats.zarr.keys import Keys

V2: Final = (".zarray", ".zattrs", ".zgroup")
CONSOLIDATED: Final = ".zmetadata"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A group or an array."""

    path: str
    """From the root, without slashes at its ends; empty for the root."""
    version: int
    """2 or 3."""
    attributes: Mapping[str, Any]
    array: Mapping[str, Any] | None
    """The document of an array (zarr.json or .zarray), None for a group."""
    consolidated: bool = field(default=False, repr=False)
    """All that is below it is known."""

    @property
    def document(self) -> str:
        """The key of its document, for messages."""
        return joined(self.path, "zarr.json" if self.version > 2 else ".zgroup" if self.array is None else ".zarray")


class Tree:
    """The nodes of one hierarchy as far as they are known."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._nodes: dict[str, Node | None] = {}
        self._version = 0

    def read(self, paths: Sequence[str]) -> Steps[list[Node | None]]:
        """Nodes by path, None where there is none. Raises FormatError or LimitError."""
        missing = [path for path in dict.fromkeys(paths) if path not in self._nodes]
        if len(self._nodes) + len(missing) > limits.MAX_ZARR_NODES:
            raise LimitError(f"more than {limits.MAX_ZARR_NODES} groups and arrays")
        if missing and self._version in (0, 3):
            found = yield from self.documents([joined(path, "zarr.json") for path in missing])
            for path, document in zip(missing, found, strict=True):
                if document is not None:
                    self._version = 3
                    self._take_v3(path, document)
            if self._version == 3:
                self._nodes |= {path: None for path in missing if path not in self._nodes}
            missing = [path for path in missing if path not in self._nodes]
        if missing:
            yield from self._read_v2(missing)
        return [self._nodes[path] for path in paths]

    def documents(self, keys: Sequence[str]) -> Steps[list[dict[str, Any] | None]]:
        """JSON objects by key, None where there is none."""
        if not keys:
            return []
        most = limits.MAX_ZARR_METADATA_BYTES
        found = yield [(self.keys.number(key) * SPAN, most + 1) for key in keys]
        return [parsed(data, key) if len(data) else None for data, key in zip(found, keys, strict=True)]

    def members(self, node: Node) -> Steps[list[Node]]:
        """The nodes in a group, by consolidated metadata, else by a listing, else those that are known."""
        names = self._below(node.path)
        if not self._is_consolidated(node.path):
            (data,) = yield [(self.keys.number(joined(node.path, "") or "/") * SPAN, limits.MAX_ZARR_METADATA_BYTES)]
            listed = json.loads(bytes(data)) if len(data) else []
            names |= {str(name).rstrip("/") for name in listed if str(name).endswith("/")}
        paths = [joined(node.path, name) for name in sorted(names, key=natural) if is_name(name)]
        found = yield from self.read(paths)
        return [each for each in found if each is not None]

    def _below(self, path: str) -> set[str]:
        start = len(joined(path, "")) if path else 0
        known = [each for each in self._nodes if each and each.startswith(joined(path, "") if path else "")]
        return {each[start:] for each in known if "/" not in each[start:]}

    def _is_consolidated(self, path: str) -> bool:
        above = ["/".join(path.split("/")[:n]) for n in range(path.count("/") + 1)] if path else []
        return any((node := self._nodes.get(each)) is not None and node.consolidated for each in [*above, path])

    def _read_v2(self, paths: Sequence[str]) -> Steps[None]:
        names = (*V2, CONSOLIDATED) if self._version == 0 else V2[:2]
        found = yield from self.documents([joined(path, name) for path in paths for name in names])
        bare = []
        for n, path in enumerate(paths):
            array, attributes, *rest = found[n * len(names) : (n + 1) * len(names)]
            self._nodes[path] = None
            if array is not None or attributes is not None or any(each is not None for each in rest):
                self._version = 2
                self._nodes[path] = _v2(path, attributes, array)
            elif not rest:
                bare.append(path)
            if rest and rest[1] is not None:
                self._take_v2(path, rest[1])
        groups = yield from self.documents([joined(path, V2[2]) for path in bare])
        self._nodes |= {
            path: _v2(path, None, None) for path, group in zip(bare, groups, strict=True) if group is not None
        }

    def _take_v3(self, path: str, document: Mapping[str, Any]) -> None:
        below = document.get("consolidated_metadata")
        found = below.get("metadata") if isinstance(below, dict) else None
        self._nodes[path] = _v3(path, document, consolidated=isinstance(found, dict))
        for name, inner in found.items() if isinstance(found, dict) else ():
            if is_path(name) and isinstance(inner, dict):
                self._add(joined(path, name), _v3(joined(path, name), inner))

    def _take_v2(self, path: str, document: Mapping[str, Any]) -> None:
        self._version = 2
        documents = document.get("metadata")
        found: dict[str, dict[str, Any]] = {}
        for key, inner in documents.items() if isinstance(documents, dict) else ():
            place, _, name = str(key).rpartition("/")
            if name in V2 and isinstance(inner, dict) and (not place or is_path(place)):
                found.setdefault(place, {})[name] = inner
        for place, each in found.items():
            at = joined(path, place) if place else path
            self._add(at, _v2(at, each.get(".zattrs"), each.get(".zarray"), consolidated=not place))

    def _add(self, path: str, node: Node) -> None:
        if len(self._nodes) >= limits.MAX_ZARR_NODES:
            raise LimitError(f"more than {limits.MAX_ZARR_NODES} groups and arrays")
        self._nodes[path] = node


def joined(path: str, name: str) -> str:
    """A key below a path."""
    return f"{path}/{name}" if path else name


def is_name(name: str) -> bool:
    """Whether it can be the name of a node: what leads out of the folder can't."""
    return bool(name) and name.strip(".") != "" and not set(name) & set("/\\\0")


def is_path(path: object) -> bool:
    """Whether it is a path to something below."""
    return isinstance(path, str) and all(map(is_name, path.split("/")))


def natural(name: str) -> tuple[int, str]:
    """Sorts 2 before 10, and both before letters."""
    return (int(name), "") if name.isascii() and name.isdigit() and len(name) < 10 else (1 << 62, name)


def parsed(data: Iterable[int], key: str) -> dict[str, Any]:
    """A JSON object. Raises FormatError or LimitError, which name the document."""
    raw = bytes(data)
    if len(raw) > limits.MAX_ZARR_METADATA_BYTES:
        raise LimitError(f"{key}: more than {limits.MAX_ZARR_METADATA_BYTES} bytes")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{key}: no JSON ({error})") from None
    if not isinstance(found, dict):
        raise FormatError(f"{key}: no JSON object")
    return found


def mapping(value: Any) -> dict[str, Any]:
    """Itself where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def texts(value: Any) -> list[str]:
    """The strings of a JSON array; none where it is no array."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _v3(path: str, document: Mapping[str, Any], *, consolidated: bool = False) -> Node:
    kind = document.get("node_type")
    if document.get("zarr_format") != 3 or kind not in ("array", "group"):
        raise FormatError(f"{joined(path, 'zarr.json')}: neither a group nor an array of Zarr v3")
    attributes = mapping(document.get("attributes"))
    array = document if kind == "array" else None
    return Node(path=path, version=3, attributes=attributes, array=array, consolidated=consolidated)


def _v2(path: str, attributes: Any, array: Any, *, consolidated: bool = False) -> Node:
    if array is not None and array.get("zarr_format") != 2:
        raise FormatError(f"{joined(path, '.zarray')}: no array of Zarr v2")
    return Node(path=path, version=2, attributes=mapping(attributes), array=array, consolidated=consolidated)
