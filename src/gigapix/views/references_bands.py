"""Giant uncompressed strips as bands of rows: each row begins on a byte of its own, so a band is a byte range too.

A level whose segments are bands is a `LevelSpec` like any other; what it answers is computed of the strips' ranges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gigapix.decode.support import row_bytes
from gigapix.formats.model import UNCOMPRESSED, LevelSpec, Located, Range, Steps

GIANT_BYTES: Final = 16 << 20
"""Of a strip that is cut."""

BAND_BYTES: Final = 2 << 20
"""Of a band, at most."""


def in_bands(spec: LevelSpec, file_size: int | None = None) -> LevelSpec:
    """The level with bands for segments where its strips are giant and uncompressed, else as it is. So is one that says
    it is larger than its file: it may say anything, and bands are not bounded by a table."""
    encoding = spec.encoding
    step = min(spec.segment[1], spec.volume[1])
    row = row_bytes(encoding, spec.segment[2])
    if spec.tiled or encoding.compression != UNCOMPRESSED or encoding.framing or step * row <= GIANT_BYTES:
        return spec
    if file_size is not None and spec.volume[1] * row > file_size:
        return spec
    rows = _rows(step, max(BAND_BYTES // row, 1), free=spec.volume[1] <= step)
    height = spec.volume[1]
    strips, bands = -(-height // step), -(-height // rows)

    def locate(plane: int, segments: Sequence[int]) -> Steps[Located]:
        tops = [segment % bands * rows for segment in segments]
        wanted = [segment // bands * strips + top // step for segment, top in zip(segments, tops, strict=True)]
        strip_numbers = sorted(set(wanted))
        located = yield from spec.locate(plane, strip_numbers)
        of_strip = dict(zip(strip_numbers, located.ranges, strict=True))

        def band(strip: int, top: int) -> Range | None:
            found = of_strip[strip]
            if found is None:
                return None
            skip = top % step * row
            return found[0] + skip, max(min(found[1] - skip, min(rows, height - top) * row), 0)

        return replace(located, ranges=tuple(band(*each) for each in zip(wanted, tops, strict=True)))

    return replace(spec, segment=(1, rows, spec.segment[2]), locate=locate)


def _rows(step: int, most: int, *, free: bool) -> int:
    """Rows of a band, at most `most`. Bands that divide a strip of `step` rows: must where another one follows
    (`free` is False), else where there are such that are not much smaller, so that the last one is as large."""
    divisor = max(n for k in range(1, math.isqrt(step) + 1) if step % k == 0 for n in (k, step // k) if n <= most)
    return most if free and divisor < most / 4 else divisor
