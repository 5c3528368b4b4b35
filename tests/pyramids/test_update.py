"""A part of the source changes, or it grows: the same bytes as anew, and only what lies above it is read and written."""

from collections import Counter

import numpy as np
import pytest
import zarr

from gigapix import RequestError
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.plan import pyramid
from tests.pyramids.test_build import tree_of

OPTIONS = {"chunks": 32, "shards": 64, "reducers": ["mean", "median", "gauss"], "levels": 4}


def image(*shape):
    return np.random.default_rng(0).integers(1, 4000, shape).astype("u2")


def made(values, target, **options):
    pyramid(values, target, **options).run()
    return tree_of(target)


@pytest.fixture
def puts(monkeypatch):
    found, put = Counter(), Folder.put
    monkeypatch.setattr(Folder, "put", lambda self, key, data: (found.update([key]), put(self, key, data))[1])
    return found


def test_a_changed_region(tmp_path, puts):
    values = image(500, 460)
    pyramid(values, tmp_path / "a.zarr", name="x", **OPTIONS).run(keep=True)
    changed = values.copy()
    changed[100:120, 200:333] = 7
    changed[128:192, 192:256] = 0  # a shard that is not stored any more
    puts.clear()
    reads = []

    class Source:
        shape, dtype = changed.shape, changed.dtype

        def __getitem__(self, box):
            reads.append(changed[box].size)
            return changed[box]

    plan = pyramid(Source(), tmp_path / "a.zarr", name="x", **OPTIONS)
    plan.update({"y": (100, 192), "x": (192, 333)})
    assert sum(reads) < changed.size * 3 / 4
    assert sum(1 for key in puts if key.startswith("0/c")) < 30
    assert tree_of(tmp_path / "a.zarr") == made(changed, tmp_path / "b.zarr", name="x", **OPTIONS)
    plan.update({"y": (0, 1)})  # and once more
    assert tree_of(tmp_path / "a.zarr") == tree_of(tmp_path / "b.zarr")


@pytest.mark.parametrize(("before", "after"), [((3, 100, 90), (5, 100, 90)), ((1, 100, 90), (9, 100, 90))])
@pytest.mark.parametrize("factors", [2, {"t": 2, "y": 2}])
def test_appended_times(tmp_path, puts, before, after, factors):
    options = {**OPTIONS, "chunks": {"y": 16, "x": 16, "t": 1}, "shards": {"y": 32, "x": 32, "t": 1}, "axes": "tyx",
               "levels": 2, "factors": factors, "name": "x"}  # fmt: skip
    values = image(*after)
    old = values[: before[0]].copy()
    old[-1] = values[before[0] - 1]
    pyramid(old, tmp_path / "a.zarr", **options).run(keep=True)
    puts.clear()
    plan = pyramid(values, tmp_path / "a.zarr", **options)
    if before[0] == 1 and factors != 2:  # with one time, times were not reduced
        with pytest.raises(RequestError, match="make it anew"):
            plan.update()
        return
    plan.update()
    if factors == 2:
        assert not any(key.startswith("0/c/0/") for key in puts)
    assert tree_of(tmp_path / "a.zarr") == made(values, tmp_path / "b.zarr", **options)
    assert zarr.open_group(tmp_path / "a.zarr")["0"].shape == after


def test_what_can_not_be_updated(tmp_path):
    values = image(100, 100)
    plan = pyramid(values, tmp_path / "a.zarr", **OPTIONS)
    with pytest.raises(RequestError, match="keep=True"):
        plan.update()
    plan.run(keep=True)
    with pytest.raises(RequestError, match="the axes are y, x"):
        plan.update({"t": (0, 1)})
    with pytest.raises(RequestError, match="make it anew"):
        pyramid(values[:90], tmp_path / "a.zarr", **OPTIONS).update()
    with pytest.raises(RequestError, match="make it anew"):
        pyramid(values, tmp_path / "a.zarr", **OPTIONS, codec="none").update()
