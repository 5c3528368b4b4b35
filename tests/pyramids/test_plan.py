"""What a plan says, and what it refuses."""

import numpy as np
import pytest

import gigapix
from gigapix import RequestError, UnsupportedError
from gigapix.pyramids.rules import chunks_of, factors_of, shards_of
from gigapix.pyramids.tree import blocks_of, inside, leaves, units, units_of

YX = ("y", "x")


@pytest.mark.parametrize(
    ("dims", "shape", "factors", "levels", "steps"),
    [
        (YX, (1000, 600), 2, 2, [(2, 2), (2, 2)]),
        (("c", "y", "x"), (3, 1000, 600), 2, 1, [(1, 2, 2)]),
        (("z", "y", "x"), (8, 64, 64), {"z": [1, 2, 2], "y": 2}, 4, [(1, 2, 1), (2, 2, 1), (2, 2, 1), (2, 2, 1)]),
        (YX, (64, 64), [2, {"x": 4}], 3, [(2, 2), (1, 4), (1, 4)]),
        (YX, (3, 300), 2, 4, [(2, 2), (2, 2), (1, 2), (1, 2)]),
        (YX, (1000, 600), 2, "auto", [(2, 2)] * 3),
        (YX, (128, 100), 2, "auto", []),
        (("t",), (1000,), 10, "auto", [(10,)]),
        (("time", "lat", "lon"), (4, 500, 500), 2, 1, [(1, 2, 2)]),
        (("t", "y", "x"), (900, 50, 50), {"t": 3}, "auto", [(3, 1, 1), (3, 1, 1)]),
    ],
)
def test_factors(dims, shape, factors, levels, steps):
    assert factors_of(dims, shape, factors, levels, dict.fromkeys(dims, 128)) == steps


@pytest.mark.parametrize("factors", [0, -2, 1.5, "2", {"q": 2}, {"y": []}, [], {"y": "2"}, None])
def test_no_such_factors(factors):
    with pytest.raises(RequestError, match=r"factors|no axis"):
        factors_of(YX, (100, 100), factors, 2, {})


def test_the_rule_for_chunks_and_shards():
    big, both = (1 << 16, 1 << 16), (True, True)
    assert chunks_of(big, both, (2, 2), 2, (1, 1)) == (512, 512)
    assert chunks_of(big, both, (2, 2), 1, (1, 1)) == (512, 512)
    assert chunks_of(big, both, (2, 2), 4, (1, 1)) == (256, 256)
    assert chunks_of(big, both, (3, 3), 2, (1, 1)) == (510, 510)
    assert chunks_of(big, both, (2, 2), 2, (240, 240)) == (480, 480)
    assert chunks_of((4, 100, *big), (False, False, *both), (1, 1, 2, 2), 2, (1,) * 4) == (1, 1, 512, 512)
    assert chunks_of((1 << 10,) * 3, (True,) * 3, (2,) * 3, 2, (1,) * 3) == (64, 64, 64)
    assert shards_of(big, (512, 512), both, 2) == (2048, 2048)
    assert shards_of((1000, 300), (512, 300), both, 2) == (1024, 300)


@pytest.mark.parametrize("shape", [(1000, 700), (3, 130, 257), (70,)])
@pytest.mark.parametrize("factor", [2, 3, 5])
@pytest.mark.parametrize("align", [1, 24, 7])
def test_units_and_blocks_cover_each_level_once(shape, factor, align):
    steps = [tuple(factor if n >= len(shape) - 2 else 1 for n in range(len(shape)))] * 3
    blocks = blocks_of(shape, steps, (8,) * len(shape), (16,) * len(shape), (align,) * len(shape), 0)
    tiers = units_of(blocks, (align,) * len(shape), 1, most=600)
    top = len(blocks) - 1
    for level, (block, tier) in enumerate(zip(blocks, tiers, strict=True)):
        seen = np.zeros(tier.shape, int)
        for highest in units(blocks[-1]):
            for index in leaves(blocks, top, highest, level):
                for unit in inside(block, index, tier):
                    seen[tier.core(unit)] += 1
        assert (seen == 1).all()
        assert all(size % shard == 0 for size, shard in zip(block.unit, block.shards, strict=True))


def test_a_plan_is_read(tmp_path):
    plan = gigapix.pyramid(np.zeros((5000, 4000), "u2"), tmp_path / "o.zarr", reducers=["mean", "max"], memory="300MB")
    text = str(plan)
    assert isinstance(plan, gigapix.PyramidPlan)
    for part in ("y,x 5000 x 4000 uint16", "├── 1  2500 x 2000", "by mean", "└── max/4  313 x 250", "chunks of 512 x 512 in shards of 2048 x 2048",
                 "each sample once, subtree by subtree", f"at most {plan.writes} objects", "of 300 MB"):  # fmt: skip
        assert part in text
    assert plan.memory_bytes < plan.memory
    halo = {"memory": "200MB", "reducers": "gauss", "levels": 2}
    twice = gigapix.pyramid(np.zeros((500, 60000), "u2"), tmp_path / "o.zarr", **halo)
    once = gigapix.pyramid(np.zeros((5000, 500), "u2"), tmp_path / "o.zarr", **halo)
    assert ("what borders on two" in str(twice), "what borders on two" in str(once)) == (True, False)
    with pytest.raises(AttributeError):
        plan.workers = 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"zarr_format": 4}, "formats 2 and 3"),
        ({"levels": -1}, "levels"),
        ({"levels": "many"}, "levels"),
        ({"chunks": 0}, "no lengths"),
        ({"chunks": (1, 2, 3)}, "no lengths"),
        ({"chunks": 32, "shards": 40}, "not whole chunks"),
        ({"chunks": 32, "shards": 64, "zarr_format": 2}, "no shards"),
        ({"axes": "x"}, "1 names for the 2 axes"),
        ({"axes": "xx"}, "each its own"),
        ({"reducers": []}, "one reducer or more"),
        ({"reducers": ["mean", "average"]}, "each of another name"),
        ({"reducers": "gauss", "factors": 3}, "gauss halves"),
        ({"memory": "lots"}, "memory"),
        ({"nodata": "x"}, "nodata"),
        ({"workers": 0}, "workers"),
    ],
)
def test_what_makes_no_sense(tmp_path, options, says):
    with pytest.raises(RequestError, match=says):
        gigapix.pyramid(np.zeros((100, 100), "u1"), tmp_path / "o.zarr", **options)


def test_what_is_no_source(tmp_path):
    with pytest.raises(RequestError, match="no image and no array"):
        gigapix.pyramid({}, tmp_path / "o.zarr")
    with pytest.raises(RequestError, match="nothing in"):
        gigapix.pyramid(np.zeros((0, 4)), tmp_path / "o.zarr")
    with pytest.raises(RequestError, match="1 to 8 axes"):
        gigapix.pyramid(np.zeros((1,) * 9), tmp_path / "o.zarr")
    with pytest.raises(UnsupportedError, match="complex"):
        gigapix.pyramid(np.zeros((4, 4), "c8"), tmp_path / "o.zarr")
    with pytest.raises(gigapix.NotFoundError):
        gigapix.pyramid(tmp_path / "none.tif", tmp_path / "o.zarr")
