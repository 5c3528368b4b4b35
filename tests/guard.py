"""Runs work on files that may do harm in child processes, so that the harm is a result and not the end of the run.

A reader of hostile files can fail in ways that no `except` sees: it can kill its process, never come back, or take all
memory. Each of these is found from outside: the child works on one item after another, the parent watches the clock and
the pipe, and a child that was lost is replaced. Memory is measured by the child, as the peak above what it held before.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

SECONDS = 15.0
"""Of CPU and on the clock or, for a child that waits, four times as many on the clock: longer than this is a hang."""

EXTRA_BYTES = 256 << 20
"""What a reader may hold above the decoded size of the image."""

CHILD_BYTES = 6 << 30
"""Hard limit of a child's data segment: a runaway allocation fails there and spares the machine."""

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one item: the `value` that the work returned, or the `fault` (``crash`` or ``hang``)."""

    value: Any = None
    fault: str | None = None
    detail: str = ""
    step: str = ""
    """The last step that the work had announced."""


Work = Callable[[Any], Generator[str, None, Any]]
"""A function of a module, to be found by a child. It yields the name of each step before it takes it, and returns the
item's value; the clock counts for a step, not for the whole."""


@dataclass
class Peak:
    """Bytes that the process held at most, above what it held before; 0 where the system can't tell."""

    bytes: int = 0


@contextlib.contextmanager
def measured() -> Iterator[Peak]:
    """Measure the peak of resident memory over a block of code."""
    peak = Peak()
    if not _CLEAR_REFS.exists():
        yield peak
        return
    _CLEAR_REFS.write_text("5")
    before = _resident("VmRSS")
    try:
        yield peak
    finally:
        peak.bytes = max(0, _resident("VmHWM") - before)


def told(error: BaseException) -> str:
    """An exception in one line, with the line of code that raised it."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    path = "/".join(Path(frame.filename).parts[-3:])
    return f"{type(error).__name__}: {error} ({path}:{frame.lineno} {frame.line})"


def run_all(work: Work, items: Sequence[Any], *, workers: int | None = None) -> list[Outcome]:
    """Do `work` on each item in children; one outcome an item, in the order of the items."""
    count = min(workers or os.cpu_count() or 1, max(1, len(items)))
    children = [_Child(work) for _ in range(count)]
    idle = list(children)

    def one(item: Any) -> Outcome:
        child = idle.pop()
        try:
            return child.run(item)
        finally:
            idle.append(child)

    try:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, items))
    finally:
        for child in children:
            child.close()


class _Child:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def run(self, item: Any) -> Outcome:
        pipe, process = self._started()
        pipe.send(item)
        step = ""
        try:
            while True:
                if not self._answers(pipe, process.pid):
                    self.close()
                    return Outcome(fault="hang", detail=f"no answer in {SECONDS:.0f} s", step=step)
                done, value = pipe.recv()
                if done:
                    return Outcome(value=value, step=step)
                step = value
        except EOFError:
            process.join(5)
            code = process.exitcode
            self.close()
            name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            return Outcome(fault="crash", detail=f"the process died: {name}", step=step)

    def _answers(self, pipe: Connection, pid: int | None) -> bool:
        begun, cpu = time.monotonic(), _cpu_seconds(pid)
        while not pipe.poll(0.5):
            waited = time.monotonic() - begun
            if waited > 4 * SECONDS or (waited > SECONDS and _cpu_seconds(pid) - cpu > SECONDS):
                return False
        return True

    def close(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _started(self) -> tuple[Connection, BaseProcess]:
        if self._process is None or self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
            self._process.start()
            theirs.close()
            self._pipe.recv()  # ready: what importing takes is not the first item's time
        return self._pipe, self._process


def _serve(pipe: Connection, work: Work) -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (CHILD_BYTES, CHILD_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            steps = work(pipe.recv())
            try:
                while True:
                    pipe.send((False, next(steps)))
            except StopIteration as end:
                pipe.send((True, end.value))


def _resident(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+)", _STATUS.read_text())
    return int(found[1]) << 10 if found else 0


def _cpu_seconds(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
