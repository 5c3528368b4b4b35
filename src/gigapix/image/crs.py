"""The coordinate reference system that GeoKeys describe, as a `pyproj.CRS`.

Most files name a code of the EPSG registry and that is all. The others spell the system out in parts: datum and
ellipsoid (`gigapix.image.geodetic`), a map projection (`gigapix.image.projections`), units, heights. Those are put
together as PROJJSON, the notation that carries every part with its code and its unit, and PROJ makes the CRS of it.

The keys are read as GDAL reads them, which most of these files were written with or checked against. That is not always
the specification's way: heights count only from GeoTIFF 1.1 on (before, those keys held other things), and a text can
be the whole definition ("ESRI PE String = ..."). What can't be understood is None and no error: pixels need no CRS.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gigapix.errors import MissingExtraError
from gigapix.formats.tiff.geokeys import USER_DEFINED, GeoKeys
from gigapix.image.geodetic import (
    angle_unit,
    axis_of,
    geocentric_crs,
    geographic_crs,
    length_unit,
    parts_of,
    registered,
    size_of,
    unit_of_length,
)
from gigapix.image.projections import Json, axes_of, conversion_of, epsg_id

if TYPE_CHECKING:
    from pyproj import CRS

_PROJECTED, _GEOGRAPHIC, _GEOCENTRIC = 1, 2, 3

_ESRI: Final = "ESRI PE String = "

_NAMED: Final = {"WGS_1984_Web_Mercator": "ESRI:102113", "Google Maps Global Mercator": "EPSG:3857"}
"""Mercator on a sphere: GDAL writes its parameters as if on an ellipsoid, and knows it again by its name."""


def crs_of(keys: GeoKeys) -> CRS | None:
    """The CRS of an image with these keys; None where there are none, or where they make no CRS that PROJ knows.

    Raises `MissingExtraError` where pyproj is not installed (the extra ``geo``).
    """
    try:
        from pyproj.exceptions import ProjError
    except ImportError as error:
        raise MissingExtraError("a CRS needs pyproj: pip install 'gigapix[geo]'") from error
    if not keys:
        return None
    try:
        return _with_heights(keys, _horizontal(keys))
    except ProjError:
        return None


def _crs(definition: Json) -> CRS:
    from pyproj import CRS

    code = definition.get("id", {}).get("code")
    return CRS.from_json_dict(definition) if code is None else CRS.from_epsg(code)


def _horizontal(keys: GeoKeys) -> CRS:
    from pyproj import CRS

    model = keys.get("GTModelTypeGeoKey")
    if model in (None, USER_DEFINED) and keys.code("ProjectedCRSGeoKey"):
        model = _PROJECTED
    if model == _PROJECTED:
        return _projected(keys)
    if model == _GEOGRAPHIC:
        return _shifted(keys, _crs(geographic_crs(keys, base=False)))
    if model == _GEOCENTRIC:
        return _crs(geocentric_crs(keys))
    _, esri, definition = keys.text("ProjectedCitationGeoKey").partition(_ESRI)
    return CRS.from_wkt(definition) if esri else _local(keys)


def _projected(keys: GeoKeys) -> CRS:
    known = registered("CRS", keys.code("ProjectedCRSGeoKey"))
    if known is not None:
        return _crs(_in_unit_of(keys, known))
    name = _name(keys.text("ProjectedCitationGeoKey"), keys.text("GTCitationGeoKey"))
    if name in _NAMED:
        from pyproj import CRS

        return CRS.from_user_input(_NAMED[name])
    base, unit = geographic_crs(keys, base=True), length_unit(keys)
    conversion = conversion_of(keys, angle_unit(keys, base["coordinate_system"]["axis"][0]["unit"]), unit)
    if conversion is None and keys.code("ProjMethodGeoKey") is None:
        conversion = registered("CoordinateOperation", keys.code("ProjectionGeoKey"))
    if conversion is None or conversion.get("type", "Conversion") != "Conversion":
        return _local(keys)
    definition = {
        "type": "ProjectedCRS",
        "name": name,
        "base_crs": base,
        "conversion": conversion,
        "coordinate_system": axes_of(conversion, unit),
    }
    return _shifted(keys, _crs(definition))


def _in_unit_of(keys: GeoKeys, crs: Json) -> Json:
    """A CRS of the registry in the linear unit of the file, where that is given and another one."""
    if crs["type"] != "ProjectedCRS" or keys.get("ProjLinearUnitsGeoKey") is None:
        return crs
    axes, unit = crs["coordinate_system"]["axis"], length_unit(keys)
    if math.isclose(size_of(axes[0]["unit"]), size_of(unit), rel_tol=1e-12):
        return crs
    system = {"subtype": "Cartesian", "axis": [{**axis, "unit": unit} for axis in axes]}
    return {name: value for name, value in crs.items() if name != "id"} | {"coordinate_system": system}


def _name(*citations: str) -> str:
    """Of a CRS that is spelled out: that of the first citation which is, or has, a name."""
    for citation in citations:
        erdas = citation.startswith("IMAGINE GeoTIFF")  # its copyright comes first, and ends with a "$"
        text = citation.rpartition("$")[2].strip().partition("\n")[0] if erdas else citation
        name = parts_of(text).get("PCS Name") or ("" if " = " in text else text)
        if name:
            return name
    return "unnamed"


def _local(keys: GeoKeys) -> CRS:
    """A plane with a unit and no place on the Earth: what keys amount to that say no more."""
    unit = length_unit(keys)
    name = _name(keys.text("GTCitationGeoKey"), keys.text("GeodeticCitationGeoKey"))
    axes = [axis_of("Easting", "E", "east", unit), axis_of("Northing", "N", "north", unit)]
    return _crs(
        {
            "type": "EngineeringCRS",
            "name": name,
            "datum": {"name": "Unknown engineering datum"},
            "coordinate_system": {"subtype": "Cartesian", "axis": axes},
        }
    )


def _shifted(keys: GeoKeys, crs: CRS) -> CRS:
    """The CRS with the shift to WGS 84 that GeogTOWGS84GeoKey gives, where its datum is not one of the registry: for
    those PROJ knows better shifts, and the file's would only stand in their way."""
    from pyproj.crs import BoundCRS
    from pyproj.crs.coordinate_operation import ToWGS84Transformation

    values, geodetic = keys.get("GeogTOWGS84GeoKey"), crs.geodetic_crs
    if not isinstance(values, tuple) or geodetic is None or geodetic.datum is None:
        return crs
    if "id" in geodetic.to_json_dict() or "id" in geodetic.datum.to_json_dict():
        return crs
    seven = (*values, 0, 0, 0, 0, 0, 0, 0)[:7]
    return BoundCRS(crs, "EPSG:4326", ToWGS84Transformation(geodetic, *seven))


def _with_heights(keys: GeoKeys, crs: CRS) -> CRS:
    codes = [keys.get(key) for key in ("VerticalGeoKey", "VerticalDatumGeoKey", "VerticalUnitsGeoKey")]
    geodetic = crs.geodetic_crs
    if not any(codes) or any(isinstance(code, int) and code > USER_DEFINED for code in codes) or crs.is_geocentric:
        return crs
    code = keys.code("VerticalGeoKey")
    if (code == 5030 or codes[1] == 6030) and geodetic is not None and geodetic.to_epsg() == 4326:
        code = 4979  # the height above the WGS 84 ellipsoid, as GeoTIFF 1.0 spelled it
    vertical = registered("CRS", code) if code else _vertical(keys)
    if vertical is not None and vertical["type"] == "GeographicCRS" and _same_datum(crs, vertical):
        return crs.to_3d() if crs.is_projected else _crs(vertical)
    if vertical is None or vertical["type"] != "VerticalCRS" or keys.version == (1, 1, 0):
        return crs
    name = f"{crs.name} + {vertical['name']}"
    return _crs({"type": "CompoundCRS", "name": name, "components": [crs.to_json_dict(), vertical]})


def _same_datum(crs: CRS, vertical: Json) -> bool:
    datum = vertical.get("datum_ensemble") or vertical["datum"]
    return crs.datum is not None and crs.datum.name == datum["name"]


def _vertical(keys: GeoKeys) -> Json:
    """A vertical CRS that is spelled out: a name, the datum and the unit."""
    citation = keys.text("VerticalCitationGeoKey")
    name = parts_of(citation).get("VCS Name") or citation or "unknown"
    code = keys.code("VerticalDatumGeoKey")
    datum = registered("Datum", code) or {"name": "unknown"}
    return {
        "type": "VerticalCRS",
        "name": name,
        "datum": {"type": "VerticalReferenceFrame", "name": datum["name"], **epsg_id(code)},
        "coordinate_system": {
            "subtype": "vertical",
            "axis": [axis_of("Up", "", "up", unit_of_length(keys.code("VerticalUnitsGeoKey")))],
        },
    }
