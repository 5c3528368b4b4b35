"""Levels that cost nothing: one set of chunks, of which the first bytes are the coarser resolutions.

An HTJ2K codestream holds a chunk at all resolutions, the coarsest first (`decode.htj2k`). So level k of a pyramid is an
array whose chunks are 2**k times shorter and are *prefixes* of level 0's. Nothing but level 0 is written, and a table:
of each chunk, where it begins in its object and how many of its bytes each level takes.

The target is an ordinary Zarr group with one array, for readers that know nothing of this. It does not list the coarser
arrays: they have no objects of their own, and such a reader would find nothing but fill values in them. Who reads the
table sees them (`gigapix.open`), and so does who reads references (`htj2k_references`), which any Zarr reader can.

The codec's low-pass filter (5/3, reversible, ISO 15444-1, F.3) is centred on the even samples: sample n of level k lies
on sample 2**k n of level 0. Chunks are transformed one by one. Beyond the image's edge a chunk repeats the last sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.htj2k import outline
from gigapix.errors import RequestError, UnsupportedError
from gigapix.formats.model import Buffer
from gigapix.pyramids.codecs import Codec
from gigapix.pyramids.documents import write_documents
from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.outputs import Output, level_info
from gigapix.pyramids.pixels import Pixels
from gigapix.pyramids.reducers import reducer_of
from gigapix.pyramids.samples import Samples

if TYPE_CHECKING:
    from gigapix.pyramids.folders import Folder
    from gigapix.pyramids.plan import PyramidPlan

TABLE: Final = "prefixes"
"""The table's name in the group: uint32, (chunks along each axis ..., 2 + levels): offset, bytes at level 0, 1 ..."""

METHOD: Final = "wavelet 5/3"
"""What metadata call the levels' reducer."""

SIDE: Final = 512
"""Of chunks, where nothing is said."""
LEAST_SIDE: Final = 16
"""Of a chunk of the last level, where nothing is said."""
MOST_LEVELS: Final = 30
LEAST_CODED: Final = 4
"""Of a chunk of the last level. The codec can't halve a side of one sample."""

Shape = tuple[int, ...]


def chunks_and_levels(dims: Sequence[str], shape: Shape, chunks: Any, levels: Any) -> tuple[Shape, int]:
    """Shape of level 0's chunks, and how many coarser levels there are.

    Raises RequestError where chunks can't be halved so often.
    """
    if len(shape) < 2 or ({"y", "x"} <= set(dims) and tuple(dims[-2:]) != ("y", "x")):
        raise RequestError(f"levels of the codec are of planes of the last two axes, not of {', '.join(dims)}")
    given = SIDE if chunks is None else chunks
    if isinstance(given, int):
        given = [*[1] * (len(dims) - 2), given, given]
    given = [given.get(axis, 1) for axis in dims] if isinstance(given, Mapping) else list(given)
    whole = all(isinstance(size, int | np.integer) and size > 0 for size in given)
    if len(given) != len(dims) or not whole or any(size != 1 for size in given[:-2]):
        raise RequestError(f"chunks of the codec are planes of {dims[-2]} and {dims[-1]}, not {chunks!r}")
    sides = int(given[-2]), int(given[-1])
    if levels == "auto":
        fitting = max(math.ceil(math.log2(max(size / side, 1))) for size, side in zip(shape[-2:], sides, strict=True))
        levels = max(min(fitting, (min(sides) // LEAST_SIDE).bit_length() - 1), 1)
    if not 0 < levels <= MOST_LEVELS:
        raise RequestError(f"the codec makes 1 to {MOST_LEVELS} levels, not {levels}")
    step = LEAST_CODED << levels
    if any(side % (1 << levels) or side < step for side in sides):
        raise RequestError(f"chunks of {sides} can't be halved {levels} times; sides of {step} or {2 * step} can")
    small = (min(side, -(-size // step) * step) for size, side in zip(shape[-2:], sides, strict=True))
    return (*[1] * (len(shape) - 2), *small), levels


def check_samples(samples: Samples, factors: Any, reducers: Any, nodata: float | None) -> None:
    """Raise an error for what the codec's filter can't do. `nodata`: as the caller gave it."""
    if factors != 2 or reducers != "mean":
        raise RequestError("levels of the codec are made by its own filter, which halves: no factors, no reducers")
    if samples.marker is not None and (nodata is None or nodata == nodata):
        hidden = f"nodata ({samples.nodata})" if samples.nodata is not None else "what a mask or alpha hides"
        raise UnsupportedError(
            f"the codec's filter would mix {hidden} with samples; say nodata=nan where that is wanted"
        )


def coarser(output: Output, resolutions: int) -> tuple[Output, ...]:
    """The arrays that lie in the chunks of level 0."""
    plane = (*[0] * (len(output.shape) - 2), 1, 1)

    def halved(sizes: Shape, level: int) -> Shape:
        return tuple(-(-size >> level * each) for size, each in zip(sizes, plane, strict=True))

    return tuple(
        replace(output, path=str(level), level=level, shape=halved(output.shape, level),
                chunks=halved(output.chunks, level), shards=halved(output.chunks, level))
        for level in range(1, resolutions + 1)
    )  # fmt: skip


def coarser_infos(plan: PyramidPlan) -> list[LevelInfo]:
    """What metadata say of them."""
    found = []
    for output in plan.coarser:
        strides = (*[1] * (len(output.shape) - 2), 1 << output.level, 1 << output.level)
        factors = tuple(min(stride, 2) for stride in strides)
        tier = replace(plan.tiers[0], shape=output.shape, factors=factors, strides=strides)
        found.append(replace(level_info(output, tier, reducer_of("nearest"), plan.facts), reducer=METHOD))
    return found


def places_of(chunks: Mapping[Shape, Buffer | None], counts: Shape, resolutions: int) -> list[int]:
    """The rows of the table that belong to an object, in C order: zeros of chunks that it has not."""
    found: list[int] = []
    at = 0
    for place in product(*map(range, counts)):
        data = chunks.get(place)
        if not data:
            found += [0] * (2 + resolutions)
            continue
        seen = outline(data)
        if not seen.by_resolution or seen.decompositions != resolutions:
            raise UnsupportedError("this imagecodecs writes no tile-part a resolution")
        found += [at, len(data), *map(seen.prefix, range(1, resolutions + 1))]
        at += len(data)
    return found


def table_shape(output: Output, resolutions: int) -> Shape:
    """A row of the table a chunk."""
    return *(-(-size // side) for size, side in zip(output.shape, output.chunks, strict=True)), 2 + resolutions


def codec_bytes(pixels: Pixels, chunks: Shape, codec: Codec, workers: int) -> int:
    """Memory of the table, while it grows and when it is written, and of chunks as the codec has them: wider, and as
    wavelets, and encoded."""
    rows = math.prod(-(-size // side) for size, side in zip(pixels.shape, chunks, strict=True))
    stored = codec.stored(pixels.samples.dtype).itemsize
    return 2 * 4 * rows * (2 + codec.resolutions) + workers * 4 * math.prod(chunks) * stored


def table_of(output: Output, resolutions: int) -> Table:
    """An empty one."""
    return Table(output=output, values=np.zeros(table_shape(output, resolutions), np.uint32))


@dataclass(frozen=True, kw_only=True)
class Table:
    """What lies where: grows while objects are written."""

    output: Output
    values: NDArray[np.uint32]

    def see(self, objects: Iterable[tuple[str, int, list[int]]]) -> None:
        """Note what objects hold. One thread at a time may."""
        counts = self.output.counts
        for key, _, places in objects:
            number = map(int, key.removeprefix(f"{self.output.path}/c/").split("/"))
            box = tuple(slice(n * count, (n + 1) * count) for n, count in zip(number, counts, strict=True))
            target = self.values[box]
            rows = np.array(places, np.uint32).reshape(*counts, -1)
            target[...] = rows[tuple(map(slice, target.shape))]

    def write(self, folder: Folder) -> None:
        """Put it into the group: an array of one chunk, not compressed, so that a reader can fetch a few rows."""
        zeros = "/".join("0" * self.values.ndim)
        folder.put(f"{TABLE}/c/{zeros}", self.values.astype("<u4").tobytes())
        shape = self.values.shape
        write_documents(folder, {
            f"{TABLE}/zarr.json": {
                "zarr_format": 3,
                "node_type": "array",
                "shape": shape,
                "data_type": "uint32",
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": 0,
                "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                "attributes": {},
            }
        })  # fmt: skip

    @property
    def attributes(self) -> dict[str, Any]:
        """What tells a reader that there is a table."""
        levels = self.values.shape[-1] - 2
        return {"gigapix": {"levels_from_codec": {"array": self.output.path, "levels": levels, "table": TABLE}}}
