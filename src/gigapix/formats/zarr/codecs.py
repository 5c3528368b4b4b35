"""The codecs of an array, of v2 or v3, as one chain: a transposition, a byte order or an image codec, codecs of bytes.

`decode.packed` undoes the codecs of bytes, and the image codecs are those of TIFF. What neither has is refused here, by
its name, before a byte of a chunk is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from gigapix.errors import FormatError, UnsupportedError
from gigapix.formats.model import HTJ2K
from gigapix.formats.zarr.dtypes import dtype_of

Codecs = tuple[tuple[str, Mapping[str, Any]], ...]

BYTE_CODECS: Final = frozenset({"blosc", "bz2", "crc32c", "gzip", "lz4", "lzma", "shuffle", "zlib", "zstd"})

IMAGE_CODECS: Final[Mapping[str, int]] = {
    "htj2k": HTJ2K, "jpeg": 7, "jpeg2k": 34712, "jpegxl": 50002, "lerc": 34887, "png": 34933, "webp": 50001,
}  # fmt: skip
"""imagecodecs' codecs by the number that TIFF has for the same, but for HTJ2K."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """Where the index of a shard is, and what is behind it."""

    at_end: bool
    checked: bool
    """A CRC-32C follows it."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """How chunks are encoded."""

    dtype: np.dtype[Any]
    """With the byte order in which samples are stored."""
    order: tuple[int, ...]
    """Dimension n of the stored array is dimension order[n] of the array."""
    codecs: Codecs = ()
    image: int = 0
    """The number of an image codec, which stands alone."""
    options: Mapping[str, Any] | None = None
    """Of the image codec."""
    chunks: tuple[int, ...] | None = None
    """Of the inner chunks, where there are shards."""
    index: Index | None = None


def chain_v3(given: Any, outer: tuple[int, ...], dtype: np.dtype[Any]) -> Chain:
    """The chain of v3's ``codecs``. Raises FormatError or UnsupportedError."""
    if not isinstance(given, list) or not given:
        raise FormatError(f"codecs are {given!s:.60}")
    chain = Chain(dtype=dtype, order=tuple(range(len(outer))))
    names = [_named(each) for each in given]
    if names[0][0] == "sharding_indexed":
        if len(names) > 1:
            raise UnsupportedError(f"the codec {names[1][0]!r:.60} behind sharding_indexed")
        return _sharded(names[0][1], outer, dtype)
    array = True  # until a codec has made bytes of it
    for name, options in names:
        if name == "sharding_indexed":
            raise UnsupportedError("sharding_indexed within or behind other codecs")
        if array and name == "transpose":
            chain = replace(chain, order=_transposed(chain.order, options.get("order")))
        elif array and name == "delta":
            chain = replace(chain, codecs=(*chain.codecs, _delta(options, chain)))
        elif array and name in ("bytes", "endian"):
            array = False
            chain = replace(chain, dtype=_ordered(dtype, options.get("endian")))
            if chain.codecs and not chain.dtype.isnative:
                raise UnsupportedError("delta of samples in big-endian order")
        elif array and name in IMAGE_CODECS:
            array = False
            chain = replace(chain, image=IMAGE_CODECS[name], options=options)
        else:
            chain = _behind(chain, name, options)
    if array:
        raise FormatError("no codec makes bytes of the array")
    return chain


def chain_v2(found: Mapping[str, Any], ndim: int, dtype: np.dtype[Any]) -> Chain:
    """The chain of v2's ``order``, ``filters`` and ``compressor``. Raises FormatError or UnsupportedError."""
    order = found.get("order", "C")
    if order not in ("C", "F"):
        raise FormatError(f"the order {order!r:.60}")
    chain = Chain(dtype=dtype, order=tuple(range(ndim)) if order == "C" else tuple(reversed(range(ndim))))
    filters = found.get("filters") or []
    compressor = found.get("compressor")
    for each in [*(filters if isinstance(filters, list) else [filters]), *([compressor] if compressor else [])]:
        if not isinstance(each, dict) or not isinstance(each.get("id"), str):
            raise FormatError(f"the codec {each!s:.60}")
        name = _plain(each["id"])
        if name == "delta":
            chain = replace(chain, codecs=(*chain.codecs, _delta(each, chain)))
        elif name in IMAGE_CODECS and not chain.codecs:
            chain = replace(chain, image=IMAGE_CODECS[name], options=each)
        else:
            chain = _behind(chain, name, each)
    return chain


def _behind(chain: Chain, name: str, options: Mapping[str, Any]) -> Chain:
    """The chain with a codec of bytes behind it."""
    if name not in BYTE_CODECS or chain.image:
        raise UnsupportedError(f"the codec {name!r:.60} is not supported" + " there" * (name in BYTE_CODECS))
    if name == "shuffle" and (type(size := options.get("elementsize", 4)) is not int or not 1 <= size <= 4096):
        raise FormatError(f"shuffle with an elementsize of {size!r:.60}")
    return replace(chain, codecs=(*chain.codecs, (name, options)))


def _sharded(options: Mapping[str, Any], outer: tuple[int, ...], dtype: np.dtype[Any]) -> Chain:
    from gigapix.formats.zarr.array import sizes

    chunks = sizes(options.get("chunk_shape"), "chunk_shape")
    if len(chunks) != len(outer) or any(size % step for size, step in zip(outer, chunks, strict=True)):
        raise FormatError(f"shards of {outer} are not whole chunks of {chunks}")
    inner = chain_v3(options.get("codecs"), chunks, dtype)
    if inner.chunks is not None:
        raise UnsupportedError("shards within shards")
    listed = options.get("index_codecs", ["bytes"])
    index = [_named(each) for each in (listed if isinstance(listed, list) else [listed])]
    names, place = [name for name, _ in index], options.get("index_location", "end")
    if names not in (["bytes"], ["bytes", "crc32c"]) or index[0][1].get("endian", "little") != "little":
        raise UnsupportedError(f"an index of a shard that is encoded by {names}")
    if place not in ("start", "end"):
        raise FormatError(f"an index at the {place!r:.60} of a shard")
    return replace(inner, chunks=chunks, index=Index(at_end=place == "end", checked="crc32c" in names))


def reduced(chain: Chain) -> int:
    """How often an image is halved when it is decoded: ``skipres`` of HTJ2K. Raises FormatError."""
    given = (chain.options or {}).get("skipres") if chain.image == HTJ2K else None
    if given is not None and (type(given) is not int or not 0 <= given <= 32):
        raise FormatError(f"skipres is {given!r:.60}")
    return given or 0


def _named(given: Any) -> tuple[str, Mapping[str, Any]]:
    """Name and configuration of a codec of v3."""
    if isinstance(given, str):
        return _plain(given), {}
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise FormatError(f"the codec {given!s:.60}")
    options = given.get("configuration")
    return _plain(given["name"]), options if isinstance(options, dict) else {}


def _plain(name: str) -> str:
    """A codec's name without that of the package that it is from."""
    return name.removeprefix("numcodecs.").removeprefix("imagecodecs.").removeprefix("imagecodecs_")


def _ordered(dtype: np.dtype[Any], endian: Any) -> np.dtype[Any]:
    if endian not in (None, "little", "big") or (endian is None and dtype.itemsize > 1):
        raise FormatError(f"the byte order {endian!r:.60} of samples of {dtype}")
    return dtype.newbyteorder(">" if endian == "big" else "<")


def _transposed(order: Sequence[int], given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or sorted(map(str, given)) != sorted(map(str, range(len(order)))):
        raise FormatError(f"a transposition by {given!s:.60}")
    return tuple(order[place] for place in given)


def _delta(options: Mapping[str, Any], chain: Chain) -> tuple[str, Mapping[str, Any]]:
    """numcodecs' Delta, with the types of its samples as they are and as they are stored."""
    dtype = dtype_of(options.get("dtype"))
    stored = dtype_of(options.get("astype") or options.get("dtype"))
    if chain.codecs or dtype.newbyteorder("=") != chain.dtype.newbyteorder("=") or stored.itemsize != dtype.itemsize:
        raise UnsupportedError(f"delta of {dtype} as {stored} there")
    return "delta", {"dtype": chain.dtype, "astype": stored}
