"""Compression of chunks, and how Zarr's metadata name it (Zarr v3 codecs, Zarr v2 compressors)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError

LEVELS: Final = {"zstd": 1, "blosc": 1, "gzip": 5, "none": 0}
"""The compressions, and the level of each where none is named. More costs far more time than it saves bytes."""


@dataclass(frozen=True, kw_only=True)
class Codec:
    """One compression with its level."""

    name: str
    level: int

    def __str__(self) -> str:
        return f"{self.name}:{self.level}" if self.name != "none" else "none"

    def v3(self, dtype: np.dtype[Any]) -> list[dict[str, Any]]:
        """The chain of codecs of a chunk."""
        order = {"configuration": {"endian": "little"}} if dtype.itemsize > 1 else {}
        chain: list[dict[str, Any]] = [{"name": "bytes", **order}]
        if self.name == "zstd":
            chain.append({"name": "zstd", "configuration": {"level": self.level, "checksum": False}})
        elif self.name == "gzip":
            chain.append({"name": "gzip", "configuration": {"level": self.level}})
        elif self.name == "blosc":
            blosc = {"cname": "zstd", "clevel": self.level, "shuffle": "shuffle"}
            chain.append({"name": "blosc", "configuration": {**blosc, "typesize": dtype.itemsize, "blocksize": 0}})
        return chain

    def v2(self) -> dict[str, Any] | None:
        """The compressor."""
        if self.name == "none":
            return None
        if self.name == "blosc":
            return {"id": "blosc", "cname": "zstd", "clevel": self.level, "shuffle": 1, "blocksize": 0}
        return {"id": self.name, "level": self.level}

    def encoder(self) -> Callable[[NDArray[Any]], bytes]:
        """From the samples of a chunk, contiguous and little-endian, to its bytes. Releases the GIL."""
        import imagecodecs

        level = self.level

        def encode(chunk: NDArray[Any]) -> bytes:
            data: Any = chunk.view(np.uint8)
            if self.name == "zstd":
                return bytes(imagecodecs.zstd_encode(data, level=level))
            if self.name == "gzip":
                return bytes(imagecodecs.gzip_encode(data, level=level))
            if self.name == "blosc":
                how: Any = {"compressor": "zstd", "shuffle": "shuffle", "typesize": chunk.itemsize, "numthreads": 1}
                return bytes(imagecodecs.blosc_encode(data, level=level, **how))
            return chunk.tobytes()

        return encode


def codec_of(text: str) -> Codec:
    """``zstd``, ``zstd:5``, ``blosc``, ``gzip`` or ``none``."""
    name, _, level = text.partition(":")
    name = "gzip" if name == "deflate" else name
    most = 22 if name == "zstd" else 9
    if name not in LEVELS or (level and not (level.isdecimal() and int(level) <= most)):
        raise RequestError(f"there is no codec {text!r}; there are {', '.join(LEVELS)}, with a level as in zstd:5")
    return Codec(name=name, level=int(level) if level else LEVELS[name])
