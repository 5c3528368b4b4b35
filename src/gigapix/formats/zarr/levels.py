"""An array as a level of the one model: its chunks are segments.

Y and X are the sides of a segment; a chunk of several Z, or where it has none, of several positions along another axis,
is a volume; of several bands, samples. Along all other axes planes are stacked. Where a chunk reaches over several of
these, a plane is a slot of its chunks, and each of them is decoded anew for each plane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from gigapix import limits
from gigapix.errors import LimitError, UnsupportedError
from gigapix.formats.model import (
    SPAN,
    UNCOMPRESSED,
    ZARR_CHUNK,
    Encoding,
    LevelSpec,
    Located,
    Packing,
    Steps,
    encoded_bytes,
)
from gigapix.formats.zarr.array import ArrayInfo
from gigapix.formats.zarr.codecs import reduced
from gigapix.formats.zarr.keys import Keys
from gigapix.formats.zarr.prefixes import PrefixIndex
from gigapix.formats.zarr.shards import Shards

FORMATS: Final = {"u": 1, "b": 1, "i": 2, "f": 3, "c": 6}
"""SampleFormat by numpy's kind."""


def level_of(
    keys: Keys, array: ArrayInfo, letters: str, axes: str, scale: tuple[float, float] | None = None
) -> LevelSpec:
    """The level that an array is.

    letters: of its dimensions. axes: those of the image, in order; what it lacks of them has size 1.
    """
    size = dict.fromkeys(axes, 1) | dict(zip(letters, array.shape, strict=True))
    step = dict.fromkeys(axes, 1) | dict(zip(letters, array.chunks, strict=True))
    if min(size.values()) < 1:
        raise UnsupportedError(f"{array.node.document}: an array of {array.shape} has no pixels")
    if size["C"] > limits.MAX_SAMPLES and step["C"] > limits.MAX_SAMPLES:
        raise LimitError(f"{array.node.document}: chunks of {step['C']} bands")
    samples = min(step["C"], size["C"])
    further = [axis for axis in axes if axis not in "CYX" and size[axis] > 1]
    deep = max(further, key=lambda axis: (step[axis], axis == "Z"), default="")
    deep = deep if deep and step[deep] > 1 else ""
    stacked = [axis for axis in axes if axis in further and axis != deep]
    plane_axes = "".join(axis for axis in axes if axis in stacked or (axis == "C" and size["C"] > samples))
    plane_shape = tuple(-(-size[axis] // (samples if axis == "C" else 1)) for axis in plane_axes)
    place = _Place(keys, array, letters, deep, samples, plane_axes, plane_shape, size, step)
    return LevelSpec(
        axes=axes,
        shape=tuple(size[axis] for axis in axes),
        dtype=place.dtype,
        segment=(step[deep] if deep else 1, step["Y"], step["X"]),
        volume=(size[deep] if deep else 1, size["Y"], size["X"]),
        samples=samples,
        planar=False,
        tiled=True,
        planes=math.prod(plane_shape),
        plane_axes=plane_axes,
        plane_shape=plane_shape,
        locate=place.locate,
        encoding=place.encoding({}),
        depth_axis=deep or "Z",
        scale=scale,
    )


class _Place:
    """Where the segments of a level are."""

    def __init__(
        self,
        keys: Keys,
        array: ArrayInfo,
        letters: str,
        deep: str,
        samples: int,
        plane_axes: str,
        plane_shape: tuple[int, ...],
        size: Mapping[str, int],
        step: Mapping[str, int],
    ) -> None:
        self.array, self.letters, self.deep, self.samples = array, letters, deep, samples
        self.plane_axes, self.plane_shape, self.step = plane_axes, plane_shape, step
        # As pixels: bool is a byte of 0 or 1, as it is of a TIFF of one bit.
        self.dtype = np.dtype(np.uint8) if array.dtype.kind == "b" else array.dtype.newbyteorder("=")
        base = keys.grid(math.prod(array.grid), array.name_of)
        self._base = base
        self._shards: Shards | PrefixIndex | None = Shards(array, base) if array.sharded else None
        if array.prefixes is not None:
            self._shards = PrefixIndex(array=array, base=base, table=keys.number(array.prefixes.key))
        inside = [outer // inner for outer, inner in zip(array.outer, array.chunks, strict=True)]
        # By axis: chunks in an object along it, and how far the next object and the next chunk in it are.
        self._strides = {
            axis: (inside[n], math.prod(array.grid[n + 1 :]), math.prod(inside[n + 1 :]))
            for n, axis in enumerate(letters)
        }
        # Chunks along the axes of a segment.
        self._sides = tuple(-(-size[axis] // step[axis]) if axis else 1 for axis in (deep, "Y", "X"))
        self._encodings: dict[tuple[int, ...], Encoding] = {}
        self._most = encoded_bytes(math.prod(array.chunks) * array.dtype.itemsize)

    def locate(self, plane: int, segments: Sequence[int]) -> Steps[Located]:
        """See `LevelSpec.locate`."""
        at = np.unravel_index(plane, self.plane_shape) if self.plane_axes else ()
        position = {axis: int(where) for axis, where in zip(self.plane_axes, at, strict=True)}
        chunk = {axis: where if axis == "C" else where // self.step[axis] for axis, where in position.items()}
        slots = {axis: where % self.step[axis] for axis, where in position.items() if axis != "C"}
        encoding = self.encoding(slots)
        if self._shards is None:
            length = self.array_bytes if encoding.compression == UNCOMPRESSED else self._most
            places = self._places(chunk, segments)
            whole = [((self._base + number) * SPAN, length) for number, _ in places]
            return Located(encoding=encoding, ranges=tuple(whole))
        places = self._places(chunk, segments)
        indexes = yield from self._shards.indexes([shard for shard, _ in places])
        ranges = [self._shards.range(indexes[shard], shard, inside, self._most) for shard, inside in places]
        return Located(encoding=encoding, ranges=tuple(ranges))

    def _places(self, chunk: Mapping[str, int], segments: Sequence[int]) -> list[tuple[int, int]]:
        """Of each segment the number of its object, and of its chunk in that. `chunk`: its place along other axes."""
        walked = [self._strides.get(axis, (1, 0, 0)) for axis in (self.deep, "Y", "X")]
        (n_d, o_d, i_d), (n_y, o_y, i_y), (n_x, o_x, i_x) = walked
        outer = inner = 0
        for axis, place in chunk.items():
            inside, to_outer, to_inner = self._strides[axis]
            outer, inner = outer + place // inside * to_outer, inner + place % inside * to_inner
        _, down, across = self._sides
        found = []
        for segment in segments:
            rest, x = divmod(segment, across)
            d, y = divmod(rest, down)
            found.append((
                outer + d // n_d * o_d + y // n_y * o_y + x // n_x * o_x,
                inner + d % n_d * i_d + y % n_y * i_y + x % n_x * i_x,
            ))  # fmt: skip
        return found

    @property
    def array_bytes(self) -> int:
        """Of a decoded chunk."""
        return math.prod(self.array.chunks) * self.array.dtype.itemsize

    def encoding(self, slots: Mapping[str, int]) -> Encoding:
        """That of the planes at these slots of their chunks."""
        key = tuple(slots.get(axis, 0) for axis in self.letters)
        if key not in self._encodings:
            if len(self._encodings) > 1 << 10:
                self._encodings.clear()
            self._encodings[key] = self._encoding(slots)
        return self._encodings[key]

    def _encoding(self, slots: Mapping[str, int]) -> Encoding:
        array, chain = self.array, self.array.chain
        stored = "".join(self.letters[n] for n in chain.order)
        chunk = dict(zip(self.letters, array.chunks, strict=True))
        kept = {"Y", "X", self.deep} | ({"C"} if self.samples > 1 else set())
        index = tuple(
            slice(0, self.samples)
            if axis == "C" and axis in kept
            else slice(None)
            if axis in kept
            else slots.get(axis, 0)
            for axis in stored
        )
        left = [axis for axis in stored if axis in kept]
        wanted = ["C", self.deep, "Y", "X"]
        packing = Packing(
            codecs=chain.codecs,
            dtype=np.dtype(np.uint8) if array.dtype.kind == "b" else array.dtype,
            shape=tuple(chunk[axis] for axis in stored),
            index=index,
            order=tuple(left.index(axis) for axis in wanted if axis in left),
            expand=tuple(slice(None) if axis and axis in left else None for axis in wanted),
            interleaved=_is(stored, chunk, [self.deep, "Y", "X", "C"]) and chunk.get("C", 1) == self.samples,
        )
        plain = Encoding(
            compression=chain.image or UNCOMPRESSED,
            dtype=self.dtype,
            samples=self.samples,
            bits=(8 * self.dtype.itemsize,) * self.samples,
            sample_format=FORMATS[self.dtype.kind],
            byteorder="<" if packing.dtype.newbyteorder("<") == packing.dtype else ">",
            photometric=2 if self.samples in (3, 4) and chain.image else 1,
            nodata=array.fill,
            absent=not array.sharded and array.prefixes is None,
            reduce=reduced(chain),
        )
        if packing.interleaved and not chain.codecs:
            return plain
        if chain.image:
            raise UnsupportedError(f"{array.node.document}: chunks of {array.chunks} as images")
        return replace(plain, compression=ZARR_CHUNK, packing=packing)


def _is(stored: str, chunk: Mapping[str, int], wanted: Sequence[str]) -> bool:
    """Whether dimensions come in that order, but for those of one sample, which are nowhere."""
    return [axis for axis in stored if chunk[axis] > 1] == [axis for axis in wanted if chunk.get(axis, 1) > 1]
