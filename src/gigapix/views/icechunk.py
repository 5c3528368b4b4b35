"""References in an Icechunk repository: a Zarr group whose chunks are virtual.

Icechunk reads a virtual chunk only where its repository names the place (a virtual chunk container) and whoever opens
it says that the place may be read. It keeps with each reference what the file was: of an object its ETag, of a local
file the time of its last change. A file that is another one since is an error then, and no wrong pixels.

What is not committed is held in memory, 600 bytes a reference. So there is a commit every `COMMIT` references, on a
branch that becomes ``main`` when it has them all: who finds a repository that was not finished finds it empty. A
manifest holds `MANIFEST` references that follow one another, so that a commit writes no manifest anew but the last, and
a reader of one chunk loads no other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gigapix.errors import MissingExtraError, SourceError, UnsupportedError
from gigapix.source import Settings
from gigapix.views.icechunk_places import container_of, encoded, storage_of
from gigapix.views.references import Batch, References
from gigapix.views.references_places import beside

COMMIT: Final = 100_000

MANIFEST: Final = 16384


def write_icechunk(references: References, url: str, out: str) -> tuple[int, str]:
    """Write a new repository at `out`, a folder on disk or ``s3://bucket/prefix``.

    Returns the number of references and the container of the chunks, which whoever opens the repository allows to be
    read. Raises MissingExtraError without icechunk, UnsupportedError for a place that Icechunk can't read or write,
    SourceError where writing fails.
    """
    ice = _icechunk()
    try:
        return _write(ice, references, url, out)
    except ice.IcechunkError as error:
        raise SourceError(f"Icechunk: {str(error).strip(' x').partition(chr(10))[0]}", path=out) from error


def _write(ice: Any, references: References, url: str, out: str) -> tuple[int, str]:
    container, store = container_of(ice, url, references.image.settings)
    config = ice.RepositoryConfig.default()
    config.set_virtual_chunk_container(ice.VirtualChunkContainer(container, store))
    config.manifest = ice.ManifestConfig(splitting=_splitting(ice, references))
    repository = ice.Repository.create(storage_of(ice, out, Settings.from_env()), config)
    repository.save_config()
    repository.create_branch("writing", repository.lookup_branch("main"))
    session = repository.writable_session("writing")
    _write_documents(references, session.store)
    message = f"gigapix: references to {url.partition('?')[0]}"
    count = held = 0
    for each in references.arrays:
        for batch in references.batches(each):
            if held >= COMMIT:
                session.commit(message)
                session, held = repository.writable_session("writing"), 0
            at = beside(url, batch.file)
            specs = _specs(ice, batch, encoded(at), _version(references, batch.file, at))
            if session.store.set_virtual_refs(each.array.path, specs):  # version 1 knows no ports
                raise UnsupportedError(f"this version of Icechunk takes no references to {at}", path=out)
            held += len(specs)
            count += len(specs)
    repository.reset_branch("main", session.commit(message))
    repository.delete_branch("writing")
    return count, container


def _write_documents(references: References, store: Any) -> None:
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    documents = references.documents()
    documents["zarr.json"].pop("consolidated_metadata", None)  # Icechunk has its own
    for key, document in documents.items():
        text = json.dumps(document, allow_nan=False).encode()
        sync(store.set(key, default_buffer_prototype().buffer.from_bytes(text)))


def _splitting(ice: Any, references: References) -> Any:
    """Manifests of about `MANIFEST` chunks that follow one another in C order."""
    found = {}
    for each in references.arrays:
        sides, left = {}, MANIFEST
        for axis in reversed(range(len(each.array.grid))):
            side = min(each.array.grid[axis], left)
            sides[ice.ManifestSplitDimCondition.Axis(axis)] = side
            left //= side
        found[ice.ManifestSplitCondition.path_matches(f"^/{each.array.path}$")] = sides
    return ice.ManifestSplittingConfig.from_dict(found)


def _specs(ice: Any, batch: Batch, at: str, version: Mapping[str, Any]) -> list[Any]:
    spec = ice.VirtualChunkSpec
    rows = zip(batch.chunks.tolist(), batch.offsets.tolist(), batch.lengths.tolist(), strict=True)
    return [spec(chunk, at, offset, length, **version) for chunk, offset, length in rows]


def _version(references: References, file: str, at: str) -> Mapping[str, Any]:
    """What tells this version of a file from a later one."""
    if at.startswith("file://"):
        try:
            changed = os.stat(at.removeprefix("file://")).st_mtime  # noqa: PTH116  # a path of any kind
        except OSError:
            return {}  # it is said to lie where this process can't see it
        return {"last_updated_at_checksum": datetime.fromtimestamp(int(changed) + 1, UTC)}
    etag = references.image.cache.beside(file).source.etag
    return {"etag_checksum": etag} if etag else {}


def _icechunk() -> Any:
    try:
        import icechunk
        import zarr  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("this needs icechunk: pip install 'gigapix[icechunk]'") from error
    return icechunk
