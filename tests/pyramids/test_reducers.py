"""What each reducer gives, at every level, against tensorstore and numpy."""

from fractions import Fraction

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigapix import RequestError, UnsupportedError
from gigapix.pyramids.reducers import reducer_of
from gigapix.pyramids.samples import samples_of
from tests.pyramids.build import built, directly

SAME = {"mean": "mean", "min": "min", "max": "max", "nearest": "stride", "median": "median", "mode": "mode"}
INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sampled(values, method, factors):
    return ts.downsample(ts.array(values), factors, SAME[method]).read().result()


@st.composite
def cases(draw):
    axes = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, (40, 24, 12, 7)[axes - 1])) for _ in range(axes))
    names = "tzyx"[-axes:]
    factor = st.sampled_from((1, 2, 2, 3, 5))
    steps = [tuple(draw(factor) for _ in range(axes)) for _ in range(draw(st.integers(1, 3)))]
    kind = np.dtype(draw(st.sampled_from([*INTEGERS, "f4", "f8", "?"])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if kind.kind in "iu":
        few = draw(st.booleans())
        bounds = np.iinfo(kind)
        values = rng.integers(0 if few else bounds.min, 4 if few else bounds.max, shape, dtype=kind, endpoint=True)
    else:
        values = rng.integers(0, 2 if kind.kind == "b" else 100, shape).astype(kind)
    chunk = draw(st.integers(1, 6))
    return values, names, steps, chunk, draw(st.integers(1, 3))


@given(case=cases(), method=st.sampled_from(sorted(SAME)))
@relaxed
def test_as_tensorstore_has_it(tmp_path, case, method):
    values, names, steps, chunk, workers = case
    factors = {name: [step[n] for step in steps] for n, name in enumerate(names)}
    found = built(
        values, tmp_path, axes=names, factors=factors, levels=len(steps), reducers=method, chunks=(chunk,) * len(names),
        workers=workers,
    )  # fmt: skip
    np.testing.assert_array_equal(found["0"], values)
    total, chained = [1] * len(names), values
    for level, step in enumerate(steps, 1):
        # An axis of one sample is not reduced any more, which makes no difference.
        total = [a * b for a, b in zip(total, step, strict=True)]
        chained = sampled(chained, method, step)
        direct = sampled(values, method, total)
        exact = reducer_of(method).algebra == "composable" and values.dtype != bool
        wanted = direct if exact else chained
        if values.dtype == bool and method == "mean":  # exact here, a mode of modes there
            wanted = directly(values, total, lambda w: 2 * int(w.sum()) > len(w), dtype=bool)
        if method == "nearest" or values.dtype.kind != "f":
            np.testing.assert_array_equal(found[str(level)], wanted)
        else:
            np.testing.assert_allclose(found[str(level)], wanted, rtol=1e-6)


def half_even(window):
    total, count = sum(map(int, window)), len(window)
    return round(Fraction(total, count)) if count else None


@pytest.mark.parametrize("kind", [*INTEGERS, "f2", "f4", "f8"])
@pytest.mark.parametrize("nodata", [None, 7])
def test_every_composable_reducer_is_the_direct_one(tmp_path, kind, nodata):
    rng = np.random.default_rng(5)
    kind = np.dtype(kind)
    values = rng.integers(0, 12, (37, 29)).astype(kind)
    values[:9, :9] = 7
    if kind.kind == "f":
        values[rng.random(values.shape) < 0.2] = np.nan
        values[20:, 20:] = np.nan
    names = ["mean", "sum", "count", "min", "max", "std", "var", "any", "all"]
    found = built(values, tmp_path, reducers=names, levels=3, chunks=4, nodata=nodata)
    for level in (1, 2, 3):
        factors = (2**level,) * 2

        def wanted(function, factors=factors):
            return directly(values.astype("f8"), factors, function, nodata=nodata)

        def empty(function):
            fill = np.nan if kind.kind == "f" and nodata is None else nodata
            return lambda window: function(window) if len(window) else fill

        def get(name, level=level):
            return found[f"{name}/{level}" if name != "mean" else str(level)]

        mean = np.mean if kind.kind == "f" else half_even
        exact = {"rtol": 2e-3 if kind == np.float16 else 1e-6}
        np.testing.assert_allclose(get("mean").astype("f8"), wanted(empty(mean)).astype("f8"), **exact)
        for name, function in (("min", np.min), ("max", np.max)):
            np.testing.assert_array_equal(get(name).astype("f8"), wanted(empty(function)).astype("f8"))
        np.testing.assert_array_equal(get("count"), wanted(len).astype("i8"))
        np.testing.assert_allclose(get("sum").astype("f8"), wanted(np.sum).astype("f8"))
        for name, function in (("std", np.std), ("var", np.var)):
            spread = wanted(lambda w, f=function: f(w) if len(w) else np.nan).astype("f8")
            np.testing.assert_allclose(get(name).astype("f8"), spread, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(get("any"), wanted(lambda w: bool(w.any())).astype(bool))
        np.testing.assert_array_equal(get("all"), wanted(lambda w: bool(w.all())).astype(bool))
    assert get("count").dtype == "u4" and get("any").dtype == bool and get("sum").dtype == f"{kind.kind}8"


@pytest.mark.parametrize("kind", ["u8", "i8", "u4", "i4"])
def test_means_of_the_largest_integers_do_not_overflow(tmp_path, kind):
    bounds = np.iinfo(kind)
    values = np.random.default_rng(2).integers(bounds.max - 9, bounds.max, (33, 47), dtype=kind, endpoint=True)
    values[10:20] = bounds.min + 3
    found = built(values, tmp_path, levels=4, chunks=8)
    for level in range(1, 5):
        wanted = directly(values, (2**level,) * 2, half_even)
        assert found[str(level)].tolist() == wanted.tolist()


def binomial(values, nodata=None):
    """[1, 3, 3, 1] along both axes at every second place, of what is there."""
    out = np.empty([-(-n // 2) for n in values.shape])
    for y, x in np.ndindex(out.shape):
        rows = [(y * 2 - 1 + k, w) for k, w in enumerate((1, 3, 3, 1)) if 0 <= y * 2 - 1 + k < values.shape[0]]
        columns = [(x * 2 - 1 + k, w) for k, w in enumerate((1, 3, 3, 1)) if 0 <= x * 2 - 1 + k < values.shape[1]]
        taps = [(float(values[r, c]), v * w) for r, v in rows for c, w in columns if values[r, c] != nodata]
        weight = sum(w for _, w in taps)
        out[y, x] = sum(v * w for v, w in taps) / weight if weight else nodata
    return out


@pytest.mark.parametrize(("kind", "nodata"), [("u2", None), ("u1", 5), ("f4", None), ("i8", None)])
@pytest.mark.parametrize("chunk", [3, 8, 64])
def test_gauss_looks_at_true_neighbours(tmp_path, kind, nodata, chunk):
    values = np.random.default_rng(3).integers(0, 250, (45, 38)).astype(kind)
    if nodata is not None:
        values[:12, 5:20] = nodata
    found = built(values, tmp_path, reducers=["gauss", "max"], levels=3, chunks=chunk, nodata=nodata)
    level = values
    for number in (1, 2, 3):
        smooth = binomial(level, nodata)
        level = smooth.astype(kind) if kind == "f4" else np.rint(smooth).astype(kind)
        np.testing.assert_allclose(found[str(number)], level, rtol=1e-5)
        np.testing.assert_array_equal(
            found[f"max/{number}"],
            directly(values, (2**number,) * 2, lambda w: w.max() if len(w) else nodata, nodata=nodata, dtype=kind),
        )


def test_quantiles_are_values_that_are_there(tmp_path):
    values = np.random.default_rng(4).integers(0, 1000, (41, 33)).astype("i2")
    found = built(values, tmp_path, reducers=["quantile(0.25)", "q0.9"], levels=1, factors=3, chunks=6)
    for path, rank in (("1", 0.25), ("quantile_0.9/1", 0.9)):
        wanted = directly(values, (3, 3), lambda w, rank=rank: np.quantile(w, rank, method="lower"), dtype="i2")
        np.testing.assert_array_equal(found[path], wanted)


def test_a_function_gets_true_windows(tmp_path):
    values = np.random.default_rng(4).integers(0, 1000, (2, 41, 33)).astype("u2")

    def spread(windows):
        return windows.max(axis=-1) - windows.min(axis=-1)

    found = built(values, tmp_path, reducers=spread, levels=1, factors={"x": 4, "y": 3}, chunks=5, axes="cyx")
    np.testing.assert_array_equal(found["1"], directly(values, (1, 3, 4), np.ptp, dtype="u2"))
    with pytest.raises(RequestError, match="of windows"):
        built(values, tmp_path, reducers=np.max, levels=1)


def test_what_there_is_not():
    for wanted in ("avg", "quantile(2)", "q", ""):
        with pytest.raises(RequestError, match="no reducer"):
            reducer_of(wanted)
    with pytest.raises(UnsupportedError, match="complex"):
        samples_of(np.dtype("c8"), None)


@pytest.mark.parametrize("factor", [2, 3, 5])
@pytest.mark.parametrize("method", ["mean", "sum", "count", "gauss"])
def test_a_point_stays_where_it_is(tmp_path, method, factor):
    """The centre of mass of a point's image, where metadata put it, lies within the windows that the point is in."""
    from gigapix.pyramids.plan import pyramid

    if method == "gauss" and factor != 2:
        return
    options = {"reducers": method, "levels": 2, "chunks": 30, "factors": factor, "nodata": 0}
    for place in ((40, 61), (7, 90), (99, 0), (33, 33)):
        point = np.zeros((101, 97))
        point[place] = 1000.0
        plan = pyramid(point, tmp_path / "x.zarr", **options)
        found = built(point, tmp_path, **options)
        for each in plan.levels():
            mass = found[each.path]
            mass = np.nan_to_num(mass).astype("f8")
            assert mass.sum() > 0
            for axis, at in enumerate(place):
                places = each.translation[axis] + each.scale[axis] * np.arange(each.shape[axis])
                centre = (mass.sum(axis=1 - axis) * places).sum() / mass.sum()
                # gauss with nodata spreads a point over two windows of equal value.
                slack = each.scale[axis] * (1 if method == "gauss" else 0.5)
                assert abs(centre - at) <= slack


@pytest.mark.parametrize("method", ["mean", "min", "max", "median", "gauss", "nearest"])
def test_positions_of_samples(tmp_path, method):
    """A ramp has at each sample's place the value that metadata say it has there."""
    from gigapix.pyramids.plan import pyramid

    ramp = np.broadcast_to(np.arange(64.0), (64, 64)).copy()
    plan = pyramid(ramp, tmp_path / "x.zarr", reducers=method, levels=3, chunks=16)
    found = built(ramp, tmp_path, reducers=method, levels=3, chunks=16)
    for each in plan.levels():
        places = each.translation[1] + each.scale[1] * np.arange(each.shape[1])
        inner = slice(2, -2) if method == "gauss" else slice(None)
        half = (each.scale[1] - 1) / 2  # of a cascade of lower medians: one of the two at the left, each time
        shift = {"min": half, "max": -half, "median": half}.get(method, 0)
        np.testing.assert_allclose((found[each.path][4] + shift)[inner], places[inner], atol=1e-9)
