"""Each level of a pyramid against what its reducer makes of the level above it, or of level 0.

A mean of integers that has been rounded at each level is another than the mean of level 0, rounded once. A pyramid may
be made in either way, so a sample is right where it is one or the other. Others round in other ways; of pyramids that
others made integers may be 1 away.

Pixels are read by zarr-python. A file can name any codec, pickles too, which run code when they are decoded: those are
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import GigapixError, MissingExtraError, RequestError, UnsupportedError
from gigapix.pyramids.check_group import Checked
from gigapix.pyramids.findings import Finding, doubt
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.links import Link, array_of, links_of
from gigapix.pyramids.reducers import smoothed
from gigapix.pyramids.samples import Samples, samples_of
from gigapix.source.failures import failure_of

BLOCK: Final = 1 << 22
"""Samples that are read at once."""
SIDE: Final = 2048
"""Along one axis."""
MOST: Final = 1 << 26
"""Samples under one window, or in one chunk, of what is compared."""

MOST_CHUNKS: Final = 1 << 16
"""That are read at once: zarr-python makes a task of each."""

_SIMPLE: Final = ("bool", "int", "uint", "float")

Read = Callable[[str], Any]
Box = tuple[slice, ...]


def check_pixels(checked: Checked, folder: Folder) -> tuple[list[Finding], list[str]]:
    """What is wrong, and the levels that were compared. Raises MissingExtraError without zarr-python."""
    findings: list[Finding] = []
    links = links_of(checked, findings)
    compared = []
    read = _reader(folder)
    for link in links:
        try:
            arrays = {path: _opened(checked, path, read) for path in (link.base, link.parent, link.path)}
            wrong, total, where = _compare(link, arrays)
        except _Unreadable as error:
            findings.append(Finding(str(error)))
            continue
        except (RequestError, UnsupportedError) as error:
            findings.append(doubt(f"level {link.path} is not compared: {error.message}"))
            continue
        compared.append(link.path)
        if wrong:
            findings.append(
                Finding(
                    f"level {link.path}: {wrong} of {total} samples are not the {link.reducer.name} of level "
                    f"{link.parent}; the first is at {where}"
                )
            )
    return findings, compared


class _Unreadable(Exception):  # noqa: N818
    """An array whose bytes are broken. The message is the whole finding."""


def _reader(folder: Folder) -> Read:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError("pixels are read by the package zarr: pip install 'gigapix[zarr]'") from error
    if folder.path is not None:
        return lambda path: zarr.open_array(str(folder.path), path=path, mode="r")
    store = zarr.storage.ObjectStore(folder.store, read_only=True)
    return lambda path: zarr.open_array(store, path=f"{folder.prefix}/{path}".lstrip("/"), mode="r")


def _opened(checked: Checked, path: str, read: Read) -> Any:
    node = array_of(checked, path)
    if node.dtype.rstrip("0123456789") not in _SIMPLE:
        raise RequestError(f"samples of type {node.dtype} can't be reduced")
    if "pickle" in node.codecs:
        raise _Unreadable(f"array {path} has the codec pickle, which runs code")
    array = _tried(path, lambda: read(path))
    samples = prod(array.chunks)
    if samples > MOST:
        raise RequestError(f"a chunk of array {path} has {samples} samples")
    if min(BLOCK, array.size) > samples * MOST_CHUNKS:
        raise RequestError(f"a chunk of array {path} has no more than {samples} samples")
    return array


def _tried(path: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except GigapixError:
        raise
    except Exception as error:  # codecs raise what they like
        if type(error).__module__.startswith("obstore"):  # whose texts have secrets in them
            raise failure_of(error, path, obstore=True) from None
        message = str(error).partition("\n")[0][:200]
        raise _Unreadable(f"array {path} can't be read: {type(error).__name__}: {message}") from error


def _pixels(path: str, array: Any, box: Box) -> NDArray[Any]:
    return _tried(path, lambda: np.asarray(array[box]))  # type: ignore[no-any-return]


def _compare(link: Link, arrays: Mapping[str, Any]) -> tuple[int, int, tuple[int, ...] | None]:
    """(samples that are wrong, all, where the first is)."""
    array, above, base = arrays[link.path], arrays[link.parent], arrays[link.base]
    if link.reducer.algebra == "composable" and prod(link.strides) > MOST:
        raise RequestError(f"a sample of it is made of {prod(link.strides)}")
    steps = link.strides if link.reducer.algebra == "composable" else link.factors
    wrong, first = 0, None
    for box in _boxes(array.shape, steps):
        stored = _pixels(link.path, array, box)
        bad = np.ones(stored.shape, bool)
        if link.parent == link.base or above.dtype == base.dtype:
            bad = ~_equal(stored, _reduced(link, above, link.parent, link.factors, box, stored.dtype), link.ours)
        if bad.any() and link.parent != link.base and link.reducer.algebra == "composable":
            bad &= ~_equal(stored, _reduced(link, base, link.base, link.strides, box, stored.dtype), link.ours)
        if bad.any():
            if first is None:
                place = np.argwhere(bad)[0]
                first = tuple(int(n + part.start) for n, part in zip(place, box, strict=True))
            wrong += int(bad.sum())
    return wrong, prod(array.shape), first


def _boxes(shape: Sequence[int], steps: Sequence[int]) -> Iterator[Box]:
    """Boxes of a level under which there are about so many samples."""
    left, sides = BLOCK, []
    for size, step in zip(reversed(shape), reversed(steps), strict=True):
        side = max(min(size, min(left, SIDE) // step), 1)
        sides.append(side)
        left //= side * step
    ranges = [range(0, size, side) for size, side in zip(shape, reversed(sides), strict=True)]
    for corner in product(*ranges):
        yield tuple(
            slice(at, min(at + side, size)) for at, side, size in zip(corner, reversed(sides), shape, strict=True)
        )


def _reduced(
    link: Link, array: Any, path: str, factors: tuple[int, ...], box: Box, dtype: np.dtype[Any]
) -> NDArray[Any]:  # fmt: skip
    """What the reducer makes of an array, within a box of its windows."""
    reducer = link.reducer
    sides, pads = [], []
    for part, factor, end in zip(box, factors, array.shape, strict=True):
        more = reducer.halo if factor > 1 else 0
        first, last = part.start * factor - more, part.stop * factor + more
        sides.append(slice(max(first, 0), min(last, end)))
        pads.append((max(-first, 0), max(last - end, 0)))
    samples: Samples = samples_of(array.dtype, link.nodata)
    values = samples.working(_pixels(path, array, tuple(sides)))
    if reducer.halo:
        return np.asarray(smoothed(values, factors, samples, pads)).astype(dtype)
    state = reducer.first(values, factors, samples, reducer.layout(samples, prod(factors)))
    weights = [
        np.minimum(np.arange(part.start, part.stop, dtype=np.int64) * factor + factor, end)
        - np.arange(part.start, part.stop, dtype=np.int64) * factor
        for part, factor, end in zip(box, factors, array.shape, strict=True)
    ]
    return reducer.finish(state, weights, samples, dtype)


def _equal(stored: NDArray[Any], made: NDArray[Any], exact: bool) -> NDArray[np.bool_]:
    if stored.dtype.kind == "f":
        finite = made[np.isfinite(made)]
        slack = 8 * float(np.finfo(stored.dtype).eps)
        largest = float(np.abs(finite).max()) if finite.size else 0.0
        return np.asarray(np.isclose(stored, made, rtol=slack, atol=slack * largest, equal_nan=True))
    if exact or stored.dtype.kind == "b":
        return np.asarray(stored == made)
    return np.asarray(np.maximum(stored, made) - np.minimum(stored, made) <= 1)
