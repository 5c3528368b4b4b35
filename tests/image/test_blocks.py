"""Blocks: each pixel once, the halo around them, within the memory, ahead of time, as far as the file is good."""

import asyncio
import io

import numpy as np
import pytest
import tifffile

import gigapix
from tests.image.streamed import COLUMNS, ROWS, STREAMS, picture, written

CHUNKED = {
    "tiles": {"tile": (32, 48), "compression": "zlib"},
    "uncompressed tiles": {"tile": (16, 16)},
    "uncompressed strip": {"rowsperstrip": ROWS},
    "strips": {"rowsperstrip": 7, "compression": "lzw"},
    "JPEG": {"tile": (64, 64), "compression": "jpeg"},
}


@pytest.fixture(scope="module")
def files():
    made = {kind: written(kind) for kind in STREAMS}
    for kind, options in CHUNKED.items():
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, picture(), photometric="rgb", **options)
        made[kind] = buffer.getvalue(), None
    return {kind: (data, whole(data) if pixels is None else pixels) for kind, (data, pixels) in made.items()}


def whole(data):
    with gigapix.open(data) as image:
        return image.read()


@pytest.fixture(autouse=True)
def _low(monkeypatch):
    monkeypatch.setattr("gigapix.image.access.PARTLY_BYTES", 1)
    monkeypatch.setattr("gigapix.image.read.PARTLY_BYTES", 1)
    monkeypatch.setattr("gigapix.image.streams.LOCAL_WINDOW", (100, 1000))


def until_it_fails(blocks):
    """The blocks, up to an error that must come."""
    while True:
        try:
            yield next(blocks)
        except (gigapix.DecodeError, gigapix.TruncatedError):
            return


def joined(blocks, pixels, halo):
    """The blocks put together, each checked with its halo, and how many they were."""
    out, seen, count = np.zeros_like(pixels), np.zeros(pixels.shape, np.uint8), 0
    height, width = pixels.shape[-2:]
    for window, array in blocks:
        top, left = min(halo, window.row_off), min(halo, window.col_off)
        y, x = window.row_off - top, window.col_off - left
        y_end = min(window.row_off + window.height + halo, height)
        x_end = min(window.col_off + window.width + halo, width)
        np.testing.assert_array_equal(array, pixels[:, y:y_end, x:x_end])
        rows, columns = window.slices
        out[:, rows, columns] = array[:, top : top + window.height, left : left + window.width]
        seen[:, rows, columns] += 1
        array[...] = 0  # whoever gets a block may write to it
        count += 1
    assert (seen == 1).all()
    return out, count


@pytest.mark.parametrize("kind", [*STREAMS, *CHUNKED])
@pytest.mark.parametrize("halo", [0, 2, 50])
@pytest.mark.parametrize("size", [1, 5000, 10_000, None])
def test_each_pixel_once(kind, halo, size, files):
    data, pixels = files[kind]
    with gigapix.open(data) as image:
        out, count = joined(image.blocks(halo=halo, block_bytes=size), pixels, halo)
    np.testing.assert_array_equal(out, pixels)
    assert (count == 1) == (size is None)


@pytest.mark.parametrize("kind", [*STREAMS, *CHUNKED])
def test_as_tasks(kind, files):
    data, pixels = files[kind]

    async def blocks():
        async with gigapix.open_async(data) as image:
            return [each async for each in image.blocks_async(halo=3, block_bytes=5000)]

    np.testing.assert_array_equal(joined(asyncio.run(blocks()), pixels, 3)[0], pixels)


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_are_one_pass_over_the_file(kind, files, tmp_path):
    data, _ = files[kind]
    (tmp_path / "x").write_bytes(data)
    with gigapix.open(tmp_path / "x") as image:
        assert sum(1 for _ in image.blocks(halo=9, block_bytes=4000)) > 3
        assert image.stats.bytes <= 1.02 * len(data) + 2 * image.header_bytes


@pytest.mark.parametrize("kind", ["RGB", "deflate", "planar LZW", "uncompressed tiles", "JPEG"])
def test_too_little_memory_is_said_before_pixels_are_read(kind, files):
    with gigapix.open(files[kind][0]) as image:
        before = image.stats.bytes
        with pytest.raises(gigapix.MemoryBudgetError, match=r"\d+ bytes"):
            image.blocks(memory=300)
        assert image.stats.bytes == before


@pytest.mark.parametrize("kind", [kind for kind in STREAMS if kind not in ("zstd", "LZMA", "three strips")])
@pytest.mark.parametrize("halo", [0, 4])
@pytest.mark.parametrize("size", [3000, 15_000])
def test_the_good_rows_come_before_the_error(kind, halo, size, files):
    data, pixels = files[kind]
    rows = 0
    with gigapix.open(bytes(data[: int(len(data) * 0.9)])) as image:
        blocks = image.blocks(halo=halo, block_bytes=size)
        for window, array in until_it_fails(blocks):
            top = min(halo, window.row_off)
            core = array[:, top : top + window.height]
            np.testing.assert_array_equal(core, pixels[:, rows : rows + window.height])
            assert window.row_off == rows
            rows += window.height
    assert rows > ROWS / 2
    assert rows < ROWS


def test_a_walk_may_be_left(files):
    with gigapix.open(files["RGB"][0]) as image:
        for _ in image.blocks(block_bytes=3000):
            break
        walk = image.blocks(block_bytes=3000)
        next(walk)
        walk.close()
        assert image.read().shape == (3, ROWS, COLUMNS)


@pytest.mark.parametrize("halo", [-1, -100])
def test_no_halo_is_less_than_none(halo, files):
    with gigapix.open(files["RGB"][0]) as image, pytest.raises(gigapix.RequestError, match="halo"):
        image.blocks(halo=halo)


@pytest.mark.parametrize("memory", [0, -5, "", "plenty", 1.5, "-3MB"])
def test_memory_must_be_an_amount(memory, files):
    with gigapix.open(files["RGB"][0]) as image, pytest.raises(gigapix.RequestError, match="memory"):
        image.blocks(memory=memory)
    with gigapix.open(files["RGB"][0]) as image, pytest.raises(gigapix.RequestError, match="memory"):
        image.plan(memory=memory)


@pytest.mark.parametrize(
    ("kind", "memory", "access"),
    [
        ("uncompressed strip", "1MB", "addressable"),
        ("tiles", "1MB", "chunked"),
        ("JPEG", "1MB", "chunked"),
        ("RGB", "1MB", "stream"),
        ("RGB", "10kB", "opaque"),
        ("JPEG", "1kB", "opaque"),
    ],
)
def test_a_plan_tells_beforehand(kind, memory, access, files):
    with gigapix.open(files[kind][0]) as image:
        plan = image.plan(memory=memory)
        assert plan.access == access
        assert f"access: {access}" in str(plan)
        assert plan.segments >= 1
        if access == "opaque":
            assert plan.peak_bytes > plan.means.memory * 3 // 4
        else:
            assert 0 < plan.peak_bytes <= plan.means.memory
            before = image.stats.requests
            list(image.blocks(memory=memory))
            looked_up = 10  # pages of the tables
            assert image.stats.requests - before <= plan.requests + looked_up


def test_a_stack_goes_as_blocks_of_all_its_planes():
    data = np.arange(4 * 60 * 50, dtype="u2").reshape(4, 60, 50)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, ome=True, metadata={"axes": "ZYX"}, compression="zlib", rowsperstrip=60)
    with gigapix.open(buffer.getvalue()) as image:
        blocks = list(image.blocks(block_bytes=5000, halo=1))
        assert len(blocks) > 1
        axis = image.axes.index("C")
        for window, array in blocks:
            top = min(1, window.row_off)
            core = array.take(0, axis)[:, top : top + window.height]
            np.testing.assert_array_equal(core, data[:, window.row_off : window.row_off + window.height])
