"""`Level`: one resolution of an image, as a user sees it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gigapix.formats.model import LevelSpec

if TYPE_CHECKING:
    from affine import Affine

    from gigapix.image.image import Image


class Level:
    """One resolution of an image. Level 0 is the full one, the others are coarser, finest first."""

    def __init__(self, image: Image, spec: LevelSpec) -> None:
        self._image = image
        self.spec = spec

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each of `axes`."""
        return self.spec.shape

    @property
    def axes(self) -> str:
        """``CYX``, or more of ``TCZYX`` for stacks."""
        return self.spec.axes

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels, in native byte order."""
        return self.spec.dtype

    @property
    def width(self) -> int:
        """Pixels along X."""
        return self.spec.shape[-1]

    @property
    def height(self) -> int:
        """Pixels along Y."""
        return self.spec.shape[-2]

    @property
    def chunks(self) -> tuple[int, ...]:
        """Pixels of one segment along each of `axes`."""
        spec = self.spec
        inner = {
            "Z": spec.segment[0],
            "C": 1 if spec.planar else spec.samples,
            "Y": spec.segment[1],
            "X": spec.segment[2],
        }
        stacked = set(spec.plane_axes) - {"C"}
        return tuple(1 if axis in stacked else inner[axis] for axis in spec.axes)

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of segments."""
        return -(-self.height // self.spec.segment[1]), -(-self.width // self.spec.segment[2])

    @property
    def nbytes(self) -> int:
        """Bytes of the whole level when read."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def tiled(self) -> bool:
        """Whether segments are tiles and not strips."""
        return self.spec.tiled

    @property
    def scale(self) -> tuple[float, float]:
        """(y, x) size of this level's pixels in pixels of level 0."""
        base = self._image.levels[0]
        return base.height / self.height, base.width / self.width

    @property
    def transform(self) -> Affine:
        """From (column, row) of this level to coordinates of the image's CRS."""
        from affine import Affine

        y, x = self.scale
        return self._image.transform @ Affine.scale(x, y)

    @property
    def has_mask(self) -> bool:
        """Whether the file stores a mask for this level."""
        return self.spec.mask is not None

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        return f"<Level {self.axes} {size} {self.dtype}, segments of {self.spec.segment[2]} x {self.spec.segment[1]}>"
