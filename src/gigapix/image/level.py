"""`Level`: one resolution of an image, as a user sees it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gigapix.errors import MissingExtraError
from gigapix.formats.model import LevelSpec

if TYPE_CHECKING:
    from affine import Affine
    from odc.geo.geobox import GeoBox

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
            spec.depth_axis: spec.segment[0],
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
    def ndim(self) -> int:
        """How many axes."""
        return len(self.spec.axes)

    @property
    def size(self) -> int:
        """Samples of the whole level."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole level when read."""
        return self.size * self.dtype.itemsize

    @property
    def tiled(self) -> bool:
        """Whether segments are tiles and not strips."""
        return self.spec.tiled

    @property
    def scale(self) -> tuple[float, float]:
        """(y, x) size of this level's pixels in pixels of level 0."""
        base = self._image.levels[0]
        if self.spec.scale is not None:
            return self.spec.scale
        return base.height / self.height, base.width / self.width

    @property
    def transform(self) -> Affine:
        """From (column, row) of this level to coordinates of the image's CRS."""
        from affine import Affine

        y, x = self.scale
        return self._image.transform @ Affine.scale(x, y)

    @property
    def geobox(self) -> GeoBox:
        """odc-geo's GeoBox: shape, transform and CRS of this level. Raises MissingExtraError without the extra
        ``odc``."""
        try:
            from odc.geo.geobox import GeoBox
        except ImportError as error:
            raise MissingExtraError("a GeoBox needs odc-geo: pip install 'gigapix[odc]'") from error
        return GeoBox((self.height, self.width), self.transform, self._image.crs)

    @property
    def has_mask(self) -> bool:
        """Whether the file stores a mask for this level."""
        return self.spec.mask is not None

    # As an array

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """numpy's basic indexing: integers, slices and an ellipsis, along `axes`. Reads what it names and no more.

        Raises IndexingError for anything else, and what `Image.read` raises.
        """
        from gigapix.image.indexing import pixels

        return pixels(self._image, self._number, key)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All of it, for ``np.asarray``. Raises MemoryBudgetError where it takes more than `Settings.memory`."""
        from gigapix.image.indexing import as_array

        return as_array(self._image, self._number, dtype, copy)

    def __dlpack__(self, *, copy: bool | None = None, **options: Any) -> Any:
        """All of it, for ``from_dlpack``. Raises as `__array__` does."""
        return self.__array__(copy=copy).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The CPU."""
        return 1, 0

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def _number(self) -> int:
        return self._image.levels.index(self)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        return f"<Level {self.axes} {size} {self.dtype}, segments of {self.spec.segment[2]} x {self.spec.segment[1]}>"
