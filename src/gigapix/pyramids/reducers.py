"""What becomes of a window of samples: each way as a `Reducer`, which declares its algebra.

A *composable* reducer keeps accumulators (a mean its sums) from level to level, so that each level is what the reducer
would have made of level 0 at once, but for the rounding of floats. A *cascaded* one is applied to the values of the
level before; its result is that of the chain. `nearest` is both.

Accumulators are a tuple of arrays with one position a window. They are as small as they can be: sums of 32 bits as long
as no sum can be larger, and counts only where samples can be left out (nodata, NaN): else how many samples a window has
is known from where it is. docs/pyramids.md says in prose what each reducer gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError
from gigapix.kernels.reduce import reduce
from gigapix.pyramids.gauss import gaussian
from gigapix.pyramids.moments import first_moments, merged_moments, variances
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.totals import (
    count_layout,
    count_type,
    first_count,
    first_sum,
    first_sums,
    mean_layout,
    means_of,
    more_sums,
    sum_layout,
    total_of,
    wide_type,
)  # fmt: skip
from gigapix.pyramids.windows import Weights, reduced_shape, windows_of

State = tuple[NDArray[Any], ...]
Factors = Sequence[int]
Function = Callable[[NDArray[Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Reducer:
    """One way to reduce."""

    name: str
    algebra: Literal["composable", "cascaded"]
    method: str
    """The name that the Zarr convention multiscales suggests for it, else its own."""
    layout: Callable[[Samples, int], tuple[np.dtype[Any], ...]]
    """Types of the accumulators of windows of so many samples of level 0."""
    dtype: Callable[[Samples, int], np.dtype[Any]]
    """Of the result, where windows have up to so many samples."""
    first: Callable[[NDArray[Any], Factors, Samples, tuple[np.dtype[Any], ...]], State]
    """From level 0."""
    further: Callable[[State, Factors, Samples, tuple[np.dtype[Any], ...], Weights], State]
    """From the accumulators of a level, whose weights are given. Of a reducer with a halo, from arrays to which NaN or
    nothing has been added."""
    finish: Callable[[State, Weights, Samples, np.dtype[Any]], NDArray[Any]]
    """To values. May overwrite nothing."""
    position: Literal["centre", "first"] = "centre"
    """Where in its window a value lies: at its centre, or at its first sample."""
    halo: int = 0
    """Samples beside a window that count too."""


# Accumulators that are values of the array's own type.


def _same(samples: Samples, count: int) -> tuple[np.dtype[Any], ...]:
    return (samples.work,)


def _own(samples: Samples, count: int) -> np.dtype[Any]:
    return samples.dtype


def _values(state: State, weights: Weights, samples: Samples, dtype: np.dtype[Any]) -> NDArray[Any]:
    return samples.finished(state[0]) if dtype == samples.dtype else state[0].astype(dtype, copy=False)


def _chosen(operation: Any, rank: float, values: NDArray[Any], factors: Factors, samples: Samples, _: Any) -> State:
    out = np.empty(reduced_shape(values.shape, factors), values.dtype)
    reduce(values, out, tuple(factors), operation, marker=samples.marker, empty=samples.empty, rank=rank)
    return (out,)


def _every(values: NDArray[Any], factors: Factors, samples: Samples, _: Any) -> State:
    return (values[tuple(slice(None, None, factor) for factor in factors)],)


def _called(function: Function, values: NDArray[Any], factors: Factors, samples: Samples, _: Any) -> State:
    out = np.empty(reduced_shape(values.shape, factors), samples.work)
    for box, windows in windows_of(values, factors):
        result = np.asarray(function(windows))
        if result.shape != windows.shape[:-1]:
            raise RequestError(f"the reducer made {result.shape} of windows {windows.shape}, not {windows.shape[:-1]}")
        out[box] = np.rint(result) if result.dtype.kind == "f" and out.dtype.kind != "f" else result
    return (out,)


def _again(
    step: Callable[..., State], state: State, factors: Factors, samples: Samples, layout: Any, weights: Weights
) -> State:
    return step(state[0], factors, samples, layout)


def _stepwise(name: str, method: str, step: Callable[..., State], **more: Any) -> Reducer:
    """A reducer whose accumulator is a value, and that does the same at every level."""
    given = {"algebra": "composable", **more}
    return Reducer(
        name=name,
        method=method,
        layout=_same,
        dtype=_own,
        first=step,
        further=partial(_again, step),
        finish=_values,
        **given,
    )


# Truth


def _truth_layout(samples: Samples, count: int) -> tuple[np.dtype[Any], ...]:
    return (np.dtype(np.uint8),)


def _truth(operation: Any, factors: Factors, truth: NDArray[Any]) -> State:
    out = np.empty(reduced_shape(truth.shape, factors), np.uint8)
    reduce(truth.view(np.uint8), out, tuple(factors), operation)
    return (out,)


def _first_truth(operation: Any, values: NDArray[Any], factors: Factors, samples: Samples, _: Any) -> State:
    truth = values != 0
    if samples.holes:  # what is left out decides nothing
        truth = truth & samples.valid(values) if operation == "max" else truth | ~samples.valid(values)
    return _truth(operation, factors, truth)


def _more_truth(
    operation: Any, state: State, factors: Factors, samples: Samples, layout: Any, weights: Weights
) -> State:
    return _truth(operation, factors, state[0])


def _boolean(samples: Samples, count: int) -> np.dtype[Any]:
    return np.dtype(bool)


# Moments


def _moment_layout(samples: Samples, count: int) -> tuple[np.dtype[Any], ...]:
    double = np.dtype(np.float64)
    return (double, double) + ((count_type(samples, count),) if samples.holes else ())


def _moment_type(samples: Samples, count: int) -> np.dtype[Any]:
    return np.dtype(np.float64 if samples.dtype.itemsize > (4 if samples.dtype.kind == "f" else 2) else np.float32)


# Gauss


def _smoothed(values: NDArray[Any], factors: Factors, samples: Samples, _: Any) -> State:
    raise TypeError("a reducer with a halo is given arrays with their pads, by `smoothed`")


def smoothed(values: NDArray[Any], factors: Factors, samples: Samples, pads: Sequence[tuple[int, int]]) -> NDArray[Any]:
    """The windows of `gauss`, of values to which `pads` positions outside of the array belong at each end."""
    return gaussian(values, factors, samples, pads)


def _reducers() -> dict[str, Reducer]:
    moments = Reducer(
        name="var", algebra="composable", method="var", layout=_moment_layout, dtype=_moment_type,
        first=first_moments, further=merged_moments, finish=partial(variances, False),
    )  # fmt: skip
    truth = Reducer(
        name="any", algebra="composable", method="any", layout=_truth_layout, dtype=_boolean,
        first=partial(_first_truth, "max"), further=partial(_more_truth, "max"), finish=_values,
    )  # fmt: skip
    mean = Reducer(
        name="mean", algebra="composable", method="average", layout=mean_layout, dtype=_own,
        first=first_sums, further=more_sums, finish=means_of,
    )  # fmt: skip
    found = [
        mean,
        replace(
            mean, name="sum", method="sum", layout=sum_layout, dtype=wide_type, first=first_sum, finish=total_of
        ),
        replace(
            mean, name="count", method="count", layout=count_layout, dtype=count_type, first=first_count,
            finish=total_of,
        ),
        _stepwise("min", "min", partial(_chosen, "min", 0.0)),
        _stepwise("max", "max", partial(_chosen, "max", 0.0)),
        _stepwise("nearest", "nearest", _every, position="first"),
        _stepwise("median", "med", partial(_chosen, "rank", 0.5), algebra="cascaded"),
        _stepwise("mode", "mode", partial(_chosen, "mode", 0.0), algebra="cascaded"),
        _stepwise("gauss", "gauss", _smoothed, algebra="cascaded", halo=1),
        moments,
        replace(moments, name="std", method="std", finish=partial(variances, True)),
        truth,
        replace(
            truth, name="all", method="all", first=partial(_first_truth, "min"), further=partial(_more_truth, "min")
        ),
    ]  # fmt: skip
    return {each.name: each for each in found}


def reducer_of(wanted: str | Function | Reducer) -> Reducer:
    """The reducer of that name; ``quantile(0.25)`` or ``q0.25`` names a quantile; or of a function that reduces the
    last axis of its argument, the samples of a window.

    Raises RequestError where there is none.
    """
    if isinstance(wanted, Reducer):
        return wanted
    if callable(wanted):
        name = getattr(wanted, "__name__", type(wanted).__name__)
        return _stepwise(name.strip("<>"), name.strip("<>"), partial(_called, wanted), algebra="cascaded")
    known = _reducers()
    name = {"average": "mean", "med": "median", "stride": "nearest", "gaussian": "gauss"}.get(wanted, wanted)
    if name in known:
        return known[name]
    if name.startswith("quantile(") and name.endswith(")"):
        name = "q" + name[len("quantile(") : -1]
    try:
        rank = float(name.removeprefix("q")) if name.startswith("q") else -1.0
    except ValueError:
        rank = -1.0
    if 0 <= rank <= 1:
        return _stepwise(f"quantile({rank:g})", {0.25: "q1", 0.75: "q3"}.get(rank, f"quantile({rank:g})"),
                         partial(_chosen, "rank", rank), algebra="cascaded")  # fmt: skip
    raise RequestError(f"there is no reducer {wanted!r}; there are {', '.join(known)}, quantile(0.25) and the like")


def reducers_of(wanted: Any) -> tuple[Reducer, ...]:
    """One or several. Raises RequestError where two have one name."""
    several = wanted if isinstance(wanted, list | tuple) else [wanted]
    found = tuple(reducer_of(each) for each in several)
    if not found or len({each.name for each in found}) < len(found):
        raise RequestError("there must be one reducer or more, each of another name")
    return found
