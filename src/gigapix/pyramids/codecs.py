"""Compression of chunks, and how Zarr's metadata name it (Zarr v3 codecs, Zarr v2 compressors)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError, UnsupportedError

Shape = tuple[int, ...]

LEVELS: Final = {"zstd": 1, "blosc": 1, "gzip": 5, "none": 0, "htj2k": 0}
"""The compressions, and the level of each where none is named. More costs far more time than it saves bytes."""

LEVELLESS: Final = ("none", "htj2k")

DECOMPOSITIONS: Final = 5
"""Of an HTJ2K chunk of an ordinary array: more make it no smaller."""


@dataclass(frozen=True, kw_only=True)
class Codec:
    """One compression with its level."""

    name: str
    level: int
    resolutions: int = 0
    """Of HTJ2K: coarser levels that are read from the same chunks (see `pyramids.htj2k`)."""

    def __str__(self) -> str:
        return f"{self.name}:{self.level}" if self.name not in LEVELLESS else self.name

    def check(self, dtype: np.dtype[Any], chunks: Shape, shards: Shape, zarr_format: int) -> None:
        """Raise UnsupportedError or RequestError for an array that it can't hold."""
        if self.name != "htj2k":
            return
        if len(chunks) < 2 or max(chunks[:-2], default=1) > 1:
            raise RequestError(f"htj2k holds planes: chunks of {chunks} are more than those of the last two axes")
        if dtype.kind not in "iu" or dtype.itemsize > 2:
            raise UnsupportedError(f"htj2k holds integers of 8 and 16 bits, and no {dtype}")
        if zarr_format != 3:
            raise RequestError("htj2k is written to Zarr v3")
        if self.resolutions and math.prod(shards) * 2 * dtype.itemsize >= 1 << 32:
            raise RequestError(f"shards of {shards} may be longer than the table of what lies where can say")

    def stored(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The type of the samples in chunks. Coarser resolutions in a chunk go beyond the extremes of the full one, and
        the codec would wrap them around: so there is room for them."""
        return np.dtype(f"i{2 * dtype.itemsize}") if self.resolutions else dtype

    def v3(self, dtype: np.dtype[Any], chunks: Shape, reduce: int = 0) -> list[dict[str, Any]]:
        """The chain of codecs of a chunk.

        reduce: of HTJ2K, 1 for half the resolution in the chunk, 2 for a quarter.
        """
        if self.name == "htj2k":
            # The names are those of imagecodecs, whose classes read it too.
            held = {"resolutions": self._decompositions(chunks), "reversible": True, "tlm": True}
            skipped = {"skipres": reduce} if reduce else {}
            return [{"name": "imagecodecs_htj2k", "configuration": {**held, "tilepart": "RESOLUTIONS", **skipped}}]
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
            if self.name == "htj2k":
                # One tile-part a resolution, the coarsest first, and their lengths in the header.
                how: Any = {"resolutions": self._decompositions(chunk.shape), "tlm": True, "tilepart": 1, "rgb": False}
                plane: Any = chunk.reshape(chunk.shape[-2:])
                return bytes(imagecodecs.htj2k_encode(plane, reversible=True, **how))
            data: Any = chunk.reshape(-1).view(np.uint8)
            if self.name == "zstd":
                return bytes(imagecodecs.zstd_encode(data, level=level))
            if self.name == "gzip":
                return bytes(imagecodecs.gzip_encode(data, level=level))
            if self.name == "blosc":
                how = {"compressor": "zstd", "shuffle": "shuffle", "typesize": chunk.itemsize, "numthreads": 1}
                return bytes(imagecodecs.blosc_encode(data, level=level, **how))
            return chunk.tobytes()

        return encode

    def _decompositions(self, chunks: Shape) -> int:
        return self.resolutions or min(DECOMPOSITIONS, min(chunks[-2:]).bit_length() - 1)


def codec_of(text: str) -> Codec:
    """``zstd``, ``zstd:5``, ``blosc``, ``gzip``, ``htj2k`` or ``none``."""
    name, _, level = text.partition(":")
    name = "gzip" if name == "deflate" else name
    most = 22 if name == "zstd" else 9
    if name not in LEVELS or (level and not (level.isdecimal() and int(level) <= most and name not in LEVELLESS)):
        raise RequestError(f"there is no codec {text!r}; there are {', '.join(LEVELS)}, with a level as in zstd:5")
    return Codec(name=name, level=int(level) if level else LEVELS[name])
