"""Transform, control points and bounds, in every combination of their tags, against rasterio."""

import itertools

import pytest
from affine import Affine

from gigapix.image import geo
from tests.geotiff import gdal, tagged

SCALES = [None, (2, 3, 0), (2, 3), (2,), (0, 3, 0), (2, 0, 0), (2, -3, 0), (-2, 3, 0)]
TIEPOINTS = [
    None,
    (1, 2, 0, 100, 200, 5),
    (1, 2, 0, 100, 200),
    (0, 0, 0, 100, 200, 0, 4, 0, 0, 110, 200, 1, 0, 3, 0, 100, 190, 2),
    (0, 0, 0, 1, 2, 3, 4),
]
MATRICES = [
    None,
    (1, 2, 0, 100, 3, -4, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1),
    (10, 0, 0, 100, 0, 10, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1),
    (1, 2, 0, 100, 3, -4, 0, 200, 0, 0, 0, 0),
]
Tag = tuple[float, ...] | None


@pytest.mark.parametrize("raster_type", ["area", "point"])
@pytest.mark.parametrize("scale", SCALES)
def test_place_is_rasterios(scale: Tag, raster_type: str) -> None:
    for tiepoints, matrix in itertools.product(TIEPOINTS, MATRICES):
        tags = {33550: scale, 33922: tiepoints, 34264: matrix}
        keys = {34735: (1, 1, 0, 2, 1024, 0, 1, 2, 1025, 0, 1, 2 if raster_type == "point" else 1)}
        found = geo.transform_of(scale, tiepoints, matrix, raster_type)
        points = () if found is not None else geo.gcps_of(tiepoints, raster_type)
        transform = Affine.identity() if found is None else found
        with gdal(tagged(tags=keys | {code: value for code, value in tags.items() if value})) as dataset:
            assert transform == dataset.transform
            assert geo.bounds_of(transform, 5, 4) == tuple(dataset.bounds)
            assert [(p.row, p.col, p.x, p.y, p.z, p.id) for p in points] == [
                (p.row, p.col, p.x, p.y, p.z, p.id) for p in dataset.gcps[0]
            ]


def test_no_tags_no_place() -> None:
    assert geo.transform_of(None, None, None, "area") is None
    assert geo.transform_of((), (), (), "area") is None
    assert geo.gcps_of(None, "area") == geo.gcps_of((), "area") == ()
