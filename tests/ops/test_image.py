"""Questions about an open image: equal to numpy, and the same for every layout, memory, thread count and executor."""

from __future__ import annotations

import threading
import time
import tracemalloc
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import gigapix
from gigapix.errors import MemoryBudgetError, RequestError, UnsupportedError
from gigapix.ops.image import Summary, histogram, percentiles, statistics, summary, threshold, unique

ALL = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]

LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 7},
    "one strip": {"rowsperstrip": 90, "compression": "lzw"},
    "tiles": {"tile": (32, 16), "compression": "zlib"},
    "plain tiles": {"tile": (16, 16)},
    "planar": {"rowsperstrip": 90, "compression": "zstd", "planarconfig": "separate"},
    "planar tiles": {"tile": (48, 48), "planarconfig": "separate"},
    "big-endian": {"rowsperstrip": 90, "byteorder": ">"},
}

QUESTIONS: dict[str, Any] = {
    "histogram": True, "percentiles": (0, 2, 50, 98, 100), "unique": 40, "threshold": "otsu",
}  # fmt: skip


def some(dtype: str, shape: tuple[int, ...] = (90, 110, 3)) -> np.ndarray:
    """Numbers with many ties; floats with NaN."""
    rng = np.random.default_rng(7)
    values = rng.normal(60, 12, shape)
    if dtype[0] == "f":
        values[rng.random(shape) < 0.02] = np.nan
    return np.where(rng.random(shape) < 0.1, 33, values).astype(dtype)


def written(path: Path, values: np.ndarray, layout: str = "strips", **more: Any) -> Path:
    options = LAYOUTS[layout] | more
    data = np.moveaxis(values, -1, 0) if "planarconfig" in options else values
    if values.shape[-1] == 1:
        data = values[..., 0]
    else:
        options = {"planarconfig": "contig"} | options
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None, **options)
    return path


def nodata_tag(value: object) -> dict[str, Any]:
    return {"extratags": [(42113, "s", 0, str(value), True)]}


def ask(path: Path, **more: Any) -> Summary:
    with gigapix.open(path) as image:
        return summary(image, **QUESTIONS, **more)


@pytest.mark.parametrize("nodata", [None, 33])
@pytest.mark.parametrize("dtype", ALL)
def test_equal_to_numpy(dtype: str, nodata: int | None, tmp_path: Path) -> None:
    values = some(dtype)
    path = written(tmp_path / "x.tif", values, "tiles", **({} if nodata is None else nodata_tag(nodata)))
    with gigapix.open(path) as image:
        found = summary(image, **(QUESTIONS | {"unique": True, "threshold": None}))
    for band, of_band in zip(np.moveaxis(values, -1, 0), found.bands, strict=True):
        left_out = np.isnan(band) | (band == nodata) if nodata is not None else np.isnan(band)
        valid = band[~left_out]
        wide = valid.astype("f8") if dtype[0] == "f" else valid
        figures = of_band.statistics
        assert figures is not None
        assert (figures.min, figures.max, figures.valid) == (valid.min(), valid.max(), valid.size)
        assert figures.mean == pytest.approx(wide.astype("f8").mean(), rel=1e-12)
        assert of_band.percentiles == tuple(np.percentile(wide, QUESTIONS["percentiles"]))
        assert of_band.unique is not None
        expected, counts = np.unique(valid, return_counts=True)
        assert of_band.unique.values == tuple(expected.tolist())
        assert of_band.unique.counts == tuple(counts.tolist())
        assert of_band.histogram is not None
        if values.itemsize <= 2 and dtype[0] != "f":
            assert of_band.histogram.counts == tuple(np.bincount(valid.astype(int) - int(valid.min())))
        else:
            bins = np.histogram(valid.astype("f4") if dtype == "f2" else valid, 256)[0]
            assert of_band.histogram.counts == tuple(bins)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8", "i4"])
def test_no_layout_memory_or_thread_shows(dtype: str, tmp_path: Path) -> None:
    values = some(dtype)
    expected = None
    for layout in LAYOUTS:
        path = written(tmp_path / "x.tif", values, layout, **nodata_tag(33))
        for more in ({"memory": "8MB", "threads": 1}, {"memory": "64MB", "threads": 4}, {"memory": "5MB"}):
            found = ask(path, **more).bands
            expected = expected or found
            assert repr(found) == repr(expected), (layout, more)


@pytest.mark.parametrize("layout", ["tiles", "one strip", "plain tiles"])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_an_executor_changes_nothing(dtype: str, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gigapix.ops.distribute.TASK_BYTES", 9000)
    path = written(tmp_path / "x.tif", some(dtype), layout)
    expected = ask(path)
    done: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        assert repr(ask(path, executor=pool, progress=done.append)) == repr(expected)
    assert sum(done) == 90 * 110 * 3 * expected.passes
    assert (len(done) > expected.passes) == (layout != "one strip")  # a stream is one task


def test_processes_and_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gigapix.ops.distribute.TASK_BYTES", 9000)
    values = some("u2")
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "x.tif", values, "tiles")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, gigapix.open("x.tif") as image:
        found = statistics(image, window=(5, 37, 50, 45), executor=pool)
        assert found == statistics(image, window=(5, 37, 50, 45))
    part = values[37:82, 5:55]
    assert [band.sum for band in found] == part.sum((0, 1), dtype=int).tolist()


def test_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("gigapix.ops.distribute.TASK_BYTES", 9000)
    path = written(tmp_path / "x.tif", some("f4"), "tiles")
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert repr(ask(path, executor=client.get_executor())) == repr(ask(path))


def test_what_no_other_process_can_open(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tif", some("u1"))
    with (
        ThreadPoolExecutor(1) as pool,
        gigapix.open(path.read_bytes()) as image,
        pytest.raises(UnsupportedError, match="from bytes"),
    ):
        summary(image, executor=pool)
    with (
        ThreadPoolExecutor(1) as pool,
        gigapix.open(path, credential_provider=lambda: None) as image,
        pytest.raises(UnsupportedError, match="can't be sent"),
    ):
        summary(image, executor=pool)


def test_an_executor_stops_early_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gigapix.ops.distribute.TASK_BYTES", 1)
    monkeypatch.setattr("gigapix.ops.distribute.UNDER_WAY", 2)
    path = written(tmp_path / "x.tif", some("f4"), "strips")
    submitted = []

    class Counting(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **named: Any) -> Any:
            submitted.append(1)
            return super().submit(*arguments, **named)

    pool: Executor
    with Counting(2) as pool, gigapix.open(path) as image:
        assert [band.more for band in unique(image, 2, executor=pool)] == [True] * 3
    assert len(submitted) < 90 // 7


def test_the_masks_pixels_do_not_count(tmp_path: Path) -> None:
    import rasterio

    values, kept = some("u1"), np.random.default_rng(1).random((90, 110)) < 0.6
    for dtype in ("u1", "f4"):
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(
                tmp_path / "x.tif", "w", driver="GTiff", width=110, height=90, count=3, dtype=np.dtype(dtype),
                tiled=True, blockxsize=32, blockysize=16, compress="deflate",
            ) as file,
        ):  # fmt: skip
            file.write(np.moveaxis(values, -1, 0).astype(dtype))
            file.write_mask(kept)
        for memory in ("2MB", "64MB"):
            found = ask(tmp_path / "x.tif", memory=memory)
            for band, of_band in zip(np.moveaxis(values, -1, 0), found.bands, strict=True):
                assert of_band.statistics is not None
                assert (of_band.statistics.valid, of_band.statistics.sum) == (kept.sum(), band[kept].sum())
                assert of_band.percentiles == tuple(np.percentile(band[kept], QUESTIONS["percentiles"]))


def test_stacks_levels_and_selections(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (5, 2, 64, 48), np.uint16)
    with tifffile.TiffWriter(tmp_path / "x.ome.tif", ome=True) as out:
        out.write(pixels, subifds=1, tile=(16, 16), metadata={"axes": "ZCYX"})
        out.write(pixels[..., ::2, ::2], subfiletype=1, tile=(16, 16))
    with gigapix.open(tmp_path / "x.ome.tif") as image:
        assert [band.sum for band in statistics(image)] == pixels.sum((0, 2, 3), dtype=int).tolist()
        assert [band.sum for band in statistics(image, level=1)] == pixels[..., ::2, ::2].sum((0, 2, 3)).tolist()
        (band,) = statistics(image, select={"Z": slice(1, 3), "C": 1}, window=(3, 5, 20, 30))
        assert band.sum == pixels[1:3, 1, 5:35, 3:23].sum()
        with ThreadPoolExecutor(1) as pool:
            assert statistics(image, executor=pool) == statistics(image)


def test_a_stack_is_measured_within_the_memory(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65535, (200, 256, 256), np.uint16)
    tifffile.imwrite(tmp_path / "x.ome.tif", pixels, metadata={"axes": "ZYX"}, compression="zlib", rowsperstrip=256)
    done: list[int] = []
    with gigapix.open(tmp_path / "x.ome.tif", threads=1) as image:
        statistics(image, memory="4MB")  # what is imported and made once
        tracemalloc.start()
        try:
            (band,) = statistics(image, memory="4MB", progress=done.append)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (band.min, band.max, band.valid) == (int(pixels.min()), int(pixels.max()), pixels.size)
    assert band.sum == int(pixels.sum(dtype=np.int64)) and sum(done) == pixels.size
    assert peak < 4 << 20


def test_how_often_an_image_is_read(tmp_path: Path) -> None:
    def passes(dtype: str, **asked: Any) -> int:
        with gigapix.open(written(tmp_path / f"{dtype}.tif", some(dtype))) as image:
            return summary(image, **asked).passes

    assert passes("u1", **QUESTIONS) == passes("i2", **QUESTIONS) == 1
    assert passes("f4", **QUESTIONS) == passes("f4", histogram=True) == 2
    assert passes("f4", histogram=True, range=(0, 100), unique=2) == passes("f4") == 1
    assert passes("f8", **QUESTIONS) == 4
    assert passes("u2", histogram=True, memory="2MB") == 3  # a band at a time


def test_reading_stops_when_the_answer_is_known(tmp_path: Path) -> None:
    values = np.zeros((4096, 1024, 1), np.uint8)
    values[0, :3, 0] = (1, 2, 3)
    for dtype in ("u1", "f4"):
        path = written(tmp_path / "x.tif", values.astype(dtype), rowsperstrip=64, compression="zlib")
        done: list[int] = []
        with gigapix.open(path) as image:
            (found,) = unique(image, 2, progress=done.append, threads=1)
            assert found.more and sum(done) <= values.size / 2
            (found,) = unique(image, 4)
            assert found.values == (0, 1, 2, 3) and not found.more


def test_nodata_is_no_value_to_stop_at(tmp_path: Path) -> None:
    values = np.arange(3, dtype=np.uint8).repeat(300).reshape(30, 30, 1)
    with gigapix.open(written(tmp_path / "x.tif", values, **nodata_tag(1))) as image:
        (found,) = unique(image, 2)
    assert found.values == (0, 2) and found.counts == (300, 300)


def test_too_little_memory_is_said_beforehand(tmp_path: Path) -> None:
    with gigapix.open(written(tmp_path / "x.tif", some("u2"))) as image:
        before = image.stats.requests
        with pytest.raises(MemoryBudgetError, match="525312 bytes"):
            summary(image, histogram=True, memory="500kB")
        assert image.stats.requests == before
    with gigapix.open(written(tmp_path / "x.tif", some("f4"))) as image:
        before = image.stats.requests
        with pytest.raises(MemoryBudgetError, match="percentiles of a band need"):
            percentiles(image, np.linspace(0, 100, 1000), memory="4MB")
        assert image.stats.requests == before
    with gigapix.open(written(tmp_path / "x.tif", some("f8", (500, 300, 1)))) as image:
        with pytest.raises(MemoryBudgetError, match="different values"):
            unique(image, memory="1MB")
        assert unique(image, 3, memory="1MB")[0].more


def test_single_questions(tmp_path: Path) -> None:
    values = some("u1")
    with gigapix.open(written(tmp_path / "x.tif", values)) as image:
        assert percentiles(image, 50).shape == (3,)
        np.testing.assert_array_equal(percentiles(image, [2, 98]), np.percentile(values, [2, 98], (0, 1)).T)
        (first, *_) = histogram(image, 10, (0, 100))
        assert first is not None and first.counts == tuple(np.histogram(values[..., 0], 10, (0, 100))[0])
        assert len(threshold(image)) == 3


def test_nothing_valid(tmp_path: Path) -> None:
    for dtype in ("u1", "f4"):
        path = written(tmp_path / "x.tif", np.full((20, 20, 1), 7, dtype), **nodata_tag(7))
        (band,) = ask(path).bands
        assert band.statistics is not None and band.statistics.valid == 0 and band.statistics.mean is None
        assert band.histogram is band.percentiles is band.threshold is None
        assert band.unique is not None and band.unique.values == ()
        with gigapix.open(path) as image:
            assert np.isnan(percentiles(image, [5, 50])).all()


def test_infinities(tmp_path: Path) -> None:
    values = some("f4", (30, 30, 1))
    values[3, 3] = np.inf
    with gigapix.open(written(tmp_path / "x.tif", values)) as image:
        (band,) = summary(image, histogram=True, threshold="otsu", percentiles=[0, 100]).bands
        assert band.histogram is band.threshold is None
        assert band.percentiles == (np.nanmin(values), np.inf)
        (found,) = histogram(image, 4, (0, 100))
        assert found is not None and found.counts == tuple(np.histogram(values[np.isfinite(values)], 4, (0, 100))[0])


def test_complex_samples(tmp_path: Path) -> None:
    values = (some("i4") + 1j * some("i4")).astype("c8")
    with gigapix.open(written(tmp_path / "x.tif", values)) as image:
        (band, *_) = summary(image, histogram=True, unique=True).bands
        assert band.statistics is not None and band.statistics.mean == pytest.approx(values[..., 0].mean(), rel=1e-5)
        assert band.histogram is None
        assert band.unique is not None and band.unique.values == tuple(np.unique(values[..., 0]).tolist())
        for asked in ({"percentiles": [5]}, {"threshold": "otsu"}):
            with pytest.raises(RequestError, match="no order"):
                summary(image, **asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"percentiles": [101]}, {"percentiles": [np.nan]}, {"bins": 0}, {"range": (3, 1)}, {"range": (0, np.inf)},
        {"unique": 0}, {"threshold": "x"}, {"level": 7}, {"window": (0, 0, 999, 1)}, {"memory": "much"},
        {"threads": 0}, {"select": {"Q": 1}},
    ],
)  # fmt: skip
def test_what_makes_no_sense(asked: dict[str, Any], tmp_path: Path) -> None:
    with gigapix.open(written(tmp_path / "x.tif", some("u1"))) as image, pytest.raises(RequestError, match=r"x\.tif"):
        summary(image, **asked)


def test_a_fault_in_the_file_is_not_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tif", some("f4"), "tiles")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        middle = file.pages[0].dataoffsets[5]
    data[middle : middle + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(gigapix.DecodeError, match=r"x\.tif"):
        ask(path)


def test_threads_end(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tif", some("u1"), "tiles")
    before = threading.active_count()
    ask(path, threads=4)
    for _ in range(100):
        if threading.active_count() <= before:  # those of an earlier test may end meanwhile
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


@pytest.mark.parametrize("layout", ["tiles", "one strip"])
def test_a_remote_image(layout: str, tmp_path: Path) -> None:
    from obstore.store import MemoryStore

    path = written(tmp_path / "x.tif", some("f4"), layout)
    store = MemoryStore()
    store.put("x.tif", path.read_bytes())
    with gigapix.open("x.tif", store=store) as image:
        assert repr(image.summary(**QUESTIONS, memory="8MB").bands) == repr(ask(path).bands)


@pytest.mark.parametrize(("mode", "dtype"), [("L", "u1"), ("RGB", "u1"), ("I;16", "u2")])
def test_a_png(mode: str, dtype: str, tmp_path: Path) -> None:
    from PIL import Image

    values = some(dtype, (90, 110, 3) if mode == "RGB" else (90, 110, 1))
    Image.fromarray(values if mode == "RGB" else values[..., 0]).save(tmp_path / "x.png")
    path = written(tmp_path / "x.tif", values)
    assert repr(ask(tmp_path / "x.png", memory="3MB")) == repr(ask(path, memory="3MB"))
