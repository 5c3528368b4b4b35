"""The compressed bytes of a segment, window by window, without the chunks of a PNG around them.

What is asked for is always the bytes that follow, so a driver may fetch ahead. A PNG's chunks end at the first that is
of another type: PNG (5.6) puts all of one image's in a row, and libpng takes it so. A CRC is compared when the chunk
is through, before the next one is touched; by then its rows are given, since memory is bounded and chunks are not.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from gigapix.decode.streams.model import unpacked
from gigapix.errors import DecodeError, FormatError, TruncatedError
from gigapix.formats.model import Encoding, Range, Steps

MAX_CHUNK: Final = (1 << 31) - 1
"""PNG, 5.3: the length of a chunk."""

STATE: Final = struct.Struct("<QqI?")


class Feed:
    """The bytes of `where`, `window` at a time."""

    def __init__(self, encoding: Encoding, where: Range, window: int, *, verify: bool) -> None:
        self._framing = encoding.framing.encode()
        self._numbered = 4 * (encoding.framing == "fdAT")
        """Bytes of the sequence number before the data of a chunk."""
        self._reversed = encoding.fill_order == 2
        self._verify = verify
        self._window = window
        self._start, self._end = where[0], where[0] + where[1]
        self._data = memoryview(b"")
        self._base = where[0]
        """Where `_data` lies in the file."""
        self._at = 0
        """The next byte of `_data`."""
        self._left = 0 if self._framing else -1
        """Bytes that are left of the present chunk; -1 where there are no chunks."""
        self._crc = 0
        self._inside = False
        """True from the first chunk on."""
        self._short = False
        """The file has ended."""
        self.fault: FormatError | None = None
        """Why there are no more bytes, once `piece` has answered with none."""
        self.wrong = False
        """The fault is a checksum: not an end, but damage."""

    @property
    def held(self) -> int:
        """Bytes of the window."""
        return len(self._data)

    @property
    def offset(self) -> int:
        """Of the next byte, in the file."""
        return self._base + self._at

    def piece(self) -> Steps[memoryview]:
        """What there is of the next bytes; empty where they end, and `fault` then says how."""
        while self._left == 0 and not self.fault:
            yield from self._next_chunk()
        if not self.fault and self._at == len(self._data):
            yield from self._fetch()
        if self.fault:
            return memoryview(b"")
        return self._data[self._at :] if self._left < 0 else self._data[self._at : self._at + self._left]

    def take(self, count: int) -> None:
        """`count` bytes of the last piece are used."""
        if self._left > 0:
            self._check(self._data[self._at : self._at + count])
            self._left -= count
        self._at += count

    def finish(self) -> Steps[None]:
        """Compare the CRC of the chunk in which the stream has ended, unless there is much behind that end."""
        if self._framing and self._verify and self._left <= self._window:
            while self._left > 0 and not self.fault:
                self.take(len((yield from self.piece())))
            stored = yield from self._take_exactly(4)
            if len(stored) == 4:
                self._compare(stored)

    def save(self, back: int) -> bytes:
        """The place `back` bytes before the next one. A codec that has to go back is never within chunks."""
        return STATE.pack(self.offset - back, self._left, self._crc, self._inside)

    def restore(self, state: bytes) -> None:
        """Go on where `save` was called."""
        self._base, self._left, self._crc, self._inside = unpacked(STATE, state)
        chunked = 0 <= self._left <= MAX_CHUNK
        if not self._start <= self._base <= self._end or chunked is not bool(self._framing):
            raise DecodeError("the checkpoint is not of this segment")

    def _fetch(self) -> Steps[None]:
        offset = self.offset
        length = min(self._window, self._end - offset)
        data: Any = (yield [(offset, length)])[0] if length else b""
        if self._reversed:
            data = _reverse(data)
        self._data, self._base, self._at = memoryview(data), offset, 0
        if len(data) < length:
            self._short, self._end = True, offset + len(data)
        if not data and (self._short or self._framing):
            self.fault = TruncatedError("the file ends before the compressed rows do", offset=offset)
        elif not data:
            self.fault = DecodeError("the compressed bytes end before the rows do", offset=offset)

    def _take_exactly(self, count: int) -> Steps[bytes]:
        """The next `count` bytes of the file, fewer where it ends."""
        parts = bytes(self._data[self._at : self._at + count])
        self._at += len(parts)
        while len(parts) < count and not self.fault:
            if self._at == len(self._data):
                yield from self._fetch()
            part = bytes(self._data[self._at : self._at + count - len(parts)])
            self._at += len(part)
            parts += part
        return parts

    def _next_chunk(self) -> Steps[None]:
        """Pass from the end of a chunk's data, or the first chunk's beginning, to the data of the next."""
        offset, close = self.offset, 4 * self._inside
        head = yield from self._take_exactly(close + 8 + self._numbered)
        if len(head) >= close:
            self._compare(head[:close])
        if self.fault:
            return
        length, kind = struct.unpack_from(">I4s", head, close)
        if kind != self._framing or not self._numbered <= length <= MAX_CHUNK:
            self.fault = DecodeError(f"chunk {kind!r} of {length} bytes before the compressed rows end", offset=offset)
            return
        self._inside, self._left, self._crc = True, length - self._numbered, 0
        self._check(head[close + 4 :])

    def _compare(self, stored: bytes) -> None:
        if stored and self._verify and int.from_bytes(stored, "big") != self._crc:
            self.wrong = True
            self.fault = DecodeError("the CRC of a chunk of compressed rows is wrong", offset=self.offset)

    def _check(self, data: memoryview | bytes) -> None:
        # Not ISA-L's, which is faster still: it leaves the upper halves of the vector registers in use, and whatever
        # runs next without AVX (our own unfilter) takes three times as long.
        if self._verify:
            self._crc = zlib.crc32(data, self._crc)


def _reverse(data: Any) -> bytes:
    from gigapix.decode.codecs import imagecodec

    return bytes(imagecodec("bitorder_decode")(bytes(data)))
