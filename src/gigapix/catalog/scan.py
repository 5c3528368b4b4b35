"""`gigapix.scan`: what is asked for, made into a job (`gigapix.catalog.job`)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from gigapix.catalog.executors import workers_of
from gigapix.catalog.job import Job, Progress
from gigapix.catalog.manifest import Manifest, read_manifest
from gigapix.catalog.outputs import Folder, folder_of
from gigapix.errors import RequestError
from gigapix.source.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What a scan did."""

    output: str
    objects: int
    """Rows in the catalogue."""
    errors: int
    """Rows with an error: those that this run read, and those of parts that were there already."""
    requests: int
    bytes: int
    taken: int
    """Rows that were there already, from an earlier run or an older catalogue."""
    seconds: float
    complete: bool
    """False where it was stopped: the same call goes on from there."""


def scan(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    store: Any = None,
    output_store: Any = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    headers: bool = False,
    tiles: bool = False,
    limit: int | None = None,
    rate: float | None = None,
    concurrency: int = 512,
    max_errors: int | None = None,
    executor: Executor | str | None = None,
    shard_objects: int = 10_000,
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: threading.Event | None = None,
    **settings: Any,
) -> Scanned:
    """Read the headers of many images into a catalogue: one row an object, whatever becomes of it.

    source: URL prefixes, folders, globs, files of keys (``-`` for stdin), Parquet or CSV tables of keys; or one
        catalogue, of which the objects that are new or have changed are read, and the rest is taken over.
    output: a folder, local or a URL. Where it holds a part of the same scan, that is completed.
    store: of obstore's; sources are then prefixes in it. output_store: the same for `output`.
    include, exclude: globs of paths; without `include`, names that end like an image's.
    headers: keep the header's bytes, so that `Catalog.open` asks for nothing but pixels. tiles: keep the tile index.
    limit: read at most so many objects.
    rate: requests a second at most, of each worker. concurrency: requests under way at most, of each worker.
    max_errors: give up after more rows with an error than this.
    executor: where shards are run: None for threads of this process, ``"processes"`` (``"processes:8"``),
        ``"dask://host:port"``, or any `concurrent.futures.Executor`.
    shard_objects: rows of a part, which is what is lost at most when a worker is killed.
    stop: once set, shards that are under way are finished and no further one is begun.
    settings: fields of `Settings`.

    Raises RequestError where `output` holds another scan, or there are more than `max_errors`; a SourceError where a
    source can't be listed or `output` can't be written. An object that can't be read is no error but a row with one.
    """
    began = time.monotonic()
    chosen = Settings.from_env(**settings)
    folder = folder_of(output, chosen, output_store, make=True)
    names = [os.fspath(each) for each in ([source] if isinstance(source, str | os.PathLike) else source)]
    options = {
        "include": list(include),
        "exclude": list(exclude),
        "headers": headers,
        "tiles": tiles,
        "limit": limit,
        "header_bytes": chosen.header_bytes,
    }
    with ExitStack() as stack:
        known = None
        if store is None and len(names) == 1 and (older := catalogue_of(names[0], chosen)) is not None:
            known, names = older[0], list(older[1].sources)
            if known == folder:
                raise RequestError("a refreshed catalogue is written to a folder of its own", path=folder.name)
            if known.prefix or "://" in known.name:
                from gigapix.catalog.catalog import fetched

                known = stack.enter_context(fetched(known))
        workers = stack.enter_context(workers_of(executor))
        job = Job(
            names=tuple(names),
            folder=folder,
            store=store,
            settings=chosen,
            options=options,
            task={"concurrency": concurrency, "rate": rate, "known": known},
            shard_objects=shard_objects,
            max_errors=max_errors,
            progress=progress,
            stop=stop or threading.Event(),
        )
        done = job.run(workers)
    return Scanned(
        output=folder.name,
        objects=done.objects,
        errors=done.errors,
        requests=done.requests,
        bytes=done.bytes,
        taken=done.taken,
        seconds=time.monotonic() - began,
        complete=job.complete,
    )


async def scan_async(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], **options: Any
) -> Scanned:
    """`scan` without blocking. Cancelling it stops the scan, as `stop` does."""
    import asyncio

    stop = options.setdefault("stop", threading.Event())
    try:
        return await asyncio.to_thread(scan, source, output, **options)
    except asyncio.CancelledError:
        stop.set()
        raise


def catalogue_of(name: str, settings: Settings) -> tuple[Folder, Manifest] | None:
    """The catalogue in a folder; None where it holds none."""
    remote = "://" in name and not name.startswith("file://")
    if (not remote and not os.path.isdir(name.removeprefix("file://"))) or name.startswith(("http://", "https://")):  # noqa: PTH112
        return None
    folder = folder_of(name, settings)
    manifest = read_manifest(folder)
    return None if manifest is None else (folder, manifest)
