"""References as kerchunk writes them, which fsspec shows as a file system ("reference"): one JSON text, or Parquet.

The JSON text is written as it is made. Parquet is a folder: ``.zmetadata``, and for each array files of `RECORD` rows,
one a chunk in C order of their grid, so that a reader loads what it needs. fsspec knows the grids of Zarr v2 alone: so
chunks are named as v2 names them (a chunk key encoding of v3), and for each array ``.zarray`` tells fsspec, and nobody
else, the shape and the chunks. A row can't be left out, and pandas 3 reads one that names no file as a fault: an array
with sparse segments has the codec ``gigapix.tiff``, and rows that say so in place of a reference.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import replace
from typing import IO, Any, Final

import numpy as np

from gigapix.errors import MissingExtraError
from gigapix.pyramids.folders import Folder
from gigapix.views.chains import SPARSE, own_chain
from gigapix.views.references import ReferenceArray, References
from gigapix.views.references_places import beside

RECORD: Final = 10000
"""Rows of a Parquet file, as kerchunk has it."""

_ROW: Final = np.dtype([("file", "<i4"), ("offset", "<i8"), ("size", "<i8")])
"""`file` is the number of a file, from 1; 0 where the chunk is sparse."""


def write_json(references: References, url: str, out: IO[str]) -> int:
    """Write one JSON text. Returns the number of references."""
    out.write('{"version": 1, "refs": {\n')
    documents = references.documents()
    out.write(",\n".join(f"{_text(key)}: {_text(_text(document))}" for key, document in documents.items()))
    count = 0
    for each in references.arrays:
        for batch in references.batches(each):
            file = _text(beside(url, batch.file))
            for chunk, offset, size in zip(
                batch.chunks.tolist(), batch.offsets.tolist(), batch.lengths.tolist(), strict=True
            ):
                out.write(f',\n"{each.array.path}/c/{"/".join(map(str, chunk))}": [{file}, {offset}, {size}]')
            count += len(batch.offsets)
    out.write("\n}}\n")
    return count


def write_parquet(references: References, url: str, folder: Folder) -> int:
    """Write a folder of Parquet files. Returns the number of references. Raises MissingExtraError without pyarrow."""
    arrays, count = [], 0
    grids: dict[str, Any] = {}
    for each in references.arrays:
        written, sparse = _write_array(references, each, url, folder)
        mask = each.array.kind == "mask"
        arrays.append(replace(each, chain=own_chain(each.spec, each.spec.encoding, mask=mask)) if sparse else each)
        grids[f"{each.array.path}/.zarray"] = {"shape": each.array.shape, "chunks": each.array.chunks}
        count += written
    documents = replace(references, arrays=tuple(arrays)).documents()
    for each in arrays:
        keys = {"name": "v2", "configuration": {"separator": "."}}
        documents[f"{each.array.path}/zarr.json"]["chunk_key_encoding"] = keys
    folder.put(".zmetadata", _text({"metadata": documents | grids, "record_size": RECORD}).encode())
    return count


def _write_array(references: References, each: ReferenceArray, url: str, folder: Folder) -> tuple[int, bool]:
    """The number of references, and whether there are sparse segments beside them.

    Segments come in the file's order and rows go by the order of the grid: between the two is a file on disk.
    """
    total = math.prod(each.array.grid)
    files: dict[str, int] = {}
    with tempfile.TemporaryFile() as file:
        file.truncate(total * _ROW.itemsize)
        rows = np.memmap(file, _ROW, "r+", shape=(total,))
        for batch in references.batches(each):
            numbers = np.ravel_multi_index(tuple(batch.chunks.T), each.array.grid)
            rows["file"][numbers] = files.setdefault(batch.file, len(files) + 1)
            rows["offset"][numbers] = batch.offsets
            rows["size"][numbers] = batch.lengths
        urls = [None, *(beside(url, name) for name in files)]
        count = 0
        for first in range(0, total, RECORD):
            record = rows[first : first + RECORD]
            count += int(np.count_nonzero(record["file"]))
            folder.put(f"{each.array.path}/refs.{first // RECORD}.parq", _parquet(record, urls))
    return count, count < total


def _parquet(record: Any, urls: list[str | None]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow: pip install 'gigapix[catalog]'") from error
    held = record["file"] > 0
    columns = {
        "path": pa.DictionaryArray.from_arrays(pa.array(record["file"]), pa.array(urls, pa.string())).cast(pa.string()),
        "offset": pa.array(record["offset"]),
        "size": pa.array(record["size"]),
    }
    if not held.all():
        columns["raw"] = pa.array([None if each else SPARSE for each in held], pa.binary())
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), out, compression="zstd", write_statistics=False)
    return bytes(out.getvalue())


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
