"""Byte codecs: compressed bytes to at most `size` bytes, never more, whatever the stream says.

`size` is what the segment is worth. Streams that go on beyond it are common (a last strip padded to full height, bytes
of padding behind the stream) and are cut there, as libtiff does; a bomb is such a stream. Streams that end before it
give what they have: whether that is enough depends on the rows that are wanted, and the caller knows those.

Each codec has a fast way, for streams that are just right, and a second one that is taken where the first complains.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer
from gigapix.kernels import lzw, packbits


def imagecodec(name: str) -> Any:
    """A function or error of imagecodecs. The stubs know neither memoryviews nor arrays, which the functions take."""
    import imagecodecs

    return getattr(imagecodecs, name)


def decompress(data: Buffer, compression: int, size: int, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """The first `size` decompressed bytes, or all of fewer; in `out` where the codec can write there."""
    if out is None:
        out = np.empty(size, np.uint8)
    match compression:
        case 5:
            return out[: lzw.decode(data, out.data, lsb=_is_old_lzw(data))]
        case 8 | 32946 | 50013:
            return _deflate(data, out)
        case 34926 | 50000:
            return _zstd(data, out)
        case 32773:
            return _packbits(data, out)
        case 34925:
            return _lzma(data, out)
    raise DecodeError(f"compression {compression} is not one of bytes")


def inflate(data: Buffer, size: int) -> NDArray[np.uint8]:
    """A zlib stream's first `size` bytes."""
    return _deflate(data, np.empty(size, np.uint8))


def _view(written: Any) -> NDArray[np.uint8]:
    """What the codec wrote of the array that it was given."""
    return np.asarray(written, np.uint8)


def _is_old_lzw(data: Buffer) -> bool:
    """libtiff's test: the first code is Clear, and LSB first its nine bits begin 0x00, 0x01."""
    return len(data) >= 2 and data[0] == 0 and bool(data[1] & 1)


def _deflate(data: Buffer, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    try:
        return _view(imagecodec("deflate_decode")(data, out=out))
    except imagecodec("DeflateError") as error:
        if "INSUFFICIENT_SPACE" not in str(error):
            raise
    # libdeflate is all or nothing: a stream longer than the segment goes through the decoder that can stop.
    from gigapix.kernels import inflate as kernel

    state = bytearray(kernel.STATE_BYTES)
    kernel.start(state, kernel.ZLIB)
    _, made, status = kernel.inflate(state, data, out.data)
    if status == kernel.FAULT:
        raise DecodeError(f"deflate: {kernel.fault(state)}")
    return out[:made]


def _zstd(data: Buffer, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    decode = imagecodec("zstd_decode")
    try:
        return _view(decode(data, out=out))
    except imagecodec("ZstdError"):
        # The codec takes nothing but whole frames into enough room: this one stops when it has what is wanted.
        zstd = zstd_library()
        try:
            first = zstd.ZstdDecompressor().decompress(data, max_length=max(out.size, 1))
        except zstd.ZstdError as error:
            raise DecodeError(f"zstd: {error}") from error
        return np.frombuffer(first, np.uint8)[: out.size]


def zstd_library() -> Any:
    """The zstd that can stop and go on: Python's own from 3.14 on."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _packbits(data: Buffer, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return out[: packbits.run(bytearray(packbits.STATE_BYTES), data, out.data)[1]]


def _lzma(data: Buffer, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    try:
        return _view(imagecodec("lzma_decode")(data, out=out))
    except imagecodec("LzmaError"):
        import lzma

        first = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data, max_length=max(out.size, 1))
        return np.frombuffer(first, np.uint8)[: out.size]
