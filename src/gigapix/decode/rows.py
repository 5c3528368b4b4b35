"""Raw rows to pixels: unpack, undo the predictor, mind the byte order, take the box and its samples, band first.

The one tail of all byte codecs. A whole segment goes through it at once (`gigapix.decode.segment`), and a stream a few
rows at a time (`gigapix.decode.streams`): no predictor but PNG's looks at the row above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import samples as stored
from gigapix.decode.support import DISTANCES, NATIVE, is_plain, name, row_bytes
from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer, Encoding
from gigapix.kernels import place as place_kernel

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Box:
    """What is wanted of a segment, and where it goes."""

    target: NDArray[Any]
    """(samples, depth, height, width), of any strides."""
    origin: Shape
    select: Sequence[int]

    def check(self, encoding: Encoding, shape: Shape) -> None:
        """Raise ValueError where the box leaves the segment or is of another dtype."""
        if self.target.ndim != 4 or self.target.dtype != encoding.dtype or len(self.target) != len(self.select):
            raise ValueError(f"{self.target.dtype} {self.target.shape} for {len(self.select)} of {encoding.dtype}")
        (z, y, x), (_, d, h, w) = self.origin, self.target.shape
        if min(z, y, x) < 0 or z + d > shape[0] or y + h > shape[1] or x + w > shape[2]:
            raise ValueError(f"the box {self.target.shape[1:]} at {self.origin} leaves the segment {shape}")

    def reach(self, height: int) -> tuple[int, int]:
        """(rows, columns) of the segment, all of its slices one above the other, up to the end of the box."""
        (z, y, x), (_, d, h, w) = self.origin, self.target.shape
        return (z + d - 1) * height + y + h, x + w

    def place(self, pixels: Buffer, shape: Shape, interleaved: int, *, predictor: int = 1, swap: bool = False) -> None:
        """Write the box of the samples `pixels` of a segment of `shape` into the target."""
        # A complex number is two numbers but to the predictor, to which libtiff gives it as one of 64 bits.
        unit = self.target.itemsize // 2 if self.target.dtype.kind == "c" and predictor == 1 else 0
        place_kernel.place(
            pixels, self.target, shape, interleaved, self.select, self.origin, predictor, swap, swap_unit=unit
        )


def place_rows(raw: Any, encoding: Encoding, shape: Shape, box: Box) -> None:
    """Write the box of an uncompressed segment of `shape` into its target; `raw` may end behind the box's last row."""
    depth, height, width = shape
    rows = min(len(raw) // row_bytes(encoding, width), depth * height)
    predictor, swap = encoding.predictor, encoding.byteorder != NATIVE
    if not is_plain(encoding):
        raw, swap = stored.unpack(raw, encoding, rows, width), False
    if predictor in DISTANCES:
        raw, predictor, swap = stored.undo_far_predictor(raw, encoding, rows, width), 1, False
    box.place(raw, shape, encoding.samples, predictor=predictor, swap=swap)
    if encoding.predictor != 1 and not is_plain(encoding):
        # Differences of n bits are modulo 2^n.
        np.bitwise_and(box.target, (1 << encoding.bits[0]) - 1, out=box.target)


def contiguous(encoding: Encoding, shape: Shape, box: Box) -> NDArray[np.uint8] | None:
    """The target's own memory, where the raw bytes are just what belongs there: all of the segment's samples, one
    pixel's beside each other."""
    chunky = box.target.transpose(1, 2, 3, 0)
    fits = (
        encoding.predictor == 1
        and chunky.flags.c_contiguous
        and chunky.shape == (*shape, encoding.samples)
        and (encoding.byteorder == NATIVE or chunky.itemsize == 1)
        and is_plain(encoding)
        and (encoding.samples == 1 or list(box.select) == list(range(encoding.samples)))
    )
    return chunky.reshape(-1).view(np.uint8) if fits else None


def place_picture(pixels: NDArray[Any], encoding: Encoding, shape: Shape, box: Box) -> None:
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
