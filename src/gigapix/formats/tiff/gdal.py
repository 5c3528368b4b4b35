"""What GDAL keeps in a TIFF beyond the standard, and makes of it: metadata, nodata, the meaning of bands, palettes.

GDAL_METADATA (tag 42112) is XML, GDAL_NODATA (42113) a number as text. Neither is needed for the pixels, so nothing
here raises: what is damaged is left out, and told in `problems` where there is such a field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np

from gigapix import limits
from gigapix.formats.tiff.gdal_xml import items_of

Items = Mapping[str, Mapping[str, str]]
"""By domain (the default one is ""), then by name."""


@dataclass(frozen=True, kw_only=True)
class BandMetadata:
    """Of one band. A stored value means ``value * scale + offset``, in `unit`."""

    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    description: str | None = None
    colorinterp: str | None = None
    """rasterio's name (``gray``, ``red``, ``nir`` ...), ``undefined`` for one unknown to it, None without one."""
    items: Items = field(default_factory=dict)

    @property
    def statistics(self) -> dict[str, float]:
        """What is stored of minimum, maximum, mean, stddev and valid_percent: a hint, often of some of the pixels."""
        prefix = "STATISTICS_"
        stored = {name.removeprefix(prefix).lower(): text for name, text in self.items.get("", {}).items()}
        return {name: number_of(stored[name]) for name in _STATISTICS if name in stored}


@dataclass(frozen=True, kw_only=True)
class GdalMetadata:
    """All of GDAL_METADATA."""

    items: Items = field(default_factory=dict)
    """Of the image as a whole."""
    bands: Mapping[int, BandMetadata] = field(default_factory=dict)
    """By sample, counted from 0; only those that have any."""
    problems: tuple[str, ...] = ()

    def band(self, sample: int) -> BandMetadata:
        """That of one sample, counted from 0: the defaults where nothing is stored."""
        return self.bands.get(sample, BandMetadata())


_STATISTICS: Final = ("minimum", "maximum", "mean", "stddev", "valid_percent")

_INTERPRETATIONS: Final = frozenset({
    "gray", "palette", "red", "green", "blue", "alpha", "hue", "saturation", "lightness", "cyan", "magenta", "yellow",
    "black", "pan", "coastal", "rededge", "nir", "swir", "mwir", "lwir", "tir", "sar_ka", "sar_k", "sar_ku", "sar_x",
    "sar_c", "sar_s", "sar_l", "sar_p",
})  # fmt: skip
_RENAMED: Final = {"ycbcr_y": "Y", "ycbcr_cb": "Cb", "ycbcr_cr": "Cr", "otherir": "other_ir"}
"""GDAL's names of what a band shows, in lower case, and those for which rasterio has another one."""

_ROLES: Final = frozenset({"scale", "offset", "unittype", "description", "colorinterp"})


def metadata_of(xml: str) -> GdalMetadata:
    """Read tag 42112. Of XML that breaks off or is not well-formed, what stands before the fault counts."""
    items: dict[str, dict[str, str]] = {}
    band_items: dict[int, dict[str, dict[str, str]]] = {}
    roles: dict[int, dict[str, str]] = {}
    found, problems = items_of(xml)
    for attributes, value in found:
        name, domain = attributes.get("name", ""), attributes.get("domain", "")
        sample = _integer(attributes.get("sample", "-1"))
        role = attributes.get("role", "").lower()
        if not name or not value or not -1 <= sample < limits.MAX_SAMPLES:
            continue
        if sample >= 0 and role in _ROLES:
            roles.setdefault(sample, {})[role] = value
            continue
        owner = items if sample == -1 else band_items.setdefault(sample, {})
        # A domain "xml:..." is one document and has no items: it goes by the name of the domain, as in rasterio.
        owner.setdefault(domain, {})[domain if domain.lower().startswith("xml:") else name] = value
    bands = {
        sample: _band(roles.get(sample, {}), band_items.get(sample, {})) for sample in sorted({*roles, *band_items})
    }
    return GdalMetadata(items=items, bands=bands, problems=problems)


def _band(roles: Mapping[str, str], items: Items) -> BandMetadata:
    shown = roles.get("colorinterp")
    if shown is not None:
        shown = shown.lower() if shown.lower() in _INTERPRETATIONS else _RENAMED.get(shown.lower(), "undefined")
    return BandMetadata(
        scale=number_of(roles.get("scale", "1")),
        offset=number_of(roles.get("offset", "0")),
        unit=roles.get("unittype"),
        description=roles.get("description"),
        colorinterp=shown,
        items=items,
    )


_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_SPECIAL: Final = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf}
_MICROSOFT: Final = (("1.#inf", math.inf), ("-1.#inf", -math.inf), ("1.#qnan", math.nan), ("1.#snan", math.nan))
_MICROSOFT_NAN: Final = ("-1.#ind", "-1.#qnan")


def number_of(text: str) -> float:
    """The number that a text begins with, 0 where it begins with none: C's strtod, which takes a comma for a point too.

    As infinite and not-a-number are taken ``inf``, ``nan`` and what Microsoft's C library prints (``-1.#IND``).
    """
    text = text.strip(" \t\r\n\0").lower()
    if text.removeprefix("+") in _SPECIAL:
        return _SPECIAL[text.removeprefix("+")]
    for prefix, value in (*_MICROSOFT, *((name, math.nan) for name in _MICROSOFT_NAN)):
        if text.startswith(prefix):
            return value
    match = _NUMBER.match(text)
    return float(match[0].replace(",", ".")) if match else 0.0


def _integer(text: str) -> int:
    """The integer that a text begins with, 0 where it begins with none: C's strtol, of at most 20 digits."""
    match = re.match(r"[ \t\r\n]*([+-]?[0-9]{1,20})", text, re.ASCII)
    return int(match[1]) if match else 0


SHORT: Final = 32
"""Characters of a number that is remembered: each directory of a file has the same one."""


def nodata_of(text: str, dtype: np.dtype[Any]) -> float | int | None:
    """The value of GDAL_NODATA in an image of that type, or None where there is none that a pixel could have.

    An int for 64-bit integers, which floats can't hold, a float for all others, as rasterio has it; of a complex type,
    the real part. 32-bit floats get the nearest value that they can hold.
    """
    return _known_nodata(text, dtype) if len(text) <= SHORT else _nodata_of(text, dtype)


def _nodata_of(text: str, dtype: np.dtype[Any]) -> float | int | None:
    if not text.strip("\0"):
        return None
    if dtype.kind in "iu" and dtype.itemsize == 8:
        whole, info = _integer(text), np.iinfo(dtype)
        return whole if int(info.min) <= whole <= int(info.max) else None
    value = number_of(text)
    if dtype.kind in "iu":
        return value if np.iinfo(dtype).min <= value <= np.iinfo(dtype).max else None
    if dtype.itemsize <= 4 or dtype == np.complex64:  # rasterio knows 16-bit floats as 32-bit ones
        with np.errstate(over="ignore"):
            rounded = float(np.float32(value))
        if dtype == np.float32:
            return rounded
        return None if math.isinf(rounded) and not math.isinf(value) else value
    return value


_known_nodata = lru_cache(maxsize=64)(_nodata_of)


def color_interpretation(
    photometric: int,
    samples: int,
    extra_samples: Sequence[int],
    overrides: Mapping[int, str] | None = None,
    *,
    compression: int = 1,
    bits: int = 8,
    colormap: bool = False,
) -> tuple[str, ...]:
    """What each sample shows, in rasterio's names: by `overrides` (GDAL_METADATA, by sample), else by the TIFF tags.

    `colormap` tells whether the image has the tag ColorMap. JPEG's YCbCr is red, green and blue, as it is decoded. Up
    to 16 bits, min-is-white counts as a palette of greys, as in GDAL.
    """
    names = ["undefined"] * samples
    known = {1: ("gray",), 2: ("red", "green", "blue"), 3: ("palette",), 5: ("cyan", "magenta", "yellow", "black")}
    known[6] = ("red", "green", "blue") if compression in (6, 7) else ("Y", "Cb", "Cr")
    base = known.get(photometric, ())[:samples]
    names[: len(base)] = base
    for sample, kind in enumerate(extra_samples, samples - len(extra_samples)):
        if sample >= len(base) and kind in (1, 2, 999):  # 999 is what CorelDRAW wrote
            names[sample] = "alpha"
    if (bits <= 16 and (colormap or photometric == 0)) or (bits == 1 and samples == 1):
        names[0] = "palette"
    elif photometric == 3:
        names[0] = "undefined"
    for sample, name in (overrides or {}).items():
        if sample < samples:
            names[sample] = name
    return tuple(names)


def colormap_of(
    table: Sequence[int], bits: int, *, photometric: int = 3, samples: int = 1, nodata: float | None = None
) -> dict[int, tuple[int, int, int, int]]:
    """Red, green, blue and alpha (0 to 255) of each value, as rasterio's ``colormap(1)``; empty if there is none.

    `table` is the tag ColorMap: all reds, all greens, all blues, of 16 bits. Writers differ in how they make those of 8
    bits (times 257, times 256, or not at all), which the values tell. Without the tag, min-is-white and one-bit images
    have the map of greys that they stand for. The value of `nodata` is transparent.
    """
    size = 1 << bits
    if bits > 16:
        return {}
    if len(table) != 3 * size:
        if photometric != 0 and not (bits == 1 and samples == 1):
            return {}
        ramp = [255 * value // (size - 1) for value in range(size)]
        if photometric == 0:
            ramp.reverse()
        return {value: (grey, grey, grey, 255) for value, grey in enumerate(ramp)}
    unit = 1 if max(table) < 256 else 257 if any(value % 256 for value in table) else 256
    transparent = int(nodata) if nodata is not None and math.isfinite(nodata) else -1
    rows = zip(table[:size], table[size : 2 * size], table[2 * size :], strict=True)
    return {
        value: (red // unit, green // unit, blue // unit, 0 if value == transparent else 255)
        for value, (red, green, blue) in enumerate(rows)
    }
