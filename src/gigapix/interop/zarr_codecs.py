"""The codec ``gigapix.tiff`` for zarr-python: a segment of a TIFF or PNG as a chunk of a Zarr array.

zarr-python finds it by its entry point (group ``zarr.codecs``), so that arrays of references (`gigapix.views`) are read
wherever gigapix is installed. It only reads. What it knows and does is `gigapix.views.chains.TiffChunk`; this is
zarr-python's form of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from gigapix.errors import FormatError, UnsupportedError
from gigapix.views.chains import TiffChunk
from gigapix.views.chains_json import CODEC

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer


@dataclass(frozen=True)
class TiffCodec(ArrayBytesCodec):
    """Decodes a segment; an array-to-bytes codec without anything before or behind it."""

    is_fixed_size = False

    chunk: TiffChunk

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From an array's metadata. Raises FormatError."""
        if data.get("name") != CODEC:
            raise FormatError(f"{data.get('name')!r:.60} is not {CODEC}")
        return cls(TiffChunk.of_json(data.get("configuration")))

    def to_dict(self) -> dict[str, Any]:
        """For an array's metadata."""
        return {"name": CODEC, "configuration": self.chunk.configuration()}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> NoReturn:
        """It depends on the pixels."""
        raise NotImplementedError

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        out = np.empty(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().newbyteorder("="))
        data = np.ascontiguousarray(chunk_bytes.as_numpy_array()).view(np.uint8).data
        self.chunk.decode(data, out, chunk_spec.fill_value)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(out)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    def _encode_sync(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        raise UnsupportedError(f"{CODEC} only reads")

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        return self._encode_sync(chunk_data, chunk_spec)
