"""Decode one segment into its place.

    bytes --(codec)--> samples as stored --(unpack)--> plain samples --(place)--> target

Each step is left out where it has nothing to do: plain uncompressed samples go from the file's bytes to the target with
no copy in between, plain compressed ones through one buffer. `place` undoes the predictor and the byte order, cuts the
box out and separates the samples, all in one pass over the rows that are wanted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import codecs, fax, images, packed
from gigapix.decode.faults import typed
from gigapix.decode.rows import Box, Shape, contiguous, place_picture, place_rows
from gigapix.decode.support import Family, check_ratio, expected_bytes, family, name, row_bytes, supported
from gigapix.errors import DecodeError
from gigapix.formats.model import Buffer, Encoding, Steps


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
    box = Box(target=target, origin=origin, select=range(encoding.samples) if samples is None else samples)
    box.check(encoding, shape)
    if not target.size:
        return
    expected = expected_bytes(encoding, shape)
    check_ratio(encoding, expected, len(data))
    with typed(encoding, expected):
        _decode(data, encoding, shape, box, expected)


def _decode(data: Buffer, encoding: Encoding, shape: Shape, box: Box, expected: int) -> None:
    if encoding.framing:
        _chunked_rows(data, encoding, shape, box)
        return
    kind = family(encoding)
    if kind in (Family.IMAGE, Family.JPEG):
        place_picture(images.decode(data, encoding, shape, box.reach(shape[1])), encoding, shape, box)
        return
    if kind is Family.PACKED:
        packed.decode(data, encoding, shape, box)
        return
    if encoding.fill_order == 2:
        data = codecs.imagecodec("bitorder_decode")(bytes(data))
    if kind is Family.FAX:
        box.place(fax.decode(data, encoding, shape[0] * shape[1], shape[2]).data, shape, 1)
    else:
        _bytes(data, encoding, shape, box, expected)


def _bytes(data: Buffer, encoding: Encoding, shape: Shape, box: Box, expected: int) -> None:
    raw: Any = data
    if encoding.compression != 1:
        straight = contiguous(encoding, shape, box)
        raw = codecs.decompress(data, encoding.compression, expected, straight)
    wanted = box.reach(shape[1])[0]
    held = len(raw) // row_bytes(encoding, shape[2])
    if held < wanted:
        raise DecodeError(f"{name(encoding)}: {held} rows ({len(raw)} bytes) of the {wanted} that are wanted")
    if encoding.compression != 1 and straight is not None and np.may_share_memory(raw, straight):
        return
    place_rows(raw, encoding, shape, box)


def _chunked_rows(data: Buffer, encoding: Encoding, shape: Shape, box: Box) -> None:
    """A PNG's rows, by the cursor that large ones have. Each depends on the one above, so depth is always 1."""
    from gigapix.decode.cursor import open_cursor

    file = memoryview(data)

    def steps() -> Steps[None]:
        cursor = yield from open_cursor(encoding, shape, (0, len(file)), window=len(file))
        yield from cursor.skip(box.origin[1])
        yield from cursor.read(box.target, column=box.origin[2], samples=box.select)

    running: Any = steps()
    answer = None
    with contextlib.suppress(StopIteration):
        while True:
            answer = [file[at : at + size] for at, size in running.send(answer)]
