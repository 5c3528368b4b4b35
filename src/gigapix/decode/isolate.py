"""A codec that can't be trusted runs in a process of its own.

jxrlib (JPEG XR) writes beyond its buffers on damaged data: about one mutated stream in five thousand kills the process,
headers checked or not. JPEG XR is rare in TIFF (some slides), so a copy through a pipe is a fair price for an error
instead of a crash. Only bytes cross the border: the stream in, a header and the samples out.

Each thread keeps its worker from one segment to the next, since to start one takes longer than to decode a thousand.
This is the one state that a module of gigapix holds; a worker ends with its thread, and one that died is replaced. So
is one that was inherited by a fork: the parent goes on asking it, and the answers would get mixed up.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import DecodeError, UnsupportedError

TIMEOUT: Final = 5.0
"""Seconds of silence after which a worker is given up: a slow segment takes under one."""

CHILD: Final = """
import struct, sys, imagecodecs
source, sink = sys.stdin.buffer, sys.stdout.buffer
while len(head := source.read(8)) == 8:
    try:
        pixels = imagecodecs.jpegxr_decode(source.read(*struct.unpack("<Q", head)))
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
            raise UnsupportedError("JPEG XR needs a Python interpreter to run its codec in")
        self._owner = os.getpid()
        self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and our own text
            [sys.executable, "-P", "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, data: bytes) -> tuple[bytes, bytes] | None:
        """The header of the pixels and the pixels, or an empty header and what is wrong; None where the child died."""
        source, sink = self._child.stdin, self._child.stdout
        if source is None or sink is None:
            return None
        alarm = threading.Timer(TIMEOUT, self._child.kill)
        alarm.start()
        try:
            source.write(struct.pack("<Q", len(data)) + data)
            source.flush()
            head, body = _part(sink), _part(sink)
        except OSError:  # its end of the pipe is gone
            return None
        finally:
            alarm.cancel()
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


_THREAD = threading.local()


def jpegxr(data: bytes) -> NDArray[Any]:
    """A JPEG XR stream as (rows, columns[, samples])."""
    if not hasattr(_THREAD, "worker") or _THREAD.worker.inherited:
        _THREAD.worker = _Worker()
    worker: _Worker = _THREAD.worker
    answer = worker.ask(data)
    if answer is None:
        del _THREAD.worker
        worker.end()
        raise DecodeError("the JPEG XR codec dies of this stream, or hangs on it")
    head, body = answer
    if not head:
        raise DecodeError(f"the JPEG XR codec failed: {body.decode(errors='replace')}")
    dtype, *sides = head.decode().split()
    return np.frombuffer(body, dtype).reshape([int(side) for side in sides])


def _part(sink: IO[bytes]) -> bytes | None:
    head = sink.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack("<Q", head)
    body = sink.read(length)
    return body if len(body) == length else None
