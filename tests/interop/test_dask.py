"""`Image.to_dask` and what it stands on: chunks, pickling, names."""

from __future__ import annotations

import pickle

import dask.array as da
import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import gigapix
from gigapix.interop.arrays import chunks_of, level_array
from gigapix.interop.napari import layers_of
from tests.fixtures_micro import ome_pyramid
from tests.hostile.build import baseline, build


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dask")
    noise = np.random.default_rng(0).integers(0, 255, (150, 190, 3), np.uint8)
    ome_pyramid(folder / "stack.ome.tif")
    tifffile.imwrite(folder / "rgb.tif", noise, tile=(16, 32), photometric="rgb", compression="zlib")
    tifffile.imwrite(folder / "planar.tif", noise.transpose(2, 0, 1), tile=(16, 32), planarconfig="separate", photometric="rgb")  # fmt: skip
    tifffile.imwrite(folder / "volume.tif", noise[:48, :64].transpose(2, 0, 1).repeat(6, 0), tile=(16, 16, 16))
    tifffile.imwrite(folder / "strips.tif", noise, rowsperstrip=7, photometric="rgb")
    tifffile.imwrite(folder / "one.tif", noise[..., 0], compression="zlib")
    tifffile.imwrite(folder / "webp.tif", noise, compression="webp", rowsperstrip=150, photometric="rgb")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("nbytes", [1000, 20_000, 1 << 26])
def test_chunks_are_whole_segments_of_at_most_so_many_bytes(paths, nbytes):
    for path in paths:
        with gigapix.open(path) as image:
            for number, level in enumerate(image.levels):
                chunks = chunks_of(image, number, nbytes)
                whole = all(
                    c % s == 0 or c == n for c, s, n in zip(chunks, level.chunks, level.shape, strict=True)
                )  # fmt: skip
                cost = np.prod(chunks) * level.dtype.itemsize
                if path.name in ("strips.tif", "one.tif"):
                    assert cost <= max(nbytes, level.width * level.chunks[0] * level.dtype.itemsize)
                else:
                    assert whole and (cost <= nbytes or chunks == tuple(map(min, level.chunks, level.shape)))
                if nbytes == 1 << 26:
                    assert chunks == level.shape


def test_pixels(paths):
    for path in paths:
        with gigapix.open(path) as image:
            for number in range(len(image.levels)):
                array = image.to_dask(number, chunk_bytes="20kB")
                pixels = image.read(level=number)
                assert array.dtype == pixels.dtype and array.npartitions >= (
                    1 if path.name == "webp.tif" else pixels.nbytes // 20480
                )
                for key in (np.s_[...], np.s_[..., 5:40:3, ::-1], np.s_[..., [0, 20, 7]]):
                    np.testing.assert_array_equal(array[key].compute(scheduler="threads"), pixels[key])


@pytest.mark.parametrize("make", [gigapix.Image.to_dask, layers_of])
def test_more_chunks_than_dask_can_plan_are_refused(make):
    giant = baseline((1 << 31) - 1, (1 << 31) - 1, size=256)
    with gigapix.open(build(giant, data=bytes(256))) as image, pytest.raises(gigapix.RequestError, match="chunks"):
        make(image)


def test_names_are_those_of_the_pixels(paths, tmp_path):
    data = paths[0].read_bytes()
    path = tmp_path / "x.tif"
    path.write_bytes(data)
    names = []
    for _ in range(2):
        with gigapix.open(path) as image:
            names.append(image.to_dask().name)
    path.write_bytes(data + b"more")
    with gigapix.open(path) as image, gigapix.open(data) as memory:
        names += [image.to_dask().name, image.to_dask(chunk_bytes=1000).name, memory.to_dask().name]
        names.append(memory.to_dask().name)
        with pytest.raises(gigapix.RequestError, match="no level 7"):
            image.to_dask(7)
    assert names[0] == names[1] and len(set(names)) == 5


def test_other_processes_open_it_for_themselves(paths, tmp_path, monkeypatch):
    """Pickled as distributed does it: nothing of this process is in it, and a changed file is not read."""
    monkeypatch.chdir(paths[0].parent)
    path = next(path for path in paths if path.name == "stack.ome.tif")
    with gigapix.open(path.name) as image:
        array, expected = image.to_dask(1), image.read(level=1)
    with pytest.raises(gigapix.SourceError, match="closed"):
        array.compute()
    sent = pickle.dumps(array)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(pickle.loads(sent).compute(), expected)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(gigapix.ChangedError):
        pickle.loads(sent).compute()
    with gigapix.open(path.read_bytes()) as image, pytest.raises(gigapix.UnsupportedError, match="from bytes"):
        pickle.dumps(level_array(image))


def test_on_a_cluster(paths):
    distributed = pytest.importorskip("distributed")
    path = next(path for path in paths if path.name == "rgb.tif")
    with distributed.Client(processes=False, dashboard_address=None) as client, gigapix.open(path) as image:
        array = image.to_dask(chunk_bytes=5000)
        assert client.compute(da.sum(array, dtype="u8")).result() == image.read().sum(dtype="u8")


@given(data=st.data(), near=st.sampled_from([1, 400, 1 << 22]))
@settings(max_examples=25)
def test_outer_indexing_and_points(paths, data, near):
    with gigapix.open(data.draw(st.sampled_from(paths))) as image, pytest.MonkeyPatch.context() as patch:
        patch.setattr("gigapix.interop.arrays.NEAR_BYTES", near)
        pixels = image.read()
        key = []
        for size in pixels.shape:
            some = st.lists(st.integers(-size, size - 1), max_size=5).map(lambda at: np.array(at, int))
            masks = st.lists(st.booleans(), min_size=size, max_size=size).map(np.array)
            key.append(data.draw(st.one_of(some, masks, st.slices(size), st.integers(0, size - 1))))
        expected = pixels
        for axis, each in reversed(list(enumerate(key))):
            expected = expected[(slice(None),) * axis + (each,)]
        np.testing.assert_array_equal(level_array(image).outer(tuple(key)), expected)
        points = [each if isinstance(each, slice) else np.array([0, each if isinstance(each, int) else -1]) for each in key]  # fmt: skip
        if not all(isinstance(each, slice) for each in points):
            expected = xr.Variable([*map(str, range(pixels.ndim))], pixels)[tuple(each if isinstance(each, slice) else xr.Variable("at", each) for each in points)]  # fmt: skip
            np.testing.assert_array_equal(level_array(image).points(tuple(points)), expected.transpose("at", ...))
