"""Decompressors that stop and go on: any piece of input, any room for output, and no more memory than they say.

A flow never raises: what it wrote before the data went wrong is right, so a fault is kept (`fault`) beside the rows
that are good. `save` is the state of the one that goes on at this very byte, where the codec has such a thing.
"""

from __future__ import annotations

import struct
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gigapix.decode import codecs
from gigapix.decode.streams.model import unpacked
from gigapix.errors import DecodeError, GigapixError, MemoryBudgetError, UnsupportedError
from gigapix.formats.model import Encoding

WINDOW_BYTES: Final = 8 << 20
"""What a zstd or LZMA stream may look back. RFC 8878 (3.1.1.1.2) asks encoders not to need more of any decoder; xz's
default is the same, its -9 takes 64 MiB."""

LZMA_EXTRA: Final = 256 << 10
"""What liblzma holds beside the dictionary, with margin."""

ZSTD_EXTRA: Final = 512 << 10
"""What libzstd holds beside the window: its tables, a block of input and one of output."""


LZW_EXTRA: Final = 32 << 10
"""Room for what a checkpoint makes LZW decode once more."""

PORTION_BYTES: Final = 128 << 10
"""What a library is asked for at a time, since it answers with a copy."""

UNSAVED: Final = (34925, 34926, 50000)
"""Compressions whose libraries can't save where they are: LZMA and zstd."""


class Flow(Protocol):
    """One stream of compressed bytes."""

    done: bool
    """The stream has come to its own end."""
    fault: GigapixError | None
    """What is wrong with it."""
    held: int
    """Bytes of its state, at most."""

    def run(self, data: memoryview, out: NDArray[np.uint8], at: int) -> tuple[int, int]:
        """(bytes of `data` used, bytes written to `out`) from `at` on; what lies before are the bytes written last.

        Where all of `data` is used and `out` is not full, it wants more, unless it's over.
        """
        ...

    def save(self) -> tuple[int, bytes] | None:
        """(bytes to go back in the input, state) from which `open_flow` goes on here; None where there is no such."""
        ...


class Stored:
    """Bytes as they are."""

    done = False
    fault: GigapixError | None = None
    held = 0

    def run(self, data: memoryview, out: NDArray[np.uint8], at: int) -> tuple[int, int]:
        """As `Flow.run`."""
        count = min(len(data), out.size - at)
        out[at : at + count] = data[:count]
        return count, count

    def save(self) -> tuple[int, bytes] | None:
        """Nothing is to be kept."""
        return 0, b""


class Deflate:
    """RFC 1950, through gigapix's own inflate: zlib's state can't be taken out of it."""

    def __init__(self, verify: bool, state: bytes | None) -> None:
        from gigapix.kernels import inflate

        self._state = bytearray(inflate.STATE_BYTES)
        self.held = inflate.STATE_BYTES
        self.done = False
        self.fault: GigapixError | None = None
        if state is None:
            inflate.start(self._state, inflate.ZLIB if verify else inflate.ZLIB_UNVERIFIED)
            return
        try:
            inflate.resume(self._state, state)
        except ValueError as error:
            raise DecodeError(f"the checkpoint is damaged: {error}") from error

    def run(self, data: memoryview, out: NDArray[np.uint8], at: int) -> tuple[int, int]:
        """As `Flow.run`."""
        from gigapix.kernels import inflate

        used, made, status = inflate.inflate(self._state, data, out.data, at)
        self.done = status == inflate.END
        if status == inflate.FAULT:
            self.fault = DecodeError(f"deflate: {inflate.fault(self._state)}")
        return used, made

    def save(self) -> tuple[int, bytes] | None:
        """The window of 32 KiB, and the code in use."""
        from gigapix.kernels import inflate

        return None if self.fault else (0, inflate.save(self._state))


class Lzw:
    """Both kinds of LZW. Its table grows from a Clear code on, so going back to the last one is all that it takes."""

    STATE: Final = struct.Struct("<BBQ")

    def __init__(self, state: bytes | None) -> None:
        from gigapix.kernels import lzw

        # The first code tells the order; behind a later Clear code it has to be remembered.
        order, shift, self._repeated = (lzw.GUESS, 0, 0) if state is None else unpacked(self.STATE, state)
        self._state = np.empty(-(-lzw.STATE_BYTES // 8), np.uint64)  # aligned
        try:
            lzw.start(self._state.data, order=order, shift=shift)
        except ValueError as error:
            raise DecodeError(f"the checkpoint is damaged: {error}") from error
        self._scratch = np.empty(min(self._repeated, LZW_EXTRA), np.uint8)
        """Takes what was written before the checkpoint already."""
        self._taken = 0
        self.held = self._state.nbytes + LZW_EXTRA
        self.done = False
        self.fault: GigapixError | None = None

    def run(self, data: memoryview, out: NDArray[np.uint8], at: int) -> tuple[int, int]:
        """As `Flow.run`."""
        used = 0
        while self._repeated:
            taken, made = self._run(data[used:], self._scratch[: self._repeated])
            used, self._repeated = used + taken, self._repeated - made
            if not made:
                return used, 0
        taken, made = self._run(data[used:], out[at:])
        return used + taken, made

    def _run(self, data: memoryview, out: NDArray[np.uint8]) -> tuple[int, int]:
        from gigapix.kernels import lzw

        used, made, status = lzw.run(self._state.data, data, out.data)
        self._taken += used
        self.done = status == lzw.END
        if status == lzw.FAULT:
            self.fault = DecodeError("LZW: a code that is not in the table")
        return used, made

    def save(self) -> tuple[int, bytes] | None:
        """Where the last Clear code is, and how much was written since."""
        from gigapix.kernels import lzw

        order, bit, since = lzw.mark(self._state.data)
        return self._taken - bit // 8, self.STATE.pack(order, bit % 8, since + self._repeated)


class PackBits:
    """Runs of bytes."""

    done = False
    fault: GigapixError | None = None

    def __init__(self, state: bytes | None) -> None:
        from gigapix.kernels import packbits

        self._state = bytearray(packbits.STATE_BYTES if state is None else state)
        self.held = packbits.STATE_BYTES
        if len(self._state) != packbits.STATE_BYTES:
            raise DecodeError("the checkpoint is damaged")

    def run(self, data: memoryview, out: NDArray[np.uint8], at: int) -> tuple[int, int]:
        """As `Flow.run`."""
        from gigapix.kernels import packbits

        return packbits.run(self._state, data, out[at:].data)

    def save(self) -> tuple[int, bytes] | None:
        """What is left of the present run."""
        return 0, bytes(self._state)


class Library:
    """A decompressor object of Python's own kind: `decompress(data, max_length)`, `needs_input`, `eof`."""

    def __init__(self, codec: Any, faults: tuple[type[Exception], ...], held: int, name: str) -> None:
        self._codec = codec
        self._faults = faults
        self._name = name
        self.done = False
        self.fault: GigapixError | None = None
        self.held = held

    def run(self, data: memoryview, out: NDArray[np.uint8], at: int) -> tuple[int, int]:
        """As `Flow.run`."""
        given, end = data, at
        while end < out.size and not self.done:
            # It may still hold input of before, and is given none until it is through with that.
            give = given if self._codec.needs_input else b""
            if not give and self._codec.needs_input:
                break
            try:
                made = self._codec.decompress(give, min(out.size - end, PORTION_BYTES))
            except self._faults as error:
                self.fault = self._refusal(str(error))
                break
            given = given[len(give) :]
            out[end : end + len(made)] = np.frombuffer(made, np.uint8)
            end += len(made)
            self.done = self._codec.eof
        return len(data) - len(given), end - at

    def save(self) -> tuple[int, bytes] | None:
        """Libraries keep their state to themselves."""
        return None

    def _refusal(self, message: str) -> GigapixError:
        if "emory" in message:
            return MemoryBudgetError(f"this {self._name} stream needs a window of more than {WINDOW_BYTES} bytes")
        return DecodeError(f"{self._name}: {message}")


def flow_bytes(encoding: Encoding) -> int:
    """The most that `held` of the encoding's flow is."""
    from gigapix.kernels import inflate, lzw, packbits

    match encoding.compression:
        case 5:
            return lzw.STATE_BYTES + LZW_EXTRA
        case 8 | 32946 | 50013:
            return inflate.STATE_BYTES
        case 34926 | 50000:
            return WINDOW_BYTES + ZSTD_EXTRA + PORTION_BYTES
        case 34925:
            return WINDOW_BYTES + LZMA_EXTRA + PORTION_BYTES
    return packbits.STATE_BYTES


def open_flow(encoding: Encoding, verify: bool, state: bytes | None = None) -> Flow:
    """The decompressor of a segment's bytes, at their start or where `save` gave `state`."""
    if state is not None and encoding.compression in UNSAVED:
        raise DecodeError("the checkpoint is of another codec")
    match encoding.compression:
        case 1:
            return Stored()
        case 5:
            return Lzw(state)
        case 32773:
            return PackBits(state)
        case 8 | 32946 | 50013:
            return Deflate(verify, state)
        case 34926 | 50000:
            return _zstd()
        case 34925:
            import lzma

            codec = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WINDOW_BYTES + LZMA_EXTRA)
            return Library(codec, (lzma.LZMAError,), WINDOW_BYTES + LZMA_EXTRA + PORTION_BYTES, "LZMA")
    raise UnsupportedError(f"compression {encoding.compression} is not decoded row by row")


def _zstd() -> Flow:
    zstd = codecs.zstd_library()
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_BYTES.bit_length() - 1}
    return Library(
        zstd.ZstdDecompressor(options=options), (zstd.ZstdError,), WINDOW_BYTES + ZSTD_EXTRA + PORTION_BYTES, "zstd"
    )
