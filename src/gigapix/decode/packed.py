"""Zarr's chunks: codecs undone from the last to the first, then the segment cut out of an array of any rank.

Each stage is given the bytes that it may make, and no more: those of the chunk, but for what lies around further codecs
a little more. So a bomb ends where its chunk is full, and a chunk of another size than its array says is refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.codecs import imagecodec
from gigapix.decode.rows import Box, Shape
from gigapix.errors import DecodeError, UnsupportedError
from gigapix.formats.model import Buffer, Encoding, Packing, encoded_bytes
from gigapix.kernels.crc32c import crc32c

CODECS: Final = frozenset({"blosc", "bz2", "crc32c", "delta", "gzip", "lz4", "lzma", "shuffle", "zlib", "zstd"})
"""What can be undone here."""

BLOSC_HEADER: Final = 16

ZLIB, GZIP = 15, 31
"""zlib's `wbits`."""


def decode(data: Buffer, encoding: Encoding, shape: Shape, box: Box) -> None:
    """Decode a chunk and write the box of its segment of `shape` into the target."""
    packing = encoding.packing
    assert packing is not None  # noqa: S101  # for mypy
    straight = _straight(packing, shape, box)
    raw = undone(data, packing, straight)
    if straight is not None:
        if not np.may_share_memory(raw, straight):
            straight[...] = raw
        return
    array = raw.view(packing.dtype)
    if packing.interleaved and encoding.samples > 1:
        box.place(raw.data, shape, encoding.samples, swap=not packing.dtype.isnative)
        return
    view = array.reshape(packing.shape)[packing.index].transpose(packing.order)[packing.expand]
    (z, y, x), (_, d, h, w) = box.origin, box.target.shape
    view = view[:, z : z + d, y : y + h, x : x + w]
    samples = list(box.select)
    box.target[...] = view if samples == list(range(len(view))) else view[samples]


def undone(data: Buffer, packing: Packing, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """The bytes of a chunk's array, in `out` where the last codec can write there. DecodeError for more or fewer."""
    size = packing.nbytes
    # Decoded bytes of each codec: the first one's are the array's.
    sizes = [size] + [encoded_bytes(size) + 64 * n for n in range(len(packing.codecs) - 1)]
    raw: Any = data
    for n in range(len(packing.codecs) - 1, -1, -1):
        codec, options = packing.codecs[n]
        raw = _undo(codec, raw, sizes[n], options, out if n == 0 else None)
    found = np.frombuffer(raw, np.uint8)
    if found.size != size:
        raise DecodeError(f"a chunk of {found.size} bytes where its array has {size}")
    return found


def _straight(packing: Packing, shape: Shape, box: Box) -> NDArray[np.uint8] | None:
    """The target's own memory, where the array's bytes are just what belongs there."""
    target = box.target
    if packing.dtype != target.dtype or box.origin != (0, 0, 0) or target.shape[1:] != shape:
        return None
    if packing.interleaved:
        target = target.transpose(1, 2, 3, 0)
    elif packing.order != tuple(range(len(packing.order))):
        return None
    fits = (
        target.flags.c_contiguous and target.nbytes == packing.nbytes and list(box.select) == [*range(len(box.select))]
    )
    return target.reshape(-1).view(np.uint8) if fits else None


def _undo(codec: str, data: Buffer, size: int, options: Mapping[str, Any], out: NDArray[np.uint8] | None) -> Any:
    """Undo one codec; at most `size` bytes, in `out` where that can be done."""
    match codec:
        case "zstd":
            return imagecodec("zstd_decode")(data, out=np.empty(size, np.uint8) if out is None else out)
        case "blosc":
            return _blosc(data, size, out)
        case "lz4":
            return _lz4(data, size)
        case "zlib":
            return _zlib(data, size, ZLIB)
        case "gzip":
            return _zlib(data, size, GZIP)
        case "bz2":
            import bz2

            return _whole(bz2.BZ2Decompressor(), data, size)
        case "lzma":
            import lzma

            form, filters = options.get("format", lzma.FORMAT_XZ), options.get("filters")
            return _whole(lzma.LZMADecompressor(form, None, filters if form == lzma.FORMAT_RAW else None), data, size)
        case "crc32c":
            return _crc32c(data)
        case "shuffle":
            return _unshuffled(data, int(options.get("elementsize", 4)))
        case "delta":
            return _summed(data, options)
    raise UnsupportedError(f"the codec {codec!r} is not supported")


def _blosc(data: Buffer, size: int, out: NDArray[np.uint8] | None) -> Any:
    """The header (c-blosc, README_CHUNK_FORMAT) says how much comes out, and the library believes it."""
    if len(data) < BLOSC_HEADER:
        raise DecodeError("blosc: no header")
    nbytes, _, cbytes = struct.unpack_from("<3I", data, 4)
    if nbytes > size or cbytes > len(data) or cbytes < BLOSC_HEADER:
        raise DecodeError(f"blosc: {nbytes} bytes of {cbytes}, where {size} are wanted and {len(data)} are there")
    if out is None or out.size != nbytes:
        out = np.empty(nbytes, np.uint8)
    if not nbytes:
        return out
    return imagecodec("blosc_decode")(memoryview(data)[:cbytes], numthreads=1, out=out)


def _lz4(data: Buffer, size: int) -> Any:
    """numcodecs' LZ4: the decoded size in four bytes, then a block."""
    if len(data) < 4:
        raise DecodeError("lz4: no header")
    (nbytes,) = struct.unpack_from("<I", data)
    if nbytes > size:
        raise DecodeError(f"lz4: {nbytes} bytes where {size} are wanted")
    return imagecodec("lz4_decode")(memoryview(data)[4:], out=np.empty(nbytes, np.uint8))


def _zlib(data: Buffer, size: int, wbits: int) -> Any:
    """libdeflate, else a decoder that can stop and knows members that follow one another (RFC 1952, section 2.2)."""
    try:
        function = imagecodec("deflate_decode" if wbits == ZLIB else "gzip_decode")
        found = function(data, out=np.empty(size, np.uint8))
        if len(found) == size:
            return found
    except Exception:  # noqa: BLE001, S110  # the codecs' own classes: the slower one has the last word
        pass
    made, rest = b"", bytes(data)
    while rest and len(made) <= size:
        stream = zlib.decompressobj(wbits)
        made += stream.decompress(rest, size + 1 - len(made))
        if not stream.eof and len(made) <= size:
            raise DecodeError("deflate: the stream ends early")
        rest = stream.unused_data if wbits == GZIP else b""
    return made


def _whole(stream: Any, data: Buffer, size: int) -> bytes:
    made: bytes = stream.decompress(data, max_length=size + 1)
    return made


def _crc32c(data: Buffer) -> Buffer:
    """A checksum of four bytes behind the data."""
    view = memoryview(data)
    if len(view) < 4 or crc32c(view[:-4]) != int.from_bytes(view[-4:], "little"):
        raise DecodeError("crc32c: the checksum is another")
    return view[:-4]


def _unshuffled(data: Buffer, size: int) -> Any:
    """Bytes sorted by their place in an element; those of no whole element are left as they are."""
    raw = np.frombuffer(data, np.uint8)
    if size < 2:
        return raw
    whole = raw.size // size * size
    out = raw.copy()
    out[:whole] = raw[:whole].reshape(size, -1).T.ravel()
    return out


def _summed(data: Buffer, options: Mapping[str, Any]) -> Any:
    stored, dtype = options["astype"], options["dtype"]
    return np.cumsum(np.frombuffer(data, stored), dtype=dtype).astype(dtype, copy=False).view(np.uint8)
