"""GeoKeys: the numbered values that say in which coordinate system a TIFF lies (OGC GeoTIFF 1.1, clause 7.1).

Three tags hold them: GeoKeyDirectoryTag (34735, SHORTs in rows of four), GeoDoubleParamsTag (34736), GeoAsciiParamsTag
(34737). This module only takes them apart. What they mean together, as a coordinate reference system, needs the EPSG
registry and is the work of `gigapix.image.crs`; so this one needs no pyproj.

A damaged directory must not keep the pixels from being read. So nothing here raises: what is sound is kept, what is not
is left out and told in `GeoKeys.problems`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

GeoKeyValue = int | float | str | tuple[int, ...] | tuple[float, ...]

NAMES: Final[Mapping[int, str]] = {
    1024: "GTModelTypeGeoKey",
    1025: "GTRasterTypeGeoKey",
    1026: "GTCitationGeoKey",
    2048: "GeodeticCRSGeoKey",
    2049: "GeodeticCitationGeoKey",
    2050: "GeodeticDatumGeoKey",
    2051: "PrimeMeridianGeoKey",
    2052: "GeogLinearUnitsGeoKey",
    2053: "GeogLinearUnitSizeGeoKey",
    2054: "GeogAngularUnitsGeoKey",
    2055: "GeogAngularUnitSizeGeoKey",
    2056: "EllipsoidGeoKey",
    2057: "EllipsoidSemiMajorAxisGeoKey",
    2058: "EllipsoidSemiMinorAxisGeoKey",
    2059: "EllipsoidInvFlatteningGeoKey",
    2060: "GeogAzimuthUnitsGeoKey",
    2061: "PrimeMeridianLongitudeGeoKey",
    2062: "GeogTOWGS84GeoKey",
    3072: "ProjectedCRSGeoKey",
    3073: "ProjectedCitationGeoKey",
    3074: "ProjectionGeoKey",
    3075: "ProjMethodGeoKey",
    3076: "ProjLinearUnitsGeoKey",
    3077: "ProjLinearUnitSizeGeoKey",
    3078: "ProjStdParallel1GeoKey",
    3079: "ProjStdParallel2GeoKey",
    3080: "ProjNatOriginLongGeoKey",
    3081: "ProjNatOriginLatGeoKey",
    3082: "ProjFalseEastingGeoKey",
    3083: "ProjFalseNorthingGeoKey",
    3084: "ProjFalseOriginLongGeoKey",
    3085: "ProjFalseOriginLatGeoKey",
    3086: "ProjFalseOriginEastingGeoKey",
    3087: "ProjFalseOriginNorthingGeoKey",
    3088: "ProjCenterLongGeoKey",
    3089: "ProjCenterLatGeoKey",
    3090: "ProjCenterEastingGeoKey",
    3091: "ProjCenterNorthingGeoKey",
    3092: "ProjScaleAtNatOriginGeoKey",
    3093: "ProjScaleAtCenterGeoKey",
    3094: "ProjAzimuthAngleGeoKey",
    3095: "ProjStraightVertPoleLongGeoKey",
    3096: "ProjRectifiedGridAngleGeoKey",
    4096: "VerticalGeoKey",
    4097: "VerticalCitationGeoKey",
    4098: "VerticalDatumGeoKey",
    4099: "VerticalUnitsGeoKey",
    5120: "CoordinateEpochGeoKey",
}
"""Names of OGC GeoTIFF 1.1, table 4; 2062, 3096 and 5120 are GDAL's additions."""

_NUMBERS: Final[Mapping[str, int]] = {name: number for number, name in NAMES.items()}

_DIRECTORY, _DOUBLES, _ASCII = 34735, 34736, 34737

USER_DEFINED: Final = 32767
"""The code that means "by further keys", for every key that holds a code."""


@dataclass(frozen=True, kw_only=True)
class GeoKeys:
    """The keys of one image. Empty (and false) where it has none."""

    values: Mapping[int, GeoKeyValue] = field(default_factory=dict)
    """By number. One value is a scalar, several are a tuple, text is without its terminator ``|``."""
    version: tuple[int, int, int] = (1, 1, 1)
    """KeyDirectoryVersion, KeyRevision and MinorRevision: (1, 1, 0) is GeoTIFF 1.0, (1, 1, 1) is OGC GeoTIFF 1.1."""
    problems: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""

    def __bool__(self) -> bool:
        return bool(self.values)

    def get(self, key: int | str) -> GeoKeyValue | None:
        """The value of a key by its number or its name in `NAMES`, or None where the file does not have it."""
        return self.values.get(_NUMBERS[key] if isinstance(key, str) else key)

    def code(self, key: int | str) -> int | None:
        """The value of a key that holds a code of the EPSG registry; None where it is missing or user-defined."""
        value = self.get(key)
        return value if isinstance(value, int) and 0 < value < USER_DEFINED else None

    def number(self, key: int | str) -> float | None:
        """The value of a key that holds one number, or None."""
        value = self.get(key)
        return float(value) if isinstance(value, (int, float)) else None

    def text(self, key: int | str) -> str:
        """The value of a key that holds text, or the empty string."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    @property
    def raster_type(self) -> str:
        """``point`` where a tiepoint names the middle of a pixel, ``area`` where its upper left corner."""
        return "point" if self.get("GTRasterTypeGeoKey") == 2 else "area"

    @property
    def epsg(self) -> int | None:
        """The code of the projected CRS, else of the geodetic one; None where it is spelled out by parameters."""
        return self.code("ProjectedCRSGeoKey") or self.code("GeodeticCRSGeoKey")


def parse(directory: Sequence[int], doubles: Sequence[float] = (), text: str = "") -> GeoKeys:
    """Take the values of tags 34735, 34736 and 34737 (`text`) apart. Never raises: see `GeoKeys.problems`."""
    if len(directory) < 4:
        return GeoKeys(problems=(f"the GeoKey directory has {len(directory)} of the 4 numbers of its header",))
    major, revision, minor, stated = (int(value) for value in directory[:4])
    problems: list[str] = []
    if (major, revision) != (1, 1):
        problems.append(f"the GeoKey directory is of version {major}, revision {revision}.{minor}: read as 1, 1.1")
    count = min(stated, len(directory) // 4 - 1)
    if count < stated:
        problems.append(f"the GeoKey directory states {stated} keys and has room for {count}")
    values: dict[int, GeoKeyValue] = {}
    for start in range(4, 4 + 4 * count, 4):
        key, location, length, offset = (int(value) for value in directory[start : start + 4])
        end = offset + length
        if location == 0:
            values[key] = offset
        elif location == _ASCII and 0 <= offset < len(text) and length > 0:
            # One "|" ends the text; older writers put the NUL of C there, or both. Half a text is better than none.
            values[key] = text[offset:end].partition("\0")[0].removesuffix("|")
        elif location == _DOUBLES and 0 <= offset < end <= len(doubles):
            numbers = tuple(float(value) for value in doubles[offset:end])
            values[key] = numbers[0] if length == 1 else numbers
        elif location == _DIRECTORY and 0 <= offset < end <= len(directory):
            codes = tuple(int(value) for value in directory[offset:end])
            values[key] = codes[0] if length == 1 else codes
        else:
            where = f"values {offset} to {end} of tag {location}"
            problems.append(f"{NAMES.get(key, f'GeoKey {key}')} lies in {where}, which do not exist")
    return GeoKeys(values=values, version=(major, revision, minor), problems=tuple(problems))
