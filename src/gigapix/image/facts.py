"""What an image says of itself beside its pixels: the questions, and who answers them.

Each format answers from its own header: `image.tiff_facts`, `image.png_facts`, `image.zarr_facts`. What follows from
those answers in the same way for all formats is here.
"""

# ruff: noqa: D102  # `gigapix.Image` says what each answer is
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gigapix.formats.model import Described, LevelSpec, Steps
from gigapix.image.compose import Validity

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS

    from gigapix.image.image import Image


class Facts(Protocol):
    """A module that answers for one format."""

    def kind(self, image: Image) -> str: ...
    def count(self, image: Image) -> Steps[int]: ...
    def tags(self, image: Image) -> Mapping[str | int, Any]: ...
    def geokeys(self, image: Image) -> Any: ...
    def crs(self, image: Image) -> CRS | None: ...
    def epsg(self, image: Image) -> int | None: ...
    def transform(self, image: Image) -> Affine: ...
    def gcps(self, image: Image) -> tuple[Any, ...]: ...
    def nodata(self, image: Image) -> Any: ...
    def gdal_metadata(self, image: Image) -> Any: ...
    def colormap(self, image: Image) -> dict[int, tuple[int, int, int, int]] | None: ...
    def color_interpretation(self, image: Image) -> tuple[str, ...]: ...
    def profile(self, image: Image) -> dict[str, Any]: ...
    def metadata(self, image: Image) -> dict[str, Any]: ...


def facts_of(spec: Described) -> Facts:
    """Who answers for an image."""
    from gigapix.formats.png.series import PngImage
    from gigapix.formats.tiff.series import ImageSpec
    from gigapix.image import png_facts, tiff_facts

    if isinstance(spec, PngImage):
        return png_facts
    if isinstance(spec, ImageSpec):
        return tiff_facts
    from gigapix.formats.zarr.image import ZarrImage
    from gigapix.image import zarr_facts

    return zarr_facts if isinstance(spec, ZarrImage) else tiff_facts


def bounds(image: Image) -> tuple[float, float, float, float]:
    """(left, bottom, right, top)."""
    from gigapix.image.geo import bounds_of

    return bounds_of(image.transform, image.width, image.height)


def validity(image: Image, level: LevelSpec) -> Validity:
    """What tells which pixels of a level count."""
    alpha = [n for n, name in enumerate(image.color_interpretation) if name == "alpha"]
    return Validity(
        mask=level.mask is not None,
        nodata=image.nodata,
        alpha=alpha[0] if alpha and image.nodata is None and level.samples == image.bands else None,
    )


def mask_flags(image: Image) -> tuple[tuple[str, ...], ...]:
    """GDAL's mask flags of each band."""
    found = validity(image, image.levels[0].spec)
    if found.mask:
        return (("per_dataset",),) * image.bands
    if found.nodata is not None:
        return (("nodata",),) * image.bands
    if found.alpha is None:
        return (("all_valid",),) * image.bands
    return tuple(("all_valid",) if band == found.alpha else ("per_dataset", "alpha") for band in range(image.bands))
