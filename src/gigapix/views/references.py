"""References: a view of an image as byte ranges of its file, for those who read Zarr without gigapix's help.

Each chunk of an array is one segment of the file, as it lies. So what is written is small (a range a chunk), and who
reads it fetches and decodes what the file holds. It needs a chain of codecs that says how a segment becomes a chunk
(`gigapix.views.chains`), the same one for all segments of an array.

What references are to be written is first a plan: the arrays, the codecs of each, and why one can't be referenced.
The ranges themselves are looked up in batches while they are written, so that a file of any number of segments takes
the memory of one batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.decode.support import name as codec_name
from gigapix.errors import TruncatedError, UnsupportedError
from gigapix.formats.model import UNCOMPRESSED, LevelSpec
from gigapix.image.image import Image
from gigapix.source import drive
from gigapix.views.chains import Chain, chain_of
from gigapix.views.chains_json import CODEC
from gigapix.views.documents import documents_of
from gigapix.views.model import Array, Group, described
from gigapix.views.references_bands import in_bands

BATCH: Final = 16384
"""Segments whose ranges are looked up together: some 256 kB of a table."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ReferenceArray:
    """One array of references."""

    array: Array
    spec: LevelSpec
    """Of the level, or of its mask."""
    chain: Chain
    fault: str = ""
    """Why it can't be referenced; empty where it can."""

    @property
    def needs_gigapix(self) -> bool:
        """Whether to read it takes the codec that comes with gigapix."""
        return any(codec["name"] == CODEC for codec in self.chain)

    def __str__(self) -> str:
        array = self.array
        how = self.fault or " + ".join(codec["name"] for codec in self.chain)
        if self.needs_gigapix:
            how += f" ({codec_name(self.spec.encoding)})"
        shape, chunks = (" x ".join(map(str, each)) for each in (array.shape, array.chunks))
        return f"{array.path}  {shape} {array.dtype}, chunks of {chunks}: {how}"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """References to one file."""

    chunks: Indices
    """(n, axes): places in the array's grid of chunks."""
    file: str
    """The file beside the image's that the ranges are of; the image's own where empty."""
    offsets: Indices
    lengths: Indices


@dataclass(frozen=True, kw_only=True)
class References:
    """What will be written."""

    image: Image
    group: Group
    arrays: tuple[ReferenceArray, ...]

    @property
    def faults(self) -> Mapping[str, str]:
        """Why an array can't be referenced, by its path."""
        return {each.array.path: each.fault for each in self.arrays if each.fault}

    @property
    def chunk_bytes(self) -> int:
        """Of the largest chunk: whoever reads a pixel of it holds so many."""
        return max(each.array.chunk_bytes for each in self.arrays)

    def check(self) -> References:
        """Itself. Raises UnsupportedError, with the reasons, where an array can't be referenced."""
        if self.faults:
            reasons = "; ".join(f"array {path}: {fault}" for path, fault in self.faults.items())
            raise UnsupportedError(f"it can't be written as references: {reasons}", path=self.image.path)
        return self

    def documents(self) -> dict[str, dict[str, Any]]:
        """The metadata of all groups and arrays, by key."""
        arrays = {each.array.path: each for each in self.arrays}
        return documents_of(_with(self.group, arrays), lambda array: arrays[array.path].chain)

    def batches(self, each: ReferenceArray) -> Iterator[Batch]:
        """The references of an array; a chunk without one is sparse.

        Raises UnsupportedError where planes are encoded in different ways, or where a sparse segment is not of the
        array's fill value.
        """
        spec, fill = each.spec, each.array.fill
        per_plane = math.prod(_grid(spec)) * (spec.samples if spec.planar else 1)
        for plane in range(spec.planes):
            for first in range(0, per_plane, BATCH):
                wanted = range(first, min(first + BATCH, per_plane))
                located = drive(spec.locate(plane, wanted), self.image.cache)
                if replace(located.encoding, nodata=None) != replace(spec.encoding, nodata=None):
                    raise self._fault(each, f"its plane {plane} is encoded otherwise than its first")
                held = {n: found for n, found in zip(wanted, located.ranges, strict=True) if found is not None}
                if len(held) < len(wanted) and not _same(located.encoding.nodata or 0, fill, each.array.dtype):
                    nodata = located.encoding.nodata
                    raise self._fault(each, f"its sparse segments are {nodata or 0}, and its fill value is {fill}")
                if held:
                    if max(map(sum, held.values())) > np.iinfo(np.int64).max:
                        raise TruncatedError("segments lie beyond the end of any file", path=self.image.path)
                    ranges = np.array(list(held.values()), np.int64)
                    chunks = _chunks(spec, plane, np.array(list(held)))[:, -len(each.array.grid) :]
                    lengths = ranges[:, 1]
                    if not each.needs_gigapix and spec.encoding.compression == UNCOMPRESSED:
                        lengths = np.minimum(lengths, each.array.chunk_bytes)  # what lies behind is nothing
                    yield Batch(chunks=chunks, file=located.file, offsets=ranges[:, 0], lengths=lengths)

    def _fault(self, each: ReferenceArray, reason: str) -> UnsupportedError:
        return UnsupportedError(
            f"it can't be written as references: array {each.array.path}: {reason}", path=self.image.path
        )

    def __str__(self) -> str:
        lines = [f"{self.image.path}: {len(self.arrays)} arrays"]
        return "\n".join([*lines, *(f"  {each}" for each in self.arrays)])


def plan_references(image: Image) -> References:
    """What references to an image would be: its own levels and masks."""
    group = described(image, segments=True)
    arrays = [_planned(node, image) for node in group.nodes() if isinstance(node, Array)]
    return References(image=image, group=group, arrays=tuple(arrays))


def _with(group: Group, arrays: Mapping[str, ReferenceArray]) -> Group:
    """The group with the chunks that references have."""
    return replace(
        group,
        arrays=tuple(arrays[array.path].array for array in group.arrays),
        groups=tuple(_with(each, arrays) for each in group.groups),
    )


def _planned(array: Array, image: Image) -> ReferenceArray:
    level = image.levels[array.level].spec
    spec = in_bands(level.mask if array.kind == "mask" and level.mask is not None else level, image.file_size)
    array = replace(array, chunks=(*array.chunks[:-2], *spec.segment[1:]))
    try:
        if spec.encoding.absent or spec.encoding.packing is not None:
            raise UnsupportedError("its chunks are objects of their own: it is Zarr already")
        if array.kind == "mask" and (spec.dtype != np.uint8 or spec.shape[:-2] != (1,)):
            raise UnsupportedError(f"a mask of {spec.dtype} of {spec.axes}")
        chain = chain_of(spec, spec.encoding, mask=array.kind == "mask")
    except UnsupportedError as error:
        return ReferenceArray(array=array, spec=spec, chain=[], fault=error.message)
    return ReferenceArray(array=array, spec=spec, chain=chain)


def _same(nodata: complex, fill: Any, dtype: np.dtype[Any]) -> bool:
    """Whether samples of `nodata` are the fill value."""
    return bool(np.array_equal(np.asarray(nodata).astype(dtype), np.asarray(fill).astype(dtype), equal_nan=True))


def _grid(spec: LevelSpec) -> tuple[int, int, int]:
    """Segments along (depth, height, width), of one sample where planar."""
    depth, height, width = (-(-size // step) for size, step in zip(spec.volume, spec.segment, strict=True))
    return depth, height, width


def _chunks(spec: LevelSpec, plane: int, segments: Indices) -> Indices:
    """(n, axes): the places of a plane's segments in the grid of chunks."""
    sample, within = np.divmod(segments, math.prod(_grid(spec)))
    z, y, x = np.unravel_index(within, _grid(spec))
    along: dict[str, Any] = {"Z": z, "Y": y, "X": x, "C": sample}
    places = np.unravel_index(plane, spec.plane_shape) if spec.plane_shape else ()
    for axis, place in zip(spec.plane_axes, places, strict=True):
        along[axis] = place * (spec.samples if spec.planar else 1) + sample if axis == "C" else place
    return np.stack([np.broadcast_to(along[axis], segments.shape) for axis in spec.axes], axis=1).astype(np.int64)
