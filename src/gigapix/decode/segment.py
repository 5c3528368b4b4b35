"""Decode one segment into its place.

    bytes --(codec)--> samples as stored --(unpack)--> plain samples --(place)--> target

Each step is left out where it has nothing to do: plain uncompressed samples go from the file's bytes to the target with
no copy in between, plain compressed ones through one buffer. `place` undoes the predictor and the byte order, cuts the
box out and separates the samples, all in one pass over the rows that are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import codecs, fax, images
from gigapix.decode import samples as stored
from gigapix.decode.support import (
    DISTANCES,
    NATIVE,
    Family,
    check_ratio,
    expected_bytes,
    family,
    is_plain,
    name,
    row_bytes,
    supported,
)
from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError, UnsupportedError
from gigapix.formats.model import Buffer, Encoding
from gigapix.kernels import place as place_kernel

Shape = tuple[int, int, int]


def decode_into(
    data: Buffer,
    encoding: Encoding,
    shape: Shape,
    target: NDArray[Any],
    *,
    origin: Shape = (0, 0, 0),
    samples: Sequence[int] | None = None,
) -> None:
    """Decode a segment of `shape` (depth, height, width) pixels and write a box of it into `target`.

    `target` is (samples, depth, height, width) of any strides and of the encoding's dtype. The box has its size and
    begins at `origin`; `samples` are the interleaved samples that it takes, all of them by default. A segment may hold
    less than `shape` (cropped at the edge of the image) as long as it holds the box.

    Raises DecodeError for damaged or missing data, UnsupportedError for what can't be decoded, LimitError for sizes
    that the bytes can't be worth, MemoryBudgetError where memory runs out; ValueError where the box leaves the segment.
    """
    supported(encoding)
    box = _Box(target=target, origin=origin, select=range(encoding.samples) if samples is None else samples)
    box.check(encoding, shape)
    if not target.size:
        return
    expected = expected_bytes(encoding, shape)
    check_ratio(encoding, expected, len(data))
    try:
        _decode(data, encoding, shape, box)
    except GigapixError:
        raise
    except MemoryError as error:
        raise MemoryBudgetError(f"no memory to decode a segment of {expected} bytes") from error
    except ImportError as error:
        raise UnsupportedError(f"{name(encoding)} needs a codec that this imagecodecs lacks: {error}") from error
    except Exception as error:  # the codecs' own classes, and numpy's on what the codecs return
        raise DecodeError(f"{name(encoding)}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Box:
    """What is wanted of a segment, and where it goes."""

    target: NDArray[Any]
    origin: Shape
    select: Sequence[int]

    def check(self, encoding: Encoding, shape: Shape) -> None:
        if self.target.ndim != 4 or self.target.dtype != encoding.dtype or len(self.target) != len(self.select):
            raise ValueError(f"{self.target.dtype} {self.target.shape} for {len(self.select)} of {encoding.dtype}")
        ends = (at + size for at, size in zip(self.origin, self.target.shape[1:], strict=True))
        if min(self.origin) < 0 or any(end > side for end, side in zip(ends, shape, strict=True)):
            raise ValueError(f"the box {self.target.shape[1:]} at {self.origin} leaves the segment {shape}")

    def reach(self, height: int) -> tuple[int, int]:
        """(rows, columns) of the segment, all of its slices one above the other, up to the end of the box."""
        (z, y, x), (_, d, h, w) = self.origin, self.target.shape
        return (z + d - 1) * height + y + h, x + w

    def place(self, pixels: Buffer, shape: Shape, interleaved: int, *, predictor: int = 1, swap: bool = False) -> None:
        # A complex number is two numbers but to the predictor, to which libtiff gives it as one of 64 bits.
        unit = self.target.itemsize // 2 if self.target.dtype.kind == "c" and predictor == 1 else 0
        place_kernel.place(
            pixels, self.target, shape, interleaved, self.select, self.origin, predictor, swap, swap_unit=unit
        )


def _decode(data: Buffer, encoding: Encoding, shape: Shape, box: _Box) -> None:
    kind = family(encoding)
    if kind in (Family.IMAGE, Family.JPEG):
        _picture(images.decode(data, encoding, shape, box.reach(shape[1])), encoding, shape, box)
        return
    if encoding.fill_order == 2:
        data = codecs.imagecodec("bitorder_decode")(bytes(data))
    if kind is Family.FAX:
        box.place(fax.decode(data, encoding, shape[0] * shape[1], shape[2]).data, shape, 1)
    else:
        _bytes(data, encoding, shape, box)


def _bytes(data: Buffer, encoding: Encoding, shape: Shape, box: _Box) -> None:
    raw: Any = data
    if encoding.compression != 1:
        straight = _contiguous(encoding, shape, box)
        raw = codecs.decompress(data, encoding.compression, expected_bytes(encoding, shape), straight)
    wanted, (_, height, width) = box.reach(shape[1])[0], shape
    held = len(raw) // row_bytes(encoding, width)
    if held < wanted:
        raise DecodeError(f"{name(encoding)}: {held} rows ({len(raw)} bytes) of the {wanted} that are wanted")
    if encoding.compression != 1 and straight is not None and np.may_share_memory(raw, straight):
        return
    predictor, swap = encoding.predictor, encoding.byteorder != NATIVE
    rows = min(held, shape[0] * height)
    if not is_plain(encoding):
        raw, swap = stored.unpack(raw, encoding, rows, width), False
    if predictor in DISTANCES:
        raw, predictor, swap = stored.undo_far_predictor(raw, encoding, rows, width), 1, False
    box.place(raw, shape, encoding.samples, predictor=predictor, swap=swap)
    if encoding.predictor != 1 and not is_plain(encoding):
        # Differences of n bits are modulo 2^n.
        np.bitwise_and(box.target, (1 << encoding.bits[0]) - 1, out=box.target)


def _contiguous(encoding: Encoding, shape: Shape, box: _Box) -> NDArray[np.uint8] | None:
    """The target's own memory, where the decompressed bytes are just what belongs there (a strip of one band)."""
    fits = (
        is_plain(encoding)
        and encoding.samples == 1
        and encoding.predictor == 1
        and (encoding.byteorder == NATIVE or box.target.itemsize == 1)
        and box.target.shape == (1, *shape)
        and box.target.flags.c_contiguous
    )
    return box.target.reshape(-1).view(np.uint8) if fits else None


def _picture(pixels: NDArray[Any], encoding: Encoding, shape: Shape, box: _Box) -> None:
    """Place what an image codec returned: (rows, columns[, samples]) of the codec's own type."""
    depth, height, width = shape
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] != encoding.samples:
        raise DecodeError(f"{name(encoding)}: a picture of {pixels.shape} in a segment of {encoding.samples} samples")
    if pixels.dtype != encoding.dtype:
        pixels = _as_dtype(pixels, encoding)
    if depth == 1:
        height, width = pixels.shape[:2]
    rows, columns = box.reach(height)
    if rows > pixels.shape[0] or columns > pixels.shape[1]:
        raise DecodeError(f"{name(encoding)}: a picture of {pixels.shape[:2]} where {rows} x {columns} are wanted")
    box.place(np.ascontiguousarray(pixels).data, (depth, height, width), encoding.samples)


def _as_dtype(pixels: NDArray[Any], encoding: Encoding) -> NDArray[Any]:
    """The same numbers in the image's type, or, between integers of one size, the same bits."""
    if pixels.dtype.itemsize == encoding.dtype.itemsize and pixels.dtype.kind in "iub" and encoding.dtype.kind in "iu":
        return pixels.view(encoding.dtype)
    if np.can_cast(pixels.dtype, encoding.dtype, "safe"):
        return pixels.astype(encoding.dtype)
    raise DecodeError(f"{name(encoding)}: samples of {pixels.dtype} in an image of {encoding.dtype}")
