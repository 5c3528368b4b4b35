"""A tiled TIFF of one or more images, written front to back without any of it in memory, sans-I/O.

Whoever has a file appends what `begin`, `tile` and `end` return, in that order, and finally puts what `header` returns
over its first bytes. Tiles come in any order and from any image; what is held is where they are, 16 bytes a tile. The
directories stand at the end, chained in the order of the images. Until the last step the header points at none: a write
that stops half way leaves a file that no reader takes for whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gigapix.formats.tiff.write import TiffFile, directory, header


class TiffWriter:
    """The state of a write: how far it has come, and where the tiles are."""

    def __init__(self, images: Sequence[TiffFile]) -> None:
        big = any(image.bigtiff for image in images) or (len(images) > 1 and _outgrows(images))
        self.images = tuple(replace(image, big=big) for image in images)
        self.size = 0
        """Bytes returned so far."""
        self._first = 0
        self._tables = [np.zeros((2, *image.grid), np.uint64) for image in self.images]

    def begin(self) -> bytes:
        """The first bytes."""
        return self._appended(header(self.images[0]))

    def tile(self, image: int, row: int, column: int, data: bytes) -> bytes:
        """The bytes of a tile (`write.encode_tile`). One that is never given is sparse."""
        self._tables[image][:, row, column] = self.size, len(data)
        return self._appended(data)

    def end(self) -> bytes:
        """The directories."""
        parts = [bytes(self.size % 2)]
        at = self._first = self.size + self.size % 2
        for place, (image, table) in enumerate(zip(self.images, self._tables, strict=True)):
            offsets, sizes = table.reshape(2, -1)
            following = 0
            if place + 1 < len(self.images):
                following = at + len(directory(image, at, offsets, sizes))
            parts.append(directory(image, at, offsets, sizes, following=following))
            at = following
        return self._appended(b"".join(parts))

    def header(self) -> bytes:
        """What finally stands in place of the first bytes."""
        return header(self.images[0], self._first)

    def _appended(self, data: bytes) -> bytes:
        self.size += len(data)
        return data


def _outgrows(images: Sequence[TiffFile]) -> bool:
    """Whether images could be too large for classic TIFF together: as many pixels in one are."""
    pixels = sum(image.grid[0] * image.grid[1] * image.tile**2 for image in images)
    largest = max(images, key=lambda image: image.samples * image.dtype.itemsize)
    return replace(largest, width=largest.tile, height=-(-pixels // largest.tile)).bigtiff
