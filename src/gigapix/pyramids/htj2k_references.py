"""References to the levels in level 0's chunks (see `htj2k`): what any Zarr reader needs to see them.

A Zarr hierarchy of all levels, each chunk of which is a range of bytes of the target's objects: as an Icechunk
repository with virtual chunks, in one commit, or as kerchunk's JSON (version 1), which fsspec shows as a file system.
Arrays are not sharded there: a chunk in a shard is a range as any other.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gigapix.errors import MissingExtraError, SourceError, UnsupportedError
from gigapix.pyramids.describe import attributes_of
from gigapix.pyramids.documents import array_documents, group_documents
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.htj2k import Shape, Table, coarser_infos, table_shape
from gigapix.pyramids.outputs import Output
from gigapix.pyramids.progress import Extents

if TYPE_CHECKING:
    from gigapix.pyramids.plan import PyramidPlan

BATCH: Final = 16384
"""References that are handed over at once."""

JSON: Final = "references.json"
"""The name of kerchunk's text in its folder."""

MOST_JSON: Final = 1 << 20
"""References in one JSON text: some 100 MB, that are in memory when it is written, and whenever it is read."""


def references_of(plan: PyramidPlan) -> Folder | None:
    """Where they are written: beside the target."""
    if plan.references is None:
        return None
    name, target = f".{plan.references}", plan.target
    if target.path is not None:
        path = target.path.with_name(target.path.name + name)
        return Folder(name=str(path), path=path)
    return Folder(name=target.name + name, store=target.store, prefix=target.prefix + name)


def check_references(plan: PyramidPlan) -> None:
    """Raise UnsupportedError or MissingExtraError where they can't be written."""
    if plan.references is None:
        return
    target = plan.target
    if target.path is None and "://" not in target.name:
        raise UnsupportedError("references name objects by their URL, and a store of the caller's has none")
    if plan.references == "icechunk":
        if target.path is None:
            raise UnsupportedError("Icechunk repositories are made of targets on disk; say references='kerchunk'")
        _icechunk()
    elif (count := (1 + len(plan.coarser)) * math.prod(table_shape(plan.outputs[0], 0)[:-1])) > MOST_JSON:
        raise UnsupportedError(f"{count} references are too many for one JSON text; say references='icechunk'")


def write_references(plan: PyramidPlan, extents: Extents, table: Table) -> None:
    """Write them, over what is there."""
    out = references_of(plan)
    assert out is not None  # noqa: S101  # for mypy: who calls asked for them
    out.clear()
    documents = _documents(plan, extents)
    if plan.references == "kerchunk":
        out.put(JSON, b"".join(_kerchunk(plan, documents, table)))
    else:
        _write_icechunk(plan, documents, table, out)


def _documents(plan: PyramidPlan, extents: Extents) -> dict[str, Any]:
    """Metadata of the group of all levels."""
    attributes = attributes_of(plan, extents, [*plan.levels(), *coarser_infos(plan)])
    documents = dict(group_documents("", attributes, plan.zarr_format))
    for output in _arrays(plan):
        documents |= array_documents(output, plan.codec, plan.zarr_format, reduce=output.level)
    return documents


def _arrays(plan: PyramidPlan) -> list[Output]:
    base = plan.outputs[0]
    whole = Output(**{**vars(base), "shards": base.chunks})
    return [whole, *plan.coarser]


def _places(plan: PyramidPlan, table: Table, level: int) -> Iterator[tuple[Shape, str, int, int]]:
    """(chunk, URL of the object, offset, length) of each chunk that is stored."""
    base = plan.outputs[0]
    root = f"file://{plan.target.path.as_posix()}" if plan.target.path is not None else plan.target.name
    for chunk in np.ndindex(*table.values.shape[:-1]):
        row = table.values[chunk]
        if row[1]:
            number = (str(n // count) for n, count in zip(chunk, base.counts, strict=True))
            yield chunk, f"{root}/{base.path}/c/{'/'.join(number)}", int(row[0]), int(row[1 + level])


def _kerchunk(plan: PyramidPlan, documents: dict[str, Any], table: Table) -> Iterator[bytes]:
    refs: dict[str, Any] = {key: json.dumps(document) for key, document in documents.items()}
    yield b'{"version": 1, "refs": {\n'
    yield ",\n".join(f"{json.dumps(key)}: {json.dumps(text)}" for key, text in refs.items()).encode()
    for output in _arrays(plan):
        for chunk, *place in _places(plan, table, output.level):
            yield f',\n"{output.path}/c/{"/".join(map(str, chunk))}": {json.dumps(place)}'.encode()
    yield b"\n}}\n"


def _write_icechunk(plan: PyramidPlan, documents: dict[str, Any], table: Table, out: Folder) -> None:
    ice = _icechunk()
    from zarr.core.buffer import default_buffer_prototype

    assert plan.target.path is not None  # noqa: S101  # for mypy: see check_references
    prefix = f"file://{plan.target.path.as_posix()}/"
    config = ice.RepositoryConfig.default()
    config.set_virtual_chunk_container(
        ice.VirtualChunkContainer(prefix, ice.local_filesystem_store(str(plan.target.path)))
    )
    repository = ice.Repository.create(ice.local_filesystem_storage(str(out.path)), config)
    repository.save_config()
    session = repository.writable_session("main")
    buffers = default_buffer_prototype().buffer
    for key, document in documents.items():
        asyncio.run(session.store.set(key, buffers.from_bytes(json.dumps(document).encode())))
    for output in _arrays(plan):
        places = _places(plan, table, output.level)
        while batch := list(islice(places, BATCH)):
            specs = [
                ice.VirtualChunkSpec(index=list(chunk), location=url, offset=offset, length=length)
                for chunk, url, offset, length in batch
            ]
            if session.store.set_virtual_refs(output.path, specs):
                raise SourceError("Icechunk refused references", path=out.name)
    session.commit("gigapix: levels in the chunks of HTJ2K")


def _icechunk() -> Any:
    try:
        import icechunk
        import zarr as _  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("references need icechunk: pip install 'gigapix[icechunk]'") from error
    return icechunk
