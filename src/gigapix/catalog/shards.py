"""One shard, from its keys to its part: the coarse task that any executor runs.

The rows of `readers.CHUNK` objects become a table while threads read the next ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from gigapix.catalog.headers import Listed, Place
from gigapix.catalog.manifest import Shard, read_shard
from gigapix.catalog.outputs import Folder
from gigapix.catalog.parts import Part, table_of
from gigapix.catalog.readers import Advance, Readers
from gigapix.catalog.schema import pyarrow, schema


@dataclass(frozen=True, kw_only=True)
class Task:
    """All that a worker must know. Picklable."""

    shard: Shard
    output: Folder
    place: Place
    concurrency: int = 512
    """Threads at most."""
    rate: float | None = None
    """Requests a second at most, of this worker."""
    known: Folder | None = None
    """An older catalogue, whose rows are taken for objects that have not changed."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a shard brought."""

    objects: int = 0
    errors: int = 0
    requests: int = 0
    bytes: int = 0
    taken: int = 0
    """Rows that were taken from an older catalogue, or from an earlier run of this one."""

    def __add__(self, other: Done) -> Done:
        return Done(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


def run_shard(
    task: Task,
    advance: Advance = lambda objects, errors: None,
    readers: Readers | None = None,
    listed: Sequence[Listed] | None = None,
) -> Done:
    """Read a shard and write its part. Doing it twice, or at two places, is as good as doing it once.

    readers: those of this process, if it has more shards to read. listed: its keys, if they are known.
    """
    pa = pyarrow()
    place, listed = task.place, read_shard(task.output, task.shard) if listed is None else listed
    shape = schema(headers=place.headers, tiles=place.tiles)
    old = _known(task, listed, shape) if task.known is not None else shape.empty_table()
    held = set(old.column("path").to_pylist())
    counts = Done(objects=len(listed), taken=sum(each.path in held for each in listed) if held else 0)
    part, fresh = Part(shape), [old]
    wanted = [each for each in listed if each.path not in held] if held else listed
    with (
        nullcontext(readers) if readers is not None else Readers(task.concurrency, task.rate) as mine,
        closing(mine.read(place, wanted, advance)) as batches,  # it may hold others up until it is closed
    ):
        for rows in batches:
            counts += Done(
                errors=sum(row.error_code is not None for row in rows),
                requests=sum(row.requests for row in rows),
                bytes=sum(row.received for row in rows),
            )
            table = table_of(rows, headers=place.headers, tiles=place.tiles)
            fresh.append(table) if held else part.add(table)
    if held:  # in the order in which they are listed
        table = pa.concat_tables(fresh).unify_dictionaries()
        number = {path: n for n, path in enumerate(table.column("path").to_pylist())}
        part.add(table.take(pa.array([number[each.path] for each in listed], pa.int64())))
    task.output.create(task.shard.part, part.finished(asdict(counts)))
    return counts


def _known(task: Task, listed: Sequence[Listed], shape: Any) -> Any:
    from gigapix.catalog.refresh import rows_that_hold

    assert task.known is not None  # noqa: S101  # asked by the caller
    return rows_that_hold(task.known, task.shard.root, listed, shape)
