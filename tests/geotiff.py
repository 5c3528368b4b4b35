"""GeoTIFFs for tests of the geo metadata: written in memory, taken apart by tifffile, read back by rasterio.

rasterio is given the bytes and no path, so that no file beside it (.aux.xml, .tfw) changes what it says.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyproj
import rasterio
import tifffile
from rasterio.io import DatasetReader, DatasetWriter, MemoryFile

from gigapix.formats.tiff.geokeys import GeoKeys, parse

KeyValue = int | float | str | tuple[float, ...]


@contextmanager
def _quiet() -> Iterator[None]:
    """GDAL says on many of these files that they lie nowhere, or that their CRS is odd: that is what they are for."""
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def gdal(data: bytes) -> Iterator[DatasetReader]:
    """rasterio's view of a file in memory."""
    with _quiet(), MemoryFile(data) as memory, memory.open(driver="GTiff") as dataset:
        yield dataset


def written(edit: Callable[[DatasetWriter], None] | None = None, **options: Any) -> bytes:
    """A small file written by GDAL; the options are rasterio's, `edit` may write tags and pixels."""
    defaults = {
        "width": 5,
        "height": 4,
        "count": 1,
        "dtype": "uint8",
        "transform": rasterio.Affine(2, 0, 10, 0, -3, 20),
    }
    with _quiet(), MemoryFile() as memory:
        with memory.open(driver="GTiff", **{**defaults, **options}) as dataset:
            if edit is not None:
                edit(dataset)
        return bytes(memory.getbuffer())


def tagged(dtype: str = "u1", tags: Mapping[int, Any] = {}, **options: Any) -> bytes:
    """A small file written by tifffile with further tags: text as ASCII, everything else as DOUBLEs."""
    extra = []
    for code, value in tags.items():
        if isinstance(value, str):
            encoded = value.encode() + b"\0"
            extra.append((code, 2, len(encoded), encoded, True))
        elif code == 34735:
            extra.append((code, 3, len(value), tuple(value), True))
        else:
            extra.append((code, 12, len(value), tuple(float(number) for number in value), True))
    memory = io.BytesIO()
    settings = {"photometric": "minisblack", "metadata": None} | options
    tifffile.imwrite(memory, np.zeros((4, 5), dtype), extratags=extra, **settings)
    return memory.getvalue()


def keyed(values: Mapping[int, KeyValue], minor: int = 1) -> bytes:
    """A small file with these GeoKeys, of GeoTIFF 1.`minor`."""
    rows: list[tuple[int, int, int, int]] = []
    doubles: list[float] = []
    text = ""
    for key, value in sorted(values.items()):
        if isinstance(value, int):
            rows.append((key, 0, 1, value))
        elif isinstance(value, str):
            rows.append((key, 34737, len(value) + 1, len(text)))
            text += value + "|"
        else:
            numbers = value if isinstance(value, tuple) else (value,)
            rows.append((key, 34736, len(numbers), len(doubles)))
            doubles.extend(numbers)
    tags: dict[int, Any] = {34735: (1, 1, minor, len(rows), *(number for row in rows for number in row))}
    if doubles:
        tags[34736] = doubles
    if text:
        tags[34737] = text
    return tagged(tags=tags)


def tags_of(data: bytes) -> dict[int, Any]:
    """The tags of the first image, by number."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags}  # type: ignore[union-attr]


def keys_of(data: bytes) -> GeoKeys:
    """The GeoKeys of the first image."""
    tags = tags_of(data)
    doubles = tags.get(34736, ())
    return parse(tags.get(34735, ()), doubles if isinstance(doubles, tuple) else (doubles,), tags.get(34737, ""))


def crs_of_gdal(data: bytes) -> pyproj.CRS | None:
    """rasterio's CRS of the image, or of its ground control points."""
    with gdal(data) as dataset:
        found = dataset.crs or dataset.gcps[1]
        return pyproj.CRS.from_user_input(found) if found else None
