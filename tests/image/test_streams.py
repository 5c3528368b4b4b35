"""Windows of segments that are never decoded whole."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

import gigapix
from tests.image.streamed import COLUMNS, ROWS, STREAMS, written


@pytest.fixture(scope="module")
def files():
    return {kind: written(kind) for kind in STREAMS}


@pytest.fixture(autouse=True)
def _low(monkeypatch):
    monkeypatch.setattr("gigapix.image.access.PARTLY_BYTES", 1)
    monkeypatch.setattr("gigapix.image.read.PARTLY_BYTES", 1)
    monkeypatch.setattr("gigapix.image.streams.MARK_BYTES", 4096)
    monkeypatch.setattr("gigapix.image.streams.LOCAL_WINDOW", (100, 1000))
    monkeypatch.setattr("gigapix.image.streams.REMOTE_WINDOW", (100, 1000))


DAMAGE = (gigapix.DecodeError, gigapix.TruncatedError)

windows = st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1), st.integers(1, 99), st.integers(1, 300)).map(
    lambda w: (w[0], w[1], min(w[2], COLUMNS - w[0]), min(w[3], ROWS - w[1]))
)


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("memory", [1 << 16, 1 << 20, 256 << 20])
def test_windows_in_any_order(kind, memory, files):
    data, pixels = files[kind]

    @settings(max_examples=10)
    @given(st.lists(windows, min_size=1, max_size=5), st.permutations(range(len(pixels))))
    def check(asked, bands):
        with gigapix.open(data, memory=memory) as image:
            for x, y, width, height in asked:
                found = image.read((x, y, width, height), bands=bands)
                np.testing.assert_array_equal(found, pixels[bands, y : y + height, x : x + width])

    check()


@pytest.mark.parametrize("kind", STREAMS)
def test_as_tasks_and_from_a_store(kind, files):
    data, pixels = files[kind]
    store = MemoryStore()
    store.put("x", data)

    async def check(**options):
        async with gigapix.open_async("x", store=store, **options) as image:
            found = await asyncio.gather(
                image.read_async(), image.read_async((5, 100, 20, 60)), image.read_async((0, ROWS - 1, COLUMNS, 1))
            )
        for each, expected in zip(found, [pixels, pixels[:, 100:160, 5:25], pixels[:, ROWS - 1 :]], strict=True):
            np.testing.assert_array_equal(each, expected)

    asyncio.run(check(memory=1 << 18))
    asyncio.run(check())
    with gigapix.open("x", store=store) as image:
        np.testing.assert_array_equal(image.read((5, 100, 20, 60)), pixels[:, 100:160, 5:25])


@pytest.mark.parametrize("kind", STREAMS)
def test_windows_that_follow_one_another_are_one_pass(kind, files, tmp_path):
    data, pixels = files[kind]
    (tmp_path / "x").write_bytes(data)
    with gigapix.open(tmp_path / "x") as image:
        rows = [image.read((0, y, COLUMNS, 5)) for y in range(0, ROWS, 5)]
        assert image.stats.bytes < 1.5 * len(data) + image.header_bytes
    np.testing.assert_array_equal(np.concatenate(rows, axis=1), pixels)


@pytest.mark.parametrize("kind", ["deflate", "LZW", "PackBits", "RGB"])
def test_a_window_above_begins_at_a_checkpoint(kind, files, tmp_path):
    data, pixels = files[kind]
    (tmp_path / "x").write_bytes(data)
    with gigapix.open(tmp_path / "x") as image:
        image.read((0, ROWS - 1, COLUMNS, 1))
        before = image.stats.bytes
        np.testing.assert_array_equal(image.read((0, ROWS - 20, COLUMNS, 5)), pixels[:, ROWS - 20 : ROWS - 15])
        assert image.stats.bytes - before < len(data) / 2


@pytest.mark.parametrize("kind", [kind for kind in STREAMS if kind != "three strips"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_what_is_there_of_a_truncated_file_is_read(kind, share, files):
    data, pixels = files[kind]
    good = 0
    with gigapix.open(bytes(data[: int(len(data) * share)])) as image:
        for good in range(ROWS + 1):
            try:
                found = image.read((0, good, COLUMNS, 1))
            except DAMAGE:
                break
            np.testing.assert_array_equal(found, pixels[:, good : good + 1])
    assert good < ROWS
    if share > 0.5 and kind not in ("planar deflate", "planar LZW", "zstd", "LZMA"):
        assert good > ROWS * share / 3


def test_a_damaged_stream_is_an_error_each_time_and_names_the_file(files, tmp_path):
    data, pixels = files["deflate"]
    broken = bytearray(data)
    middle = len(data) // 2
    broken[middle : middle + 40] = bytes(40)
    (tmp_path / "x.tif").write_bytes(broken)
    with gigapix.open(tmp_path / "x.tif") as image:
        for _ in range(2):
            with pytest.raises(gigapix.DecodeError, match=r"x\.tif"):
                image.read((0, 0, COLUMNS, ROWS - 1))
        np.testing.assert_array_equal(image.read((0, 0, COLUMNS, 10)), pixels[:, :10])
