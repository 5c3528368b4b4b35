"""HTJ2K for zarr-python, under the name that imagecodecs gives it (``imagecodecs_htj2k``): it reads what
`gigapix.pyramid` writes wherever gigapix is installed, also on Python 3.11, whose imagecodecs has none for Zarr v3.

It only reads: to write a chunk would be to write all levels that are read from it, and the table of what lies where.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from gigapix.decode.htj2k import htj2k_plane
from gigapix.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME: Final = "imagecodecs_htj2k"


@dataclass(frozen=True)
class Htj2kCodec(ArrayBytesCodec):
    """Decodes a codestream, or the prefix of one, of a chunk that is a plane."""

    is_fixed_size = False

    configuration: tuple[tuple[str, Any], ...]
    """As it stands in the metadata."""
    reduce: int
    """Resolutions that are left out: ``skipres``."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From an array's metadata. Raises FormatError."""
        found = data.get("configuration", {})
        if data.get("name") != NAME or not isinstance(found, dict):
            raise FormatError(f"{data!r:.80} is no configuration of {NAME}")
        reduce = found.get("skipres", 0)
        if type(reduce) is not int or reduce < 0:
            raise FormatError(f"{NAME}: skipres is no number: {reduce!r:.60}")
        return cls(tuple(found.items()), reduce)

    def to_dict(self) -> dict[str, Any]:
        """For an array's metadata."""
        return {"name": NAME, "configuration": dict(self.configuration)}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> NoReturn:
        """It depends on the pixels."""
        raise NotImplementedError

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        shape, dtype = chunk_spec.shape, chunk_spec.dtype.to_native_dtype()
        if len(shape) < 2 or max(shape[:-2], default=1) > 1:
            raise UnsupportedError(f"{NAME}: a chunk of {shape} is no plane")
        data = np.ascontiguousarray(chunk_bytes.as_numpy_array()).view(np.uint8).data
        pixels = htj2k_plane(data, (shape[-2], shape[-1]), self.reduce)
        if pixels.dtype != dtype:
            raise FormatError(f"{NAME}: samples of {pixels.dtype} in an array of {dtype}")
        return chunk_spec.prototype.nd_buffer.from_numpy_array(pixels.reshape(shape))

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        raise UnsupportedError(f"{NAME}: gigapix only reads it in Zarr; gigapix.pyramid writes it")
