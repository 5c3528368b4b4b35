"""What a row says of a file, as steps of the library's own parser: sans-I/O, one for TIFF and PNG.

A row is made of two halves. `Structure` is what follows from how the file is built: sizes, encodings, directories, the
coordinate system. `Values` is what differs between files that are built alike: tiepoints, texts, dates. A bucket has
millions of files and few structures, so that only the second half is worked out for each (`gigapix.catalog.templates`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from gigapix.catalog.places import crs_of
from gigapix.catalog.schema import GEOKEYS
from gigapix.catalog.sizes import facts_of
from gigapix.catalog.values import VALUES, integers, ratio, shown, whole
from gigapix.errors import GigapixError
from gigapix.formats import detect
from gigapix.formats.model import Described, Steps
from gigapix.formats.tiff import geokeys
from gigapix.formats.tiff.file import MASK, REDUCED, Page, Tiff, page_of
from gigapix.formats.tiff.groups import sub_pages
from gigapix.formats.tiff.ifd import Ifd
from gigapix.formats.tiff.series import ImageSpec
from gigapix.formats.tiff.tags import TABLES

MAX_LISTED: Final = 256
"""Directories of a file that get an entry. A time series has more, all alike, each of which may cost a request."""

MAX_OTHER_BYTES: Final = 16384
"""Of a tag without a column of its own; a longer value (a thumbnail, a colour profile) is left out."""

SHORT: Final = 4096
"""Numbers and characters of GeoKeys that are remembered: PROJ takes milliseconds, and a bucket has a few systems."""

_INTEGERS: Final[Mapping[str, int]] = {
    "compression": 259, "new_subfile_type": 254, "orientation": 274,
    "photometric_interpretation": 262, "planar_configuration": 284, "predictor": 317, "resolution_unit": 296,
    "rows_per_strip": 278, "samples_per_pixel": 277, "tile_height": 323, "tile_width": 322,
}  # fmt: skip
_LISTS: Final[Mapping[str, int]] = {
    "bits_per_sample": 258, "extra_samples": 338, "max_sample_value": 281, "min_sample_value": 280,
    "sample_format": 339,
}  # fmt: skip
_RATIOS: Final[Mapping[str, int]] = {"x_resolution": 282, "y_resolution": 283}
_OWN: Final = frozenset({
    *VALUES, *TABLES, *_INTEGERS.values(), *_LISTS.values(), *_RATIOS.values(), 256, 257, 347, 34735, 34736, 34737,
})  # fmt: skip
"""Tags that are not among `other_tags`; GDAL's metadata and the matrix are added again with each file's value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Structure:
    """The half of a row that files of the same structure share. Compared by identity."""

    columns: Mapping[str, Any] = field(default_factory=dict)
    """Of `schema.structure`; a missing one is null."""
    others: tuple[tuple[str, str], ...] = ()
    """`other_tags` without those among `VALUES`."""
    raster_type: str = "area"
    dims: tuple[int, ...] | None = None
    """Axes of each level, None where nothing was read."""


NOTHING: Final = Structure()
"""Of an object that can't be read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What was read of a file."""

    structure: Structure
    facts: bytes
    """Of `gigapix.catalog.sizes`."""
    ifds: tuple[Ifd, ...] = ()
    """Those that have an entry."""
    first: Ifd | None = None
    """That of image 0, whose `VALUES` a row has; None where it is no TIFF."""


def describe(file_name: str, size: int) -> Steps[Found]:
    """Read what a row needs, and no more."""
    spec = yield from detect.read_image(0, file_name, size_of=lambda: size)
    common, shapes = _of_levels(spec), [each.shape for each in spec.levels]
    if isinstance(spec, ImageSpec):
        return (yield from _of_tiff(spec, common, shapes))
    problems = getattr(getattr(spec, "png", None), "problems", ())
    columns = {
        **common,
        "format": "PNG",
        "kind": "png",
        "layout": "rows",
        "byte_order": "big",
        "problems": list(problems),
        "ifds": [],
        "ifds_complete": True,
    }
    dims = tuple(map(len, shapes))
    return Found(structure=Structure(columns=columns, dims=dims), facts=facts_of(None, shapes, ()))


def _of_levels(spec: Described) -> dict[str, Any]:
    """What any format's image has."""
    level = spec.levels[0]
    return {
        "name": spec.name or None,
        "axes": level.axes,
        "dtype": str(level.dtype),
        "bands": level.shape[level.axes.index("C")],
        "levels": len(spec.levels),
        "mask": any(each.mask is not None for each in spec.levels),
        "bits_per_sample": list(level.encoding.bits),
        "samples_per_pixel": level.samples,
    }


def _of_tiff(spec: ImageSpec, common: dict[str, Any], shapes: Sequence[tuple[int, ...]]) -> Steps[Found]:
    ifd, tiff, level = spec.ifd, spec.contents.file, spec.levels[0]
    wanted = [code for code, entry in ifd.entries.items() if entry.nbytes <= MAX_OTHER_BYTES and code not in TABLES]
    yield from ifd.load(wanted)
    ifds, entries, complete = yield from _directories(tiff)
    values = ifd.values
    keys = _geokeys(values)
    geo = _known_geo(keys) if keys is None or len(keys[0]) + len(keys[2]) <= SHORT else _geo(keys)
    ghost, stack = tiff.ghost, spec.stack
    cog = ghost is not None and ghost.layout == "IFDS_BEFORE_DATA" and not ghost.incompatible_edition
    nodata = level.encoding.nodata
    columns = {
        **common,
        **{name: whole(values.get(number)) for name, number in _INTEGERS.items()},
        **{name: integers(values.get(number)) for name, number in _LISTS.items()},
        **{name: ratio(values.get(number)) for name, number in _RATIOS.items()},
        "compression": level.encoding.compression,  # these three with the defaults of TIFF 6.0
        "planar_configuration": whole(values.get(284, 1)),
        "sample_format": integers(values.get(339)) or [1] * level.samples,
        "jpeg_tables": values.get(347) if isinstance(values.get(347), bytes) else None,
        "geokeys": geo.columns,
        "format": "BigTIFF" if tiff.header.bigtiff else "TIFF",
        "kind": spec.contents.kind,
        "layout": "cog" if cog else "tiles" if level.tiled else "strips",
        "byte_order": "little" if tiff.header.byteorder == "<" else "big",
        "nodata": None if nodata is None else float(nodata),
        "channels": [channel.name for channel in stack.channels] if stack is not None else None,
        "pixel_size": [{"axis": axis, "value": value, "unit": unit} for axis, (value, unit) in stack.pixel_size.items()]
        if stack is not None
        else None,
        "problems": list(dict.fromkeys((*spec.problems, *ifd.problems, *tiff.problems))),
        "ifds": entries,
        "ifds_complete": complete,
        "crs": geo.code,
        "crs_wkt": geo.wkt,
    }
    others = tuple((str(c), shown(v)) for c, v in sorted(values.items()) if c not in _OWN)
    dims = tuple(map(len, shapes))
    structure = Structure(columns=columns, others=others, raster_type=geo.raster_type, dims=dims)
    facts = facts_of(max(map(_end, ifds), default=None), shapes, [_place(each) for each in ifds])
    return Found(structure=structure, facts=facts, ifds=tuple(ifds), first=ifd)


def _directories(tiff: Tiff) -> Steps[tuple[list[Ifd], list[dict[str, Any]], bool]]:
    """The first `MAX_LISTED` directories, an entry for each, and whether these are all."""
    ifds: list[Ifd] = []
    entries: list[dict[str, Any]] = []
    place = 0
    while (page := (yield from tiff.page(place))) is not None:
        if len(ifds) >= MAX_LISTED:
            return ifds, entries, False
        place += 1
        beneath: Sequence[Page] = ()
        if page.has_subifds:
            try:
                beneath = yield from sub_pages(tiff, page)
            except GigapixError as error:
                tiff.note(f"SubIFDs of the IFD at {page.offset}: {error.message}")
        for each in (page, *beneath[: MAX_LISTED - len(ifds) - 1]):
            ifd = yield from tiff.ifd_at(each.offset)
            ifds.append(ifd)
            kind = "mask" if each.subfile & MASK else "overview" if each.subfile & REDUCED else "image"
            if each is not page and kind == "image" and each.width < page.width:
                kind = "overview"
            entries.append(_entry(ifd, each, kind, None if each is page else page.offset))
    return ifds, entries, True


def _entry(ifd: Ifd, page: Page, kind: str, parent: int | None) -> dict[str, Any]:
    values = ifd.values
    nodata = values.get(42113)
    return {
        "parent": parent,
        "kind": kind,
        "image_depth": whole(values.get(32997, 1)),
        "new_subfile_type": whole(page.subfile),
        "samples_per_pixel": whole(values.get(277)),
        "bits_per_sample": integers(values.get(258)),
        "sample_format": integers(values.get(339)),
        "compression": whole(values.get(259)),
        "predictor": whole(values.get(317)),
        "photometric_interpretation": whole(values.get(262)),
        "planar_configuration": whole(values.get(284)),
        "extra_samples": integers(values.get(338)),
        "tile_width": whole(values.get(322)),
        "tile_height": whole(values.get(323)),
        "rows_per_strip": whole(values.get(278)),
        "nodata": nodata if isinstance(nodata, str) else None,
    }


def _place(ifd: Ifd) -> tuple[int | None, ...]:
    """`sizes.OF_IFD`."""
    page, table = page_of(ifd), ifd.entries.get(324) or ifd.entries.get(273)
    return whole(ifd.offset), whole(page.width), whole(page.height), whole(table.count) if table else None


def _end(ifd: Ifd) -> int:
    """Where an IFD and all that it points at ends."""
    own = ifd.offset + len(ifd.entries) * ifd.header.entry_bytes + 16
    ends = [entry.offset + entry.nbytes for entry in ifd.entries.values()]
    return min(max(own, *ends), (1 << 63) - 1)


class _Geo(NamedTuple):
    """What follows from GeoKeys."""

    code: str | None
    wkt: str | None
    columns: Mapping[str, Any] | None
    raster_type: str


def _geo(keys: tuple[tuple[int, ...], tuple[float, ...], str] | None) -> _Geo:
    if keys is None:
        return _Geo(None, None, None, "area")
    parsed = geokeys.parse(*keys)
    columns = {name: _key(parsed.get(number), kind) for name, (number, kind) in GEOKEYS.items()}
    return _Geo(*crs_of(*keys), columns, parsed.raster_type)


_known_geo = lru_cache(maxsize=256)(_geo)


def _geokeys(values: Mapping[int, Any]) -> tuple[tuple[int, ...], tuple[float, ...], str] | None:
    directory, doubles, text = values.get(34735), values.get(34736, ()), values.get(34737, "")
    if not isinstance(directory, tuple) or not all(isinstance(value, int) for value in directory):
        return None
    several = doubles if isinstance(doubles, tuple) else (doubles,)
    numbers = tuple(float(value) for value in several if isinstance(value, int | float))
    return directory, numbers, text if isinstance(text, str) else ""


def _key(value: Any, kind: str) -> Any:
    if isinstance(value, tuple):
        value = value[0] if value else None
    if kind == "string":
        return value if isinstance(value, str) else None
    if isinstance(value, str) or value is None:
        return None
    return float(value) if kind == "double" else int(value)
