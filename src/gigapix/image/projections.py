"""The map projections of GeoTIFF (ProjMethodGeoKey) as the conversions of the EPSG registry, in PROJJSON.

GeoTIFF 1.0 named the projections and never said which parameters each one takes, so writers differ in the keys: the
longitude of the middle is found in one of three. The order in which they are tried is that of libgeotiff, which most of
these files were written with. All of it is data: a method is its name, its EPSG code, and the codes of its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gigapix.formats.tiff.geokeys import GeoKeys

Json = dict[str, Any]

_LATITUDE: Final = ("ProjNatOriginLatGeoKey", "ProjFalseOriginLatGeoKey", "ProjCenterLatGeoKey")
_LONGITUDE: Final = ("ProjNatOriginLongGeoKey", "ProjFalseOriginLongGeoKey", "ProjCenterLongGeoKey")
_POLE_LONGITUDE: Final = ("ProjStraightVertPoleLongGeoKey", *_LONGITUDE)
_SCALE: Final = ("ProjScaleAtNatOriginGeoKey", "ProjScaleAtCenterGeoKey")
_EASTING: Final = ("ProjFalseEastingGeoKey", "ProjCenterEastingGeoKey", "ProjFalseOriginEastingGeoKey")
_NORTHING: Final = ("ProjFalseNorthingGeoKey", "ProjCenterNorthingGeoKey", "ProjFalseOriginNorthingGeoKey")
_PARALLEL_1: Final = ("ProjStdParallel1GeoKey",)
_PARALLEL_2: Final = ("ProjStdParallel2GeoKey",)

_PARAMETERS: Final[Mapping[int, tuple[str, tuple[str, ...], str, float]]] = {
    8801: ("Latitude of natural origin", _LATITUDE, "angle", 0),
    8802: ("Longitude of natural origin", _LONGITUDE, "angle", 0),
    8805: ("Scale factor at natural origin", _SCALE, "scale", 1),
    8806: ("False easting", _EASTING, "length", 0),
    8807: ("False northing", _NORTHING, "length", 0),
    8811: ("Latitude of projection centre", _LATITUDE, "angle", 0),
    8812: ("Longitude of projection centre", _LONGITUDE, "angle", 0),
    8813: ("Azimuth at projection centre", ("ProjAzimuthAngleGeoKey",), "angle", 0),
    8814: ("Angle from Rectified to Skew Grid", ("ProjRectifiedGridAngleGeoKey",), "angle", 90),
    8815: ("Scale factor at projection centre", _SCALE, "scale", 1),
    8816: ("Easting at projection centre", _EASTING, "length", 0),
    8817: ("Northing at projection centre", _NORTHING, "length", 0),
    8821: ("Latitude of false origin", _LATITUDE, "angle", 0),
    8822: ("Longitude of false origin", _LONGITUDE, "angle", 0),
    8823: ("Latitude of 1st standard parallel", _PARALLEL_1, "angle", 0),
    8824: ("Latitude of 2nd standard parallel", _PARALLEL_2, "angle", 0),
    8826: ("Easting at false origin", _EASTING, "length", 0),
    8827: ("Northing at false origin", _NORTHING, "length", 0),
    8832: ("Latitude of standard parallel", _LATITUDE, "angle", 0),
    8833: ("Longitude of origin", _POLE_LONGITUDE, "angle", 0),
}
"""EPSG code of a parameter: its name, the GeoKeys that may hold it, what it measures, and its value where none does."""

_NATURAL: Final = (8801, 8802, 8806, 8807)
_SCALED: Final = (8801, 8802, 8805, 8806, 8807)
_MERIDIAN: Final = (8802, 8806, 8807)
_CONIC: Final = (8821, 8822, 8823, 8824, 8826, 8827)

_Method = tuple[str, int | None, tuple[int, ...]]

_METHODS: Final[Mapping[int, _Method]] = {
    1: ("Transverse Mercator", 9807, _SCALED),
    3: ("Hotine Oblique Mercator (variant A)", 9812, (8811, 8812, 8813, 8814, 8815, 8806, 8807)),
    4: ("Laborde Oblique Mercator", 9813, (8811, 8812, 8813, 8815, 8806, 8807)),
    7: ("Mercator (variant A)", 9804, _SCALED),
    8: ("Lambert Conic Conformal (2SP)", 9802, _CONIC),
    9: ("Lambert Conic Conformal (1SP)", 9801, _SCALED),
    10: ("Lambert Azimuthal Equal Area", 9820, _NATURAL),
    11: ("Albers Equal Area", 9822, _CONIC),
    12: ("Azimuthal Equidistant", 1125, _NATURAL),
    13: ("Equidistant Conic", 1119, _CONIC),
    14: ("Stereographic", None, _SCALED),
    15: ("Polar Stereographic (variant A)", 9810, _SCALED),
    16: ("Oblique Stereographic", 9809, _SCALED),
    17: ("Equidistant Cylindrical", 1028, (8823, 8801, 8802, 8806, 8807)),
    18: ("Cassini-Soldner", 9806, _NATURAL),
    19: ("Gnomonic", None, _NATURAL),
    20: ("Miller Cylindrical", None, _MERIDIAN),
    21: ("Orthographic", 9840, _NATURAL),
    22: ("American Polyconic", 9818, _NATURAL),
    23: ("Robinson", None, _MERIDIAN),
    24: ("Sinusoidal", None, _MERIDIAN),
    25: ("Van Der Grinten", None, _MERIDIAN),
    26: ("New Zealand Map Grid", 9811, _NATURAL),
    27: ("Transverse Mercator (South Orientated)", 9808, _SCALED),
    28: ("Lambert Cylindrical Equal Area", 9835, (8823, 8802, 8806, 8807)),
    9815: ("Hotine Oblique Mercator (variant B)", 9815, (8811, 8812, 8813, 8814, 8815, 8816, 8817)),
}
"""By ProjMethodGeoKey: name, EPSG code (None where only PROJ names it), parameters. 28 and 9815 are GDAL's additions.
2, 5 and 6 are missing: GDAL does not read them either, and no two writers agree on their parameters."""

_MERCATOR_B: Final[_Method] = ("Mercator (variant B)", 9805, (8823, 8802, 8806, 8807))
_POLAR_B: Final[_Method] = ("Polar Stereographic (variant B)", 9829, (8832, 8833, 8806, 8807))


def _method_of(keys: GeoKeys) -> _Method | None:
    """GeoTIFF has one number for both variants of Mercator and of the polar stereographic: the parameters tell them."""
    from pyproj.exceptions import CRSError

    code = keys.get("ProjMethodGeoKey")
    if code == 7 and _value(keys, 8801) != 0 and keys.number("ProjStdParallel1GeoKey") is None:
        if _value(keys, 8805) != 1:
            raise CRSError("a Mercator projection has its origin on the equator")
        return _MERCATOR_B
    if code == 7 and keys.number("ProjStdParallel1GeoKey") is not None:
        return _MERCATOR_B
    if code == 15 and _value(keys, 8805) == 1:
        return _POLAR_B
    return _METHODS.get(code) if isinstance(code, int) else None


def _value(keys: GeoKeys, parameter: int) -> float:
    _, names, _, default = _PARAMETERS[parameter]
    method = keys.get("ProjMethodGeoKey")
    if parameter == 8802 and method == 15:
        names = _POLE_LONGITUDE
    if parameter == 8823 and method == 7:
        names = (*_PARALLEL_1, *_LATITUDE)  # a latitude of origin without a scale was meant as the parallel
    return next((value for name in names if (value := keys.number(name)) is not None), default)


def conversion_of(keys: GeoKeys, angle: Json | str, length: Json | str) -> Json | None:
    """The PROJJSON conversion that ProjMethodGeoKey and its parameters describe, or None where there is no such method.

    `angle` and `length` are the units (PROJJSON) of the file's angular and linear parameters.
    """
    method = _method_of(keys)
    if method is None:
        return None
    name, code, parameters = method
    units = {"angle": angle, "length": length, "scale": "unity"}
    return {
        "name": "unnamed",
        "method": {"name": name, **epsg_id(code)},
        "parameters": [
            {
                "name": _PARAMETERS[parameter][0],
                "value": _value(keys, parameter),
                "unit": units[_PARAMETERS[parameter][2]],
                **epsg_id(parameter),
            }
            for parameter in parameters
        ],
    }


def axes_of(conversion: Json, length: Json | str) -> Json:
    """The PROJJSON coordinate system of the map that `conversion` makes.

    Easting and northing, but for the maps where neither is east or north: around a pole, and the one that points south.
    """
    values = {parameter.get("id", {}).get("code"): parameter["value"] for parameter in conversion["parameters"]}
    name = conversion["method"]["name"]
    latitude = values.get(8832, values.get(8801, 0))
    polar = name.startswith("Polar Stereographic") or (
        name == "Lambert Azimuthal Equal Area" and abs(latitude) == 90 and values.get(8802) == 0
    )
    axes = [("Easting", "E", "east"), ("Northing", "N", "north")]
    if name == "Transverse Mercator (South Orientated)":
        axes = [("Westing", "Y", "west"), ("Southing", "X", "south")]
    elif polar:
        direction = "south" if latitude > 0 else "north"
        axes = [("Easting", "E", direction), ("Northing", "N", direction)]
    return {
        "subtype": "Cartesian",
        "axis": [
            {"name": name, "abbreviation": letter, "direction": direction, "unit": length}
            for name, letter, direction in axes
        ],
    }


def epsg_id(code: int | None) -> Json:
    """The PROJJSON member that names an entry of the EPSG registry; none where `code` is None."""
    return {} if code is None else {"id": {"authority": "EPSG", "code": code}}
