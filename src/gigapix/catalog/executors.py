"""Where shards are run: threads of this process, processes, a Dask cluster, or any executor that is given."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from gigapix.errors import MissingExtraError, RequestError

FOREIGN: Final = 64
"""Shards under way on an executor whose workers can't be counted."""

INSIDE: Final = 2
"""Shards under way in this process: while one waits for its last rows, the next one is read."""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """An executor, and how many shards to give to it at once."""

    executor: Executor
    most: int
    inside: bool = False
    """Whether it runs in this process, so that progress can be told as it is made."""


@contextmanager
def workers_of(executor: Executor | str | None) -> Iterator[Workers]:
    """The executor that is meant; one of our making is ended at the end."""
    if executor is None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(INSIDE) as pool:
            yield Workers(executor=pool, most=INSIDE, inside=True)
    elif not isinstance(executor, str):
        yield Workers(executor=executor, most=FOREIGN)
    elif executor.startswith("dask"):
        with _dask(executor) as workers:
            yield workers
    elif executor.partition(":")[0] == "processes":
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        number = _number(executor) or os.cpu_count() or 1
        with ProcessPoolExecutor(number, get_context("spawn"), _ignore_interrupts) as pool:
            yield Workers(executor=pool, most=2 * number)
    else:
        raise RequestError(f"no executor {executor!r}: processes, processes:N or dask://host:port")


def _number(text: str) -> int:
    digits = text.partition(":")[2]
    if digits and not (digits.isdecimal() and int(digits)):
        raise RequestError(f"no executor {text!r}: processes:N wants a number")
    return int(digits or 0)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches all processes of a terminal; what a worker has begun it finishes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _dask(address: str) -> Iterator[Workers]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("a Dask cluster needs distributed: pip install 'gigapix[dask]'") from error
    host = address.partition("://")[2]
    client: Any
    with Client(f"tcp://{host}" if host else None) as client:  # type: ignore[no-untyped-call]
        threads = sum(client.nthreads().values())
        yield Workers(executor=client.get_executor(pure=False), most=2 * max(threads, 1))
