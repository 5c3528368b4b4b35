"""Names of dimensions as letters."""

from __future__ import annotations

import pytest

from gigapix.formats.zarr.axes import letters_of, ordered


@pytest.mark.parametrize(
    ("names", "letters"),
    [
        ("t c z y x", "TCZYX"),
        ("time lat lon", "TYX"),
        ("band northing easting", "CYX"),
        ("X Y", "XY"),
        ("y x c", "YXC"),
        ("row col bands", "YXC"),
        ("angle y x", "AYX"),
        ("time tile y x", "TIYX"),
        ("y_center x_center", "YX"),
        ("one two three", "OYX"),
        ("lat latitude x", "YLX"),
        ("x", "X"),
    ],
)
def test_names(names: str, letters: str) -> None:
    dims = names.split()
    assert letters_of(dims, len(dims)) == letters


@pytest.mark.parametrize(
    ("ndim", "letters"), [(1, "X"), (2, "YX"), (3, "CYX"), (4, "CZYX"), (5, "TCZYX"), (7, "ABTCZYX"), (20, None)]
)
def test_no_names(ndim: int, letters: str | None) -> None:
    found = letters_of(None, ndim)
    assert len(set(found)) == ndim
    assert letters is None or found == letters
    assert letters_of([""] * ndim, ndim) == found


def test_order() -> None:
    assert ordered("YXC") == "CYX"
    assert ordered("YX") == "CYX"
    assert ordered("XZAYT") == "ATCZYX"
