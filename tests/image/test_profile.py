"""The profile, and all that goes into it, against rasterio: of files that GDAL writes, and of the corpus."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.errors import RasterioError

import gigapix
from gigapix.errors import GigapixError
from gigapix.image.profile import profile_of
from tests.geotiff import gdal, tags_of, written


def profile_of_tags(data: bytes) -> dict[str, Any]:
    """The profile of a file without geo tags and nodata, from what tifffile finds in it."""
    tags = tags_of(data)

    def first(code: int, default: int) -> int:
        value = tags.get(code, default)
        return int(value[0] if isinstance(value, tuple) else value)

    return profile_of(
        width=tags[256],
        height=tags[257],
        samples=first(277, 1),
        bits=first(258, 1),
        sample_format=first(339, 1),
        photometric=first(262, 1),
        compression=first(259, 1),
        planar=first(284, 1) == 2,
        tile=(tags[323], tags[322]) if 322 in tags else None,
        rows_per_strip=tags.get(278),
        nodata=None,
        crs=None,
        transform=None,
        lerc_parameters=tags.get(50674, ()),
    )


TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float32", "float64", "complex64", "complex128", "complex_int16"]
LAYOUTS = [(1, "pixel"), (3, "pixel"), (3, "band"), (2, "band")]
COMPRESSIONS = [None, "deflate", "lzw", "zstd", "packbits", "lzma", "lerc", "lerc_deflate", "lerc_zstd"]
BITS = [None, 1, 2, 4, 7, 12]


def same(data: bytes) -> bool:
    ours = profile_of_tags(data)
    with gdal(data) as dataset:
        theirs = dict(dataset.profile)
    theirs["transform"] = Affine.identity()
    return list(ours.items()) == list(theirs.items())


@pytest.mark.parametrize("dtype", TYPES)
def test_types_and_compressions(dtype: str) -> None:
    for (count, interleave), compression, tiled in itertools.product(LAYOUTS, COMPRESSIONS, (False, True)):
        if (compression or "").startswith("lerc") and dtype not in {"uint8", "int16", "float32"}:
            continue
        options: dict[str, Any] = {"dtype": dtype, "count": count, "interleave": interleave, "width": 70, "height": 50}
        options |= {"compress": compression} if compression else {}
        options |= {"tiled": True, "blockxsize": 32, "blockysize": 16} if tiled else {}
        assert same(written(_black, **options)), options


@pytest.mark.parametrize(
    ("width", "height", "rows"),
    [
        (10, 3000, 3000),
        (3000, 10, 10),
        (10, 3000, 1),
        (10, 3000, 7),
        (9000, 3, 3),
        (1, 1, 1),
        (5, 5, 500),
        (10, 2000, 2000),
    ],
)
def test_blocks_as_libtiff_cuts_them(width: int, height: int, rows: int) -> None:
    for compression, count, interleave, bits in itertools.product((None, "deflate"), (1, 3), ("pixel", "band"), BITS):
        options: dict[str, Any] = {"width": width, "height": height, "blockysize": rows, "interleave": interleave}
        options |= {"count": count, "dtype": "uint16" if bits == 12 else "uint8"}
        options |= {"compress": compression} if compression else {}
        options |= {"nbits": bits} if bits else {}
        assert same(written(_black, **options)), options


PHOTOMETRIC = [
    ("MINISBLACK", 1),
    ("MINISWHITE", 1),
    ("RGB", 3),
    ("CMYK", 4),
    ("YCBCR", 3),
    ("CIELAB", 4),
    ("ICCLAB", 3),
]


@pytest.mark.parametrize(("photometric", "count"), PHOTOMETRIC)
def test_photometric(photometric: str, count: int) -> None:
    for dtype, compression in itertools.product(("uint8", "uint16"), (None, "jpeg", "lzw")):
        if compression == "jpeg" and (dtype, photometric) not in {
            ("uint8", "CMYK"),
            ("uint8", "YCBCR"),
            ("uint8", "RGB"),
        }:
            continue
        if photometric == "YCBCR" and compression != "jpeg":
            continue
        options = {"compress": compression} if compression else {}
        assert same(written(_black, photometric=photometric, count=count, dtype=dtype, **options)), options


@pytest.mark.parametrize(
    ("compression", "count", "nbits"), [("ccittrle", 1, 1), ("ccittfax3", 1, 1), ("ccittfax4", 1, 1), ("webp", 3, 8)]
)
def test_other_compressions(compression: str, count: int, nbits: int) -> None:
    assert same(written(_black, width=32, height=40, compress=compression, count=count, nbits=nbits))


def _black(dataset: Any) -> None:
    dataset.write(np.zeros((dataset.count, dataset.height, dataset.width), _numpy(dataset.dtypes[0])))


def _numpy(dtype: str) -> str:
    return "complex64" if dtype == "complex_int16" else dtype


CONVERTED = {"cmyk", "cielab"}
"""Of these GDAL makes red, green, blue and alpha, where gigapix gives what is stored."""


def test_the_corpus(corpus: Path) -> None:
    compared = 0
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        data = path.read_bytes()
        try:
            with gdal(data) as dataset:
                theirs = dict(dataset.profile)
                bounds = tuple(dataset.bounds)
                points = len(dataset.gcps[0])
        except RasterioError:  # nothing to equal
            continue
        try:
            image = gigapix.open(data)
        except GigapixError:
            continue
        with image:
            ours = dict(image.profile)
            assert image.bounds == bounds, path
            assert len(image.gcps) == points or "crash" in path.name, path
        left, right = ours.pop("crs"), theirs.pop("crs")
        assert (left is None) == (right is None), path
        if left is not None:
            assert left.equals(type(left).from_user_input(right), ignore_axis_order=True), path
        if ours.get("photometric") in CONVERTED:
            for profile in (ours, theirs):
                del profile["count"], profile["dtype"]
        for profile in (ours, theirs):
            profile["dtype"] = {"float16": "float32"}.get(profile.get("dtype"), profile.get("dtype"))  # GDAL 3.11 on
            profile["nodata"] = "nan" if math.isnan(profile["nodata"] or 0) else profile["nodata"]
        assert ours == theirs, path
        compared += 1
    assert compared > 500
