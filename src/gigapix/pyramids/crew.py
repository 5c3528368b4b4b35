"""Threads that do jobs: first those that others have made ready, which free memory, then new ones, which take it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np

Job = Callable[[], None]


class Crew:
    """`jobs` are begun one by one, in their order, when nothing is ready.

    serial: none is begun before the one before it is done.
    """

    def __init__(self, jobs: Iterator[Job], *, serial: bool) -> None:
        self._jobs, self._serial = jobs, serial
        self._ready: deque[Job] = deque()
        self._busy = 0
        self._alone = False
        self._failed = False
        self._wake = threading.Condition()

    def run(self, workers: int) -> None:
        """Do all jobs, in this thread and others. Raises what one of them raised first; the others then end."""
        if workers == 1:
            self._work()
            return
        with ThreadPoolExecutor(workers - 1, thread_name_prefix="gigapix-pyramid") as pool:
            futures: list[Future[None]] = [pool.submit(self._work) for _ in range(workers - 1)]
            self._work()
        for future in futures:
            future.result()

    def drain(self) -> None:
        """Do what is ready, in this thread, and begin nothing."""
        with np.errstate(all="ignore"):
            while self._ready:
                self._ready.popleft()()

    def add(self, job: Job, *, urgent: bool) -> None:
        """Make a job ready, before or behind the others that are."""
        with self._wake:
            self._ready.appendleft(job) if urgent else self._ready.append(job)
            self._wake.notify_all()

    def _work(self) -> None:
        try:
            with np.errstate(all="ignore"):
                while (job := self._next()) is not None:
                    job()
                    with self._wake:
                        self._busy -= 1
                        self._wake.notify_all()
        except BaseException:
            with self._wake:
                self._failed = True
                self._wake.notify_all()
            raise

    def _next(self) -> Job | None:
        with self._wake:
            while not self._failed:
                job = self._ready.popleft() if self._ready else None
                if job is None and not self._alone:
                    job = next(self._jobs, None)
                    if job is not None and self._serial:
                        self._alone = True
                        job = partial(self._free, job)
                if job is not None:
                    self._busy += 1
                    return job
                if not self._busy:
                    return None
                self._wake.wait()
        return None

    def _free(self, job: Job) -> None:
        job()
        with self._wake:
            self._alone = False
            self._wake.notify_all()
