"""`gigapix.scan`: list, cut into shards, run them on an executor, and freeze what was done.

Shards are run while the listing goes on. Whatever the executor is, only so many shards are under way that its workers
have work, and nothing but their counts comes back, so that memory does not grow with the number of objects.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, TypeVar

from gigapix.catalog.executors import Workers, workers_of
from gigapix.catalog.headers import Place
from gigapix.catalog.manifest import Manifest, Shard, cut, read_manifest, write_manifest, write_shard
from gigapix.catalog.outputs import Folder, folder_of
from gigapix.catalog.shards import Done, Task, run_shard
from gigapix.catalog.sources import Found, Patterns, Root, found_in
from gigapix.errors import RequestError
from gigapix.source.settings import Settings

T = TypeVar("T")

AHEAD: Final = 4
"""Shards that are listed before there is a worker for them."""

LISTED: Final = 64
"""Pages of each further source that are listed meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a scan is."""

    objects: int
    """Rows that are done."""
    errors: int
    total: int | None
    """Objects in all, None while they are being listed."""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What a scan did."""

    output: str
    objects: int
    """Rows in the catalogue."""
    errors: int
    """Rows with an error, of those that this run read."""
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
    rate: requests a second at most, of each worker. concurrency: requests under way at most, of each shard.
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
        job = _Job(
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


@dataclass(kw_only=True)
class _Job:
    """One run: its state is how far it has come."""

    names: tuple[str, ...]
    folder: Folder
    store: Any
    settings: Settings
    options: dict[str, Any]
    task: dict[str, Any]
    shard_objects: int
    max_errors: int | None
    progress: Callable[[Progress], None]
    stop: threading.Event
    complete: bool = False
    total: int | None = None

    def run(self, workers: Workers) -> Done:
        """All shards that are not done yet."""
        have = {path for path, _ in self.folder.list()}
        pending: set[Future[Done]] = set()
        self._done = Done()
        self._seen = [0, 0]
        self._lock = threading.Lock()
        self._inside = workers.inside
        shards = ahead(self._shards(), self.stop, AHEAD)
        try:
            for shard, root in shards:
                if shard.part in have:
                    self._add(Done(objects=shard.objects, taken=shard.objects), told=False)
                    continue
                while len(pending) >= workers.most:
                    pending = self._collect(pending)
                if self.stop.is_set():
                    break
                place = Place(
                    name=root.name,
                    store=root.store,
                    settings=self.settings,
                    headers=self.options["headers"],
                    tiles=self.options["tiles"],
                )
                task = Task(shard=shard, output=self.folder, place=place, **self.task)
                extra = (self._advance,) if workers.inside else ()
                pending.add(workers.executor.submit(run_shard, task, *extra))
            else:
                self.complete = not self.stop.is_set()
        except KeyboardInterrupt:
            self.complete = False
        finally:
            self.stop.set() if not self.complete else None
            while pending:
                pending = self._collect(pending)
        return self._done

    def _collect(self, pending: set[Future[Done]]) -> set[Future[Done]]:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            self._add(future.result(), told=self._inside)
        return pending

    def _add(self, done: Done, *, told: bool) -> None:
        self._done += done
        if not told:
            self._advance(done.objects, done.errors)
        elif done.taken:
            self._advance(done.taken, 0)
        if self.max_errors is not None and self._done.errors > self.max_errors and not self.stop.is_set():
            self.stop.set()
            raise RequestError(f"given up after {self._done.errors} errors", path=self.folder.name)

    def _advance(self, objects: int, errors: int) -> None:
        with self._lock:
            self._seen[0] += objects
            self._seen[1] += errors
            self.progress(Progress(objects=self._seen[0], errors=self._seen[1], total=self.total))

    def _shards(self) -> Iterator[tuple[Shard, Root]]:
        """The shards of the manifest, or of a listing that ends with one."""
        manifest = read_manifest(self.folder)
        if manifest is not None:
            if "-" not in self.names and (manifest.sources, manifest.options) != (self.names, self.options):
                raise RequestError(f"it holds a scan of {', '.join(manifest.sources)}", path=self.folder.name)
            self.total = manifest.objects
            roots = {shard.root: None for shard in manifest.shards}
            stores = {name: self._root(name) for name in roots}
            yield from ((shard, stores[shard.root]) for shard in manifest.shards)
            return
        shards = []
        for number, (root, listed) in enumerate(cut(self._found(), self.shard_objects)):
            if self.stop.is_set():
                return
            shards.append(write_shard(self.folder, number, root, listed, self.options))
            yield shards[-1], root
        frozen = Manifest(sources=self.names, options=self.options, shards=tuple(shards))
        self.total = write_manifest(self.folder, frozen).objects

    def _found(self) -> Iterator[Found]:
        patterns = Patterns(include=tuple(self.options["include"]), exclude=tuple(self.options["exclude"]))
        listings = [found_in(name, self.settings, patterns, self.store) for name in self.names]
        if len(listings) > 1 and "-" not in self.names:
            listings = [ahead(each, self.stop, LISTED) for each in listings]
        found = chain.from_iterable(listings)
        left = self.options["limit"]
        for root, page in found:
            if left is not None and left <= len(page):
                yield root, list(islice(page, left))
                return
            left = None if left is None else left - len(page)
            yield root, page

    def _root(self, name: str) -> Root:
        if self.store is not None:
            return Root(name=name, store=self.store)
        if "://" not in name:
            return Root(name=name)
        from gigapix.source.clients import store_of_url

        return Root(name=name, store=store_of_url(name, self.settings)[0])


def ahead(items: Iterable[T], stop: threading.Event, most: int) -> Iterator[T]:
    """The same items, made by a thread of their own, `most` of them before they are asked for."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(most)

    def put(more: bool, item: Any) -> bool:
        while not stop.is_set():
            try:
                ready.put((more, item), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(True, item):
                    return
            put(False, None)
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            put(False, error)

    threading.Thread(target=work, name="gigapix-list", daemon=True).start()
    return _taken(ready, stop)


def _taken(ready: queue.Queue[tuple[bool, Any]], stop: threading.Event) -> Iterator[Any]:
    while True:
        try:
            more, item = ready.get(timeout=0.1)
        except queue.Empty:
            if stop.is_set():
                return
            continue
        if more:
            yield item
        elif item is None:
            return
        else:
            raise item
