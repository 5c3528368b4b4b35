"""A run that was killed, gone on with; runs by an executor: the same tree of bytes."""

import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from obstore.store import MemoryStore

import gigapix
from gigapix import RequestError, UnsupportedError
from gigapix.pyramids.array_version import version_of_array
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.plan import pyramid
from gigapix.pyramids.zarr_target import ShardWriter
from tests.pyramids.build import KILLED as OPTIONS
from tests.pyramids.test_build import tree_of


@pytest.fixture(scope="module", params=["tiles", "strips"])
def source(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    values = np.random.default_rng(1).integers(0, 4000, (600, 500)).astype("u2")
    values[:100, :100] = 0
    way = {"tile": (64, 64)} if request.param == "tiles" else {"rowsperstrip": 13}
    tifffile.imwrite(folder / "a.tif", values, compression="zlib", **way)
    return folder / "a.tif"


@pytest.fixture(scope="module")
def whole(source):
    target = source.with_name("whole.zarr")
    pyramid(source, target, **OPTIONS).run()
    return tree_of(target)


def test_killed_ten_times(source, whole, tmp_path):
    chance = random.Random(3)
    target = tmp_path / "o.zarr"
    moments = [str(chance.randrange(1, 50)) if n % 2 else f"{chance.uniform(0.01, 0.06):.3f}" for n in range(10)]
    child = [sys.executable, "-m", "tests.pyramids.child", str(source), str(target), *moments]
    done = subprocess.run(child, check=True, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    killed, status = map(int, done.stdout.split())
    assert killed > 2 and status == 0
    if killed == 10:
        assert not (target / "zarr.json").exists()
        pyramid(source, target, **OPTIONS).run()
    assert tree_of(target) == whole
    assert [each.name for each in tmp_path.iterdir()] == ["o.zarr"]


class StopError(Exception):
    pass


def stopped(plan, monkeypatch, writes):
    """A run that ends after so many boxes."""
    write, left = ShardWriter.write, [writes]

    def failing(self, *box):
        left[0] -= 1
        if left[0] < 0:
            raise StopError
        return write(self, *box)

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, "write", failing)
        with pytest.raises(StopError):
            plan.run()


def test_what_is_done_is_not_done_again_but_for_what_is_torn(source, whole, tmp_path, monkeypatch):
    target = tmp_path / "o.zarr"
    plan = pyramid(source, target, **OPTIONS)
    stopped(plan, monkeypatch, 300)
    done = sorted(file for file in target.rglob("c/*/*/*") if file.is_file() and file.parts[-5] == "0")
    marks = [each for each in (tmp_path / ".o.zarr.progress").rglob("*.*.*") if each.is_file()]
    assert done and len(marks) > 3
    torn = done[len(done) // 2]
    torn.write_bytes(torn.read_bytes()[:-7])
    marks[0].write_bytes(marks[0].read_bytes()[:-7])
    puts = []
    put = Folder.put
    monkeypatch.setattr(Folder, "put", lambda self, key, data: (puts.append(key), put(self, key, data))[1])
    plan.run()
    assert tree_of(target) == whole
    again = {key for key in puts if key.startswith("0/c")}
    assert torn.relative_to(target).as_posix() in again
    assert len(again) <= len([name for name in whole if name.startswith("0/c")]) - len(marks) + 3  # one block is empty


def test_other_settings_or_another_source_do_not_go_on(source, tmp_path, monkeypatch):
    target = tmp_path / "o.zarr"
    plan = pyramid(source, target, **OPTIONS)
    stopped(plan, monkeypatch, 100)
    other = pyramid(source, target, **{**OPTIONS, "codec": "gzip"})
    assert other.digest != plan.digest
    with pytest.raises(RequestError, match="exists"):
        other.run()
    source.touch()
    with pytest.raises(RequestError, match="exists"):
        pyramid(source, target, **OPTIONS).run()
    plan.run(resume=False)
    assert (target / "zarr.json").exists()


def test_an_array_that_has_changed_is_another(tmp_path, monkeypatch):
    values = np.random.default_rng(2).integers(0, 4000, (300, 300)).astype("u2")
    stored = zarr.create_array(tmp_path / "a.zarr", shape=values.shape, chunks=(100, 100), dtype="u2")
    stored[:] = values
    for source in (values, stored):
        target = tmp_path / f"{type(source).__name__}.zarr"
        stopped(pyramid(source, target, **OPTIONS), monkeypatch, 100)
        before = source[217, 133]
        source[217, 133] = before + 1
        with pytest.raises(RequestError, match="exists"):
            pyramid(source, target, **OPTIONS).run()
        source[217, 133] = before
        if source is values:  # of a Zarr array the time of an object has changed
            pyramid(source, target, **OPTIONS).run()


def test_what_can_not_be_known_is_never_the_same():
    class Lazy:
        shape, dtype = (8, 8), np.dtype("u1")

        def __getitem__(self, box):
            return np.zeros(self.shape, self.dtype)[box]

    class Named(Lazy):
        def __dask_tokenize__(self):
            return "version 3"

    dask_array = pytest.importorskip("dask.array")
    xarray = pytest.importorskip("xarray")
    values = np.arange(64, dtype="u1").reshape(8, 8)
    known = [
        values.T,
        Named(),
        dask_array.from_array(values),
        xarray.DataArray(values),
        np.ma.MaskedArray(values, values > 3),
    ]
    assert all(version_of_array(each) == version_of_array(each) for each in known)
    unknown = [Lazy(), zarr.zeros((8, 8)), np.broadcast_to(values, (1 << 25, 8, 8))]
    assert not any(version_of_array(each) == version_of_array(each) for each in unknown)
    store = zarr.storage.ObjectStore(MemoryStore())
    stored = zarr.create_array(store, name="a", shape=(8, 8), dtype="u1")
    first = version_of_array(stored)
    assert version_of_array(stored) == first
    stored[0, 0] = 1
    assert version_of_array(stored) != first


def test_executors(source, whole, tmp_path):
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, get_context("spawn")) as processes:
        for name, executor in (("threads", threads), ("processes", processes)):
            told = []
            plan = pyramid(source, tmp_path / name, **OPTIONS)
            plan.run(executor, progress=told.append)
            assert tree_of(tmp_path / name) == whole
            assert sum(told) == 600 * 500


def test_a_dask_cluster(source, whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=False
    ) as cluster, distributed.Client(cluster) as client:  # fmt: skip
        pyramid(source, tmp_path / "o.zarr", **OPTIONS).run(client.get_executor(pure=False))
    assert tree_of(tmp_path / "o.zarr") == whole


def test_an_image_in_memory_can_not_be_sent(source, tmp_path):
    with gigapix.open(source.read_bytes()) as image, ThreadPoolExecutor(1) as threads:
        with pytest.raises(UnsupportedError, match="from bytes"):
            pyramid(image, tmp_path / "o.zarr", **OPTIONS).run(threads)
        pyramid(image, tmp_path / "p.zarr", **OPTIONS).run()


@pytest.mark.parametrize("where", ["gigapix.pyramids.progress.Marks.load", "gigapix.pyramids.progress.Marks.save"])
def test_a_fault_of_the_marks_ends_the_run(source, tmp_path, monkeypatch, where):
    def failing(*_):
        raise StopError

    monkeypatch.setattr(where, failing)
    with pytest.raises(StopError):
        pyramid(source, tmp_path / "o.zarr", **OPTIONS).run()
