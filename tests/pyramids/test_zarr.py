"""What is written, read by zarr-python and tensorstore."""

import json

import numpy as np
import pytest
import tensorstore as ts
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import gigapix
from gigapix import RequestError
from gigapix.pyramids.codecs import codec_of
from gigapix.pyramids.documents import array_documents, write_documents
from gigapix.pyramids.folders import Folder, folder_of
from gigapix.pyramids.outputs import Output
from gigapix.pyramids.plan import pyramid
from gigapix.pyramids.tree import size_of
from gigapix.pyramids.zarr_target import ShardWriter, crc32c
from tests.pyramids.build import built

VALUES = np.random.default_rng(0).integers(0, 4000, (3, 150, 170)).astype("u2")


@pytest.mark.parametrize("codec", ["zstd", "zstd:7", "blosc", "gzip:2", "none"])
@pytest.mark.parametrize(("zarr_format", "shards"), [(3, 64), (3, 32), (2, None)])
def test_codecs(tmp_path, codec, zarr_format, shards):
    options = {"axes": "cyx", "chunks": 32, "levels": 2}
    plan = pyramid(VALUES, tmp_path / "o.zarr", codec=codec, shards=shards, zarr_format=zarr_format, **options)
    plan.run()
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert group.metadata.zarr_format == zarr_format
    for path, array in built(VALUES, tmp_path, **options).items():
        np.testing.assert_array_equal(group[path][:], array)
        if zarr_format == 3:
            assert group[path].metadata.dimension_names == ("c", "y", "x")
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path / "o.zarr" / path)}}
            np.testing.assert_array_equal(ts.open(spec).result().read().result(), array)


@pytest.mark.parametrize("kind", ["?", "u1", "i1", "u2", "i4", "u8", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_types(tmp_path, kind, zarr_format):
    values = (VALUES[0] % 2 if kind == "?" else VALUES[0] % 100).astype(kind)
    pyramid(values, tmp_path / "o.zarr", chunks=64, levels=1, zarr_format=zarr_format, reducers=["max", "std"]).run()
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    for path, array in built(values, tmp_path, chunks=64, levels=1, reducers=["max", "std"]).items():
        found = group[path]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found[:], array)


@pytest.mark.parametrize(("nodata", "kind"), [(9, "u2"), (np.nan, "f4"), (-9999.0, "f4"), (np.inf, "f8"), (-1, "i2")])
def test_nothing_is_not_stored(tmp_path, nodata, kind):
    values = np.full((100, 200), nodata, kind)
    values[:10, 150:] = 3
    plan = pyramid(values, tmp_path / "o.zarr", chunks=32, shards=64, levels=2, nodata=nodata)
    plan.run()
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    np.testing.assert_equal(group["0"].fill_value, np.asarray(nodata, kind)[()])
    for path, array in built(values, tmp_path, chunks=32, shards=64, levels=2, nodata=nodata).items():
        np.testing.assert_array_equal(group[path][:], array)
    assert sorted(path.name for path in (tmp_path / "o.zarr/0/c/0").iterdir()) == ["2", "3"]
    assert not (tmp_path / "o.zarr/0/c/1").exists()


def test_several_reducers_have_groups_of_their_own(tmp_path):
    pyramid(VALUES[0], tmp_path / "o.zarr", levels=2, chunks=64, reducers=["mean", "max", "quantile(0.1)"]).run()
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert sorted(group) == ["0", "1", "2", "max", "quantile_0.1"]
    assert sorted(group["max"]) == ["1", "2"]
    images = group.attrs["ome"]["multiscales"]
    assert [[each["path"] for each in image["datasets"]] for image in images] == [
        ["0", "1", "2"], ["0", "max/1", "max/2"], ["0", "quantile_0.1/1", "quantile_0.1/2"],
    ]  # fmt: skip


@st.composite
def boxes(draw):
    """An array cut into boxes, its chunks and shards."""
    shape = tuple(draw(st.lists(st.integers(1, 30), min_size=1, max_size=3)))
    chunks = tuple(draw(st.integers(1, 9)) for _ in shape)
    counts = tuple(draw(st.integers(1, 4)) for _ in shape)
    parts = [()]
    for size in shape:
        cuts = sorted(draw(st.sets(st.integers(1, size - 1), max_size=4))) if size > 1 else []
        sides = [slice(a, b) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
        parts = [(*part, side) for part in parts for side in sides]
    return shape, chunks, tuple(c * n for c, n in zip(chunks, counts, strict=True)), draw(st.permutations(parts))


@given(boxes())
@settings(max_examples=60, deadline=None)
def test_boxes_in_any_order_make_the_same_shards(tmp_path_factory, case):
    shape, chunks, shards, parts = case
    folder = folder_of(tmp_path_factory.mktemp("any"))
    values = np.random.default_rng(1).integers(0, 3, shape).astype("i4")
    output = Output(
        path="a", level=0, reducer=0, shape=shape, dtype=values.dtype, chunks=chunks, shards=shards, fill=0,
        dims=tuple("abc"[: len(shape)]),
    )  # fmt: skip
    writer = ShardWriter(folder, [output], codec_of("zstd"), 3)
    written = [each for box in parts for each in writer.write(0, 0, box, values[box])]
    assert len({key for key, _, _ in written}) == len(written)
    assert all(folder.size(key) == size for key, size, _ in written)
    assert sum(np.prod(size_of(box)) for box in parts) == values.size
    write_documents(folder, array_documents(output, codec_of("zstd"), 3))
    np.testing.assert_array_equal(zarr.open_array(folder.path / "a", mode="r")[...], values)


def test_crc():
    assert crc32c(b"123456789") == 0xE3069283


def test_an_object_store(tmp_path):
    from obstore.store import MemoryStore

    store = MemoryStore()
    plan = pyramid(VALUES, "some/where.zarr", axes="cyx", chunks=64, levels=1, store=store)
    plan.run()
    names = [entry["path"] for batch in store.list() for entry in batch]
    assert all(name.startswith("some/where.zarr/") for name in names)
    group = zarr.open_group(zarr.storage.ObjectStore(store, read_only=True), path="some/where.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], VALUES)
    assert isinstance(plan.target, Folder) and json.loads(plan.target.get("zarr.json"))["node_type"] == "group"
    with pytest.raises(RequestError, match="exists"):
        plan.run()
    plan.run(overwrite=True)


@pytest.mark.parametrize("codec", ["lzma", "zstd:x", "gzip:10", "zstd:-1", ""])
def test_no_such_codec(codec):
    with pytest.raises(RequestError, match="no codec"):
        codec_of(codec)


@pytest.mark.parametrize(("zarr_format", "requests"), [(3, 1), (2, 5)])
def test_a_pyramid_opens_by_its_first_document(tmp_path, zarr_format, requests):
    """A v2 hierarchy is looked for where there is no zarr.json, all that it may have side by side."""
    pixels = np.arange(90 * 70, dtype="u2").reshape(90, 70)
    target = tmp_path / "a.zarr"
    gigapix.pyramid(pixels, target, chunks=32, reducers=["mean", "max"], zarr_format=zarr_format).run()
    group = zarr.open_consolidated(str(target), zarr_format=zarr_format)
    assert {name: array.shape for name, array in group.arrays()} == {"0": (90, 70), "1": (45, 35), "2": (23, 18)}
    assert np.array_equal(group["max/1"][:], pixels.reshape(45, 2, 35, 2).max(axis=(1, 3)))
    with gigapix.open(target) as image:
        assert (len(image.levels), image.stats.requests) == (3, requests)
