"""The GeoKey directory: what is sound is kept, what is not is told, nothing raises."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix.formats.tiff.geokeys import NAMES, GeoKeys, parse
from tests.geotiff import keys_of, written

HEADER = (1, 1, 1)


def test_values_of_every_kind() -> None:
    directory = (*HEADER, 5, 1024, 0, 1, 1, 1026, 34737, 4, 0, 2062, 34736, 3, 1, 2057, 34736, 1, 0, 3072, 0, 1, 32633)
    keys = parse(directory, (6378137.0, 1.0, 2.0, 3.0), "abc|")
    assert keys.values == {1024: 1, 1026: "abc", 2062: (1.0, 2.0, 3.0), 2057: 6378137.0, 3072: 32633}
    assert keys.problems == ()
    assert keys.version == HEADER
    assert keys.get("ProjectedCRSGeoKey") == keys.get(3072) == 32633
    assert keys.get(4096) is None
    assert keys


def test_values_in_the_directory_itself() -> None:
    keys = parse((*HEADER, 2, 1024, 34735, 2, 12, 1025, 34735, 1, 13, 7, 8))
    assert keys.values == {1024: (7, 8), 1025: 8}


@pytest.mark.parametrize(
    ("text", "length", "value"),
    [
        ("a|b|", 4, "a|b"),
        ("a||", 3, "a|"),
        ("ab\0", 3, "ab"),
        ("ab\0|", 4, "ab"),
        ("ab", 2, "ab"),
        ("a|", 9, "a"),
        ("|", 1, ""),
    ],
)
def test_text_ends_at_one_bar_or_nul(text: str, length: int, value: str) -> None:
    assert parse((*HEADER, 1, 1026, 34737, length, 0), (), text).get("GTCitationGeoKey") == value


@pytest.mark.parametrize(
    ("directory", "sound"),
    [
        ((), {}),
        ((1, 1, 0), {}),
        ((2, 1, 0, 1, 1024, 0, 1, 2), {1024: 2}),
        ((1, 2, 0, 1, 1024, 0, 1, 2), {1024: 2}),
        ((1, 1, 0, 9, 1024, 0, 1, 2), {1024: 2}),
        ((1, 1, 0, 2, 1024, 0, 1, 2, 2057, 34736, 1, 1), {1024: 2}),
        ((1, 1, 0, 2, 1024, 0, 1, 2, 2057, 34736, 2, 0), {1024: 2}),
        ((1, 1, 0, 2, 1024, 0, 1, 2, 2057, 34736, 0, 0), {1024: 2}),
        ((1, 1, 0, 2, 1024, 0, 1, 2, 1026, 34737, 1, 9), {1024: 2}),
        ((1, 1, 0, 2, 1024, 0, 1, 2, 1026, 34735, 1, 12), {1024: 2}),
        ((1, 1, 0, 2, 1024, 0, 1, 2, 1026, 270, 1, 0), {1024: 2}),
    ],
)
def test_damage_is_left_out_and_told(directory: tuple[int, ...], sound: dict[int, int]) -> None:
    keys = parse(directory, (1.0,), "abc|")
    assert keys.values == sound
    assert len(keys.problems) == 1


def test_more_numbers_than_keys_is_no_problem() -> None:
    # GDAL pads the directory that it rewrites in place.
    assert parse((1, 1, 0, 1, 1024, 0, 1, 2, 0, 0, 0, 0)).problems == ()


@pytest.mark.parametrize(
    ("values", "epsg"),
    [
        ({3072: 32633, 2048: 4326}, 32633),
        ({3072: 32767, 2048: 4326}, 4326),
        ({2048: 4326}, 4326),
        ({2048: 32767}, None),
        ({3072: 0}, None),
        ({3072: 40000}, None),
        ({3072: "x"}, None),
        ({}, None),
    ],
)
def test_epsg_is_the_projected_code_else_the_geodetic(values: dict[int, int | str], epsg: int | None) -> None:
    assert GeoKeys(values=values).epsg == epsg


@pytest.mark.parametrize(("code", "name"), [(1, "area"), (2, "point"), (0, "area"), (None, "area")])
def test_raster_type(code: int | None, name: str) -> None:
    assert GeoKeys(values={} if code is None else {1025: code}).raster_type == name


def test_the_names_are_known_to_both_ways() -> None:
    keys = GeoKeys(values=dict.fromkeys(NAMES, 7))
    assert {keys.get(name) for name in NAMES.values()} == {7}


def test_a_file_of_gdal() -> None:
    keys = keys_of(written(crs="EPSG:32633"))
    assert keys.problems == ()
    assert (keys.version, keys.epsg, keys.raster_type) == ((1, 1, 0), 32633, "area")
    assert keys.text("GTCitationGeoKey") == "WGS 84 / UTM zone 33N"


def test_keys_travel_between_processes() -> None:
    keys = parse((*HEADER, 1, 1024, 0, 1, 1))
    assert pickle.loads(pickle.dumps(keys)) == keys


SHORT = st.integers(0, 65535)
ROW = st.tuples(st.sampled_from(sorted(NAMES)) | SHORT, st.sampled_from([0, 34735, 34736, 34737]) | SHORT, SHORT, SHORT)


@given(
    header=st.lists(SHORT, max_size=4),
    rows=st.lists(ROW | st.tuples(SHORT), max_size=9),
    doubles=st.lists(st.floats(), max_size=9),
    text=st.text(max_size=20),
)
def test_nothing_raises(header: list[int], rows: list[tuple[int, ...]], doubles: list[float], text: str) -> None:
    keys = parse([*header, *(number for row in rows for number in row)], doubles, text)
    assert all(isinstance(value, (int, float, str, tuple)) for value in keys.values.values())
    assert keys.raster_type in {"area", "point"}
    assert keys.epsg is None or 0 < keys.epsg < 32767
