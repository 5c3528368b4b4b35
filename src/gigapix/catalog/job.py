"""One run of a scan: list, cut into shards, run them on an executor, and freeze what was done.

Shards are run while the listing goes on. Whatever the executor is, only so many shards are under way that its workers
have work, and nothing but their counts comes back, so that memory does not grow with the number of objects.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from gigapix.catalog.ahead import ahead
from gigapix.catalog.executors import Workers
from gigapix.catalog.headers import Listed, Place
from gigapix.catalog.manifest import Manifest, Shard, cut, read_manifest, write_manifest, write_shard
from gigapix.catalog.outputs import Folder
from gigapix.catalog.parts import counts_of
from gigapix.catalog.readers import Readers
from gigapix.catalog.shards import Done, Task, run_shard
from gigapix.catalog.sources import Found, Patterns, Root, found_in
from gigapix.errors import RequestError
from gigapix.source.settings import Settings

AHEAD: Final = 2
"""Shards that are listed before there is a worker for them."""

HELD: Final = 20_000
"""Keys of a shard that are handed on as they were listed. More are read again, so that not all are in memory."""

AT_ONCE: Final = 16
"""Parts of an earlier run that are asked for their errors."""

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


@dataclass(kw_only=True)
class Job:
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
        have = dict(self.folder.list())
        pending: set[Future[Done]] = set()
        self._done = Done()
        self._seen = [0, 0]
        self._lock = threading.Lock()
        self._inside = workers.inside
        earlier: list[tuple[str, int]] = []
        readers = Readers(self.task["concurrency"], self.task["rate"])
        shards = ahead(self._shards(), self.stop, AHEAD)
        try:
            for shard, root, listed in shards:
                if shard.part in have:
                    self._add(Done(objects=shard.objects, taken=shard.objects), told=False)
                    earlier.append((shard.part, have[shard.part]))
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
                extra = (self._advance, readers, listed) if workers.inside else ()
                pending.add(workers.executor.submit(run_shard, task, *extra))
            else:
                self.complete = not self.stop.is_set()
        except KeyboardInterrupt:
            self.complete = False
        finally:
            self.stop.set() if not self.complete else None
            try:
                while pending:
                    pending = self._collect(pending)
            finally:
                readers.close()
        return self._done + Done(errors=self._errors(earlier))

    def _errors(self, parts: Sequence[tuple[str, int]]) -> int:
        """Rows with an error in parts that were there already."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(lambda part: counts_of(self.folder, *part)["errors"], parts))

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

    def _shards(self) -> Iterator[tuple[Shard, Root, Sequence[Listed] | None]]:
        """The shards of the manifest, or of a listing that ends with one."""
        manifest = read_manifest(self.folder)
        if manifest is not None:
            if "-" not in self.names and (manifest.sources, manifest.options) != (self.names, self.options):
                raise RequestError(f"it holds a scan of {', '.join(manifest.sources)}", path=self.folder.name)
            self.total = manifest.objects
            roots = {shard.root: None for shard in manifest.shards}
            stores = {name: self._root(name) for name in roots}
            yield from ((shard, stores[shard.root], None) for shard in manifest.shards)
            return
        shards = []
        for number, (root, listed) in enumerate(cut(self._found(), self.shard_objects)):
            if self.stop.is_set():
                return
            shards.append(write_shard(self.folder, number, root, listed, self.options))
            yield shards[-1], root, listed if self._inside and len(listed) <= HELD else None
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
