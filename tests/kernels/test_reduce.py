"""Windows against numpy's, one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.kernels.reduce import reduce

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def windows(values, factors):
    grid = [-(-size // factor) for size, factor in zip(values.shape, factors, strict=True)]
    for place in product(*map(range, grid)):
        box = tuple(slice(n * f, (n + 1) * f) for n, f in zip(place, factors, strict=True))
        yield place, values[box].ravel()


@st.composite
def cases(draw):
    axes = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, 7)) for _ in range(axes))
    factors = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    kind = np.dtype(draw(st.sampled_from(TYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.integers(0, 5, shape).astype(kind)
    if kind.kind == "i":
        values -= 2
    if kind.kind == "f" and draw(st.booleans()):
        values[rng.random(shape) < 0.3] = np.nan
    if draw(st.booleans()):  # any strides
        values = np.repeat(values, 2, axis=-1)[..., ::-2]
    return values, factors, draw(st.sampled_from([None, 0, 1])), draw(st.sampled_from([0, 0.25, 0.5, 1.0]))


@given(cases())
@settings(max_examples=150, deadline=None)
def test_windows(case):
    values, factors, nodata, rank = case
    marker = None if nodata is None else np.array([nodata], values.dtype)
    empty = marker if marker is not None else np.array([np.nan if values.dtype.kind == "f" else 0], values.dtype)
    shape = tuple(-(-size // factor) for size, factor in zip(values.shape, factors, strict=True))
    wide = (
        np.dtype("f8") if values.dtype.kind == "f" else np.dtype(f"{values.dtype.kind}{max(4, values.dtype.itemsize)}")
    )
    found = {name: np.empty(shape, values.dtype) for name in ("min", "max", "mode", "rank")}
    found["sum"] = np.empty(shape, wide)
    for name, out in found.items():
        reduce(values, out, factors, name, marker=marker, empty=empty, rank=rank)
    for place, window in windows(values, factors):
        kept = np.sort(window[(window == window) & ((window != nodata) if nodata is not None else True)])
        assert found["sum"][place] == kept.astype(wide).sum()
        if len(kept):
            ones, counts = np.unique(kept, return_counts=True)
            assert found["mode"][place] == ones[counts.argmax()]
            assert found["rank"][place] == kept[int(np.floor(rank * (len(kept) - 1)))]
            assert found["min"][place] == kept[0] and found["max"][place] == kept[-1]
        else:
            for name in ("min", "max", "mode", "rank"):
                np.testing.assert_equal(found[name][place], empty[0])


def test_long_windows_are_sorted():
    values = np.random.default_rng(1).integers(0, 3000, (1, 5000)).astype("u2")
    out = np.empty((1, 1), "u2")
    reduce(values, out, (1, 5000), "rank", rank=0.5, empty=np.zeros(1, "u2"))
    assert out[0, 0] == np.sort(values[0])[2499]


@pytest.mark.parametrize(
    ("source", "out", "factors", "more"),
    [
        (np.zeros((4, 4), "u1"), np.zeros((2, 2), "u1"), (2, 2), {"operation": "sum"}),
        (np.zeros((4, 4), "u1"), np.zeros((2, 3), "u4"), (2, 2), {"operation": "sum"}),
        (np.zeros((4, 4), "u1"), np.zeros((2, 2), "i4"), (2, 2), {"operation": "sum"}),
        (np.zeros((4, 4), "u1"), np.zeros((2, 2), "u1"), (2,), {"operation": "min"}),
        (np.zeros((4, 4), "u1"), np.zeros((2, 2), "u1"), (2, 0), {"operation": "min"}),
        (np.zeros((4, 4), "u1"), np.zeros((2, 2), "u1"), (2, 2), {"operation": "mode"}),
        (np.zeros((4, 4), "f4"), np.zeros((2, 2), "f4"), (2, 2), {"operation": "max"}),
        (np.zeros((4, 4), "f4"), np.zeros((2, 2), "f4"), (2, 2), {"operation": "what", "empty": np.zeros(1, "f4")}),
        (np.zeros((4, 4), ">u2"), np.zeros((2, 2), "u2"), (2, 2), {"operation": "min"}),
        (np.zeros((4, 4), "c8"), np.zeros((2, 2), "c8"), (2, 2), {"operation": "min"}),
        (np.zeros((4, 4), "u2"), np.zeros((2, 2), "u2"), (2, 2), {"operation": "min", "marker": np.zeros(1, "u1")}),
        (np.zeros(33, "u1")[1:].view("u2"), np.zeros(8, "u2"), (2,), {"operation": "min"}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(source, out, factors, more):
    before = out.copy()
    with pytest.raises(ValueError, match=r"\w"):
        reduce(source, out, factors, **more)
    assert (out == before).all()


def test_nothing_to_reduce():
    out = np.zeros((0, 2), "u1")
    reduce(np.zeros((0, 4), "u1"), out, (2, 2), "min")
