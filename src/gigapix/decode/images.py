"""Image codecs: a segment that is a picture file of its own. Their headers are checked before they are called.

What comes out is (rows, columns, samples) in native byte order, possibly smaller than the segment (tiles stored cropped
at the edge of the image) or taller (a last strip stored at full height), never wider.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix import limits
from gigapix.decode import codecs, headers, htj2k, isolate, jpeg, oldjpeg
from gigapix.decode.codecs import imagecodec
from gigapix.decode.headers import Size
from gigapix.decode.jpeg2000 import jpeg2000_size
from gigapix.decode.support import NATIVE, Family, family, name
from gigapix.errors import DecodeError, UnsupportedError
from gigapix.formats import model
from gigapix.formats.model import Buffer, Encoding

Pixels = NDArray[Any]
Shape = tuple[int, int, int]

UNASSOCIATED_ALPHA: Final = 2


def decode(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    """The picture in `data`; DecodeError where it lacks the first `reach` (rows, columns) of a segment of `shape`."""
    if family(encoding) is Family.JPEG:
        return _jpeg(data, encoding, shape, reach)
    match encoding.compression:
        case 22610 | 34934:
            return _jpegxr(data, encoding, shape, reach)
        case 32909:
            return _pixarlog(data, encoding, shape)
        case 33003 | 33004 | 33005 | 34712:
            return _jpeg2000(data, encoding, shape, reach)
        case model.HTJ2K:
            return htj2k.segment(data, encoding, shape)
        case 34887:
            return _lerc(data, encoding, shape, reach)
        case 34927 | 50001:
            return _webp(data, encoding, shape, reach)
        case 34933:
            return _png(data, encoding, shape, reach)
        case _:
            return _jpegxl(data, encoding, shape, reach)


def _call(function: str, data: Any, **options: Any) -> Pixels:
    return np.asarray(imagecodec(function)(data, **options))


def check(size: Size, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> None:
    """Refuse a picture that is more than its segment can hold, or less than is wanted of it."""
    depth, height, width = shape
    rows = depth * height
    taller = size.height > rows
    most_bytes = size.height * size.width * size.samples * max(size.sample_bytes, encoding.dtype.itemsize)
    if (
        size.width > width
        or (taller and (size.width != width or most_bytes > limits.SEGMENT_TRUST_BYTES))
        or (depth > 1 and (size.height, size.width) != (rows, width))
        or size.samples > max(4, encoding.samples)
        or size.height < reach[0]
        or size.width < reach[1]
    ):
        raise DecodeError(
            f"the {name(encoding)} stream holds {size.height} rows of {size.width} pixels where "
            f"{reach[0]} of {reach[1]} are wanted from a segment of {rows} rows of {width}"
        )


def _jpeg(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    raw = (
        oldjpeg.stream(data, encoding, shape)
        if encoding.compression == 6
        else data
        if isinstance(data, bytearray)
        else bytes(data)
    )
    header = jpeg.frame(raw)
    stream, output = jpeg.colours(encoding, raw)
    depth, height, width = shape
    size = jpeg.size(header, output)
    packed = header.process in jpeg.LOSSLESS and size.samples != encoding.samples
    if packed:
        # DNG: a lossless stream may cut the same samples into other rows, columns and components (two half-width ones).
        if size.height * size.width * size.samples != depth * height * width * encoding.samples:
            raise DecodeError("a lossless JPEG stream with another number of samples than its segment")
    else:
        check(size, encoding, shape, reach)
        if size.samples != encoding.samples:
            raise DecodeError(f"a JPEG stream of {size.samples} samples in a segment of {encoding.samples}")
    pixels = jpeg.decode(raw, header, encoding.jpeg_tables, stream, output)
    return pixels.reshape(depth * height, width, encoding.samples) if packed else pixels


def _jpeg2000(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    size = jpeg2000_size(data)
    check(size, encoding, shape, reach)
    if size.samples != encoding.samples:
        raise DecodeError(f"a JPEG 2000 stream of {size.samples} samples in a segment of {encoding.samples}")
    return _call("jpeg2k_decode", data)


def _webp(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    check(headers.webp_size(data), encoding, shape, reach)
    # An encoder drops an alpha channel that is opaque throughout: asked for four samples, the codec puts it back.
    return _call("webp_decode", data, hasalpha=encoding.samples == 4)


def _png(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    check(headers.png_size(data), encoding, shape, reach)
    return _call("png_decode", data)


def _jpegxl(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    size = headers.jpegxl_size(data)
    check(size, encoding, shape, reach)
    pixels = _call("jpegxl_decode", data)
    # Grey with extra channels that are no alpha comes out one plane after the other.
    return pixels if pixels.shape[:2] == (size.height, size.width) else np.moveaxis(pixels, 0, -1)


def _jpegxr(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    check(headers.jpegxr_size(data), encoding, shape, reach)
    return isolate.jpegxr(bytes(data))


def _pixarlog(data: Buffer, encoding: Encoding, shape: Shape) -> Pixels:
    if encoding.dtype not in (np.dtype("u1"), np.dtype("u2"), np.dtype("f4")):
        raise UnsupportedError(f"PixarLog to {encoding.dtype} is not supported")
    depth, height, width = shape
    codes = codecs.inflate(data, 2 * depth * height * width * encoding.samples)
    rows = codes.size // (2 * width * encoding.samples)
    if encoding.byteorder == ">":
        codes = codes[: codes.size // 2 * 2].view("<u2").byteswap().view(np.uint8)
    wanted = (rows, width, encoding.samples)
    if not rows:
        raise DecodeError("a PixarLog segment without a row")
    return _call("pixarlog_decode", codes, shape=wanted, dtype=encoding.dtype, deflate=False)


def _lerc(data: Buffer, encoding: Encoding, shape: Shape, reach: tuple[int, int]) -> Pixels:
    """GDAL's LERC in TIFF: invalid pixels of floats are NaN, and a mask may stand for an 8-bit alpha channel."""
    blob = _lerc_blob(data, encoding, shape)
    size, length = headers.lerc_size(blob)
    check(size, encoding, shape, reach)
    bands = 1 if size.samples > 1 else encoding.samples
    for _ in range(1, bands):  # a constant band takes 70 bytes, so no more of them than there are samples
        if length < len(blob):
            length += headers.lerc_size(blob[length:])[1]
    pixels: Pixels
    pixels, valid = imagecodec("lerc_decode")(blob[:length], masks=True)
    if encoding.byteorder != NATIVE:
        pixels = pixels.byteswap()  # libtiff brings samples into the file's byte order before it encodes them
    if pixels.ndim == 3 and size.samples == 1:
        pixels = np.moveaxis(pixels, 0, -1)
        valid = np.moveaxis(valid, 0, -1) if valid is not None and valid.ndim == 3 else valid
    pixels = pixels.reshape(size.height, size.width, -1)
    if valid is not None and pixels.dtype.kind == "f":
        pixels[~valid] = np.nan
    masked_alpha = encoding.extra_samples[-1:] == (UNASSOCIATED_ALPHA,) and pixels.dtype == np.uint8
    if masked_alpha and pixels.shape[2] == encoding.samples - 1:
        alpha = (
            np.uint8(255) if valid is None else np.where(valid.reshape(pixels.shape[:2]), np.uint8(255), np.uint8(0))
        )
        pixels = np.dstack([pixels, np.broadcast_to(alpha, pixels.shape[:2])])
    return pixels


def _lerc_blob(data: Buffer, encoding: Encoding, shape: Shape) -> Buffer:
    """The blob without the compression around it that LercParameters[1] names (0 none, 1 deflate, 2 zstd)."""
    around = encoding.lerc_parameters[1] if len(encoding.lerc_parameters) > 1 else 0
    if bytes(data[:5]) == b"Lerc2" or around not in (1, 2):
        return data
    depth, height, width = shape
    # A blob is the samples as they are at worst, with a mask and a header.
    most = 2 * depth * height * width * encoding.samples * encoding.dtype.itemsize + 4096
    return codecs.decompress(data, 8 if around == 1 else 50000, most).data
