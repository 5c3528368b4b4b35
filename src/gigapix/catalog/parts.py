"""Rows as a table of Arrow's, and the table as a Parquet file.

What follows from a structure is made into Arrow's form once a structure and batch, and taken from there for each row:
of a million rows, most of the columns cost a copy. Parquet's encodings are chosen for the columns that are large.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.catalog.headers import Header
from gigapix.catalog.outputs import Folder
from gigapix.catalog.places import outlines
from gigapix.catalog.schema import pyarrow, schema, structure
from gigapix.catalog.sizes import COLUMNS, Sizes, ranges
from gigapix.catalog.transforms import transforms_of
from gigapix.catalog.values import TEXTS

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP: Final = 4_000
"""Rows of a row group: a few hundred bytes each, without headers."""

_PLAIN: Final = ("header.list.element.data", "tiles.list.element.counts.list.element", "geometry")
"""Leaves without a dictionary: no two values are the same, or another encoding is better."""


_SORTED: Final = (
    "store", "path", "size", "last_modified", "error_code", "compression", "image_height", "image_width", "crs",
    "bbox.xmin", "bbox.ymin", "bbox.xmax", "bbox.ymax",
)  # fmt: skip
"""Leaves that are filtered by: of these a row group tells the least and the greatest value."""


def table_of(rows: Sequence[Header], *, headers: bool, tiles: bool) -> pa.Table:
    """Rows as a table of `schema`."""
    pa = pyarrow()
    target = schema(headers=headers, tiles=tiles)
    columns, extent = _structures(rows, target)
    listed = [row.listed for row in rows]
    values = [row.values for row in rows]
    own: dict[str, list[Any]] = {
        "path": [each.path for each in listed],
        "size": [each.size for each in listed],
        "etag": [each.etag for each in listed],
        "last_modified": [each.modified for each in listed],
        "error_code": [row.error_code for row in rows],
        "error": [row.error for row in rows],
        "requests": [row.requests for row in rows],
        "bytes": [row.received for row in rows],
        **{name: [each.texts.get(name) for each in values] for name in TEXTS.values()},
        "store": [row.store for row in rows],
    }
    for name, cells in own.items():
        columns[name] = pa.array(cells, target.field(name).type)
    columns["other_tags"] = _repeated([each.others for each in values], target.field("other_tags").type)
    columns |= _places(rows, extent, target)
    if headers:
        columns["header"] = _headers(rows, target.field("header").type)
    if tiles:
        columns["tiles"] = _tiles(rows, target.field("tiles").type)
    return pa.table([columns[name] for name in target.names], schema=target)


def _structures(rows: Sequence[Header], target: pa.Schema) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The columns that follow from structures and sizes, and (width, height) of each row."""
    pa = pyarrow()
    unique: dict[int, int] = {}
    which = np.array([unique.setdefault(id(row.structure), len(unique)) for row in rows], np.int64)
    firsts = {n: row.structure for n, row in zip(which.tolist(), rows, strict=True)}
    structures = [firsts[n] for n in range(len(firsts))]
    sizes = Sizes(
        [row.facts for row in rows],
        which,
        [each.dims for each in structures],
        [len(each.columns.get("ifds", ())) for each in structures],
    )
    names = [name for name in structure() if name not in (*COLUMNS, "ifds")]
    fields = pa.struct([target.field(name) for name in names])
    shared = pa.array([dict(each.columns) for each in structures], fields).take(pa.array(which))
    ifds = pa.array([each.columns.get("ifds") for each in structures], target.field("ifds").type)
    columns = {**dict(zip(names, shared.flatten(), strict=True)), **sizes.columns()}
    columns["ifds"] = _directories(ifds, which, sizes)
    return columns, sizes.extent()


def _directories(ifds: Any, which: NDArray[np.int64], sizes: Sizes) -> Any:
    """The directories of each row: those of its structure, with sizes of their own."""
    pa = pyarrow()
    starts = ifds.offsets.to_numpy().astype(np.int64)[:-1][which]
    items = ifds.values.take(pa.array(ranges(starts, sizes.ifds)))
    own, kind = sizes.of_ifds(), ifds.type.value_type
    parts = [own.get(field.name, part) for field, part in zip(kind, items.flatten(), strict=True)]
    ends = np.concatenate((np.zeros(1, np.int32), np.cumsum(sizes.ifds, dtype=np.int32)))
    merged = pa.StructArray.from_arrays(parts, fields=list(kind))
    return pa.ListArray.from_arrays(pa.array(ends), merged, type=ifds.type, mask=pa.array(~sizes.known))


def _repeated(cells: Sequence[Any], kind: Any) -> Any:
    """An array of cells, of which many are the same object: each is made into Arrow's form once."""
    pa = pyarrow()
    unique: dict[int, int] = {}
    places = [unique.setdefault(id(cell), len(unique)) for cell in cells]
    firsts = dict(zip(places, cells, strict=True))
    array = pa.array([firsts[n] for n in range(len(firsts))], kind)
    return array.take(pa.array(places, pa.int64())) if len(firsts) < len(cells) else array


def _places(rows: Sequence[Header], extent: NDArray[np.float64], target: pa.Schema) -> dict[str, Any]:
    """Where images lie. The files of a scene lie at the same place, which is worked out once."""
    pa = pyarrow()
    unique: dict[Any, int] = {}
    places = np.empty(len(rows), np.int64)
    for n, row in enumerate(rows):
        _, scale, tiepoint, matrix, _ = row.values
        # The shape of level 0, of files that share a structure: those of `templates`, which have three axes.
        places[n] = unique.setdefault((scale, tiepoint, matrix, id(row.structure), row.facts[8:32]), n)
    which, places = np.unique(places, return_inverse=True)
    firsts, sizes = [rows[n] for n in which.tolist()], extent[which]
    transforms, bounds, placed = transforms_of(firsts, sizes)
    systems = [row.structure.columns.get("crs_wkt") for row in firsts]
    shapes, boxes = outlines(
        [wkt if lies else None for wkt, lies in zip(systems, placed.tolist(), strict=True)],
        transforms,
        sizes,
    )
    outside = pa.array(np.isnan(boxes[:, 0]))
    columns = {
        "model_pixel_scale": _numbers([row.values.scale for row in firsts]),
        "model_tiepoint": _numbers([row.values.tiepoint for row in firsts]),
        "transform": _equal_lists(transforms, ~placed),
        "bounds": _equal_lists(bounds, ~placed),
        "geometry": pa.array(shapes, pa.binary()),
        "bbox": pa.StructArray.from_arrays(
            [pa.array(side) for side in boxes.T], fields=list(target.field("bbox").type), mask=outside
        ),
    }
    if len(firsts) == len(rows):
        return columns
    taken = pa.StructArray.from_arrays(list(columns.values()), names=list(columns)).take(pa.array(places))
    return dict(zip(columns, taken.flatten(), strict=True))


def _numbers(lists: Sequence[Sequence[float] | None]) -> Any:
    pa = pyarrow()
    flat = np.fromiter(chain.from_iterable(each for each in lists if each is not None), float)
    return _lists(pa.array(flat), lists, pa.list_(pa.float64()))


def _equal_lists(values: NDArray[Any], missing: NDArray[np.bool_]) -> Any:
    """The rows of a matrix as lists, null where they are `missing`."""
    pa = pyarrow()
    ends = np.concatenate(([0], np.cumsum(np.where(missing, 0, values.shape[1])))).astype(np.int32)
    flat = pa.array(values[~missing].ravel())
    return pa.ListArray.from_arrays(pa.array(ends), flat, mask=pa.array(missing))


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
            write_statistics=list(_SORTED),
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


def counts_of(folder: Folder, part: str, size: int) -> dict[str, int]:
    """What `Part.finished` was told of a part of `size` bytes that is there: its footer is read, and no more."""
    import pyarrow.parquet as pq

    length = int.from_bytes(folder.read_range(part, size - 8, 4), "little") + 8
    footer = b"PAR1" + folder.read_range(part, size - length, length)
    metadata = pq.read_metadata(io.BytesIO(footer)).metadata or {}
    return {"errors": 0, **json.loads(metadata.get(b"gigapix.counts", b"{}"))}


@lru_cache(maxsize=8)
def _leaves(shape: pa.Schema) -> tuple[str, ...]:
    """The paths of a schema's columns as Parquet has them."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.ParquetWriter(sink, shape).close()
    found = pq.ParquetFile(sink).schema
    return tuple(found.column(n).path for n in range(len(found.names)))
