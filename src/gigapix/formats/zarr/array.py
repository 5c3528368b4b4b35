"""An array's metadata, of v2 or v3, as one thing: shape, chunks, shards, type, fill value, codecs, names of objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gigapix import limits
from gigapix.errors import FormatError, GigapixError, LimitError, UnsupportedError
from gigapix.formats.zarr.codecs import Chain, chain_v2, chain_v3
from gigapix.formats.zarr.dtypes import dtype_of, fill_of
from gigapix.formats.zarr.tree import Node, joined, mapping


@dataclass(frozen=True, kw_only=True)
class Prefixes:
    """That chunks are the first bytes of level 0's, and where it says how many (see `prefixes`)."""

    key: str
    """Of the table's object."""
    level: int
    levels: int
    """Beyond level 0."""


@dataclass(frozen=True, kw_only=True)
class ArrayInfo:
    """One array."""

    node: Node = field(repr=False)
    shape: tuple[int, ...]
    names: tuple[str, ...] | None
    """Of its dimensions; None where they have none. Empty for a dimension without."""
    dtype: np.dtype[Any]
    """As stored, with its byte order."""
    fill: complex
    chunks: tuple[int, ...]
    """Of what is encoded: the inner chunks of shards."""
    outer: tuple[int, ...]
    """Of an object: shards, or the chunks."""
    chain: Chain
    name_of: Callable[[int], str] = field(repr=False)
    """The key of an object by its number in C order."""
    prefixes: Prefixes | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Objects along each dimension."""
        return tuple(-(-size // step) for size, step in zip(self.shape, self.outer, strict=True))

    @property
    def sharded(self) -> bool:
        """Whether an object holds several chunks and their index."""
        return self.chain.index is not None

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Of the array."""
        return self.node.attributes


def array_of(node: Node) -> ArrayInfo:
    """The array of a node. Raises FormatError, LimitError or UnsupportedError, which name its document."""
    assert node.array is not None  # noqa: S101  # for mypy
    try:
        return _array_v3(node, node.array) if node.version == 3 else _array_v2(node, node.array)
    except GigapixError as error:
        raise type(error)(f"{node.document}: {error.message}") from None


def _array_v3(node: Node, found: Mapping[str, Any]) -> ArrayInfo:
    shape = sizes(found.get("shape"), "shape", least=0)
    grid, names = mapping(found.get("chunk_grid")), found.get("dimension_names")
    if grid.get("name") != "regular":
        raise UnsupportedError(f"a chunk grid {grid.get('name')!r:.60}")
    outer = sizes(mapping(grid.get("configuration")).get("chunk_shape"), "chunk_shape")
    if found.get("storage_transformers"):
        raise UnsupportedError("storage transformers")
    dtype = dtype_of(found.get("data_type"))
    chain = chain_v3(found.get("codecs"), outer, dtype)
    if names is None or not isinstance(names, list) or len(names) != len(shape):
        names = None
    encoding = mapping(found.get("chunk_key_encoding"))
    style = encoding.get("name", "default")
    default = "/" if style == "default" else "."
    separator = mapping(encoding.get("configuration")).get("separator", default)
    if style not in ("default", "v2") or separator not in ("/", "."):
        raise UnsupportedError(f"chunk keys {style!r:.60} with the separator {separator!r:.60}")
    return _array(node, shape, outer, chain, found, names, separator, "c" + separator if style == "default" else "")


def _array_v2(node: Node, found: Mapping[str, Any]) -> ArrayInfo:
    shape, outer = sizes(found.get("shape"), "shape", least=0), sizes(found.get("chunks"), "chunks")
    chain = chain_v2(found, len(shape), dtype_of(found.get("dtype")))
    separator = found.get("dimension_separator", ".")
    if separator not in ("/", "."):
        raise FormatError(f"the dimension separator {separator!r:.60}")
    names = node.attributes.get("_ARRAY_DIMENSIONS")
    return _array(node, shape, outer, chain, found, names if isinstance(names, list) else None, separator, "")


def _array(
    node: Node,
    shape: tuple[int, ...],
    outer: tuple[int, ...],
    chain: Chain,
    found: Mapping[str, Any],
    names: Sequence[Any] | None,
    separator: str,
    prefix: str,
) -> ArrayInfo:
    chunks = chain.chunks or outer
    if not len(shape) == len(outer) == len(chunks):
        raise FormatError(f"chunks of {len(outer)} dimensions in an array of {len(shape)}")
    grid = tuple(-(-size // step) for size, step in zip(shape, outer, strict=True))
    if math.prod(shape) > limits.MAX_ZARR_SAMPLES:
        raise LimitError(f"{math.prod(shape)} samples")
    if math.prod(grid) > limits.MAX_ZARR_CHUNKS:
        raise LimitError(f"{math.prod(grid)} chunks")
    if math.prod(chunks) * chain.dtype.itemsize > limits.MAX_SEGMENT_BYTES:
        raise LimitError(f"chunks of {math.prod(chunks) * chain.dtype.itemsize} bytes")

    def name_of(number: int) -> str:
        places = [str(int(place)) for place in np.unravel_index(number, grid)] if grid else []
        return joined(node.path, (prefix + separator.join(places)).rstrip("/.") or "0")

    kept = tuple(name if isinstance(name, str) else "" for name in names) if names is not None else None
    return ArrayInfo(
        node=node,
        shape=shape,
        names=kept if kept is not None and len(kept) == len(shape) else None,
        dtype=chain.dtype,
        fill=fill_of(found.get("fill_value"), chain.dtype),
        chunks=chunks,
        outer=outer,
        chain=chain,
        name_of=name_of,
    )


def sizes(given: Any, what: str, *, least: int = 1) -> tuple[int, ...]:
    """A list of sizes. Raises FormatError or LimitError."""
    if not isinstance(given, list) or not all(type(size) is int and size >= least for size in given):
        raise FormatError(f"{what} is {given!s:.60}")
    if len(given) > limits.MAX_ZARR_AXES or any(size > limits.MAX_DIMENSION for size in given):
        raise LimitError(f"{what} is {given!s:.200}")
    return tuple(given)
