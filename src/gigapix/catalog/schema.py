"""The table: its columns, their types, and what stands in the metadata of its Parquet files.

The schema is written down and not inferred, so that it is the same for every file of every run, whatever the images
are. Columns are only ever added; `VERSION` then grows by one. The columns under "as tiff-dumper has them" carry its
names and its values, with types that do not depend on the files: what it stores as a struct with a field a tag found
is here a map.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from gigapix.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa

VERSION: Final = 1

GEOKEYS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType({
    "citation": (1026, "string"), "geog_angular_unit_size": (2055, "double"), "geog_angular_units": (2054, "int64"),
    "geog_azimuth_units": (2060, "int64"), "geog_citation": (2049, "string"), "geog_ellipsoid": (2056, "int64"),
    "geog_geodetic_datum": (2050, "int64"), "geog_inv_flattening": (2059, "double"),
    "geog_linear_unit_size": (2053, "double"), "geog_linear_units": (2052, "int64"),
    "geog_prime_meridian": (2051, "int64"), "geog_prime_meridian_long": (2061, "double"),
    "geog_semi_major_axis": (2057, "double"), "geog_semi_minor_axis": (2058, "double"),
    "geographic_type": (2048, "int64"), "model_type": (1024, "int64"), "proj_azimuth_angle": (3094, "double"),
    "proj_center_easting": (3090, "double"), "proj_center_lat": (3089, "double"), "proj_center_long": (3088, "double"),
    "proj_center_northing": (3091, "double"), "proj_citation": (3073, "string"), "proj_coord_trans": (3075, "int64"),
    "proj_false_easting": (3082, "double"), "proj_false_northing": (3083, "double"),
    "proj_false_origin_easting": (3086, "double"), "proj_false_origin_lat": (3085, "double"),
    "proj_false_origin_long": (3084, "double"), "proj_false_origin_northing": (3087, "double"),
    "proj_linear_unit_size": (3077, "double"), "proj_linear_units": (3076, "int64"),
    "proj_nat_origin_lat": (3081, "double"), "proj_nat_origin_long": (3080, "double"),
    "proj_scale_at_center": (3093, "double"), "proj_scale_at_nat_origin": (3092, "double"),
    "proj_std_parallel1": (3078, "double"), "proj_std_parallel2": (3079, "double"),
    "proj_straight_vert_pole_long": (3095, "double"), "projected_type": (3072, "int64"), "projection": (3074, "int64"),
    "raster_type": (1025, "int64"), "vertical": (4096, "int64"), "vertical_citation": (4097, "string"),
    "vertical_datum": (4098, "int64"), "vertical_units": (4099, "int64"),
})  # fmt: skip
"""tiff-dumper's name of a GeoKey to its number and the type of its value."""

OBJECT: Final = ("store", "path", "size", "etag", "last_modified", "error_code", "error", "requests", "bytes")
"""Columns that every row has, whatever the object holds: known from the listing and from reading it."""

FILE: Final = (
    "image_description", "date_time", "software", "document_name", "artist", "host_computer", "copyright",
    "model_pixel_scale", "model_tiepoint", "other_tags", "transform", "bounds", "geometry", "bbox", "header", "tiles",
)  # fmt: skip
"""Columns whose values differ from file to file of the same structure; the remaining ones are `structure`'s."""


def pyarrow() -> Any:
    """The module, or MissingExtraError."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("a catalogue needs pyarrow: pip install 'gigapix[catalog]'") from error
    return pa


@lru_cache(maxsize=4)  # milliseconds, asked for by each thousand rows
def schema(*, headers: bool = True, tiles: bool = True) -> pa.Schema:
    """The schema of a catalogue, without the columns that were not chosen."""
    pa = pyarrow()
    text, i64, f64 = pa.string(), pa.int64(), pa.float64()
    ints, numbers = pa.list_(i64), pa.list_(f64)
    ifd = pa.struct([
        ("offset", i64), ("parent", i64), ("kind", text), ("image_width", i64), ("image_height", i64),
        ("image_depth", i64), ("new_subfile_type", i64), ("samples_per_pixel", i64), ("bits_per_sample", ints),
        ("sample_format", ints), ("compression", i64), ("predictor", i64), ("photometric_interpretation", i64),
        ("planar_configuration", i64), ("extra_samples", ints), ("tile_width", i64), ("tile_height", i64),
        ("rows_per_strip", i64), ("nodata", text), ("segments", i64),
    ])  # fmt: skip
    box = pa.struct([(name, f64) for name in ("xmin", "ymin", "xmax", "ymax")])
    columns = [
        # The object, as it was listed, and how reading it went
        ("store", text), ("path", text), ("size", i64), ("etag", text), ("last_modified", pa.timestamp("us", "UTC")),
        ("format", text), ("error_code", text), ("error", text), ("requests", i64), ("bytes", i64),
        # As tiff-dumper has them
        ("artist", text), ("bits_per_sample", ints), ("compression", i64), ("copyright", text), ("date_time", text),
        ("document_name", text), ("extra_samples", ints),
        ("geokeys", pa.struct([(name, pa.type_for_alias(kind)) for name, (_, kind) in GEOKEYS.items()])),
        ("host_computer", text), ("image_description", text), ("image_height", i64), ("image_width", i64),
        ("jpeg_tables", pa.binary()), ("max_sample_value", ints), ("min_sample_value", ints),
        ("model_pixel_scale", numbers), ("model_tiepoint", numbers), ("new_subfile_type", i64), ("orientation", i64),
        ("other_tags", pa.map_(text, text)), ("photometric_interpretation", i64), ("planar_configuration", i64),
        ("predictor", i64), ("resolution_unit", i64), ("rows_per_strip", i64), ("sample_format", ints),
        ("samples_per_pixel", i64), ("software", text), ("tile_height", i64), ("tile_width", i64),
        ("x_resolution", f64), ("y_resolution", f64),
        # The image
        ("kind", text), ("name", text), ("layout", text), ("byte_order", text), ("axes", text), ("shape", ints),
        ("dtype", text), ("bands", i64), ("levels", i64), ("level_shapes", pa.list_(ints)), ("mask", pa.bool_()),
        ("nodata", f64), ("channels", pa.list_(text)),
        ("pixel_size", pa.list_(pa.struct([("axis", text), ("value", f64), ("unit", text)]))),
        ("problems", pa.list_(text)), ("ifds", pa.list_(ifd)), ("ifds_complete", pa.bool_()), ("header_bytes", i64),
        # Where it lies
        ("crs", text), ("crs_wkt", pa.dictionary(pa.int32(), text)), ("transform", numbers), ("bounds", numbers),
        ("geometry", pa.binary()), ("bbox", box),
    ]  # fmt: skip
    if headers:
        columns.append(("header", pa.list_(pa.struct([("offset", i64), ("data", pa.binary())]))))
    if tiles:
        tables = pa.struct([("ifd", i64), ("gaps", ints), ("counts", ints)])
        columns.append(("tiles", pa.list_(tables)))
    return pa.schema(columns, metadata={"gigapix": json.dumps({"schema": VERSION}), "geo": json.dumps(geo())})


@lru_cache(maxsize=1)
def structure() -> tuple[str, ...]:
    """Columns whose values follow from a file's structure alone."""
    return tuple(name for name in schema().names if name not in (*OBJECT, *FILE))


def geo() -> Mapping[str, Any]:
    """GeoParquet 1.1: longitude and latitude on WGS 84 (OGC:CRS84, the default), with bbox as covering."""
    covering = {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}}
    column = {"encoding": "WKB", "geometry_types": ["MultiPolygon", "Polygon"], "covering": covering}
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
