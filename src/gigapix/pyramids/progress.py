"""What a run has finished, beside the group that it writes, so that a run that was killed can be gone on with.

A *root* is a block of which everything below has been written. Its mark holds what the levels above need of it (the
reductions of its units), and the names and sizes of the objects that were written: where one of them is not as long as
it was, the root is done again. Marks lie under the digest of everything that decides about bytes; other settings, or
another version of the source, find none.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.folders import Folder
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.tree import Box, Index

Reduction = tuple[Box, tuple[NDArray[Any], ...]]
"""Accumulators, and where they belong in the next level."""

KEPT: Final = "kept.json"

Extents = dict[int, tuple[Any, Any]]
"""Lowest and highest sample by channel."""


def extents_of(values: NDArray[Any], box: Box, axis: int | None, samples: Samples) -> Extents:
    """Lowest and highest sample of each channel."""
    found: Extents = {}
    for n in range(values.shape[axis] if axis is not None else 1):
        part = values if axis is None else values.take([n], axis) if axis else values[n]
        if isinstance(part, np.ma.MaskedArray):
            part = part.compressed()
        if samples.holes:
            part = part[samples.valid(part)]
        if part.size:
            found[n + (box[axis].start if axis is not None else 0)] = (part.min().item(), part.max().item())
    return found


def packed(reduction: Reduction) -> bytes:
    """A reduction, compressed: many are held until their root is done."""
    import imagecodecs

    box, state = reduction
    facts = [[(side.start, side.stop) for side in box], [(part.dtype.str, part.shape) for part in state]]
    parts = [json.dumps(facts).encode(), b"\n", *(part.tobytes() for part in state)]
    return bytes(imagecodecs.zstd_encode(b"".join(parts), level=1))


def unpacked(data: bytes) -> Reduction:
    """What `packed` was given."""
    import imagecodecs

    found = bytes(imagecodecs.zstd_decode(data))
    at = found.index(b"\n") + 1
    box, parts = json.loads(found[:at])
    state = []
    for kind, shape in parts:
        state.append(np.frombuffer(found, kind, math.prod(shape), at).reshape(shape))
        at += state[-1].nbytes
    return tuple(slice(*ends) for ends in box), tuple(state)


@dataclass(kw_only=True)
class Root:
    """What one root has come to. One thread at a time may change it."""

    objects: list[tuple[str, int, list[int]]] = field(default_factory=list)
    """As `zarr_target.Written`."""
    extents: Extents = field(default_factory=dict)
    reductions: dict[Index, list[bytes]] = field(default_factory=dict)
    """By unit of the root's level, packed, one a reducer; none of the last level."""

    def see(self, extents: Extents) -> None:
        """Add the extents of some pixels."""
        for channel, (low, high) in extents.items():
            before = self.extents.get(channel, (low, high))
            self.extents[channel] = (min(low, before[0]), max(high, before[1]))


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The marks of one run."""

    folder: Folder
    digest: str

    def save(self, index: Index, root: Root) -> None:
        """Mark a root as done."""
        found = [(index, piece) for index, pieces in root.reductions.items() for piece in pieces]
        facts = {
            "objects": root.objects,
            "extents": {str(channel): [_plain(low), _plain(high)] for channel, (low, high) in root.extents.items()},
            "reductions": [(index, len(piece)) for index, piece in found],
        }
        parts = [json.dumps(facts).encode() + b"\n", *(piece for _, piece in found)]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        self.folder.put(self._key(index), [digest.digest(), *parts])

    def load(self, index: Index, target: Folder) -> Root | None:
        """A root that is done, with all its objects; None where it must be done again."""
        found = self.folder.get(self._key(index))
        if found is None or hashlib.sha256(found[32:]).digest() != found[:32]:
            return None
        at = found.index(b"\n", 32) + 1
        facts: Mapping[str, Any] = json.loads(found[32:at])
        if any(target.size(key) != size for key, size, _ in facts["objects"]):
            return None
        root = Root(
            objects=[(key, size, places) for key, size, places in facts["objects"]],
            extents={int(channel): (low, high) for channel, (low, high) in facts["extents"].items()},
        )
        for of, length in facts["reductions"]:
            root.reductions.setdefault(tuple(of), []).append(found[at : at + length])
            at += length
        return root

    def forget(self, index: Index) -> None:
        """A root is no longer done."""
        self.folder.put(self._key(index), b"")

    def keep(self, shape: Sequence[int], root: int, family: str) -> None:
        """Note what the marks are of, so that they serve an update."""
        facts = {"digest": self.digest, "shape": shape, "root": root, "family": family}
        self.folder.put(KEPT, json.dumps(facts).encode())

    def _key(self, index: Index) -> str:
        return f"{self.digest}/{'.'.join(map(str, index))}"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
