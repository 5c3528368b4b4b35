"""A codec that can't be trusted runs in a process of its own.

jxrlib (JPEG XR) writes beyond its buffers on damaged data: about one mutated stream in five thousand kills the process,
headers checked or not. JPEG XR is rare in TIFF (some slides), so a tenth of a second a segment is a fair price for an
error instead of a crash. Only bytes cross the border: the stream in, a header and the samples out.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import DecodeError, UnsupportedError

TIMEOUT: Final = 20.0
"""Seconds for one segment, the start of the interpreter included; the largest decode in under five."""

CHILD: Final = """
import sys, imagecodecs
pixels = imagecodecs.jpegxr_decode(sys.stdin.buffer.read())
sys.stdout.buffer.write(f"{pixels.dtype.str} {' '.join(map(str, pixels.shape))}\\n".encode() + pixels.tobytes())
"""


def jpegxr(data: bytes) -> NDArray[Any]:
    """A JPEG XR stream as (rows, columns[, samples])."""
    if not sys.executable:
        raise UnsupportedError("JPEG XR needs a Python interpreter to run its codec in")
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and our own text
            [sys.executable, "-P", "-c", CHILD], input=data, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise DecodeError("the JPEG XR codec hangs on this stream") from None
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit {done.returncode}"]
        raise DecodeError(f"the JPEG XR codec failed: {why[-1]}")
    head, _, samples = done.stdout.partition(b"\n")
    dtype, *sides = head.decode().split()
    return np.frombuffer(samples, dtype).reshape([int(side) for side in sides])
