"""An image in rio-tiler's terms: rasterio's CRS, bands counted from 1, and rio-tiler's answers made of gigapix's.

What a reader of rio-tiler does is one read, with thought before and after it. Both stand here and in `tiler_part`, so
that the blocking reader and the async one (`gigapix.interop.rio_tiler`) share them: a `Planned` says what to read, and
makes the answer of the pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS  # type: ignore[import-untyped]
from rio_tiler.errors import ExpressionMixingWarning
from rio_tiler.expression import parse_expression
from rio_tiler.models import ImageData, Info
from rio_tiler.utils import CRS_to_uri

from gigapix.errors import RequestError, UnsupportedError
from gigapix.image.image import Image

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One read: `arguments` for `Image.read` (None: there is nothing to read), and what becomes of its pixels."""

    arguments: Mapping[str, Any] | None
    finish: Callable[[NDArray[Any] | None], Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class View:
    """An open image, and what is fixed about reading it."""

    image: Image
    crs: CRS

    @property
    def colors(self) -> tuple[str, ...]:
        """What each band means, in rasterio's words."""
        return self.image.color_interpretation

    @property
    def alpha(self) -> int | None:
        """The place of the alpha band, from 0."""
        return self.colors.index("alpha") if "alpha" in self.colors else None

    @property
    def tags(self) -> dict[str, str]:
        """GDAL's items of the image as a whole."""
        stored, keys = self.image.gdal_metadata, self.image.geokeys
        place = {"AREA_OR_POINT": keys.raster_type.capitalize()} if keys is not None else {}
        return place | (dict(stored.items.get("", {})) if stored is not None else {})

    def band_tags(self, band: int) -> dict[str, str]:
        """GDAL's items of one band, from 0."""
        stored = self.image.gdal_metadata
        return dict(stored.band(band).items.get("", {})) if stored is not None else {}

    def scaling(self, band: int) -> tuple[float, float]:
        """Scale and offset of one band."""
        stored = self.image.gdal_metadata
        return (stored.band(band).scale, stored.band(band).offset) if stored is not None else (1.0, 0.0)

    def description(self, band: int) -> str:
        """Of one band."""
        stored = self.image.gdal_metadata
        return (stored.band(band).description if stored is not None else None) or f"b{band + 1}"

    def minmax(self, band: int) -> tuple[float, float] | None:
        """The smallest and largest value as the file's writer found them."""
        stored = self.image.gdal_metadata
        found = stored.band(band).statistics if stored is not None else {}
        return (found["minimum"], found["maximum"]) if {"minimum", "maximum"} <= found.keys() else None


def view_of(image: Image) -> View:
    """The view of an image. Raises UnsupportedError for one that has no place on Earth, or further axes."""
    if image.axes != "CYX":
        raise UnsupportedError(
            f"rio-tiler knows bands, rows and columns, and the image is {image.axes}", path=image.path
        )
    if image.crs is None or image.transform.is_identity:
        raise UnsupportedError(
            "rio-tiler needs a CRS and a transform, and the image does not have both", path=image.path
        )
    return View(image=image, crs=CRS.from_user_input(image.crs))


def info_of(view: View, colormap: Mapping[Any, Any] | None, nodata: Any) -> Info:
    """rio-tiler's description of the image."""
    image, bands = view.image, range(view.image.bands)
    kinds = [(nodata is not None, "Nodata"), (view.alpha is not None, "Alpha"), (image.levels[0].has_mask, "Mask")]
    stored = [found for found in map(view.minmax, bands) if found is not None]
    facts: dict[str, Any] = {
        "bounds": image.bounds,
        "crs": CRS_to_uri(view.crs) or view.crs.to_wkt(),
        "band_metadata": [(f"b{band + 1}", view.band_tags(band)) for band in bands],
        "band_descriptions": [(f"b{band + 1}", view.description(band)) for band in bands],
        "dtype": image.dtype.name,
        "colorinterp": list(view.colors),
        "nodata_type": next((name for holds, name in kinds if holds), "None"),
        "driver": "GTiff",
        "count": image.bands,
        "width": image.width,
        "height": image.height,
        "overviews": [round(image.width / level.width) for level in image.levels[1:]],
        "scales": [view.scaling(band)[0] for band in bands],
        "offsets": [view.scaling(band)[1] for band in bands],
    }
    if colormap:
        facts["colormap"] = colormap
    if nodata is not None:
        facts["nodata_value"] = nodata
    if stored:
        facts["minmax"] = stored
    return Info.model_validate(facts)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which bands of a view, and what is made of their values."""

    view: View
    bands: tuple[int, ...]
    """From 0, without the alpha band."""
    nodata: Any
    expression: str | None
    unscale: bool

    @property
    def alpha(self) -> int | None:
        """The alpha band, where it says which pixels count: a nodata value goes first, as in rio-tiler."""
        return self.view.alpha if self.nodata is None else None

    @property
    def masked(self) -> bool:
        """Whether the read itself says which pixels count: by a stored mask, or by the image's edge."""
        return self.nodata is None and self.alpha is None

    @property
    def read(self) -> dict[str, Any]:
        """What `Image.read` must know of it."""
        return {"bands": self.bands if self.alpha is None else (*self.bands, self.alpha), "masked": self.masked}


def choice_of(
    view: View, indexes: Sequence[int] | int | None, expression: str | None, options: Mapping[str, Any]
) -> Choice:
    """The bands that rio-tiler's ``indexes`` or ``expression`` name, all but alpha where neither is given.

    Raises RequestError for a band that isn't there.
    """
    if indexes and expression:
        message = "Both expression and indexes passed; expression will overwrite indexes parameter."
        warnings.warn(message, ExpressionMixingWarning, stacklevel=4)
    if expression:
        indexes = parse_expression(expression)
    if indexes is None:
        bands = tuple(band for band in range(view.image.bands) if band != view.alpha)
    else:
        bands = tuple(index - 1 for index in ((indexes,) if isinstance(indexes, int) else indexes))
    if not bands or min(bands) < 0 or max(bands) >= view.image.bands:
        raise RequestError(f"no bands {indexes} in an image of {view.image.bands}", path=view.image.path)
    nodata = options.get("nodata")
    return Choice(
        view=view,
        bands=bands,
        nodata=_sample(view.image.nodata if nodata is None else nodata, view.image.dtype),
        expression=expression,
        unscale=bool(options.get("unscale")),
    )


def _sample(nodata: Any, dtype: np.dtype[Any]) -> Any:
    """The nodata value; None where no pixel can have it."""
    if nodata is None or dtype.kind not in "ui":
        return nodata
    limits = np.iinfo(dtype)
    return int(nodata) if limits.min <= nodata <= limits.max and nodata == int(nodata) else None


def opaque(dtype: np.dtype[Any]) -> float:
    """The value of an alpha band where nothing shines through."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def split(choice: Choice, pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """(pixels of the bands, those that don't count, alpha band or None) of what was read."""
    data = np.ma.getdata(pixels)
    if choice.nodata is not None:
        return data, np.isnan(data) if choice.nodata != choice.nodata else data == choice.nodata, None
    if choice.alpha is not None:
        data, alpha = data[:-1], data[-1]
        return data, np.broadcast_to(alpha != opaque(alpha.dtype), data.shape), alpha
    return data, np.ma.getmaskarray(pixels), None


def nothing(choice: Choice, height: int, width: int) -> NDArray[Any]:
    """What a read outside of the image gives."""
    shape = (len(choice.read["bands"]), height, width)
    if choice.nodata is not None:
        return np.full(shape, choice.nodata, choice.view.image.dtype)
    empty = np.zeros(shape, choice.view.image.dtype)
    return np.ma.MaskedArray(empty, mask=True) if choice.masked else empty


def image_data(choice: Choice, read: NDArray[Any] | None, height: int, width: int, **place: Any) -> ImageData:
    """rio-tiler's image of what was read (None: nothing): scaled, and with the expression worked out."""
    pixels, mask, alpha = split(choice, nothing(choice, height, width) if read is None else read)
    view = choice.view
    scales = [view.scaling(band)[0] for band in choice.bands]
    offsets = [view.scaling(band)[1] for band in choice.bands]
    stored = [found for found in map(view.minmax, choice.bands) if found is not None]
    if choice.unscale:
        scale, offset = (np.array(values, np.float32)[:, None, None] for values in (scales, offsets))
        pixels = pixels.astype(np.float32) * scale + offset
        stored = [
            (low * by + plus, high * by + plus) for (low, high), by, plus in zip(stored, scales, offsets, strict=False)
        ]
        scales, offsets = [1.0] * len(scales), [0.0] * len(offsets)
    image = ImageData(
        np.ma.MaskedArray(pixels, mask=np.array(mask), fill_value=choice.nodata),
        alpha_mask=alpha,
        assets=[view.image.path],
        metadata=view.tags,
        nodata=choice.nodata,
        band_names=[f"b{band + 1}" for band in choice.bands],
        band_descriptions=[view.description(band) for band in choice.bands],
        dataset_statistics=stored if len(stored) == len(choice.bands) else None,
        scales=scales,
        offsets=offsets,
        **place,
    )
    return image.apply_expression(choice.expression) if choice.expression else image
