"""Levels in the chunks of HTJ2K: against the transform in numpy, read by gigapix and by zarr-python alone."""

import contextlib
import json
import shutil
import subprocess
import sys

import imagecodecs
import numpy as np
import obstore
import pytest
import tifffile
import zarr
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import gigapix
from gigapix import DecodeError, FormatError, GigapixError, RequestError, UnsupportedError
from gigapix.cli import main
from gigapix.decode import isolate
from gigapix.decode.htj2k import htj2k_plane, outline
from gigapix.pyramids.plan import pyramid
from gigapix.pyramids.zarr_target import ShardWriter
from tests.pyramids import wavelet
from tests.pyramids.build import built
from tests.pyramids.test_build import tree_of
from tests.pyramids.test_ome import VALIDATORS

RANDOM = np.random.default_rng(0)
OPTIONS = {"codec": "htj2k", "levels_from_codec": True}


def noise(kind, shape=(2, 341, 301)):
    """The lowest and the highest value side by side: a coarse level goes far beyond both."""
    bounds = np.iinfo(kind)
    return np.where(RANDOM.integers(0, 2, shape), bounds.max, bounds.min).astype(kind)


def referenced(target, references):
    """The group of all levels, as zarr-python sees it."""
    if references == "icechunk":
        icechunk = pytest.importorskip("icechunk")
        storage = icechunk.local_filesystem_storage(f"{target}.icechunk")
        access = getattr(icechunk.credentials, "LocalFileSystemAccess", None)  # of version 2
        repository = icechunk.Repository.open(storage, authorize_virtual_chunk_access={f"file://{target}/": access})
        return zarr.open_group(repository.readonly_session("main").store, mode="r")
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem(
        "reference", fo=f"{target}.kerchunk/references.json", asynchronous=True, remote_protocol="file",
        remote_options={"asynchronous": True},
    )  # fmt: skip
    return zarr.open_group(zarr.storage.FsspecStore(files, read_only=True, path=""), mode="r")


@pytest.mark.parametrize(("kind", "stored"), [("u1", "int16"), ("i1", "int16"), ("u2", "int32"), ("i2", "int32")])
@pytest.mark.parametrize(("shards", "references"), [(None, "icechunk"), (64, "kerchunk")])
def test_levels_0_to_5_are_the_transform(tmp_path, kind, stored, shards, references):
    image, target = noise(kind), tmp_path / "o.zarr"
    options = {"chunks": 128, "shards": 256} if shards is None else {"chunks": 128, "shards": 128}
    pyramid(image, target, axes="cyx", levels=5, references=references, **options, **OPTIONS).run()
    expected = wavelet.levels(image, 128, 5)
    group = referenced(target, references)
    assert zarr.open_array(target, path="0", mode="r").dtype == stored
    bounds = np.iinfo(kind)
    with gigapix.open(target) as opened:
        assert [level.shape for level in opened.levels] == [each.shape for each in expected]
        for number, level in enumerate(expected):
            found = group[str(number)]
            assert (found.dtype, found.shape, found.chunks) == (stored, level.shape, (1, 128 >> number, 128 >> number))
            np.testing.assert_array_equal(found[:], level)
            read = opened.read(level=number)
            assert read.dtype == kind
            np.testing.assert_array_equal(read, level.clip(bounds.min, bounds.max))
            assert opened.levels[number].scale == (2**number, 2**number)
    assert expected[1].max() > bounds.max  # what the codec would have wrapped around


def test_a_target_is_a_zarr_group_of_level_0_for_those_who_know_no_better(tmp_path):
    image = noise("u2", (200, 300))
    pyramid(image, tmp_path / "o.zarr", chunks=64, levels=3, **OPTIONS).run()
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert sorted(group) == ["0", "prefixes"]
    np.testing.assert_array_equal(group["0"][:], image)
    assert [each["path"] for each in group.attrs["ome"]["multiscales"][0]["datasets"]] == ["0"]
    assert group["0"].attrs["gigapix"] == {"dtype": "uint16"}
    assert group["prefixes"].shape == (4, 5, 5)
    assert gigapix.validate(tmp_path / "o.zarr").valid


def test_metadata_of_all_levels(tmp_path):
    image = noise("u2", (200, 301))
    pyramid(image, tmp_path / "o.zarr", chunks=64, levels=3, references="kerchunk", **OPTIONS).run()
    refs = json.loads((tmp_path / "o.zarr.kerchunk/references.json").read_text())["refs"]
    for key in [key for key in refs if key.endswith("zarr.json")]:
        document = json.loads(refs[key])
        if "codecs" in document:  # ngff-zarr opens the arrays by zarrista, which has no HTJ2K
            document["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        (tmp_path / "m.zarr" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m.zarr" / key).write_text(json.dumps(document))
    assert gigapix.validate(tmp_path / "m.zarr").valid
    for validator in VALIDATORS:
        validator(tmp_path / "m.zarr", "0.5")
    attributes = json.loads(refs["zarr.json"])["attributes"]
    for level, each in enumerate(attributes["ome"]["multiscales"][0]["datasets"]):
        assert each["coordinateTransformations"] == [
            {"type": "scale", "scale": [2.0**level] * 2}, {"type": "translation", "translation": [0.0, 0.0]},
        ]  # fmt: skip
    assert attributes["multiscales"]["layout"][3] == {
        "asset": "3", "derived_from": "2", "resampling_method": "wavelet 5/3",
        "transform": {"scale": [2.0, 2.0], "translation": [-0.5, -0.5]},
    }  # fmt: skip


def test_chunks_of_nothing_are_not_stored_and_windows_are_read(tmp_path):
    image = np.zeros((300, 400), "u1")
    image[130:170, 200:222] = 200
    pyramid(image, tmp_path / "o.zarr", chunks=64, shards=128, levels=3, references="icechunk", **OPTIONS).run()
    table = zarr.open_group(tmp_path / "o.zarr", mode="r")["prefixes"][:]
    assert np.count_nonzero(table[..., 1]) == 1
    expected, group = wavelet.levels(image, 64, 3), referenced(tmp_path / "o.zarr", "icechunk")
    with gigapix.open(tmp_path / "o.zarr") as opened:
        for level, whole in enumerate(expected):
            y, x = 120 >> level, 190 >> level
            window = gigapix.Window(x, y, 20, 18)
            wanted = whole.clip(0, 255)[y : y + 18, x : x + 20]
            np.testing.assert_array_equal(opened.read(window, level=level)[0], wanted)
            np.testing.assert_array_equal(group[str(level)][:], whole)


def test_a_small_image_has_a_small_chunk(tmp_path):
    plan = pyramid(noise("u1", (37, 75)), tmp_path / "o.zarr", **OPTIONS)
    assert plan.outputs[0].chunks == (40, 80) and len(plan.coarser) == 1
    assert pyramid(noise("u1", (700, 1100)), tmp_path / "o.zarr", **OPTIONS).outputs[0].chunks == (512, 512)
    assert "in those of 0" in str(plan)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2"])
def test_as_a_compression_like_others(tmp_path, kind):
    image, options = noise(kind, (3, 90, 131)), {"axes": "cyx", "chunks": 32, "shards": 64, "levels": 3}
    pyramid(image, tmp_path / "o.zarr", codec="htj2k", **options).run()
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    with gigapix.open(tmp_path / "o.zarr") as opened:
        for path, array in built(image, tmp_path, **options).items():
            assert group[path].dtype == kind
            np.testing.assert_array_equal(group[path][:], array)
            np.testing.assert_array_equal(opened.read(level=int(path)), array)


def test_the_command(tmp_path):
    image = noise("u1", (100, 150))
    tifffile.imwrite(tmp_path / "a.tif", image)
    options = ["--codec", "htj2k", "--levels-from-codec", "--chunks", "64", "--references", "kerchunk"]
    found = CliRunner().invoke(main, ["pyramid", str(tmp_path / "a.tif"), str(tmp_path / "o.zarr"), *options])
    assert found.exit_code == 0, found.output
    expected = wavelet.levels(image[None], 64, 2)
    assert sorted(referenced(tmp_path / "o.zarr", "kerchunk")) == ["0", "1", "2"]
    np.testing.assert_array_equal(referenced(tmp_path / "o.zarr", "kerchunk")["2"][:], expected[2])
    found = CliRunner().invoke(main, ["info", "--json", str(tmp_path / "o.zarr")])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert ([each["width"] for each in told["levels"]], told["compression"]) == ([150, 75, 38], "htj2k")


ALONE = """
import sys, warnings, fsspec, imagecodecs.zarr, numpy, zarr
imagecodecs.zarr.register_codecs()
files = fsspec.filesystem("reference", fo=sys.argv[1], asynchronous=True, remote_protocol="file",
                          remote_options={"asynchronous": True})
store = zarr.storage.FsspecStore(files, read_only=True, path="")
with zarr.config.set({"codecs.imagecodecs_htj2k": "imagecodecs.zarr.Htj2k"}):
    group = zarr.open_group(store, mode="r")
    numpy.savez(sys.argv[2], **{path: array[:] for path, array in group.arrays()})
    assert {type(array.metadata.codecs[0]) for _, array in group.arrays()} == {imagecodecs.zarr.Htj2k}
"""


def test_zarr_python_with_imagecodecs_alone_reads_it(tmp_path):
    pytest.importorskip("imagecodecs.zarr")
    image = noise("u2", (1, 100, 90))
    options = {"axes": "cyx", "chunks": 64, "shards": 64, "levels": 2, "references": "kerchunk"}
    pyramid(image, tmp_path / "o.zarr", **options, **OPTIONS).run()
    paths = str(tmp_path / "o.zarr.kerchunk/references.json"), str(tmp_path / "o.npz")
    subprocess.run([sys.executable, "-c", ALONE, *paths], check=True)
    with np.load(tmp_path / "o.npz") as found:
        for level, expected in enumerate(wavelet.levels(image, 64, 2)):
            np.testing.assert_array_equal(found[str(level)], expected)


@pytest.mark.parametrize(
    ("values", "options", "error"),
    [
        (np.zeros((64, 64), "f4"), OPTIONS, UnsupportedError),
        (np.zeros((64, 64), "u4"), {"codec": "htj2k"}, UnsupportedError),
        (np.zeros((64, 64), "u2"), {"codec": "htj2k", "reducers": "std", "levels": 1}, UnsupportedError),
        (np.zeros((64, 64), "u2"), {"codec": "htj2k", "zarr_format": 2}, RequestError),
        (np.zeros((64, 64), "u2"), {"codec": "htj2k:3"}, RequestError),
        (np.zeros(64, "u2"), {"codec": "htj2k", "axes": "x"}, RequestError),
        (np.zeros((4, 64, 64), "u2"), {"codec": "htj2k", "chunks": (2, 32, 32)}, RequestError),
        (np.zeros((64, 64), "u2"), {"levels_from_codec": True}, RequestError),
        (np.zeros((64, 64), "u2"), {"references": "icechunk"}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "nodata": 0}, UnsupportedError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "factors": 3}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "reducers": ["max"]}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "chunks": 24, "levels": 4}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "levels": 0}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "levels": 1 << 40}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "chunks": 0}, RequestError),
        (np.zeros((64, 64), "u2"), {**OPTIONS, "chunks": "ab"}, RequestError),
        (np.zeros((64, 64, 3), "u2"), {**OPTIONS, "axes": "yxc"}, RequestError),
        (np.zeros((4, 64, 64), "u2"), {**OPTIONS, "chunks": (2, 32, 32)}, RequestError),
    ],
)
def test_what_can_not_be_is_said_beforehand(tmp_path, values, options, error):
    with pytest.raises(error):
        pyramid(values, tmp_path / "o.zarr", **options)
    assert not any(tmp_path.iterdir())


def test_references_that_can_not_be_are_refused_beforehand(monkeypatch):
    values, stores = noise("u1", (64, 64)), obstore.store.MemoryStore()
    for references in ("icechunk", "kerchunk"):
        with pytest.raises(UnsupportedError, match="URL"):
            pyramid(values, "o.zarr", store=stores, references=references, **OPTIONS)
    with pytest.raises(UnsupportedError, match="on disk"):
        pyramid(values, "s3://bucket/o.zarr", references="icechunk", **OPTIONS)
    monkeypatch.setattr("gigapix.pyramids.htj2k_references.MOST_JSON", 1)
    with pytest.raises(UnsupportedError, match="too many"):
        pyramid(values, "o.zarr", references="kerchunk", **OPTIONS)


def test_references_are_not_written_over_unasked(tmp_path):
    values = noise("u1", (64, 64))
    (tmp_path / "o.zarr.kerchunk").mkdir()
    (tmp_path / "o.zarr.kerchunk/references.json").write_text("mine")
    plan = pyramid(values, tmp_path / "o.zarr", references="kerchunk", **OPTIONS)
    with pytest.raises(RequestError, match="exists"):
        plan.run()
    plan.run(overwrite=True)
    np.testing.assert_array_equal(referenced(tmp_path / "o.zarr", "kerchunk")["0"][:], values)


def test_an_object_store(tmp_path):
    store, image = obstore.store.MemoryStore(), noise("u2", (150, 200))
    pyramid(image, "some/o.zarr", store=store, chunks=64, shards=128, levels=2, **OPTIONS).run()
    with gigapix.open("some/o.zarr", store=store) as opened:
        np.testing.assert_array_equal(opened.read(level=2)[0], wavelet.levels(image, 64, 2)[2].clip(0, 65535))


@pytest.mark.parametrize("codec", [OPTIONS, {"levels": 1}])
def test_hidden_samples_are_mixed_where_that_is_wanted(tmp_path, codec):
    image = np.ma.MaskedArray(noise("u1", (100, 64)), mask=np.broadcast_to(np.arange(64) < 20, (100, 64)))
    if codec is OPTIONS:
        with pytest.raises(UnsupportedError, match="hides"):
            pyramid(image, tmp_path / "o.zarr", **codec)
    pyramid(image, tmp_path / "o.zarr", nodata=float("nan"), **codec).run()
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "o.zarr", mode="r")["0"][:], image.data)


def test_stopped_and_gone_on_with_is_the_same(tmp_path, monkeypatch):
    image = noise("u2", (500, 400))
    options = {"chunks": 64, "shards": 128, "levels": 3, "workers": 2, **OPTIONS}
    pyramid(image, tmp_path / "whole.zarr", **options).run()
    plan = pyramid(image, tmp_path / "o.zarr", **options)
    write, left = ShardWriter.write, [6]

    def failing(self, *box):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return write(self, *box)

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            plan.run()
    assert not (tmp_path / "o.zarr/zarr.json").exists()
    plan.run()
    assert tree_of(tmp_path / "o.zarr") == tree_of(tmp_path / "whole.zarr")
    pyramid(image, tmp_path / "p.zarr", **options).run("processes:2")
    assert tree_of(tmp_path / "p.zarr") == tree_of(tmp_path / "whole.zarr")


def test_an_update_knows_what_it_left_alone(tmp_path):
    image = noise("u2", (300, 400))
    options = {"chunks": 64, "shards": 128, "levels": 3, **OPTIONS}
    pyramid(image, tmp_path / "o.zarr", **options).run(keep=True)
    image[100:140, 120:300] = 7
    pyramid(image, tmp_path / "o.zarr", **options).update({"y": (100, 140), "x": (120, 300)})
    pyramid(image, tmp_path / "whole.zarr", **options).run()
    assert tree_of(tmp_path / "o.zarr") == tree_of(tmp_path / "whole.zarr")


# Hostile bytes


@pytest.fixture(scope="module")
def codestream():
    plane = RANDOM.integers(0, 4000, (64, 64)).astype("i4")
    data = imagecodecs.htj2k_encode(plane, resolutions=4, reversible=True, tlm=True, tilepart=1)
    return plane, bytes(data)


@pytest.fixture(scope="module")
def impatient():
    """Some versions of the codec never end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolate, "TIMEOUT", 1.0)
        yield


def test_only_whole_prefixes_are_decoded(codestream):
    plane, data = codestream
    found = outline(data)
    assert found.by_resolution and found.whole and len(found.ends) == 5
    for reduce, whole in enumerate(wavelet.levels(plane, 64, 4)):
        end, shape = found.prefix(reduce), whole.shape
        np.testing.assert_array_equal(htj2k_plane(data[:end], shape, reduce), whole)
        np.testing.assert_array_equal(htj2k_plane(data, shape, reduce), whole)
        for cut in (end - 1, end - 20, end // 2, 12, 0):
            with pytest.raises(DecodeError):
                htj2k_plane(data[:cut], shape, reduce)
    other = bytearray(data)
    other[found.ends[0] + 1] = 0x81  # no SOT any more: its data begin in no tile-part
    with pytest.raises(DecodeError):
        htj2k_plane(bytes(other), (64, 64))
    with pytest.raises(DecodeError):
        htj2k_plane(data, (64, 63))
    with pytest.raises(DecodeError):
        htj2k_plane(data, (2, 2), 5)


def test_a_table_that_lies_is_an_error(tmp_path):
    image = noise("u2", (200, 200))
    target = tmp_path / "o.zarr"
    pyramid(image, target, chunks=64, shards=64, levels=3, **OPTIONS).run()
    sound, document = (target / "prefixes/c/0/0/0").read_bytes(), (target / "zarr.json").read_text()

    def read(level):
        with gigapix.open(target) as opened:
            return opened.read(level=level)

    read(2)
    rows = np.frombuffer(sound, "<u4").reshape(4, 4, 5)
    for column, change in ((3, -1), (3, 1 << 30), (0, 7), (0, 1 << 31)):
        lying = rows.copy()
        lying[1, 1, column] = (int(rows[1, 1, column]) + change) % (1 << 32)
        (target / "prefixes/c/0/0/0").write_bytes(lying.tobytes())
        with pytest.raises(GigapixError):
            read(2)
    (target / "prefixes/c/0/0/0").write_bytes(sound[:-8])
    with pytest.raises(GigapixError):
        read(2)
    (target / "prefixes/c/0/0/0").write_bytes(sound)
    for wrong in ('"levels": 9', '"levels": -1', '"levels": "3"'):
        (target / "zarr.json").write_text(document.replace('"levels": 3', wrong))
        with pytest.raises(FormatError):
            read(0)
    (target / "zarr.json").write_text(document)
    array = json.loads((target / "0/zarr.json").read_text())
    for key, wrong in (("fill_value", -5), ("fill_value", 70000), ("attributes", {"gigapix": {"dtype": "float64"}})):
        (target / "0/zarr.json").write_text(json.dumps({**array, key: wrong}))
        with pytest.raises(FormatError):
            read(1)
    wide = {**array, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1 << 30, 1 << 30]}}}
    inner = {"chunk_shape": [64, 64], "codecs": array["codecs"], "index_codecs": [{"name": "bytes"}]}
    wide["codecs"] = [{"name": "sharding_indexed", "configuration": inner}]
    (target / "0/zarr.json").write_text(json.dumps(wide))
    with pytest.raises(GigapixError):
        read(1)
    (target / "0/zarr.json").write_text(json.dumps(array))
    shutil.rmtree(target / "0/c/0")
    with pytest.raises(GigapixError):
        read(1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 4))
def test_mutants_end_in_pixels_or_our_errors(codestream, impatient, changes, reduce):
    data = bytearray(codestream[1])
    for place, value in changes:
        data[place] = value
    with contextlib.suppress(GigapixError):
        assert htj2k_plane(bytes(data), (64 >> reduce, 64 >> reduce), reduce).shape == (64 >> reduce, 64 >> reduce)
