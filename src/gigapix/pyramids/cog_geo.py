"""Where on Earth something lies that has no tags of a GeoTIFF to be copied: an xarray array, a Zarr group.

Of a CRS its EPSG code is written (OGC GeoTIFF 1.1, 7.2), and nothing of one that has none. An array has evenly spaced
coordinates, and keeps its CRS, as the CF conventions and rioxarray do, in the attributes of a coordinate. Without a CRS
its coordinates are left out: they could be anything.
"""

from __future__ import annotations

from typing import Any

from gigapix.formats.tiff.write import Tag
from gigapix.pyramids.pixels import Pixels


def crs_tags(crs: Any) -> dict[int, Tag]:
    """The GeoKeys of a pyproj CRS; nothing for one without an EPSG code, or for None."""
    code = crs.to_epsg() if crs is not None else None
    if code is None or code >= 1 << 15:
        return {}
    model, number = (2, 2048) if crs.is_geographic else (1, 3072)
    return {34735: (3, [1, 1, 0, 3, 1024, 0, 1, model, 1025, 0, 1, 1, number, 0, 1, code])}


def array_tags(pixels: Pixels, array: Any) -> dict[int, Tag]:
    """The tags of an array with coordinates and a CRS; nothing for others."""
    (height, width), (top, left) = pixels.scale[-2:], pixels.origin[-2:]
    keys = crs_tags(_crs_of(array))
    if not keys or not width > 0 > height:
        return {}
    return {
        **keys,
        33550: (12, [width, -height, 0]),
        33922: (12, [0, 0, 0, left - width / 2, top - height / 2, 0]),
    }


def _crs_of(array: Any) -> Any:
    for coordinate in getattr(array, "coords", {}).values():
        text = coordinate.attrs.get("crs_wkt") or coordinate.attrs.get("spatial_ref")
        if isinstance(text, str):
            try:
                from pyproj import CRS

                return CRS.from_user_input(text)
            except (ImportError, RuntimeError):  # pyproj's CRSError is one
                continue
    return None
