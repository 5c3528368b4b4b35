"""The unordered loop: each pixel once, whatever the layout, the memory and the number of threads."""

import io
import threading
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

import gigapix
from gigapix.image.pieces import pieces
from gigapix.image.window import Window
from tests.image.streamed import STREAMS, written

Y, X, C = 150, 130, 3

LAYOUTS = {
    "strip": {"rowsperstrip": Y},
    "big-endian strips": {"rowsperstrip": 7, "byteorder": ">"},
    "tiles": {"tile": (16, 16)},
    "tiles that fit": {"tile": (16, 16), "cut": (144, 128)},
    "planar tiles": {"tile": (32, 16), "planarconfig": "separate"},
    "deflate tiles": {"tile": (16, 16), "compression": "zlib", "predictor": 2},
    "planar zstd": {"tile": (64, 64), "compression": "zstd", "planarconfig": "separate"},
    "LZW strips": {"rowsperstrip": 11, "compression": "lzw"},
    "one LZMA strip": {"rowsperstrip": Y, "compression": "lzma"},
    "stack": {"stack": 3, "tile": (48, 48), "compression": "zlib"},
}


def numbered(*shape):
    """Each sample a number of its own."""
    return np.arange(np.prod(shape), dtype="u4").reshape(shape)


@pytest.fixture(scope="module")
def files():
    made = {}
    for kind, layout in LAYOUTS.items():
        options = dict(layout)
        rows, columns = options.pop("cut", (Y, X))
        stack = options.pop("stack", 0)
        pixels = numbered(rows, columns, C)
        if stack:
            pixels, options["photometric"] = numbered(stack, rows, columns), "minisblack"
        elif "planarconfig" in options:
            pixels = np.moveaxis(pixels, -1, 0)
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, **({"photometric": "rgb"} | options))
        with gigapix.open(buffer.getvalue()) as image:
            made[kind] = buffer.getvalue(), image.read()
    return made


def gathered(data, *, placed=False, memory=1 << 20, threads=None, window=None, select=None):
    """All samples by band, in the order of their values; and an array where pieces said their place."""
    found, lock = {}, threading.Lock()
    with gigapix.open(data) as image:
        whole = np.full(image.shape, 0xFFFFFFFF, "u4")

        def visit(piece):
            assert len(piece.pixels) == len(piece.bands)
            assert piece.pixels.dtype.isnative
            with lock:
                for band, values in zip(piece.bands, piece.pixels, strict=True):
                    found.setdefault(band, []).append(values.reshape(-1).copy())
                    if placed and whole.ndim == 3:
                        place = whole[(band, *piece.window.slices)]
                        assert (place == 0xFFFFFFFF).all()
                        place[...] = values
            return False

        pieces(image, 0, visit, memory=memory, placed=placed, threads=threads, window=window, select=select)
    return {band: np.sort(np.concatenate(parts)) for band, parts in found.items()}, whole


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize(("memory", "threads"), [(1 << 30, None), (1 << 30, 1), (800_000, 2), (800_000, 1)])
def test_each_pixel_once(kind, placed, memory, threads, files):
    data, pixels = files[kind]
    found, whole = gathered(data, placed=placed, memory=memory, threads=threads)
    bands = pixels.reshape(-1, *pixels.shape[-2:]) if pixels.ndim == 3 else np.moveaxis(pixels, -3, 0)
    assert sorted(found) == list(range(len(bands)))
    for band, values in found.items():
        np.testing.assert_array_equal(values, np.sort(bands[band], axis=None))
    if placed and pixels.ndim == 3:
        np.testing.assert_array_equal(whole, pixels)


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if kind != "stack"])
@pytest.mark.parametrize("placed", [False, True])
def test_of_a_window_and_of_some_bands(kind, placed, files):
    data, pixels = files[kind]
    found, _ = gathered(data, placed=placed, window=Window(13, 37, 41, 59), select={"C": (2, 0)})
    assert sorted(found) == [0, 2]
    for band, values in found.items():
        np.testing.assert_array_equal(values, np.sort(pixels[band, 37:96, 13:54], axis=None))


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("memory", [600_000, 12 << 20])
def test_streams(kind, memory):
    data, pixels = written(kind)
    if kind == "zstd" and memory < 1 << 20:
        pytest.skip("its window alone takes more")
    found, _ = gathered(data, memory=memory, placed=True)
    for band, values in found.items():
        np.testing.assert_array_equal(values, np.sort(pixels[band], axis=None))


@pytest.mark.parametrize("kind", LAYOUTS)
def test_it_stops_when_enough_is_seen(kind, files):
    seen = []

    def visit(piece):
        seen.append(piece)
        return True

    with gigapix.open(files[kind][0]) as image:
        pieces(image, 0, visit, memory=1 << 20, placed=True, threads=1)
        assert len(seen) == 1
        pieces(image, 0, visit, memory=1 << 20, placed=True)
        assert len(seen) <= 1 + 2 * image.reader.most


@pytest.mark.parametrize("kind", LAYOUTS)
def test_an_error_of_a_visit_ends_it(kind, files):
    def visit(piece):
        raise KeyError("mine")

    with gigapix.open(files[kind][0]) as image, pytest.raises(KeyError, match="mine"):
        pieces(image, 0, visit, memory=1 << 20, placed=False)


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if kind != "stack"])
def test_a_truncated_file_is_an_error(kind, files):
    data = files[kind][0]
    with gigapix.open(data) as image:
        start = image.header_bytes
    with pytest.raises((gigapix.DecodeError, gigapix.TruncatedError, gigapix.FormatError)):
        gathered(bytes(data[: max(start, len(data) * 2 // 3)]))


@pytest.mark.parametrize("kind", ["tiles", "deflate tiles", "one LZMA strip", "strip"])
def test_too_little_memory_is_said_before_pixels_are_read(kind, files):
    with gigapix.open(files[kind][0]) as image:
        before = image.stats.bytes
        with pytest.raises(gigapix.MemoryBudgetError, match=r"\d+ bytes"):
            pieces(image, 0, lambda piece: False, memory=100, placed=False)
        assert image.stats.bytes == before


def test_without_a_thread_to_be_had_the_caller_does_all(files, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    def submit(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    found, _ = gathered(files["tiles"][0], threads=4)
    assert sum(map(len, found.values())) == Y * X * C


def test_many_small_tiles_are_few_pieces_and_little_memory(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2048, 1024, 3), np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, tile=(32, 32))
    sizes = []

    def visit(piece):
        sizes.append(piece.pixels.nbytes)
        return False

    with gigapix.open(tmp_path / "x.tif") as image:
        pieces(image, 0, visit, memory=256 << 10, placed=False)  # what is imported and kept once
        sizes.clear()
        tracemalloc.start()
        pieces(image, 0, visit, memory=256 << 10, placed=False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sum(sizes) == pixels.nbytes
    assert len(sizes) < 400
    assert peak < 320 << 10


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("layout", ["strips", "tiles"])
def test_many_segments_take_no_more_memory_than_few(layout, compression, tmp_path):
    """Neither what is listed, nor the ranges that are remembered, nor a module that only large tables would need."""

    def peak(rows):
        pixels = np.zeros((rows, 64, 3), np.uint8)
        how = {"rowsperstrip": 16} if layout == "strips" else {"tile": (16, 32)}
        tifffile.imwrite(tmp_path / "x.tif", pixels, compression=compression, **how)
        with gigapix.open(tmp_path / "x.tif") as image:
            tracemalloc.start()
            pieces(image, 0, lambda piece: False, memory=1 << 20, placed=False, threads=1)
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return found

    peak(1600)  # what is imported and kept once
    assert peak(16 * 4000) < peak(16 * 500) + (32 << 10)


def test_a_png_of_a_thousand_columns_in_192_kilobytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (600, 1024, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    with gigapix.open(tmp_path / "x.png") as image:
        image.statistics(memory="192kB")
        tracemalloc.start()
        found = image.statistics(memory="192kB")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [band.sum for band in found] == pixels.sum(axis=(0, 1)).tolist()
    assert peak < 256 << 10
