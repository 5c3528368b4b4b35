"""Dimensions of arrays as axes of one letter.

What an image shows are its Y and X; bands are C; OME's T and Z keep their letters, and other axes take the first letter
of their name that is free. Names are those of OME-Zarr, of CF and of xarray's users. Without names the axes are OME's
order of old, ``TCZYX``, but three dimensions are ``CYX``.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

KNOWN: Final = {
    "X": ("x", "lon", "longitude", "easting", "col", "column", "columns", "width", "ra"),
    "Y": ("y", "lat", "latitude", "northing", "row", "rows", "height", "dec"),
    "C": ("c", "channel", "channels", "band", "bands", "wavelength", "wavelengths", "spectral"),
    "T": ("t", "time", "times", "date"),
    "Z": ("z", "depth", "level", "altitude", "elevation", "lev", "plev"),
}
"""By letter, the names of an axis, the best first."""

WITHOUT_NAMES: Final = {0: "", 1: "X", 2: "YX", 3: "CYX"}


def letters_of(names: Sequence[str] | None, ndim: int) -> str:
    """One letter for each dimension, none twice; Y and X are always among two or more."""
    lowered = [name.strip().lower() for name in names] if names is not None and len(names) == ndim else [""] * ndim
    if not any(lowered):
        return WITHOUT_NAMES.get(ndim) or _others([""] * (ndim - 5), "TCZYX") + "TCZYX"[-ndim:]
    letters = [""] * ndim
    for letter, known in KNOWN.items():
        found = [(known.index(name), at) for at, name in enumerate(lowered) if name in known]
        if found:
            letters[min(found)[1]] = letter
    for letter in "XY"[: min(ndim, 2)]:  # what is shown: the last dimensions that are nothing else
        if letter not in letters:
            free = [at for at in range(ndim) if not letters[at]] or [
                at for at in range(ndim) if letters[at] not in "XY"
            ]
            letters[free[-1]] = letter
    rest = [at for at in range(ndim) if not letters[at]]
    for at, letter in zip(rest, _others([lowered[at] for at in rest], "".join(letters) + "TCZYX"), strict=True):
        letters[at] = letter
    return "".join(letters)


def ordered(letters: str) -> str:
    """The axes of an image whose arrays have these: further ones as they come, then T, C, Z, Y and X."""
    known = [axis for axis in "TCZYX" if axis in letters or axis in "CYX"]
    return "".join(axis for axis in letters if axis not in "TCZYX") + "".join(known)


def _others(names: Sequence[str], taken: str) -> str:
    found = ""
    for name in names:
        letters = [*(each for each in name.upper() if each in string.ascii_uppercase), *string.ascii_uppercase]
        found += next(letter for letter in letters if letter not in taken + found)
    return found
