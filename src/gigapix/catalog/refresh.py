"""Refreshing a catalogue: rows of objects that have not changed are taken over, and not read again.

An object has not changed where its ETag and size are the listed ones. Rows with an error are never taken over: the next
try may do better. Old parts are in the order of their listing, so that of each only the row groups are read whose range
of paths meets the shard's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gigapix.catalog.headers import Listed
from gigapix.catalog.outputs import Folder
from gigapix.catalog.schema import pyarrow


def rows_that_hold(known: Folder, root: str, listed: Sequence[Listed], shape: Any) -> Any:
    """The rows of an older catalogue that hold for objects as they are listed now, as a table of `shape`."""
    pa = pyarrow()
    import pyarrow.compute as pc

    from gigapix.catalog.catalog import dataset_of

    wanted = {each.path: each for each in listed}
    paths = sorted(wanted)
    old = dataset_of(known)
    missing = [name for name in shape.names if name not in old.schema.names]
    if not paths or missing:  # a column that was not chosen then has to be read now
        return shape.empty_table()
    where = (pc.field("path") >= paths[0]) & (pc.field("path") <= paths[-1]) & (pc.field("store") == root)
    kept = []
    for batch in old.to_batches(columns=shape.names, filter=where & pc.field("error_code").is_null()):
        facts = zip(*(batch.column(name).to_pylist() for name in ("path", "size", "etag")), strict=True)
        holds = [
            (now := wanted.get(path)) is not None and etag is not None and (now.size, now.etag) == (size, etag)
            for path, size, etag in facts
        ]
        kept.append(batch.filter(pa.array(holds, pa.bool_())))
    return pa.Table.from_batches(kept, schema=shape) if kept else shape.empty_table()
