"""The figure of the Earth that GeoKeys describe: units, ellipsoid, datum and geographic CRS, in PROJJSON.

Each part has a code in the EPSG registry, or is spelled out, or both. A part that is spelled out beside a code and
differs from it overrides it: so GDAL reads such files, and a file that gives another ellipsoid means it. What agrees
with the registry within rounding is the registry's entry, with its code.
"""

from __future__ import annotations

import math
import re
from typing import Final

from gigapix.formats.tiff.geokeys import USER_DEFINED, GeoKeys
from gigapix.image.projections import Json, epsg_id

_DEGREE: Final = math.pi / 180

_ANGLES: Final = {
    9101: ("radian", 1.0),
    9103: ("arc-minute", _DEGREE / 60),
    9104: ("arc-second", _DEGREE / 3600),
    9105: ("grad", math.pi / 200),
    9106: ("gon", math.pi / 200),
    9109: ("microradian", 1e-6),
}
"""Angular units in radians. The others are notations of degrees, and numbers are decimal ones whatever the notation."""

_WGS84: Final[Json] = {
    "type": "Ellipsoid",
    "name": "WGS 84",
    "semi_major_axis": 6378137,
    "inverse_flattening": 298.257223563,
}
_METRE: Final[Json] = {"type": "LinearUnit", "name": "metre", "conversion_factor": 1.0}

_DATUMS: Final = {"GeodeticReferenceFrame", "DynamicGeodeticReferenceFrame", "DatumEnsemble"}


def registered(kind: str, key: int | str | None) -> Json | None:
    """An entry of the EPSG registry by its code or name, or None. `kind` names a class of `pyproj.crs`."""
    from pyproj import crs
    from pyproj.exceptions import ProjError

    entries = getattr(crs, kind)
    try:
        entry = entries.from_epsg(key) if isinstance(key, int) else entries.from_name(key, "EPSG") if key else None
    except ProjError:
        return None
    return None if entry is None else dict(entry.to_json_dict())


def parts_of(citation: str) -> dict[str, str]:
    """What a citation states as ``name = value``, parted by ``|`` (GDAL, ESRI) or by lines (ERDAS)."""
    pairs = (part.partition(" = ") for part in re.split(r"[|\n]", citation))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def size_of(unit: Json | str) -> float:
    """Metres or radians of a PROJJSON unit."""
    if isinstance(unit, str):
        return _DEGREE if unit == "degree" else 1.0
    return float(unit["conversion_factor"])


def unit_of_length(code: int | None) -> Json:
    """The linear unit of the registry with that code; metres where there is none."""
    from pyproj.database import get_units_map

    if code not in (None, 9001):
        for unit in get_units_map(auth_name="EPSG", category="linear", allow_deprecated=True).values():
            if unit.code == str(code):
                return {"type": "LinearUnit", "name": unit.name, "conversion_factor": unit.conv_factor, **epsg_id(code)}
    return _METRE


def length_unit(keys: GeoKeys) -> Json:
    """The linear unit of the map: by its code, or where that is user-defined by its size in metres."""
    size = keys.number("ProjLinearUnitSizeGeoKey")
    if keys.get("ProjLinearUnitsGeoKey") == USER_DEFINED and size is not None and 0 < size < math.inf:
        name = parts_of(keys.text("ProjectedCitationGeoKey")).get("LUnits", "unknown")
        return {"type": "LinearUnit", "name": name, "conversion_factor": size}
    return unit_of_length(keys.code("ProjLinearUnitsGeoKey") or keys.code("GeogLinearUnitsGeoKey"))


def angle_unit(keys: GeoKeys, default: Json | str = "degree") -> Json | str:
    """The angular unit that GeogAngularUnitsGeoKey gives by its code or GeogAngularUnitSizeGeoKey in radians."""
    code, size = keys.code("GeogAngularUnitsGeoKey"), keys.number("GeogAngularUnitSizeGeoKey")
    if code in _ANGLES:
        name, radians = _ANGLES[code]
        return {"type": "AngularUnit", "name": name, "conversion_factor": radians, **epsg_id(code)}
    if code is not None:
        return "degree"
    if keys.get("GeogAngularUnitsGeoKey") != USER_DEFINED or size is None or not 0 < size < math.inf:
        return default
    name = parts_of(keys.text("GeodeticCitationGeoKey")).get("AUnits", "unknown")
    return {"type": "AngularUnit", "name": name, "conversion_factor": size}


def geographic_crs(keys: GeoKeys, *, base: bool) -> Json:
    """The geographic CRS of the keys, for itself or as the base of a projected one."""
    known = registered("CRS", keys.code("GeodeticCRSGeoKey")) or {}
    fits = known.get("type") == "GeographicCRS"
    if known and not base and (_is_dynamic(known) or not fits):
        return known  # the code alone counts, as in GDAL
    if not fits:
        known = {}
    axes = known.get("coordinate_system", {}).get("axis", ())
    given_unit = axes[0]["unit"] if axes else "degree"
    unit = angle_unit(keys, given_unit)
    given = known.get("datum_ensemble") or known.get("datum")
    datum = _datum(keys, given, unit)
    if known and datum is given and _close(size_of(unit), size_of(given_unit)):
        return known
    names = (("Latitude", "lat", "north"), ("Longitude", "lon", "east"))
    system = {"subtype": "ellipsoidal", "axis": [axis_of(*axis, unit) for axis in names]}
    name = known.get("name") or parts_of(keys.text("GeodeticCitationGeoKey")).get("GCS Name") or datum["name"]
    return {"type": "GeographicCRS", "name": name, **_as_datum(datum), "coordinate_system": system}


def geocentric_crs(keys: GeoKeys) -> Json:
    """The geocentric CRS of the keys: X, Y and Z from the middle of the Earth."""
    known = registered("CRS", keys.code("GeodeticCRSGeoKey"))
    if known is not None and known["type"] == "GeodeticCRS":
        return known
    unit = length_unit(keys)
    system = {
        "subtype": "Cartesian",
        "axis": [axis_of(f"Geocentric {letter}", letter, f"geocentric{letter}", unit) for letter in "XYZ"],
    }
    name = keys.text("GTCitationGeoKey") or keys.text("GeodeticCitationGeoKey") or "unnamed"
    datum = _datum(keys, None, angle_unit(keys))
    return {"type": "GeodeticCRS", "name": name, **_as_datum(datum), "coordinate_system": system}


def axis_of(name: str, abbreviation: str, direction: str, unit: Json | str) -> Json:
    """One axis of a PROJJSON coordinate system."""
    return {"name": name, "abbreviation": abbreviation, "direction": direction, "unit": unit}


def _is_dynamic(crs: Json) -> bool:
    """Whether the datum moves with the Earth's crust, as WGS 84 and the ITRFs do."""
    datum = crs.get("datum_ensemble") or crs.get("datum") or {}
    moving = datum.get("type") == "DynamicGeodeticReferenceFrame"
    return moving or datum.get("name") == "World Geodetic System 1984 ensemble"


def _as_datum(datum: Json) -> Json:
    """PROJJSON keeps an ensemble of datums under a name of its own."""
    return {"datum_ensemble" if "members" in datum else "datum": datum}


def _datum(keys: GeoKeys, given: Json | None, unit: Json | str) -> Json:
    """The datum with its ellipsoid and prime meridian: `given` (that of the CRS) itself where nothing differs."""
    names = parts_of(keys.text("GeodeticCitationGeoKey"))
    coded = registered("Datum", keys.code("GeodeticDatumGeoKey")) or {}
    datum = coded if coded.get("type") in _DATUMS else given
    if datum is None:
        datum = registered("Datum", names.get("Datum")) or {}
    if datum is not given and given is not None and datum["name"] == given["name"]:
        datum = given
    if "ellipsoid" not in datum:
        datum = {"type": "GeodeticReferenceFrame", "name": names.get("Datum", "unknown")}

    ellipsoid = _ellipsoid(keys, datum.get("ellipsoid"), names.get("Ellipsoid"))
    if ellipsoid is not datum.get("ellipsoid"):
        name = datum["name"].removesuffix(" ensemble")
        datum = {"type": "GeodeticReferenceFrame", "name": name, "ellipsoid": ellipsoid}

    meridian = registered("PrimeMeridian", keys.code("PrimeMeridianGeoKey"))
    longitude = keys.number("PrimeMeridianLongitudeGeoKey")
    if meridian is None and longitude and given is None:
        meridian = {"name": names.get("Primem", "unnamed"), "longitude": longitude * size_of(unit) / _DEGREE}
    if meridian is not None and meridian["name"] != datum.get("prime_meridian", {"name": "Greenwich"})["name"]:
        datum = {**datum, "prime_meridian": meridian}
    return datum


def _ellipsoid(keys: GeoKeys, given: Json | None, name: str | None) -> Json:
    """The ellipsoid by its axes, else its code, else its datum: `given` (that of the datum) itself if the same."""
    stated = registered("Ellipsoid", keys.code("EllipsoidGeoKey")) or given
    major = keys.number("EllipsoidSemiMajorAxisGeoKey")
    if stated is None:
        stated = {"name": name or "unknown", "radius": major} if major else _WGS84
    known_major, known_inverse = _shape(stated)
    major = major or known_major
    minor = keys.number("EllipsoidSemiMinorAxisGeoKey")
    inverse = keys.number("EllipsoidInvFlatteningGeoKey")
    if inverse is None:
        inverse = known_inverse if minor is None else major / (major - minor) if major != minor else 0
    if not math.isfinite(inverse):
        inverse = 0  # some write a sphere's as infinite
    for ellipsoid in (given, stated):
        if ellipsoid is not None and all(map(_close, _shape(ellipsoid), (major, inverse))):
            return ellipsoid
    shape = {"semi_major_axis": major, "inverse_flattening": inverse} if inverse else {"radius": major}
    return {"type": "Ellipsoid", "name": name or stated["name"], **shape}


def _shape(ellipsoid: Json) -> tuple[float, float]:
    """Semi-major axis in metres and inverse flattening (0 for a sphere)."""
    from pyproj.crs import Ellipsoid  # type: ignore[attr-defined]

    known = Ellipsoid.from_json_dict({"type": "Ellipsoid", **ellipsoid})
    return known.semi_major_metre, known.inverse_flattening


def _close(left: float, right: float) -> bool:
    """Equal but for the digits that a writer rounded away; PROJ's own measure."""
    return math.isclose(left, right, rel_tol=1e-10)
