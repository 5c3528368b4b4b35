"""From images of every access: each segment is read once, each object written once, and the result is the same
whatever the order, the chunks of the source, the workers."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image as PillowImage

import gigapix
from gigapix import MemoryBudgetError, RequestError
from gigapix.pyramids import layout
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.plan import pyramid
from tests.pyramids.build import built

SIZE = (467, 389)


def pixels(samples=1, seed=0):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    noise = np.random.default_rng(seed).integers(0, 50, (*SIZE, samples))
    return np.squeeze((100 * np.sin(y / 31) + x)[..., None] + 150 + noise).astype("u2")


WAYS = {
    "tiles": {"tile": (64, 64)},
    "tiles that don't nest": {"tile": (48, 80)},
    "strips": {"rowsperstrip": 13},
    "one strip": {"rowsperstrip": 467},
    "plain": {"compression": None},
    "planar tiles": {"tile": (64, 64), "planarconfig": "separate"},
    "one strip a band": {"rowsperstrip": 467, "planarconfig": "separate"},
}


def write_tiff(path, values, **kw):
    rgb = values.ndim == 3
    tifffile.imwrite(path, np.moveaxis(values, -1, 0) if kw.get("planarconfig") == "separate" and rgb else values,
                     **{"compression": "zlib", "photometric": "rgb" if rgb else "minisblack", **kw})  # fmt: skip
    return path


def by_rows(best):
    """The choice of an order, made for it."""

    def chosen(source, *rest):
        return best(replace(source, access="stream"), *rest)

    return chosen


@pytest.mark.parametrize("order", ["as planned", "rows"])
@pytest.mark.parametrize("way", WAYS)
def test_ways_of_storage(tmp_path, way, order, monkeypatch):
    values = pixels(3)
    path = write_tiff(tmp_path / "a.tif", values, **WAYS[way])
    options = {"chunks": 32, "levels": 3, "reducers": ["mean", "median"], "memory": "2MB"}
    if order == "rows":
        monkeypatch.setattr("gigapix.pyramids.tree.BAND_BYTES", 10_000)
        monkeypatch.setattr(layout, "_best", by_rows(layout._best))
    wanted = built(np.moveaxis(values, -1, 0), tmp_path, axes="cyx", **options)
    reads = Counter()
    with gigapix.open(path, memory="1MB" if "strip" in way else "64MB") as image:
        read = image.cache.source.read

        def counted(offset, length):
            reads[offset] += 1
            return read(offset, length)

        monkeypatch.setattr(image.cache.source, "read", counted)
        found = built(image, tmp_path, **options)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
    assert reads
    if way != "plain":
        assert max(reads.values()) == 1


def test_a_png(tmp_path):
    values = pixels().astype("u1")
    PillowImage.fromarray(values).save(tmp_path / "a.png")
    with gigapix.open(tmp_path / "a.png", memory="1MB") as image:
        plan = pyramid(image, tmp_path / "o.zarr", chunks=32, levels=2)
        assert plan.order == "rows" and "row by row" in str(plan)
        found = built(image, tmp_path, chunks=32, levels=2)
    wanted = built(values[None], tmp_path, axes="cyx", chunks=32, levels=2)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def tree_of(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_same_bytes_whatever_reads_them(tmp_path):
    values = np.tile(pixels(), (3, 3))[None, :1100, :1050]  # wider than the widest chunk
    trees = []
    for number, chunk in enumerate((128, 500, 1024)):
        source = zarr.create_array(tmp_path / f"{chunk}.zarr", shape=values.shape, dtype="u2",
                                   chunks=(1, chunk, chunk), dimension_names=("c", "y", "x"))  # fmt: skip
        source[:] = values
        for workers in (1, 2, 4):
            target = tmp_path / f"{number}-{workers}.zarr"
            pyramid(source, target, chunks=64, reducers=["mean", "gauss"], workers=workers, levels=3).run()
            trees.append(tree_of(target))
    tiff = write_tiff(tmp_path / "a.tif", values[0], rowsperstrip=7)
    pyramid(tiff, tmp_path / "t.zarr", chunks=64, reducers=["mean", "gauss"], levels=3).run()
    strips = tree_of(tmp_path / "t.zarr")
    for tree in trees[1:]:
        assert tree == trees[0]
    without = {name: digest for name, digest in strips.items() if name != "zarr.json"}
    assert without == {name: digest for name, digest in trees[0].items() if name != "zarr.json"}


def test_each_object_is_written_once_and_none_is_read(tmp_path, monkeypatch):
    puts, gets = Counter(), Counter()
    put, get = Folder.put, Folder.get
    monkeypatch.setattr(Folder, "put", lambda self, key, data: (puts.update([key]), put(self, key, data))[1])
    monkeypatch.setattr(Folder, "get", lambda self, key: (gets.update([self.name]), get(self, key))[1])
    plan = pyramid(pixels(), tmp_path / "o.zarr", chunks=16, shards=64, levels=3)
    plan.run()
    assert max(puts.values()) == 1
    assert sum(1 for key in puts if "/c/" in key) == plan.writes == 56 + 16 + 4 + 1
    assert str(tmp_path / "o.zarr") not in gets
    assert list(puts)[-1] == "zarr.json"
    assert [each.name for each in tmp_path.iterdir()] == ["o.zarr"]


class CountingStore:
    """Passes on to a store, and notes what is done to what."""

    def __init__(self, store):
        self.store, self.calls = store, []

    def __getattr__(self, name):
        method = getattr(self.store, name)

        def noted(*arguments, **named):
            self.calls.append((name, arguments[0] if arguments else None, named))
            return method(*arguments, **named)

        return noted


@pytest.mark.parametrize("workers", [1, 4])
def test_a_store_is_read_once_and_written_once(tmp_path, workers):
    from obstore.store import MemoryStore

    store = CountingStore(MemoryStore())
    path = write_tiff(tmp_path / "a.tif", pixels(), tile=(64, 64))
    store.store.put("in/a.tif", path.read_bytes())
    with gigapix.open("in/a.tif", store=store) as image:
        plan = pyramid(image, "out/o.zarr", store=store, chunks=32, shards=64, levels=3, workers=workers)
        store.calls.clear()  # the header, and what lies behind it
        plan.run()
    asked = [named["options"]["range"] for name, key, named in store.calls if (name, key) == ("get", "in/a.tif")]
    with tifffile.TiffFile(path) as tiff:
        segments = list(tiff.pages[0].dataoffsets)
    assert [sum(start <= offset < stop for start, stop in asked) for offset in segments] == [1] * len(segments)
    ours = [(name, key) for name, key, _ in store.calls if isinstance(key, str) and key.startswith("out/o.zarr/")]
    assert {name for name, _ in ours} == {"put"} and len(set(ours)) == len(ours)  # read none, none twice
    assert sum("/c/" in key for _, key in ours) == plan.writes


@pytest.mark.parametrize("held", [0, 3000])
def test_shards_under_way_may_lie_on_disk(tmp_path, held, monkeypatch):
    options = {"chunks": 16, "shards": 128, "levels": 3, "workers": 2}
    pyramid(pixels(), tmp_path / "a.zarr", **options).run()
    monkeypatch.setattr("gigapix.pyramids.zarr_target.HELD_BYTES", held)
    pyramid(pixels(), tmp_path / "b.zarr", **options).run()
    assert tree_of(tmp_path / "a.zarr") == tree_of(tmp_path / "b.zarr")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_memory_decides(tmp_path):
    values = np.zeros((4096, 4096), "u2")
    plans = [pyramid(values, tmp_path / "o.zarr", memory=memory) for memory in ("1GB", "20MB", "4MB")]
    assert plans[0].tiers[0].shards[-1] == 2048
    for plan in plans:
        assert plan.memory_bytes <= plan.memory
    with pytest.raises(MemoryBudgetError, match="bytes of memory, and 1000 were named"):
        pyramid(values, tmp_path / "o.zarr", memory=1000)


def test_peak_is_that_of_the_tree_and_not_of_the_image(tmp_path):
    small, large = (np.broadcast_to(np.uint16(1), (side, side)) for side in (32768, 131072))
    options = {"levels": 4, "chunks": 512}
    peaks = [pyramid(each, tmp_path / "o.zarr", **options).memory_bytes for each in (small, large)]
    assert peaks[1] == peaks[0]


def test_a_target_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "o.zarr").mkdir()
    (tmp_path / "o.zarr" / "mine").write_text("x")
    plan = pyramid(pixels(), tmp_path / "o.zarr", levels=1)
    with pytest.raises(RequestError, match="exists"):
        plan.run()
    assert (tmp_path / "o.zarr" / "mine").exists()
    plan.run(overwrite=True)
    assert not (tmp_path / "o.zarr" / "mine").exists()
    with pytest.raises(RequestError, match="exists"):
        plan.run()


def test_errors_of_a_source_end_the_run(tmp_path):
    path = write_tiff(tmp_path / "a.tif", pixels(), tile=(64, 64))
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[20]
    data[offset : offset + 40] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(gigapix.DecodeError, match=r"a\.tif"):
        pyramid(path, tmp_path / "o.zarr", chunks=64, levels=2, workers=2).run()
    assert not (tmp_path / "o.zarr" / "zarr.json").exists()
