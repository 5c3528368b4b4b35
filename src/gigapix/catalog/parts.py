"""Rows as a table of Arrow's, and the table as a Parquet file.

What follows from a structure is made into Arrow's form once a structure and batch, and taken from there for each row:
of a million rows, most of the columns cost a copy. Parquet's encodings are chosen for the columns that are large.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigapix.catalog.headers import Header
from gigapix.catalog.places import outlines
from gigapix.catalog.rows import TEXTS
from gigapix.catalog.schema import pyarrow, schema, structure

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP: Final = 4_000
"""Rows of a row group: a few hundred bytes each, without headers."""

CHUNK: Final = 1_000
"""Rows that are Python's objects at once, some 10 kB each where no two files are alike."""

_PLAIN: Final = ("header.list.element.data", "tiles.list.element.counts.list.element", "geometry")
"""Leaves without a dictionary: no two values are the same, or another encoding is better."""


def table_of(rows: Sequence[Header], *, headers: bool, tiles: bool) -> pa.Table:
    """Rows as a table of `schema`."""
    pa = pyarrow()
    target = schema(headers=headers, tiles=tiles)
    columns: dict[str, Any] = _structures(rows, target)
    listed = [row.listed for row in rows]
    values = [row.values for row in rows]
    transforms = [each.transform for each in values]
    shapes, boxes = outlines(
        [row.structure.columns.get("crs_wkt") for row in rows], transforms, [row.structure.size for row in rows]
    )
    own: dict[str, list[Any]] = {
        "path": [each.path for each in listed],
        "size": [each.size for each in listed],
        "etag": [each.etag for each in listed],
        "last_modified": [each.modified for each in listed],
        "error_code": [row.error_code for row in rows],
        "error": [row.error for row in rows],
        "requests": [row.requests for row in rows],
        "bytes": [row.received for row in rows],
        "model_pixel_scale": [each.scale for each in values],
        "model_tiepoint": [each.tiepoint for each in values],
        "other_tags": [each.others for each in values],
        "transform": transforms,
        "bounds": [each.bounds for each in values],
        "geometry": shapes,
        "bbox": boxes,
        **{name: [each.texts.get(name) for each in values] for name in TEXTS.values()},
        "store": [row.store for row in rows],
    }
    for name, cells in own.items():
        columns[name] = pa.array(cells, target.field(name).type)
    if headers:
        columns["header"] = _headers(rows, target.field("header").type)
    if tiles:
        columns["tiles"] = _tiles(rows, target.field("tiles").type)
    return pa.table([columns[name] for name in target.names], schema=target)


def _structures(rows: Sequence[Header], target: pa.Schema) -> dict[str, Any]:
    pa = pyarrow()
    names = structure()
    unique = {id(row.structure): row.structure for row in rows}
    place = {key: n for n, key in enumerate(unique)}
    fields = pa.struct([target.field(name) for name in names])
    made = pa.array([dict(each.columns) for each in unique.values()], fields)
    taken = made.take(pa.array([place[id(row.structure)] for row in rows], pa.int64()))
    return dict(zip(names, taken.flatten(), strict=True))


def _headers(rows: Sequence[Header], kind: Any) -> Any:
    pa = pyarrow()
    runs = [run for row in rows for run in row.kept or ()]
    item = kind.value_type
    parts = [pa.array([run[n] for run in runs], item.field(n).type) for n in range(2)]
    return _lists(pa.StructArray.from_arrays(parts, fields=list(item)), [row.kept for row in rows], kind)


def _tiles(rows: Sequence[Header], kind: Any) -> Any:
    """Built from the arrays as they are: as Python's objects they would cost more than all else."""
    pa = pyarrow()
    tables = [table for row in rows for table in row.tables or ()]
    item = kind.value_type
    parts = [pa.array([table.ifd for table in tables], pa.int64())]
    for name, arrays in (("gaps", [t.gaps for t in tables]), ("counts", [t.counts for t in tables])):
        values = np.concatenate([np.empty(0, np.int64), *(each for each in arrays if each is not None)])
        parts.append(_lists(pa.array(values, pa.int64()), arrays, item.field(name).type))
    return _lists(pa.StructArray.from_arrays(parts, fields=list(item)), [row.tables for row in rows], kind)


def _lists(values: Any, lists: Sequence[Any], kind: Any) -> Any:
    """Values as lists of the lengths of `lists`, null where one is None."""
    pa = pyarrow()
    ends = np.cumsum([0, *(0 if each is None else len(each) for each in lists)], dtype=np.int32)
    missing = pa.array([each is None for each in lists], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(ends), values, type=kind, mask=missing)


class Part:
    """A Parquet file in the making: rows are written as they come, a row group at a time."""

    def __init__(self, shape: pa.Schema) -> None:
        import pyarrow.parquet as pq

        leaves = _leaves(shape)
        split = {leaf: "BYTE_STREAM_SPLIT" for leaf in leaves if leaf.startswith("tiles.") and leaf in _PLAIN}
        self._sink = io.BytesIO()
        self._held: list[pa.Table] = []
        self._writer = pq.ParquetWriter(
            self._sink,
            shape,
            compression="zstd",
            use_dictionary=[leaf for leaf in leaves if leaf not in _PLAIN],
            column_encoding=split or None,
        )

    def add(self, table: pa.Table) -> None:
        """Rows behind those that there are."""
        self._held.append(table)
        if sum(each.num_rows for each in self._held) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            table = pyarrow().concat_tables(self._held).unify_dictionaries()
            self._held = []
            self._writer.write_table(table, row_group_size=ROW_GROUP)

    def finished(self, counts: dict[str, int]) -> bytes:
        """The file. `counts` are kept in its metadata, under ``gigapix.counts``."""
        self._flush()
        self._writer.add_key_value_metadata({"gigapix.counts": json.dumps(counts)})
        self._writer.close()
        return self._sink.getvalue()


@lru_cache(maxsize=8)
def _leaves(shape: pa.Schema) -> tuple[str, ...]:
    """The paths of a schema's columns as Parquet has them."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.ParquetWriter(sink, shape).close()
    found = pq.ParquetFile(sink).schema
    return tuple(found.column(n).path for n in range(len(found.names)))
