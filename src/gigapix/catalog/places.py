"""Where images lie on the Earth: codes and texts of their systems, and their outlines in longitude and latitude.

An outline is the image's edge with three points between each two corners, projected. PROJ is asked once for all images
of a system in a batch. Longitudes that leap mean that the outline crosses the antimeridian, where it is cut in two, or
goes round a pole, which it then contains; GeoParquet says of the first that the bbox's xmin is greater than its xmax.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.formats.tiff import geokeys

Box = tuple[float, float, float, float]

Ring = list[tuple[float, float]]

EDGE: Final = np.array([0.0, 0.25, 0.5, 0.75])
"""Where on an edge points are taken. In a projection of the whole Earth they lie 90 degrees apart, which is no leap."""

_COLUMNS: Final = np.concatenate((EDGE, np.ones(4), 1 - EDGE, np.zeros(4)))
_ROWS: Final = np.concatenate((np.zeros(4), EDGE, np.ones(4), 1 - EDGE))


def crs_of(directory: tuple[int, ...], doubles: tuple[float, ...], text: str) -> tuple[str | None, str | None]:
    """The code ("EPSG:32632") and the WKT 2 of GeoKeys; None for what they don't give, or PROJ does not know."""
    from gigapix.image.crs import crs_of as crs_of_keys

    keys = geokeys.parse(directory, doubles, text)
    crs = crs_of_keys(keys)
    code = keys.epsg or (crs.to_epsg() if crs is not None else None)
    return f"EPSG:{code}" if code else None, crs.to_wkt("WKT2_2019") if crs is not None else None


def outlines(
    systems: Sequence[str | None], transforms: NDArray[Any], sizes: NDArray[Any]
) -> tuple[list[bytes | None], NDArray[Any]]:
    """The outlines of images as WKB, None where one has no place on the Earth, and their boxes, NaN there.

    systems: WKT. transforms: six numbers a row. sizes: (width, height). The boxes have (west, south, east, north).
    """
    shapes: list[bytes | None] = [None] * len(systems)
    boxes = np.full((len(systems), 4), np.nan)
    groups: dict[str, list[int]] = {}
    for place, wkt in enumerate(systems):
        if wkt is not None:
            groups.setdefault(wkt, []).append(place)
    for wkt, places in groups.items():
        lon, lat = _projected(wkt, transforms[places], sizes[places])
        lon[~np.isfinite(lon)] = np.nan  # PROJ's way to say that a point is outside
        sound = np.isfinite(lon).all(1) & np.isfinite(lat).all(1) & (np.abs(lat) <= 90 + 1e-9).all(1)
        whole = sound & (np.abs(np.diff(lon, axis=1, append=lon[:, :1])) <= 180).all(1) & (np.abs(lon) <= 180).all(1)
        rings = np.stack((lon, lat), -1)
        rings = np.concatenate((rings, rings[:, :1]), 1).astype("<f8")
        bounds = np.stack((lon.min(1), lat.min(1), lon.max(1), lat.max(1)), 1)
        boxes[np.array(places)[whole]] = bounds[whole]
        head, points, step = struct.pack("<BIII", 1, 3, 1, rings.shape[1]), rings.tobytes(), rings[0].nbytes
        for n, (place, is_whole, is_sound) in enumerate(zip(places, whole.tolist(), sound.tolist(), strict=True)):
            if is_whole:
                shapes[place] = head + points[n * step : (n + 1) * step]
            elif is_sound:
                shapes[place], boxes[place] = _leaping(lon[n], lat[n])
    return shapes, boxes


def _projected(wkt: str, transforms: NDArray[Any], sizes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    cols, rows = sizes[:, :1] * _COLUMNS, sizes[:, 1:] * _ROWS
    a, b, c, d, e, f = (column[:, None] for column in transforms.T)
    transformer = _transformer(wkt)
    if transformer is None:
        return cols * np.nan, rows * np.nan
    lon, lat = transformer.transform(a * cols + b * rows + c, d * cols + e * rows + f)
    return lon, lat


@lru_cache(maxsize=256)
def _transformer(wkt: str) -> Any:
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    try:
        crs = CRS.from_wkt(wkt)
        return Transformer.from_crs(crs.to_2d(), "OGC:CRS84", always_xy=True)
    except ProjError:
        return None


def _leaping(lon: NDArray[Any], lat: NDArray[Any]) -> tuple[bytes, Box]:
    """An outline whose longitudes leap: cut at the antimeridian, or closed over the pole."""
    turns = (np.diff(lon, append=lon[:1]) + 180) % 360 - 180
    unrolled = lon[0] + np.concatenate(([0], np.cumsum(turns[:-1])))
    if abs(turns.sum()) > 180:
        return _around_pole(unrolled, lat, float(turns.sum()))
    unrolled -= 360 * np.floor((unrolled.min() + 180) / 360)
    ring = list(zip(unrolled.tolist(), lat.tolist(), strict=True))
    west, east = _clipped(ring, 180.0, 1), _clipped(ring, 180.0, -1)
    polygons = [west, [(x - 360, y) for x, y in east]] if len(east) > 2 else [west]
    box = (unrolled.min(), lat.min(), unrolled.max() - 360 if len(east) > 2 else unrolled.max(), lat.max())
    return _multipolygon(polygons), (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _around_pole(unrolled: NDArray[Any], lat: NDArray[Any], turn: float) -> tuple[bytes, Box]:
    pole = 90.0 if lat.mean() > 0 else -90.0
    points = sorted(zip(((unrolled + 180) % 360 - 180).tolist(), lat.tolist(), strict=True))
    edge = points[0][1]
    ring = [(-180.0, edge), *points, (180.0, edge), (180.0, pole), (-180.0, pole)]
    low, high = min(pole, float(lat.min())), max(pole, float(lat.max()))
    return _multipolygon([ring]), (-180.0, low, 180.0, high)


def _clipped(ring: Ring, x: float, side: int) -> Ring:
    """The part of a ring on one side of a meridian: to its west where `side` is 1 (Sutherland and Hodgman)."""
    found: Ring = []
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (x - x0) * side >= 0:
            found.append((x0, y0))
        if (x - x0) * (x - x1) < 0:
            found.append((x, y0 + (y1 - y0) * (x - x0) / (x1 - x0)))
    return found


def _multipolygon(rings: Sequence[Ring]) -> bytes:
    parts = []
    for ring in rings:
        closed = [*ring, ring[0]]
        points = [value for point in closed for value in point]
        parts.append(struct.pack(f"<BIII{len(points)}d", 1, 3, 1, len(closed), *points))
    return parts[0] if len(parts) == 1 else struct.pack("<BII", 1, 6, len(parts)) + b"".join(parts)
