"""Others' readers of references: zarr-python over Icechunk, and over fsspec's view of kerchunk's forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fsspec
import icechunk
import zarr
from fsspec.implementations.reference import LazyReferenceMapper, ReferenceFileSystem


def kerchunk_json(path: Path, protocol: str = "file", **options: Any) -> zarr.Group:
    return _group(str(path), protocol, options)


def kerchunk_parquet(path: Path, protocol: str = "file", **options: Any) -> zarr.Group:
    mapper = LazyReferenceMapper(str(path), fs=fsspec.filesystem("file"), engine="pyarrow")
    return _group(mapper, protocol, options)


def _group(references: Any, protocol: str, options: Mapping[str, Any]) -> zarr.Group:
    if protocol != "file":
        options = {"asynchronous": True, **options}
    fs = ReferenceFileSystem(references, remote_protocol=protocol, remote_options=options, asynchronous=True)
    return zarr.open_group(zarr.storage.FsspecStore(fs, read_only=True, path=""), mode="r", zarr_format=3)


def icechunk_group(path: Path, access: str = "LocalFileSystemAccess") -> zarr.Group:
    storage = icechunk.local_filesystem_storage(str(path))
    return opened(storage, getattr(icechunk.credentials, access, None))  # None in Icechunk 1


def opened(storage: icechunk.Storage, access: Any) -> zarr.Group:
    """A repository, every container of which may be accessed like this."""
    containers = icechunk.Repository.open(storage).config.virtual_chunk_containers
    allowed = icechunk.containers_credentials(dict.fromkeys(containers, access))
    repository = icechunk.Repository.open(storage, authorize_virtual_chunk_access=allowed)
    return zarr.open_group(repository.readonly_session("main").store, mode="r")


READERS: Mapping[str, Callable[[Path], zarr.Group]] = {
    "o.json": kerchunk_json,
    "o.parquet": kerchunk_parquet,
    "o.icechunk": icechunk_group,
}
"""What opens a form, by the name of what is written."""
