"""Saved checkpoints: made, found again, used, and never believed where they don't fit."""

import asyncio
import os
import random
import subprocess
import sys
import time

import imagecodecs
import numpy as np
import pytest
from obstore.store import MemoryStore

import gigapix
from gigapix.image.pieces import pieces
from tests.image.streamed import COLUMNS, ROWS, written

KINDS = ["RGB", "I;16", "deflate", "LZW", "PackBits", "planar deflate", "three strips"]

DEEP = (0, ROWS - 15, COLUMNS, 3)


@pytest.fixture(autouse=True)
def _low(monkeypatch):
    monkeypatch.setattr("gigapix.image.access.PARTLY_BYTES", 1)
    monkeypatch.setattr("gigapix.image.read.PARTLY_BYTES", 1)
    monkeypatch.setattr("gigapix.image.streams.LOCAL_WINDOW", (100, 100))
    monkeypatch.setattr("gigapix.image.streams.REMOTE_WINDOW", (100, 100))


@pytest.fixture(scope="module")
def files():
    return {kind: written(kind) for kind in KINDS}


@pytest.fixture
def put(files, tmp_path):
    def put(kind):
        path = tmp_path / "x"
        path.write_bytes(files[kind][0])
        return path, files[kind][1]

    return put


def cost(path, window=DEEP, **options):
    """Bytes of pixels that a window costs, and the window."""
    with gigapix.open(path, **options) as image:
        before = image.stats.bytes
        return image.read(window), image.stats.bytes - before


def rows_of(pixels, window=DEEP):
    return pixels[:, window[1] : window[1] + window[3]]


@pytest.mark.parametrize("kind", KINDS)
def test_found_again_it_spares_the_way(kind, put):
    path, pixels = put(kind)
    _, without = cost(path)
    with gigapix.open(path) as image:
        saved = image.index(spacing=10)
        assert saved == path.with_name("x.gpxi")
        assert saved.exists()
    found, with_index = cost(path)
    np.testing.assert_array_equal(found, rows_of(pixels))
    assert with_index < without / 2
    assert sorted(path.parent.iterdir()) == [path, saved]
    with gigapix.open(path) as image:
        for y in random.Random(3).sample(range(ROWS), 30):
            np.testing.assert_array_equal(image.read((0, y, COLUMNS, 1)), pixels[:, y : y + 1])
        np.testing.assert_array_equal(image.read(), pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_several_share_a_read(kind, put):
    path, pixels = put(kind)
    with gigapix.open(path) as image:
        image.index(spacing=7)
    with gigapix.open(path, threads=4) as image:
        np.testing.assert_array_equal(image.read(), pixels)
        np.testing.assert_array_equal(image.read((3, 20, 50, 150), bands=[0]), pixels[:1, 20:170, 3:53])
        total = []
        pieces(image, 0, lambda piece: total.append(int(piece.pixels.sum(dtype=np.int64))), memory=8 << 20, placed=True)
        assert sum(total) == pixels.sum(dtype=np.int64)
        assert len(total) >= (4 if kind in ("RGB", "I;16") else 1)

    async def read():
        async with gigapix.open_async(path, threads=4) as image:
            return await image.read_async()

    np.testing.assert_array_equal(asyncio.run(read()), pixels)


@pytest.mark.parametrize("kind", ["zstd", "LZMA"])
def test_codecs_without_checkpoints_have_none(kind, tmp_path):
    data, pixels = written(kind)
    (tmp_path / "x").write_bytes(data)
    with gigapix.open(tmp_path / "x") as image:
        assert image.index() is None
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    np.testing.assert_array_equal(cost(tmp_path / "x")[0], rows_of(pixels))


def test_an_image_smaller_than_the_default_spacing_needs_none(put):
    path, _ = put("RGB")
    with gigapix.open(path) as image:
        assert image.index() is None
    assert list(path.parent.iterdir()) == [path]


def test_the_default_spacing_is_a_few_percent(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (4096, 2048), "u1")
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(noise, level=1))
    with gigapix.open(tmp_path / "x.png") as image:
        size = image.index().stat().st_size
    assert 32 << 10 < size < 0.05 * noise.size


def test_a_changed_file_is_not_read_with_it(put, files, caplog):
    path, _ = put("RGB")
    with gigapix.open(path) as image:
        image.index(spacing=10)
    other, pixels = written("RGB")
    other, pixels = written("deflate")
    path.write_bytes(other)
    np.testing.assert_array_equal(cost(path)[0], rows_of(pixels))
    assert "another version" in caplog.text
    path.write_bytes(files["RGB"][0])
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(cost(path)[0], rows_of(files["RGB"][1]))
    with gigapix.open(path) as image:
        image.index(spacing=10)
    caplog.clear()
    cost(path)
    assert not caplog.text


@pytest.mark.parametrize("kind", ["RGB", "LZW"])
def test_a_damaged_one_costs_time_and_no_pixel(kind, put, caplog):
    path, pixels = put(kind)
    with gigapix.open(path) as image:
        saved = image.index(spacing=30)
    sound = saved.read_bytes()
    choose = random.Random(7)
    places = [choose.randrange(len(sound)) for _ in range(60)] + list(range(len(sound) - 80, len(sound), 7))
    for place in places:
        broken = bytearray(sound)
        broken[place] ^= 1 << choose.randrange(8)
        saved.write_bytes(broken)
        np.testing.assert_array_equal(cost(path)[0], rows_of(pixels))
    for length in (0, 5, 70, len(sound) // 2, len(sound) - 1):
        saved.write_bytes(sound[:length])
        np.testing.assert_array_equal(cost(path)[0], rows_of(pixels))
    assert "index" in caplog.text


def test_it_lies_in_a_folder_where_that_is_named_or_needed(put, tmp_path):
    path, pixels = put("RGB")
    folder = tmp_path / "indexes"
    with gigapix.open(path, index_folder=str(folder)) as image:
        assert image.index(spacing=10) == path.with_name("x.gpxi")
    path.with_name("x.gpxi").unlink()
    path.with_name("x.gpxi").mkdir()  # nothing can be written there
    with gigapix.open(path) as image, pytest.raises(gigapix.SourceError):
        image.index(spacing=10)
    with gigapix.open(path, index_folder=str(folder)) as image:
        assert image.index(spacing=10).parent == folder
    found, with_index = cost(path, index_folder=str(folder))
    np.testing.assert_array_equal(found, rows_of(pixels))
    assert with_index < cost(path)[1] / 2


def test_of_a_remote_image_it_goes_by_the_etag(files, tmp_path, monkeypatch):
    data, pixels = files["RGB"]
    store = MemoryStore()
    store.put("x", data)
    with gigapix.open("x", store=store) as image, pytest.raises(gigapix.RequestError):
        image.index()
    monkeypatch.setattr("gigapix.source.clients.identity_of", lambda store, path: f"https://a.test/{path}#")
    with gigapix.open("x", store=store) as image, pytest.raises(gigapix.RequestError, match="index_folder"):
        image.index()
    folder = {"index_folder": str(tmp_path)}
    with gigapix.open("x", store=store, **folder) as image:
        assert image.index(spacing=10).parent == tmp_path
    found, with_index = cost("x", store=store, **folder)
    np.testing.assert_array_equal(found, rows_of(pixels))
    assert with_index < cost("x", store=store)[1] / 2
    store.put("x", files["deflate"][0])
    np.testing.assert_array_equal(cost("x", store=store, **folder)[0], rows_of(files["deflate"][1]))


def test_not_saved_it_lasts_as_long_as_the_image(put):
    path, pixels = put("RGB")
    with gigapix.open(path) as image:
        assert image.index(spacing=10, save=False, memory="64MB") is None
        before = image.stats.bytes
        np.testing.assert_array_equal(image.read(DEEP), rows_of(pixels))
        assert image.stats.bytes - before < path.stat().st_size / 2
    assert list(path.parent.iterdir()) == [path]


def test_what_killed_builds_have_left_is_removed(put):
    path, _ = put("RGB")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone, mine = int(dead.stdout), os.getpid()
    names = [f"x.gpxi.{gone}.1", f"x.gpxi.{gone}.2", f"x.gpxi.{mine}.1", f"x.gpxi.{mine}.2", "x.gpxi.old.1"]
    for name, idle in zip(names, (3600, 0, 3600, 10**6, 10**6), strict=True):
        path.with_name(name).write_bytes(b"x")
        os.utime(path.with_name(name), (time.time() - idle,) * 2)
    with gigapix.open(path) as image:
        image.index(spacing=10)
    left = {each.name for each in path.parent.iterdir()} - {"x", "x.gpxi"}
    assert left == {names[1], names[2], names[4]}  # young, perhaps of this process, and nobody's


def test_saved_to_a_path(put, tmp_path):
    path, pixels = put("RGB")
    with gigapix.open(path) as image:
        assert image.index(spacing=10, save=tmp_path / "elsewhere") == tmp_path / "elsewhere"
        np.testing.assert_array_equal(image.read(DEEP), rows_of(pixels))


def test_bytes_have_no_place_for_one(files):
    with gigapix.open(files["RGB"][0]) as image:
        with pytest.raises(gigapix.RequestError):
            image.index()
        image.index(save=False)


@pytest.mark.parametrize("spacing", [0, -1, 2.5])
def test_rows_lie_between_two(spacing, put):
    with gigapix.open(put("RGB")[0]) as image, pytest.raises(gigapix.RequestError, match="spacing"):
        image.index(spacing=spacing)


def test_of_a_truncated_file_there_is_none(put):
    path, _ = put("RGB")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with gigapix.open(path) as image, pytest.raises((gigapix.TruncatedError, gigapix.DecodeError)):
        image.index(spacing=10)
    assert list(path.parent.iterdir()) == [path]
