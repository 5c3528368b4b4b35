"""What a TIFF says of its image (`image.facts`): place, meaning, and rasterio's profile, from the tags of its IFD.

Each function takes what it needs from loaded tags and hands it to the module that knows the subject. A fault in such a
tag is no fault of the pixels: it becomes a sentence in ``metadata["problems"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gigapix.errors import UnsupportedError
from gigapix.formats.model import Steps
from gigapix.formats.tiff import gdal
from gigapix.formats.tiff import geokeys as keys
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.series import ImageSpec, count_images
from gigapix.formats.tiff.tags import TABLES
from gigapix.image.tags import Tags
from gigapix.source import drive

if TYPE_CHECKING:
    from affine import Affine
    from pyproj import CRS

    from gigapix.image.geo import GroundControlPoint
    from gigapix.image.image import Image

SMALL_TAG_BYTES: Final = 65536
"""Values up to this size are fetched for `Image.ifd`; `Image.tags` fetches any."""


def spec_of(image: Image) -> ImageSpec:
    """The image as the TIFF parser describes it. Raises UnsupportedError for other formats."""
    if not isinstance(image.spec, ImageSpec):
        raise UnsupportedError("it is no TIFF, and has no directories", path=image.path)
    return image.spec


def kind(image: Image) -> str:
    """``plain``, ``ome``, ``imagej``, ``svs`` ..."""
    return spec_of(image).contents.kind


def count(image: Image) -> Steps[int]:
    """How many images the file holds, found by walking its directories."""
    return count_images(spec_of(image).contents)


def loaded(image: Image) -> Ifd:
    """The directory of level 0 with the values of all tags that are small."""
    ifd = spec_of(image).ifd
    small = [code for code, entry in ifd.entries.items() if entry.nbytes <= SMALL_TAG_BYTES]
    drive(ifd.load(code for code in small if code not in TABLES), image.cache)
    return ifd


def tags(image: Image) -> Tags:
    """The tags of level 0."""
    return Tags(spec_of(image).ifd, image.cache)


def geokeys(image: Image) -> keys.GeoKeys | None:
    """The GeoKeys, None without a GeoKeyDirectory."""
    ifd = spec_of(image).ifd
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


def epsg(image: Image) -> int | None:
    """The code that the GeoKeys name."""
    return image.geokeys.epsg if image.geokeys is not None else None


def transform(image: Image) -> Affine:
    """The transform of the tags, the identity where there is none."""
    from affine import Affine

    return _transform(image) or Affine.identity()


def _transform(image: Image) -> Affine | None:
    from gigapix.image.geo import transform_of

    ifd = spec_of(image).ifd
    raster_type = image.geokeys.raster_type if image.geokeys is not None else "area"
    return transform_of(_numbers(ifd, 33550), _numbers(ifd, 33922), _numbers(ifd, 34264), raster_type)


def gcps(image: Image) -> tuple[GroundControlPoint, ...]:
    """Tiepoints that make no transform."""
    from gigapix.image.geo import gcps_of

    raster_type = image.geokeys.raster_type if image.geokeys is not None else "area"
    return gcps_of(_numbers(spec_of(image).ifd, 33922), raster_type) if _transform(image) is None else ()


def nodata(image: Image) -> Any:
    """GDAL_NODATA as rasterio gives it."""
    ifd = spec_of(image).ifd
    return gdal.nodata_of(_text(ifd, 42113), image.dtype) if _readable(ifd, 42113) else None


def gdal_metadata(image: Image) -> gdal.GdalMetadata | None:
    """GDAL_METADATA, None where there is none."""
    ifd = spec_of(image).ifd
    return gdal.metadata_of(_text(ifd, 42112)) if _readable(ifd, 42112) else None


def colormap(image: Image) -> dict[int, tuple[int, int, int, int]] | None:
    """The palette, or the greys that min-is-white stands for."""
    ifd = spec_of(image).ifd
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
        colormap=320 in spec_of(image).ifd,
    )


def profile(image: Image) -> dict[str, Any]:
    """rasterio's profile of level 0."""
    from gigapix.image.profile import profile_of

    spec, ifd = image.levels[0].spec, spec_of(image).ifd
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
    return spec_of(image).ifd.integer(262, image.levels[0].spec.encoding.photometric)


def metadata(image: Image) -> dict[str, Any]:
    """Description, software, stack, GDAL's items and what is wrong with the file; keys without a value are left out."""
    spec = spec_of(image)
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
