"""A codec that can't be trusted runs in a process of its own.

jxrlib (JPEG XR) writes beyond its buffers on damaged data: about one mutated stream in five thousand kills the process,
headers checked or not. OpenJPH (HTJ2K) never comes back from some, and of others its wrapper prints what went wrong and
returns whatever was in memory. So a copy through a pipe is a fair price for an error. Only bytes cross the border: the
stream in, a header and the samples out.

Workers are kept from one segment to the next, since to start one takes longer than to decode a thousand: as many as
segments are decoded at once. This is the one state that a module of gigapix holds. A worker that died, or whose answer
was not waited for, is not kept. Nor is one that was inherited by a fork: the parent goes on asking it, and the answers
would get mixed up.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import DecodeError, UnsupportedError

TIMEOUT: Final = 5.0
"""Seconds of silence after which a worker is given up: a slow segment takes under one."""

START: Final = 12
"""So many times that, until a worker has started: a busy machine must not make an error of a sound segment."""

CHILD: Final = """
import struct, sys, imagecodecs
source, sink = sys.stdin.buffer, sys.stdout.buffer
sink.write(b"+")
sink.flush()
unsaid = []
sys.unraisablehook = lambda fault: unsaid.append(str(fault.exc_value))
while len(head := source.read(9)) == 9:
    length, reduce = struct.unpack("<Qb", head)
    data = source.read(length)
    try:
        unsaid.clear()
        pixels = imagecodecs.htj2k_decode(data, skipres=reduce) if reduce >= 0 else imagecodecs.jpegxr_decode(data)
        if unsaid:
            raise ValueError(unsaid[0])
        answer = f"{pixels.dtype.str} {' '.join(map(str, pixels.shape))}".encode(), pixels.tobytes()
    except Exception as error:
        answer = b"", str(error).encode()
    for part in answer:
        sink.write(struct.pack("<Q", len(part)) + part)
    sink.flush()
"""


class _Worker:
    """A child that decodes one stream after the other."""

    def __init__(self) -> None:
        if not sys.executable:
            raise UnsupportedError("JPEG XR and HTJ2K need a Python interpreter to run their codecs in")
        self._owner = os.getpid()
        self._ready = False
        self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and our own text
            [sys.executable, "-P", "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, data: bytes, reduce: int) -> tuple[bytes, bytes] | None:
        """The header of the pixels and the pixels, or an empty header and what is wrong; None where the child died."""
        source, sink = self._child.stdin, self._child.stdout
        if source is None or sink is None:
            return None
        try:
            if not self._ready:
                with _killed(self._child, START * TIMEOUT):
                    self._ready = sink.read(1) == b"+"
            with _killed(self._child, TIMEOUT):
                source.write(struct.pack("<Qb", len(data), reduce))
                source.write(data)
                source.flush()
                head, body = _part(sink), _part(sink)
        except OSError:  # its end of the pipe is gone
            return None
        return (head, body) if head is not None and body is not None else None

    @property
    def inherited(self) -> bool:
        """Whether this process is a fork of the one that started the worker."""
        return self._owner != os.getpid()

    def end(self) -> None:
        if self.inherited:
            self._child.returncode = 0  # of no concern here: it belongs to the parent
            return
        self._child.kill()
        self._child.communicate()

    def __del__(self) -> None:
        if hasattr(self, "_child"):
            self.end()


@contextmanager
def _killed(child: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Kill a process if the block takes longer."""
    alarm = threading.Timer(seconds, child.kill)
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


_IDLE: Final[list[_Worker]] = []
"""Taken and put back by any thread."""


def jpegxr(data: bytes) -> NDArray[Any]:
    """A JPEG XR stream as (rows, columns[, samples])."""
    return _decoded("JPEG XR", data, -1)


def htj2k(data: bytes, reduce: int) -> NDArray[Any]:
    """An HTJ2K codestream as (rows, columns[, samples]), at 1/2**reduce of its size."""
    return _decoded("HTJ2K", data, reduce)


def _decoded(codec: str, data: bytes, reduce: int) -> NDArray[Any]:
    worker = _taken()
    answer = worker.ask(data, reduce)
    if answer is None:
        worker.end()
        raise DecodeError(f"the {codec} codec dies of this stream, or hangs on it")
    _IDLE.append(worker)
    head, body = answer
    if not head:
        raise DecodeError(f"the {codec} codec failed: {body.decode(errors='replace')}")
    dtype, *sides = head.decode().split()
    return np.frombuffer(body, dtype).reshape([int(side) for side in sides])


def _taken() -> _Worker:
    with suppress(IndexError):
        while True:
            worker = _IDLE.pop()
            if not worker.inherited:
                return worker
    return _Worker()


def _part(sink: IO[bytes]) -> bytes | None:
    head = sink.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack("<Q", head)
    body = sink.read(length)
    return body if len(body) == length else None
