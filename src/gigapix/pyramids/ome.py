"""OME-Zarr (OME-NGFF) metadata of a pyramid: 0.5 of Zarr v3, 0.4 of Zarr v2.

OME-Zarr knows images of two to five axes, in the order t, c, z, y, x. What is no such image has no OME metadata: the
Zarr conventions (`conventions`) can say what it is. So it is with levels of another type than level 0 (sums, counts,
variances): they are another quantity, and a viewer that zoomed into them would show another picture.

Scales must be positive: an axis whose coordinates fall, as northings do, is counted backwards (100 becomes -100).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from gigapix.pyramids.conventions import made_by
from gigapix.pyramids.levels import LevelInfo

Version = Literal["0.4", "0.5"]
Extents = Mapping[int, tuple[float, float]]

AXIS_TYPES: Final[Mapping[str, str]] = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
"""In the order that axes must have."""

_PREFIXES: Final = (
    "", "yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci", "hecto", "kilo", "mega",
    "giga", "tera", "peta", "exa", "zetta", "yotta",
)  # fmt: skip

UNITS: Final[Mapping[str, frozenset[str]]] = {
    "space": frozenset({"angstrom", "foot", "inch", "mile", "parsec", "yard"} | {f"{each}meter" for each in _PREFIXES}),
    "time": frozenset({"day", "hour", "minute"} | {f"{each}second" for each in _PREFIXES}),
}
"""Those of UDUNITS-2 that the specification lists (0.5, "axes" metadata)."""

_SYMBOLS: Final[Mapping[str, str]] = {
    "µm": "micrometer", "μm": "micrometer", "um": "micrometer", "micron": "micrometer", "microns": "micrometer",
    "nm": "nanometer", "pm": "picometer", "mm": "millimeter", "cm": "centimeter", "dm": "decimeter", "m": "meter",
    "km": "kilometer", "\u00c5": "angstrom", "\u212b": "angstrom", "in": "inch", "ft": "foot", "yd": "yard",
    "mi": "mile", "s": "second", "sec": "second", "ms": "millisecond", "µs": "microsecond", "μs": "microsecond",
    "us": "microsecond", "ns": "nanosecond", "min": "minute", "h": "hour", "d": "day",
}  # fmt: skip

_COLORS: Final = ("FF0000", "00FF00", "0000FF", "FFFF00", "FF00FF", "00FFFF")
_SHOWN: Final = len(_COLORS)
"""Channels that are shown at first: no viewer blends more."""


def is_ome(dims: Sequence[str]) -> bool:
    """Whether OME-Zarr has a place for an array of these axes."""
    return list(dims) == [name for name in AXIS_TYPES if name in dims] and len({"z", "y", "x"} & set(dims)) >= 2


def unit_of(unit: str | None) -> str | None:
    """A unit's name in OME-Zarr, from its symbol in OME-XML or its name; None where there is none."""
    if unit is None:
        return None
    name = _SYMBOLS.get(unit, unit).lower().replace("metre", "meter")
    return name if any(name in names for names in UNITS.values()) else None


def ome_attributes(
    levels: Sequence[LevelInfo],
    *,
    name: str = "",
    units: Sequence[str | None] = (),
    channels: Sequence[Mapping[str, Any]] = (),
    extents: Extents | None = None,
    nodata: float | str | None = None,
    version: Version = "0.5",
) -> dict[str, Any]:
    """The attributes of a group: of 0.5 the one key ``ome``, of 0.4 ``multiscales`` and ``omero``.

    levels: as `gigapix.pyramids.levels.LevelInfo` says; their axes must be OME's (`is_ome`).
    units: one an axis, as a name or a symbol.
    channels, extents: see `omero`, which is left out where `extents` is None.
    """
    images = images_of(levels)
    multiscales = [_multiscale(each, name, units, nodata, several=len(images) > 1) for each in images]
    shown = {"omero": omero(levels[0], channels, extents)} if extents is not None else {}
    if version == "0.4":
        return {"multiscales": [{"version": version, **each} for each in multiscales], **shown}
    return {"ome": {"version": version, "multiscales": multiscales, **shown}}


def images_of(levels: Sequence[LevelInfo]) -> list[list[LevelInfo]]:
    """Level 0 and the levels of one reducer, for each reducer whose levels have the type of level 0. Levels whose
    reducer isn't known belong to all."""
    reducers = dict.fromkeys(level.reducer for level in levels[1:] if level.reducer) or [""]
    chains = [[level for level in levels[1:] if level.reducer in ("", reducer)] for reducer in reducers]
    same = [chain for chain in chains if all(level.dtype == levels[0].dtype for level in chain)]
    return [[levels[0], *chain] for chain in same] or [[levels[0]]]


def _multiscale(
    chain: Sequence[LevelInfo], name: str, units: Sequence[str | None], nodata: float | str | None, *, several: bool
) -> dict[str, Any]:
    reducer = chain[-1].reducer
    axes = []
    for at, dim in enumerate(chain[0].dims):
        unit = unit_of(units[at]) if at < len(units) else None
        kind = AXIS_TYPES[dim]
        axes.append({"name": dim, "type": kind} | ({"unit": unit} if unit and unit in UNITS.get(kind, ()) else {}))
    found: dict[str, Any] = {
        "name": f"{name or 'image'} ({reducer})" if several else name or "image",
        "axes": axes,
        "datasets": [
            {
                "path": level.path,
                "coordinateTransformations": [
                    {"type": "scale", "scale": [abs(step) for step in level.scale]},
                    {
                        "type": "translation",
                        "translation": [
                            -at if step < 0 else at for at, step in zip(level.translation, level.scale, strict=True)
                        ],
                    },
                ],
            }
            for level in chain
        ],
    }
    if reducer and all(level.reducer for level in chain[1:]):
        keywords = {"reducers": reducer} | made_by(nodata)
        made = {"method": "gigapix.pyramid", "version": keywords.pop("version"), "args": [], "kwargs": keywords}
        found |= {"type": reducer, "metadata": made}
    return found


def omero(
    level: LevelInfo, channels: Sequence[Mapping[str, Any]] = (), extents: Extents | None = None
) -> dict[str, Any]:
    """How to show the channels of an image at first (0.5, "omero" metadata).

    channels: one a channel, each with ``label`` and ``color`` (red, green, blue from 0 to 255, or six hexadecimal
        digits), either may be missing or None.
    extents: by channel, its lowest and highest sample. They are what is shown from black to white; but photographs
        (8 bits; red, green and blue) are shown as they are.
    """
    count = level.shape[level.dims.index("c")] if "c" in level.dims else 1
    named = [dict(channels[n]) if n < len(channels) else {} for n in range(count)]
    photograph = level.dtype == np.uint8 and [each.get("label") for each in named[:3]] == ["red", "green", "blue"]
    shown = []
    for n, given in enumerate(named):
        window = _window(level.dtype, None if photograph else (extents or {}).get(n))
        color = given.get("color")
        default = "FFFFFF" if count == 1 else _COLORS[n % len(_COLORS)]
        shown.append(
            {
                "label": str(given.get("label") or n),
                "color": default if color is None else color if isinstance(color, str) else _hex(color),
                "active": n < _SHOWN and given.get("label") != "alpha",
                "coefficient": 1,
                "family": "linear",
                "inverted": False,
                "window": window,
            }
        )
    middle = level.shape[level.dims.index("z")] // 2 if "z" in level.dims else 0
    defaults = {"defaultT": 0, "defaultZ": middle, "model": "greyscale" if count == 1 else "color"}
    return {"channels": shown, "rdefs": defaults}


def _window(dtype: np.dtype[Any], extent: tuple[float, float] | None) -> dict[str, float]:
    """Of values: what there can be (of floats, what there is) and what is shown."""
    low, high = extent if extent is not None and all(map(math.isfinite, extent)) else (0, 0)
    if dtype.kind == "b":
        return {"min": 0, "max": 1, "start": 0, "end": 1}
    if dtype.kind in "iu":
        least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    else:
        least, most = (low, high) if low < high else (low, low + 1)  # type: ignore[assignment]
    start, end = (low, high) if low < high else (least, most)
    return {"min": least, "max": most, "start": start, "end": end}


def _hex(color: Iterable[int]) -> str:
    return "".join(f"{min(max(int(part), 0), 255):02X}" for part in list(color)[:3])


def image_label(
    *,
    colors: Mapping[int, Sequence[int]] | None = None,
    properties: Mapping[int, Mapping[str, Any]] | None = None,
    source: str = "../../",
    version: Version = "0.5",
) -> dict[str, Any]:
    """The attributes that make an image one of labels, to be merged with those of `ome_attributes`.

    colors: red, green, blue and alpha from 0 to 255, by label.
    source: the image that is labelled, relative to this group.
    """
    label: dict[str, Any] = {"source": {"image": source}}
    values = list(dict.fromkeys([*(colors or ()), *(properties or ())]))  # each in both: some readers ask for it
    if colors:
        label["colors"] = [
            {"label-value": value} | ({"rgba": list(colors[value])} if value in colors else {}) for value in values
        ]
    if properties:
        label["properties"] = [{"label-value": value, **properties.get(value, {})} for value in values]
    return {"image-label": {"version": version, **label} if version == "0.4" else label}


def labels_attributes(names: Sequence[str], *, version: Version = "0.5") -> dict[str, Any]:
    """The attributes of the group ``labels``, which holds images of labels by these names."""
    listed: dict[str, Any] = {"labels": list(names)}
    return listed if version == "0.4" else {"ome": {"version": version, **listed}}
