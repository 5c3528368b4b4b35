"""What an image says of itself, from the tags of its IFD: place, meaning, and rasterio's profile.

Each function takes what it needs from loaded tags and hands it to the module that knows the subject. A fault in such a
tag is no fault of the pixels: it becomes a sentence in ``metadata["problems"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gigapix.formats.model import LevelSpec
from gigapix.formats.tiff import gdal
from gigapix.formats.tiff import geokeys as keys
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.series import ImageSpec
from gigapix.image.compose import Validity

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS

    from gigapix.image.geo import GroundControlPoint
    from gigapix.image.image import Image


def geokeys(ifd: Ifd) -> keys.GeoKeys | None:
    """The GeoKeys of an IFD, None without a GeoKeyDirectory."""
    directory = ifd.integers(34735) if _readable(ifd, 34735) else ()
    if not directory:
        return None
    return keys.parse(directory, _numbers(ifd, 34736), _text(ifd, 34737))


def crs(image: Image) -> CRS | None:
    """The CRS of the GeoKeys."""
    if image.geokeys is None:
        return None
    from gigapix.image.crs import crs_of

    return crs_of(image.geokeys)


def transform(image: Image) -> Affine:
    """The transform of the tags, the identity where there is none."""
    from affine import Affine

    return _transform(image) or Affine.identity()


def _transform(image: Image) -> Affine | None:
    from gigapix.image.geo import transform_of

    ifd = image.spec.ifd
    raster_type = image.geokeys.raster_type if image.geokeys is not None else "area"
    return transform_of(_numbers(ifd, 33550), _numbers(ifd, 33922), _numbers(ifd, 34264), raster_type)


def gcps(image: Image) -> tuple[GroundControlPoint, ...]:
    """Tiepoints that make no transform."""
    from gigapix.image.geo import gcps_of

    raster_type = image.geokeys.raster_type if image.geokeys is not None else "area"
    return gcps_of(_numbers(image.spec.ifd, 33922), raster_type) if _transform(image) is None else ()


def bounds(image: Image) -> tuple[float, float, float, float]:
    """(left, bottom, right, top)."""
    from gigapix.image.geo import bounds_of

    return bounds_of(image.transform, image.width, image.height)


def nodata(ifd: Ifd, dtype: np.dtype[Any]) -> Any:
    """GDAL_NODATA as rasterio gives it."""
    return gdal.nodata_of(_text(ifd, 42113), dtype) if _readable(ifd, 42113) else None


def gdal_metadata(ifd: Ifd) -> gdal.GdalMetadata | None:
    """GDAL_METADATA, None where there is none."""
    return gdal.metadata_of(_text(ifd, 42112)) if _readable(ifd, 42112) else None


def colormap(image: Image) -> dict[int, tuple[int, int, int, int]] | None:
    """The palette, or the greys that min-is-white stands for."""
    ifd = image.spec.ifd
    table = ifd.integers(320) if _readable(ifd, 320) else ()
    bits = image.levels[0].spec.encoding.bits[0]
    found = gdal.colormap_of(
        table, bits, photometric=_photometric(image), samples=image.levels[0].spec.samples, nodata=image.nodata
    )
    return found or None


def color_interpretation(image: Image) -> tuple[str, ...]:
    """The meaning of each band: of each sample, for each plane that a stack has along C."""
    spec = image.levels[0].spec
    stored = image.gdal_metadata
    return (image.bands // spec.samples) * gdal.color_interpretation(
        _photometric(image),
        spec.samples,
        spec.encoding.extra_samples,
        {n: band.colorinterp for n, band in stored.bands.items() if band.colorinterp} if stored is not None else {},
        compression=spec.encoding.compression,
        bits=max(spec.encoding.bits),
        colormap=320 in image.spec.ifd,
    )


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


def profile(image: Image) -> dict[str, Any]:
    """rasterio's profile of level 0."""
    from gigapix.image.profile import profile_of

    spec, ifd = image.levels[0].spec, image.spec.ifd
    rows = ifd.values.get(278)
    return profile_of(
        width=image.width,
        height=image.height,
        samples=spec.samples,
        bits=max(spec.encoding.bits),
        sample_format=spec.encoding.sample_format,
        photometric=_photometric(image),
        compression=spec.encoding.compression,
        planar=spec.planar,
        tile=spec.segment[1:] if spec.tiled else None,
        rows_per_strip=rows if isinstance(rows, int) else None,
        nodata=image.nodata,
        crs=None if image.gcps else image.crs,  # rasterio then has the CRS with the control points
        transform=image.transform,
        lerc_parameters=spec.encoding.lerc_parameters,
    )


def _photometric(image: Image) -> int:
    return image.spec.ifd.integer(262, image.levels[0].spec.encoding.photometric)


def metadata(image: Image) -> dict[str, Any]:
    """Description, software, stack, GDAL's items and what is wrong with the file; keys without a value are left out."""
    spec = image.spec
    found: dict[str, Any] = {
        "kind": spec.contents.kind,
        "name": spec.name,
        "description": _text(spec.ifd, 270),
        "software": _text(spec.ifd, 305),
        "gdal": image.gdal_metadata,
        "stack": spec.stack,
        "problems": problems(spec),
    }
    return {key: value for key, value in found.items() if value}


def problems(spec: ImageSpec) -> tuple[str, ...]:
    """Everything that was passed over while the image was opened."""
    return (*spec.problems, *spec.ifd.problems, *spec.contents.file.problems)


def _readable(ifd: Ifd, code: int) -> bool:
    return code in ifd.values


def _numbers(ifd: Ifd, code: int) -> tuple[float, ...]:
    return ifd.numbers(code) if _readable(ifd, code) else ()


def _text(ifd: Ifd, code: int) -> str:
    return ifd.text(code) if _readable(ifd, code) else ""
