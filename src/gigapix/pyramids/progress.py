"""What a run has finished, beside the group that it writes, so that a run that was killed can be gone on with.

A *root* is a block of which everything below has been written. Its mark holds what the levels above need of it (the
reductions of its units), and the names and sizes of the objects that were written: where one of them is not as long as
it was, the root is done again. Marks lie under the digest of everything that decides about bytes; other settings, or
another version of the source, find none.
"""

from __future__ import annotations

import hashlib
import io
import json
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
        if samples.holes:
            part = part[samples.valid(part)]
        if part.size:
            found[n + (box[axis].start if axis is not None else 0)] = (part.min().item(), part.max().item())
    return found


@dataclass(kw_only=True)
class Root:
    """What one root has come to. One thread at a time may change it."""

    objects: list[tuple[str, int]] = field(default_factory=list)
    extents: Extents = field(default_factory=dict)
    reductions: dict[Index, list[Reduction]] = field(default_factory=dict)
    """By unit of the root's level, one a reducer; none of the last level."""

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
        import imagecodecs

        found = [(index, *each) for index, reductions in root.reductions.items() for each in reductions]
        arrays: dict[str, Any] = {
            f"{n}.{m}": part for n, (_, _, state) in enumerate(found) for m, part in enumerate(state)
        }
        facts = {
            "objects": root.objects,
            "extents": {str(channel): [_plain(low), _plain(high)] for channel, (low, high) in root.extents.items()},
            "reductions": [(of, [(side.start, side.stop) for side in box], len(state)) for of, box, state in found],
        }
        buffer = io.BytesIO()
        np.savez(buffer, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
        data = bytes(imagecodecs.zstd_encode(buffer.getvalue(), level=1))
        self.folder.put(self._key(index), hashlib.sha256(data).digest() + data)

    def load(self, index: Index, target: Folder) -> Root | None:
        """A root that is done, with all its objects; None where it must be done again."""
        found = self.folder.get(self._key(index))
        if found is None or hashlib.sha256(found[32:]).digest() != found[:32]:
            return None
        import imagecodecs

        with np.load(io.BytesIO(imagecodecs.zstd_decode(found[32:])), allow_pickle=False) as arrays:
            facts: Mapping[str, Any] = json.loads(arrays["facts"].tobytes())
            if any(target.size(key) != size for key, size in facts["objects"]):
                return None
            root = Root(
                objects=[(key, size) for key, size in facts["objects"]],
                extents={int(channel): (low, high) for channel, (low, high) in facts["extents"].items()},
            )
            for n, (of, box, parts) in enumerate(facts["reductions"]):
                state = tuple(arrays[f"{n}.{m}"] for m in range(parts))
                root.reductions.setdefault(tuple(of), []).append((tuple(slice(*ends) for ends in box), state))
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
