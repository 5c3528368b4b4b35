"""GeoKeys to a CRS, against what rasterio makes of the same file.

rasterio and pyproj each bring a registry of their own. Where the two releases differ about a code there is nothing to
equal, and the code is left out.
"""

import sys
from functools import cache

import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from rasterio import crs as rasterio_crs
from rasterio.enums import WktVersion
from rasterio.errors import RasterioError

from gigapix.errors import MissingExtraError
from gigapix.formats.tiff.geokeys import NAMES, GeoKeys
from gigapix.image.crs import crs_of
from tests.geotiff import KeyValue, crs_of_gdal, keyed, keys_of, written


def equal(ours: pyproj.CRS | None, theirs: pyproj.CRS | None) -> bool:
    """Equal but for names; of the order of latitude and longitude GDAL has its own opinion."""
    if ours is None or theirs is None:
        return ours is theirs
    return ours.equals(theirs, ignore_axis_order=True) or _bare(ours.to_json_dict()) == _bare(theirs.to_json_dict())


def _bare(part: object) -> object:
    """PROJJSON without what does not change a coordinate, numbers to the digits that WKT 1 keeps."""
    if isinstance(part, dict):
        dropped = {"name", "id", "$schema", "scope", "area", "bbox", "usages", "abbreviation", "remarks"}
        return {key: _bare(value) for key, value in part.items() if key not in dropped}
    if isinstance(part, list):
        return [_bare(value) for value in part]
    return float(f"{part:.12g}") if isinstance(part, float) else part


# --- codes


@cache
def codes(kind: PJType) -> list[int]:
    return sorted(int(info.code) for info in query_crs_info(auth_name="EPSG", pj_types=[kind], allow_deprecated=False))


def same_in_both_registries(code: int) -> bool:
    try:
        theirs = rasterio_crs.CRS.from_epsg(code).to_wkt(version=WktVersion.WKT2_2019)
    except (RasterioError, ValueError):  # a code that it doesn't know
        return False
    return bool(pyproj.CRS.from_wkt(theirs) == pyproj.CRS.from_epsg(code))


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (PJType.PROJECTED_CRS, 40),
        (PJType.GEOGRAPHIC_2D_CRS, 12),
        (PJType.GEOGRAPHIC_3D_CRS, 12),
        (PJType.GEOCENTRIC_CRS, 12),
        (PJType.COMPOUND_CRS, 12),
    ],
)
def test_codes_of_the_registry(kind: PJType, step: int) -> None:
    compared = 0
    for code in codes(kind)[::step]:
        if not same_in_both_registries(code) or code == 5012:  # which GDAL takes for a vertical datum of GeoTIFF 1.0
            continue
        data = written(crs=f"EPSG:{code}")
        assert equal(crs_of(keys_of(data)), crs_of_gdal(data)), code
        compared += 1
    assert compared > 10


@pytest.mark.parametrize("code", [4326, 32633, 3857, 27700, 2193, 3035, 4807, 26711, 2264, 5514, 3031, 31287])
def test_a_code_stays_a_code(code: int) -> None:
    keys = keys_of(written(crs=f"EPSG:{code}"))
    found = crs_of(keys)
    assert found == pyproj.CRS.from_epsg(code)
    assert found is not None
    assert found.to_epsg() == keys.epsg == code


# --- parameters

PROJECTIONS = """
tmerc +lat_0=10 +lon_0=20 +k=0.9996 +x_0=5e5 +y_0=100
tmerc +axis=wsu +lon_0=20
utm +zone=33
utm +zone=33 +south
lcc +lat_1=45 +lat_0=45 +lon_0=3 +k_0=0.9998 +x_0=6e5
lcc +lat_1=33 +lat_2=45 +lat_0=39 +lon_0=-96
aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96
aeqd +lat_0=40 +lon_0=-100
laea +lat_0=45 +lon_0=-100
laea +lat_0=90 +lon_0=0
laea +lat_0=-90 +lon_0=0
laea +lat_0=90 +lon_0=30
merc +lon_0=10 +k=0.99
merc +lon_0=10 +lat_ts=30
omerc +lat_0=4 +lonc=115 +alpha=53.3 +gamma=53.1 +k=0.99984 +x_0=590476 +y_0=442857
omerc +no_uoff +lat_0=4 +lonc=115 +alpha=53.3 +gamma=53.1 +k=0.99984
omerc +lat_0=4 +lonc=115 +alpha=90 +gamma=90
somerc +lat_0=46.95 +lon_0=7.44 +x_0=6e5 +y_0=2e5
stere +lat_0=30 +lon_0=10 +k=0.97
stere +lat_0=90 +lat_ts=70 +lon_0=-45
stere +lat_0=-90 +lat_ts=-71 +lon_0=0
stere +lat_0=90 +lon_0=10 +k=0.994 +x_0=2e6 +y_0=2e6
stere +lat_0=90 +lon_0=10
stere +lat_0=-90 +lon_0=0 +k=0.994
sterea +lat_0=52 +lon_0=5 +k=0.9999
eqc +lat_ts=30 +lon_0=10
eqc +lat_ts=30 +lat_0=5 +lon_0=10
cass +lat_0=10 +lon_0=20 +x_0=86501
eqdc +lat_0=39 +lon_0=-96 +lat_1=33 +lat_2=45
gnom +lat_0=10 +lon_0=20
mill +lon_0=20
ortho +lat_0=10 +lon_0=20
poly +lat_0=0 +lon_0=-54 +x_0=5e6
robin +lon_0=10
sinu +lon_0=10
vandg +lon_0=10
krovak +lat_0=49.5 +lon_0=24.83333
nzmg +lat_0=-41 +lon_0=173 +x_0=2510000 +y_0=6023150
cea +lat_ts=30 +lon_0=10
labrd +lat_0=-18.9 +lon_0=46.43 +azi=18.9 +k=0.9995 +x_0=4e5 +y_0=8e5
bonne +lat_1=40 +lon_0=10
geos +h=35785831 +lon_0=0
moll +lon_0=10
eck4 +lon_0=10
longlat
""".strip().splitlines()

FIGURES = [
    "+datum=WGS84",
    "+datum=WGS84 +units=us-ft",
    "+datum=WGS84 +to_meter=0.9144",
    "+ellps=GRS80",
    "+datum=NAD27 +units=ft",
    "+a=6370997 +b=6370997",
    "+ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7",
    "+ellps=bessel +towgs84=1,2,3 +units=km",
    "+ellps=clrk80ign +pm=paris",
]


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_projections_and_figures_of_the_earth(projection: str) -> None:
    for figure in FIGURES:
        if (projection == "longlat" and "units" in figure) or (projection.startswith("utm") and "+b=" in figure):
            continue  # PROJ has no such thing
        data = written(crs=f"+proj={projection} {figure} +type=crs")
        assert equal(crs_of(keys_of(data)), crs_of_gdal(data)), figure


UTM = {3075: 1, 3080: 15.0, 3081: 0.0, 3092: 0.9996, 3082: 5e5, 3083: 0.0}
USER = {1024: 1, 3072: 32767}
LAMBERT = 'PROJCS["x",GEOGCS["GCS_North_American_1983",DATUM["D_North_American_1983",SPHEROID["GRS_1980",6378137.0,\
298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic"],\
PARAMETER["Standard_Parallel_1",33.0],PARAMETER["Standard_Parallel_2",45.0],PARAMETER["Central_Meridian",-96.0],\
PARAMETER["Latitude_Of_Origin",39.0],UNIT["Meter",1.0]]'
ERDAS = "IMAGINE GeoTIFF Support\nCopyright 1991 - 2001 by ERDAS, Inc. All Rights Reserved\n@(#)$RCSfile$ $Date$\n"
UNKNOWN = "Unable to match Ellipsoid (Datum) to a GeographicTypeGeoKey value\n"

CASES: dict[str, tuple[dict[int, KeyValue], int]] = {
    "a projected code without a model": ({3072: 32633}, 1),
    "a geodetic code without a model": ({2048: 4326}, 1),
    "a model alone": ({1024: 1}, 1),
    "a model of 0": ({1024: 0, 2048: 4326}, 1),
    "a user-defined model": ({1024: 32767, 2048: 4326}, 1),
    "no more than a raster type": ({1025: 2}, 1),
    "a code in feet": ({1024: 1, 3072: 32633, 3076: 9003}, 1),
    "a code in a unit of the file": ({1024: 1, 3072: 32633, 3076: 32767, 3077: 0.5}, 1),
    "a code and its parameters": ({1024: 1, 3072: 32633, 2048: 4326, **UTM}, 0),
    "a code and its ellipsoid": ({1024: 1, 3072: 32633, 2048: 4326, 2057: 6378137.0, 2059: 298.257223563}, 0),
    "an unknown code": ({1024: 1, 3072: 9999}, 1),
    "a private code": ({1024: 1, 3072: 40000, 2048: 4326, **UTM}, 1),
    "a vertical code for a projected one": ({1024: 1, 3072: 5773}, 1),
    "a geographic code for a projected one": ({1024: 1, 3072: 4326, 3076: 9001}, 1),
    "a compound code for a projected one": ({1024: 1, 3072: 7415, 3076: 9001}, 1),
    "a projected code for a geographic one": ({1024: 2, 2048: 32633}, 1),
    "a geographic 3D code": ({1024: 2, 2048: 4979}, 0),
    "an unknown geographic code": ({1024: 2, 2048: 9999}, 1),
    "a conversion's code": ({**USER, 3074: 16033, 2048: 4269, 3076: 9003}, 1),
    "another conversion's code": ({**USER, 3074: 10406, 2048: 4267, 3076: 9003}, 1),
    "a projection that none can read": ({**USER, 2048: 4326, 3075: 5, 1026: "hello"}, 1),
    "an unknown projection": ({**USER, 2048: 4326, 3075: 99, 3073: "hello"}, 1),
    "the keys of another projection": (
        {**USER, 2048: 4326, 3075: 8, 3078: 30.0, 3079: 40.0, 3088: 5.0, 3089: 35.0, 3090: 1e5, 3091: 2e5},
        1,
    ),
    "Mercator off the equator": ({**USER, 2048: 4326, 3075: 7, 3080: 5.0, 3081: 30.0}, 1),
    "Mercator off the equator with a scale": ({**USER, 2048: 4326, 3075: 7, 3080: 5.0, 3081: 30.0, 3092: 0.5}, 1),
    "Mercator with a scale too many": ({**USER, 2048: 4326, 3075: 7, 3078: 30.0, 3080: 5.0, 3092: 0.5}, 0),
    "no linear unit": ({**USER, 2048: 4326, **UTM}, 1),
    "a linear unit for angles": ({**USER, 2048: 4326, 2052: 9003, **UTM}, 1),
    "a rare linear unit": ({**USER, 2048: 4326, 3076: 9005, **UTM}, 1),
    "an unknown linear unit": ({**USER, 2048: 4326, 3076: 9999, **UTM}, 1),
    "a linear unit of the file": ({**USER, 2048: 4326, **UTM, 3076: 32767, 3077: 0.3, 3073: "LUnits = my feet"}, 0),
    "grads": ({**USER, 2048: 4807, 2054: 9105, **UTM, 3080: 10.0}, 1),
    "the grads of the datum": ({**USER, 2048: 4807, **UTM, 3080: 10.0}, 1),
    "degrees in place of grads": ({1024: 2, 2048: 4807, 2054: 9102}, 1),
    "radians of a moving datum": ({1024: 2, 2048: 4326, 2054: 9101}, 1),
    "a datum": ({1024: 2, 2048: 32767, 2050: 6267}, 1),
    "an ensemble of datums": ({1024: 2, 2048: 32767, 2050: 6326}, 1),
    "an ellipsoid": ({1024: 2, 2048: 32767, 2056: 7008}, 1),
    "an ellipsoid of two axes": ({1024: 2, 2048: 32767, 2057: 6378137.0, 2058: 6356752.3}, 1),
    "an ellipsoid of one axis": ({1024: 2, 2048: 32767, 2057: 6370000.0}, 1),
    "a sphere": ({1024: 2, 2048: 32767, 2057: 6370000.0, 2059: 0.0}, 1),
    "a sphere of infinite flattening": ({1024: 2, 2048: 32767, 2057: 6370000.0, 2059: float("inf")}, 1),
    "no ellipsoid": ({1024: 2}, 1),
    "an ellipsoid beside a code": ({**USER, 2048: 4326, **UTM, 2057: 6378140.0, 2059: 298.257}, 0),
    "an ellipsoid beside a moving datum": ({1024: 2, 2048: 4326, 2057: 6378140.0, 2059: 298.257}, 0),
    "a datum beside a code": ({1024: 2, 2048: 4326, 2050: 6267}, 1),
    "Sentinel's ellipsoid": ({1024: 2, 2048: 4326, 2056: 4326, 2057: 6378137.0, 2058: 6356752.314245}, 0),
    "a meridian's code": ({1024: 2, 2048: 32767, 2050: 6267, 2051: 8903}, 1),
    "a meridian's code beside a datum's": ({1024: 2, 2048: 4267, 2051: 8903}, 1),
    "a meridian's longitude": ({1024: 2, 2048: 32767, 2050: 6267, 2051: 32767, 2061: 2.5}, 1),
    "a meridian's longitude beside a code": ({1024: 2, 2048: 4267, 2061: 2.5}, 1),
    "a shift": ({1024: 2, 2057: 6377397.155, 2059: 299.1528128, 2062: (1.0, 2.0, 3.0)}, 1),
    "a shift of seven": ({1024: 2, 2057: 6377397.155, 2059: 299.1528128, 2062: (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)}, 1),
    "a shift of five": ({1024: 2, 2057: 6377397.155, 2059: 299.1528128, 2062: (1.0, 2.0, 3.0, 4.0, 5.0)}, 1),
    "a shift of a known datum": ({1024: 2, 2048: 32767, 2050: 6267, 2062: (1.0, 2.0, 3.0)}, 1),
    "a shift beside a code": ({1024: 1, 3072: 26711, 2062: (1.0, 2.0, 3.0)}, 1),
    "a shift under a projection": ({**USER, 2048: 4267, **UTM, 2062: (1.0, 2.0, 3.0)}, 1),
    "a shift of the file's own datum": (
        {**USER, **UTM, 2057: 6377397.155, 2059: 299.1528128, 2062: (1.0, 2.0, 3.0)},
        1,
    ),
    "a geocentric code": ({1024: 3, 2048: 4978}, 1),
    "a geographic code for a geocentric one": ({1024: 3, 2048: 4326}, 1),
    "a geocentric model alone": ({1024: 3}, 1),
    "heights": ({1024: 1, 3072: 32633, 4096: 5703}, 1),
    "heights before 1.1": ({1024: 1, 3072: 32633, 4096: 5703}, 0),
    "heights of the file": ({1024: 1, 3072: 32633, 4096: 32767, 4097: "my own", 4098: 5103, 4099: 9003}, 1),
    "heights without a name": ({1024: 1, 3072: 32633, 4096: 32767, 4098: 5103, 4099: 9003}, 1),
    "a unit of heights": ({1024: 2, 2048: 4326, 4099: 9002}, 1),
    "heights above the ellipsoid": ({1024: 2, 2048: 4326, 4096: 4979}, 1),
    "heights above the ellipsoid as in 1.0": ({1024: 2, 2048: 4326, 4096: 5030}, 0),
    "heights above the ellipsoid of a map": ({1024: 1, 3072: 32633, 4096: 5030}, 1),
    "heights above the ellipsoid by datum": ({1024: 2, 2048: 4326, 4098: 6030}, 1),
    "heights of an unknown code": ({1024: 2, 2048: 4326, 4096: 9999}, 1),
    "heights of a private code": ({1024: 2, 2048: 4326, 4096: 40000}, 1),
    "heights that are none": ({1024: 2, 2048: 4326, 4096: 32633}, 1),
    "heights of a datum's code": ({1024: 2, 2048: 4326, 4096: 5171}, 1),
    "heights from the middle of the Earth": ({1024: 3, 2048: 4978, 4096: 5703}, 1),
    "ESRI's text": ({1024: 32767, 3073: f"ESRI PE String = {LAMBERT}"}, 0),
    "ESRI's text in a projected model": ({1024: 1, 3072: 32767, 3073: f"ESRI PE String = {LAMBERT}"}, 0),
    "ESRI's text cut off": ({1024: 32767, 3073: f"ESRI PE String = {LAMBERT[:90]}"}, 0),
    "a citation in parts": (
        {1024: 2, 2049: "GCS Name = GCS_North_American_1983|Datum = D_North_American_1983|Ellipsoid = GRS_1980|"}
        | {2057: 6378137.0, 2059: 298.257222101},
        1,
    ),
    "a citation that is a name": ({1024: 2, 2049: "mine", 2057: 6378137.0, 2059: 298.257222101}, 1),
    "ERDAS's citations": (
        {1024: 1, 3072: 32767, 3074: 16010, 3076: 9001, 2057: 6378206.4, 2059: 294.978698}
        | {2049: f"{ERDAS}{UNKNOWN}Ellipsoid = Clarke 1866\nDatum = NAD27 (CONUS)", 3073: f"{ERDAS}UTM Zone 10N"},
        0,
    ),
    "a name in parts": ({**USER, 2048: 4326, **UTM, 1026: "PCS Name = foo bar|"}, 0),
    "a name for a sphere": ({**USER, 2048: 4326, 3075: 7, 3092: 1.0, 1026: "Google Maps Global Mercator"}, 0),
    "a negative axis": ({1024: 2, 2048: 32767, 2057: -6378137.0, 2059: 298.0}, 0),
    "an axis that is no number": ({1024: 2, 2048: 32767, 2057: float("nan"), 2059: 298.0}, 0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_keys_are_read_as_gdal_reads_them(case: tuple[dict[int, KeyValue], int]) -> None:
    data = keyed(*case)
    assert equal(crs_of(keys_of(data)), crs_of_gdal(data))


def test_where_gdal_is_not_followed() -> None:
    # A code is the whole definition (GeoTIFF 1.1, requirement 12.1): parameters that contradict it are not taken.
    contradicted = crs_of(GeoKeys(values={1024: 1, 3072: 32633, 2048: 4267, **UTM, 3080: 20.0}))
    assert contradicted == pyproj.CRS.from_epsg(32633)
    # A datum brings its prime meridian.
    paris = crs_of(GeoKeys(values={1024: 2, 2050: 6807}))
    assert paris is not None
    assert paris.prime_meridian is not None
    assert paris.prime_meridian.name == "Paris"
    # A unit of the file's own needs no name of it.
    angle = crs_of(GeoKeys(values={1024: 2, 2050: 6267, 2054: 32767, 2055: 0.01}))
    assert angle is not None
    assert angle.axis_info[0].unit_conversion_factor == 0.01


def test_numbers_that_are_none_make_no_crs() -> None:
    # rasterio does not open such a file at all.
    for value in (float("nan"), float("inf")):
        assert crs_of(GeoKeys(values={**USER, 2048: 4326, 3075: 1, 3080: value})) is None


def test_names() -> None:
    def name(values: dict[int, KeyValue]) -> str:
        found = crs_of(GeoKeys(values={**USER, 2048: 4326, **UTM, **values}))
        return "" if found is None else found.name

    assert name({}) == "unnamed"
    assert name({1026: "general", 3073: "projected"}) == "projected"
    assert name({1026: "general", 3073: "LUnits = foot"}) == "general"
    assert name({1026: "PCS Name = general|Units = m|"}) == "general"
    assert name({3073: f"{ERDAS}UTM Zone 10N\nEllipsoid = Clarke 1866"}) == "UTM Zone 10N"


def test_no_keys_no_crs() -> None:
    assert crs_of(GeoKeys()) is None


def test_a_missing_pyproj_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "pyproj" or name.startswith("pyproj.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"gigapix\[geo\]"):
        crs_of(GeoKeys(values={3072: 32633}))


CODE = st.sampled_from([0, 1, 2, 3, 7, 8, 10, 15, 17, 9815, 32767, 40000, 65535]) | st.sampled_from(
    [4326, 4267, 4807, 4978, 4979, 5030, 5703, 5773, 6267, 6326, 6807, 7008, 7030, 7415, 8901, 8903, 9001, 9003, 9102]
)
NUMBER = st.floats() | st.sampled_from([0.0, 1.0, 45.0, -90.0, 6378137.0, 298.257])
CITATION = st.text(max_size=20) | st.sampled_from(
    [f"ESRI PE String = {LAMBERT}", "ESRI PE String = x", "Datum = D_WGS_1984|Ellipsoid = WGS_1984|", "PCS Name = |"]
)
VALUE = CODE | NUMBER | CITATION | st.lists(NUMBER, max_size=8).map(tuple)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        number: CITATION
        if "Citation" in name
        else CODE
        if name.endswith(("CRSGeoKey", "TypeGeoKey"))
        else CODE | NUMBER
        for number, name in NAMES.items()
    },
)


@given(LIKELY | st.dictionaries(st.sampled_from(sorted(NAMES)), VALUE, max_size=12), st.integers(0, 1))
def test_nothing_raises(values: dict[int, KeyValue], minor: int) -> None:
    found = crs_of(GeoKeys(values=values, version=(1, 1, minor)))
    assert found is None or isinstance(found, pyproj.CRS)
