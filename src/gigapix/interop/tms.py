"""An image's own grid as an OGC Two Dimensional Tile Matrix Set 2.0 (17-083r4), as JSON.

A client that knows it asks for the tiles of the file as they are: nothing is warped or resampled. Each level is a tile
matrix, numbered from the coarsest on. The JSON is written here, since it takes less than a dependency that validates
it.

Two rules decide whether such a file is right, and are often missed: positions stand in the order of the CRS's own axes
(latitude first in EPSG:4326), and a matrix has one cell size for both axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from gigapix.errors import UnsupportedError

if TYPE_CHECKING:
    from pyproj import CRS

    from gigapix.image.image import Image
from gigapix.image.level import Level

SCREEN_PIXEL: Final = 0.28e-3
"""Metres of the standard's screen pixel, which a scale denominator refers to (section 6.2)."""

NORTHINGS: Final = frozenset({"Y", "N", "LAT"})
"""Abbreviations of a second coordinate; where the first axis has one of them, the order is the other way round."""


def tile_matrix_set(image: Image, *, id: str | None = None, title: str | None = None) -> dict[str, Any]:  # noqa: A002
    """The tile matrix set of an image's levels, in its CRS, as what `json.dumps` takes.

    id: one of its own (a UUID) where None. title: of the set; none where None.

    A level whose sides were rounded to whole pixels has two slightly different cell sizes; that of its longer side is
    taken. Raises UnsupportedError where an image has no grid of this kind: without CRS or transform, rotated, or with
    pixels that are not square. Raises MissingExtraError without the extra ``geo``.
    """
    crs = _crs(image)
    inverted, axes = _axes(crs)
    left, bottom, right, top = image.bounds
    reference = _reference(crs)

    def position(x: float, y: float) -> list[float]:
        return [y, x] if inverted else [x, y]

    origin = position(image.transform.c, image.transform.f)
    corner = "bottomLeft" if image.transform.e > 0 else "topLeft"
    found: dict[str, Any] = {
        "id": str(uuid4()) if id is None else id,
        "crs": reference,
        "orderedAxes": axes,
        "boundingBox": {
            "lowerLeft": position(min(left, right), min(bottom, top)),
            "upperRight": position(max(left, right), max(bottom, top)),
            "crs": reference,
            "orderedAxes": axes,
        },
        "tileMatrices": [
            {
                "id": str(place),
                **_matrix(level, _meters_per_unit(crs)),
                "cornerOfOrigin": corner,
                "pointOfOrigin": origin,
            }
            for place, level in enumerate(reversed(image.levels))
        ],
    }
    return found if title is None else {"title": title, **found}


def _crs(image: Image) -> CRS:
    """The horizontal CRS of an image that has a grid of this kind."""
    crs, (a, b, _, d, e, _) = image.crs, image.transform[:6]
    if crs is None or image.transform.is_identity:
        fault = "a tile matrix set needs a CRS and a transform, and the image does not have both"
    elif b or d or a <= 0:
        fault = "a tile matrix set has no room for a rotated or mirrored image"
    elif abs(a - abs(e)) * max(image.width, image.height) > a:
        fault = f"a tile matrix set has square cells, and the image's pixels are {a:g} x {abs(e):g}"
    else:
        return _horizontal(crs)
    raise UnsupportedError(fault, path=image.path)


def _matrix(level: Level, meters_per_unit: float) -> dict[str, Any]:
    transform = level.transform
    cell = transform.a if level.width >= level.height else abs(transform.e)
    rows, columns = level.grid
    return {
        "scaleDenominator": cell * meters_per_unit / SCREEN_PIXEL,
        "cellSize": cell,
        "tileWidth": level.spec.segment[2],
        "tileHeight": level.spec.segment[1],
        "matrixWidth": columns,
        "matrixHeight": rows,
    }


def _horizontal(crs: CRS) -> CRS:
    """The CRS without heights, and without a shift to another datum."""
    if crs.is_bound and crs.source_crs is not None:
        return _horizontal(crs.source_crs)
    if crs.is_compound:
        return _horizontal(crs.sub_crs_list[0])
    return crs.to_2d() if len(crs.axis_info) > 2 else crs


def _axes(crs: CRS) -> tuple[bool, list[str]]:
    """Whether the CRS names the second coordinate first, and the names of its axes in its order.

    Names follow the direction where the abbreviations don't (Gauss-Krüger calls its northing X): readers of a tile
    matrix set go by them.
    """
    first, second = crs.axis_info[:2]
    names = [axis.abbrev or axis.name for axis in (first, second)]
    told = names[0].upper() in NORTHINGS
    along = [axis.direction in ("north", "south") for axis in (first, second)]
    inverted = told if along[0] == along[1] else along[0]  # around a pole both axes point the same way
    if told != inverted:
        names = ["N", "E"] if inverted else ["E", "N"]
    return inverted, names


def _reference(crs: CRS) -> Any:
    """A URI for a CRS of EPSG's registry, else its definition as PROJJSON (section 6.2.1.1 allows both)."""
    definition = crs.to_json_dict()
    known = definition.get("id", {})
    if known.get("authority") == "EPSG":
        return f"http://www.opengis.net/def/crs/EPSG/0/{known['code']}"
    return {"wkt": definition}


def _meters_per_unit(crs: CRS) -> float:
    """Of a degree, those along the equator (note g of table 2)."""
    factor = crs.axis_info[0].unit_conversion_factor
    return factor * crs.ellipsoid.semi_major_metre if crs.is_geographic and crs.ellipsoid is not None else factor
