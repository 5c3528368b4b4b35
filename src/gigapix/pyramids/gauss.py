"""Half the resolution by the binomial [1, 3, 3, 1] / 8 along each axis.

A window is the two samples and one more at each side, so it is centred where the two are. Beyond the array there is
nothing: the weights that are left are scaled up, as they are where a sample is left out. Integers are summed as
integers and rounded once a level, halves to even.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigapix.pyramids.samples import Samples
from gigapix.pyramids.windows import divided, integer_means

WEIGHTS = (1, 3, 3, 1)


def gaussian(
    values: NDArray[Any], factors: Sequence[int], samples: Samples, pads: Sequence[tuple[int, int]]
) -> NDArray[Any]:
    """Values at half the resolution along the axes whose factor is 2.

    values: along those axes, one sample more at each side than the windows have, without the ones outside of the array.
    pads: how many are outside, before and behind; behind up to 2, where the last window is cut.
    """
    whole = samples.work.kind != "f"
    kind = np.dtype((np.int64 if samples.work.itemsize > 2 else np.int32) if whole else np.float64)
    if samples.holes or samples.work.itemsize == 8:
        return _weighed(values, factors, samples, pads)
    total = _convolved(values.astype(kind), factors, pads)
    weights = [
        _along(np.ones(size, np.int64), factor, pad)
        for size, factor, pad in zip(values.shape, factors, pads, strict=True)
    ]
    return integer_means(total, weights, samples.work)


def _weighed(
    values: NDArray[Any], factors: Sequence[int], samples: Samples, pads: Sequence[tuple[int, int]]
) -> NDArray[Any]:
    """Where samples may be left out; in doubles, but for the integers of up to 32 bits."""
    valid = samples.valid(values)
    exact = samples.work.kind != "f" and samples.work.itemsize < 8
    kind = np.int64 if exact else np.float64
    total = _convolved(np.where(valid, values, values.dtype.type(0)).astype(kind), factors, pads)
    weight = _convolved(valid.astype(np.int64), factors, pads)
    out = np.empty(total.shape, samples.work)
    if exact:
        divided(total, np.maximum(weight, 1), out)
    else:
        means = total / np.maximum(weight, 1)
        if samples.work.kind != "f":
            bounds = np.iinfo(samples.work)
            means = np.clip(np.rint(means), bounds.min, float(bounds.max) * (1 - 2**-52))
        out[...] = means
    np.copyto(out, samples.empty, where=weight == 0)
    return out


def _convolved(values: NDArray[Any], factors: Sequence[int], pads: Sequence[tuple[int, int]]) -> NDArray[Any]:
    for axis, (factor, pad) in enumerate(zip(factors, pads, strict=True)):
        values = np.moveaxis(_along(np.moveaxis(values, axis, 0), factor, pad), 0, axis)
    return values


def _along(values: NDArray[Any], factor: int, pad: tuple[int, int]) -> NDArray[Any]:
    """Weighted sums along the first axis."""
    if factor == 1:
        return values
    padded = np.zeros((pad[0] + len(values) + pad[1], *values.shape[1:]), values.dtype)
    padded[pad[0] : pad[0] + len(values)] = values
    size = len(padded) // 2 - 1
    taps = [padded[at : at + 2 * size : 2] for at in range(4)]
    total: NDArray[Any] = taps[0] + taps[3] + 3 * (taps[1] + taps[2])
    return total
