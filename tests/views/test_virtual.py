"""`gigapix.virtual`: pixels through zarr-python, dask and xarray, from every kind of file."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype

import gigapix
from gigapix import DecodeError, GigapixError, NotFoundError, RequestError, UnsupportedError
from gigapix.views.chunks import rectangles
from tests.fixtures import FIXTURES
from tests.hostile import layout, texts
from tests.views.giant import giant_cog
from tests.views.sources import SOURCES

PROTOTYPE = default_buffer_prototype()


def group_of(path: Any, **options: Any) -> zarr.Group:
    return zarr.open_group(gigapix.virtual(path, **options), mode="r")


def pages_of(path: Path) -> dict[tuple[int, int], Any]:
    """All pages of a TIFF that are no masks by (height, width), decoded by tifffile, (band, y, x)."""
    found: dict[tuple[int, int], Any] = {}
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            for each in (page, *(page.pages or ())):
                if each.subfiletype & 4 or each.keyframe.imagelength * each.keyframe.imagewidth > 1 << 21:
                    continue
                pixels = each.asarray()
                pixels = np.moveaxis(pixels, -1, 0) if each.axes.endswith("S") else pixels
                found.setdefault(pixels.shape[-2:], pixels.reshape(-1, *pixels.shape[-2:]))
    return found


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "ome_subifds"])
def test_levels_are_those_of_tifffile(name: str, sources: Mapping[str, Path]):
    pages, group = pages_of(sources[name]), group_of(sources[name])
    for array in (group[name] for name in group.array_keys()):
        np.testing.assert_array_equal(array[:], pages[array.shape[-2:]])


def test_a_stack_in_subifds(sources: Mapping[str, Path]):
    group = group_of(sources["ome_subifds"])
    with tifffile.TiffFile(sources["ome_subifds"]) as file:
        for n, level in enumerate(file.series[0].levels):
            found = group[str(n)][:]
            np.testing.assert_array_equal(np.moveaxis(found, 1, 2), level.asarray())  # tifffile: TZCYX
            np.testing.assert_array_equal(group[str(n)][1, 2, :, 3:9, -5:], found[1, 2, :, 3:9, -5:])


def test_the_corpus(pyramids: Sequence[Path]):
    checked = 0
    for path in pyramids:
        pages, group = pages_of(path) if path.name != "corrupt.tif" else {}, group_of(path)
        for array in (group[name] for name in group.array_keys()):
            if array.shape[-2:] in pages:
                np.testing.assert_array_equal(array[:], pages[array.shape[-2:]], err_msg=f"{path} {array.name}")
                checked += 1
    assert checked > 60


def test_every_fixture(tmp_path: Path):
    """Codecs, layouts, predictors, byte orders, bits, planar files, ragged strips: every third, and each in the end."""
    for name in [*FIXTURES][::5]:
        path = tmp_path / f"{name}.tif"
        FIXTURES[name](path)
        with gigapix.open(path) as image:
            group = zarr.open_group(gigapix.virtual(image), mode="r")
            np.testing.assert_array_equal(group["0"][:], image.read(), err_msg=name)


def test_masks(sources: Mapping[str, Path]):
    group = group_of(sources["cog_masked"])
    with gigapix.open(sources["cog_masked"]) as image:
        for n in range(3):
            np.testing.assert_array_equal(group[f"masks/{n}"][:], image.read_mask(level=n))
    y, x = np.mgrid[0:500, 0:700]
    np.testing.assert_array_equal(group["masks/0"][:], np.where(x + y > 100, 255, 0))
    assert "masks" not in group_of(sources["cog_nodata"])


# Levels that the file lacks


def means(pixels: Any, factor: int, nodata: float | None = None) -> Any:
    """Of windows, by numpy, halves to the even neighbour; nodata where there is nothing else."""
    *front, height, width = pixels.shape
    whole = np.full((*front, -(-height // factor) * factor, -(-width // factor) * factor), np.nan)
    whole[..., :height, :width] = np.where(pixels == nodata, np.nan, pixels)
    windows = whole.reshape(*front, whole.shape[-2] // factor, factor, -1, factor)
    counts = np.sum(~np.isnan(windows), axis=(-3, -1))
    found = np.where(
        counts, np.nansum(windows, axis=(-3, -1)) / np.maximum(counts, 1), np.nan if nodata is None else nodata
    )
    return found.astype(pixels.dtype) if pixels.dtype.kind == "f" else np.rint(found).astype(pixels.dtype)


def noise(shape: tuple[int, ...], dtype: str = "u2") -> Any:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize("memory", ["256MB", "64kB"])
@pytest.mark.parametrize(
    "options",
    [
        {"tile": (32, 48), "compression": "zlib"},
        {"rowsperstrip": 7},
        {"rowsperstrip": 300, "compression": "zlib"},
        {"tile": (16, 16), "extratags": [(42113, "s", 0, "3", True)]},
    ],
)
def test_computed_levels_are_means(options: dict[str, Any], memory: str, tmp_path: Path):
    pixels = noise((300, 200))
    pixels[64:96, 64:96] = 3
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    group = group_of(tmp_path / "a.tif", levels=5, memory=memory)
    for n in range(1, 6):
        expected = means(pixels[None], 2**n, 3 if "extratags" in options else None)
        np.testing.assert_array_equal(group[str(n)][:], expected)


def test_computed_levels_of_a_stack_of_floats(tmp_path: Path):
    pixels = noise((3, 2, 90, 70), "f4")
    pixels[:, :, 10:30, :] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    group = group_of(tmp_path / "a.tif", levels=3)
    pixels = np.moveaxis(pixels, 1, 0)
    for n in (1, 2, 3):
        np.testing.assert_allclose(group[str(n)][:], means(pixels, 2**n), rtol=1e-6)


def test_computed_levels_stand_on_the_last_one_that_is_there(sources: Mapping[str, Path]):
    group = group_of(sources["cog_masked"], levels=5)
    last, mask = group["3"][:], group["masks/3"][:]
    shown = np.where(mask, last.astype("i2"), -1)
    for n, factor in ((4, 2), (5, 4)):
        np.testing.assert_array_equal(group[str(n)][:], means(shown, factor, -1).clip(0))
        rows, columns = (range(0, size, factor) for size in mask.shape)
        expected = np.maximum.reduceat(np.maximum.reduceat(mask, rows, axis=0), columns, axis=1)
        np.testing.assert_array_equal(group[f"masks/{n}"][:], expected)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_what_is_transparent_does_not_count(planar: str, tmp_path: Path):
    pixels = noise((300, 200, 4), "u1")
    pixels[..., 3] = np.where(noise((300, 200)) > 60, 255, 0)
    pixels[:40, :50, 3] = 0
    shape = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "planarconfig": planar}
    tifffile.imwrite(tmp_path / "a.tif", shape, tile=(32, 32), compression="zlib", **options)
    group = group_of(tmp_path / "a.tif", levels=2)
    shown = np.where(pixels[..., 3:], pixels.astype("i2"), -1)
    shown[..., 3] = pixels[..., 3]
    for n in (1, 2):
        expected = means(np.moveaxis(shown, -1, 0), 2**n, -1).clip(0)
        np.testing.assert_array_equal(group[str(n)][:], expected)


def test_a_computed_chunk_reads_what_is_under_it_and_once(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", noise((1024, 1024)), tile=(64, 64), compression="zlib")
    store = gigapix.virtual(tmp_path / "a.tif", levels=2)
    array = zarr.open_group(store, mode="r")["1"]
    array[0, :64, :64]
    nbytes = store.image.stats.bytes
    assert nbytes < (tmp_path / "a.tif").stat().st_size / 3  # 64 of 256 tiles, and the header
    array[0, :64, :64]
    assert store.image.stats.bytes == nbytes


def test_a_png(tmp_path: Path):
    pixels = noise((700, 1300, 3), "u1")
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    store = gigapix.virtual(tmp_path / "a.png", levels=2)
    group = zarr.open_group(store, mode="r")
    assert group["0"].chunks == (3, 537, 1300)
    np.testing.assert_array_equal(group["0"][:], np.moveaxis(pixels, -1, 0))
    np.testing.assert_array_equal(group["2"][:], means(np.moveaxis(pixels, -1, 0), 4))


def test_a_giant_strip_is_gone_through_once(tmp_path: Path):
    pixels = noise((9000, 2000), "u1")
    tifffile.imwrite(tmp_path / "a.tif", pixels, rowsperstrip=9000, compression="zlib")
    store = gigapix.virtual(tmp_path / "a.tif", memory="8MB")
    array = zarr.open_group(store, mode="r")["0"]
    assert array.nchunks == 18
    np.testing.assert_array_equal(array[0], pixels)
    assert store.image.stats.bytes < 1.3 * (tmp_path / "a.tif").stat().st_size


def test_a_zarr_pyramid(sources: Mapping[str, Path], tmp_path: Path):
    gigapix.pyramid(sources["ome_subifds"], tmp_path / "a.zarr", levels=1, chunks=32).run()
    written, group = zarr.open_group(tmp_path / "a.zarr", mode="r"), group_of(str(tmp_path / "a.zarr"), levels=2)
    for name in ("0", "1"):
        np.testing.assert_array_equal(group[name][:], written[name][:])
    np.testing.assert_array_equal(group["2"][:], means(written["1"][:], 2))
    shown, own = (each.attrs["ome"]["multiscales"][0] for each in (group, written))
    assert shown["axes"] == own["axes"] and shown["datasets"][:2] == own["datasets"]
    assert [c["label"] for c in group.attrs["ome"]["omero"]["channels"]] == ["a", "b", "c"]


# Who reads it


def test_xarray_and_dask(sources: Mapping[str, Path]):
    xarray, dask_array = pytest.importorskip("xarray"), pytest.importorskip("dask.array")
    with gigapix.open(sources["cog_nodata"]) as image:
        whole = image.read()
    with xarray.open_dataset(gigapix.virtual(sources["cog_nodata"], levels=0), engine="zarr", chunks={}) as data:
        assert data["0"].dims == ("c", "y", "x") and data["0"].chunksizes["y"] == (128, 128, 128, 116)
        np.testing.assert_array_equal(data["0"][:, 100:300, 5:].values, whole[:, 100:300, 5:])
    lazy = dask_array.from_zarr(group_of(sources["cog_nodata"])["0"])
    np.testing.assert_array_equal(lazy.compute(scheduler="threads"), whole)


def test_async(sources: Mapping[str, Path]):
    async def main() -> Any:
        store = gigapix.virtual(sources["cog_masked"])
        group = await zarr.api.asynchronous.open_group(store, mode="r")
        array = await group.getitem("1")
        parts = await asyncio.gather(*(array.getitem((slice(None), slice(y, y + 50))) for y in range(0, 250, 50)))
        return np.concatenate(parts, axis=1)

    with gigapix.open(sources["cog_masked"]) as image:
        np.testing.assert_array_equal(asyncio.run(main()), image.read(level=1))


def test_many_loops_and_threads(sources: Mapping[str, Path]):
    store = gigapix.virtual(sources["cog_masked"], levels=4)
    expected = zarr.open_group(store, mode="r")["4"][:]
    fresh = gigapix.virtual(sources["cog_masked"], levels=4)

    async def read() -> Any:
        array = await (await zarr.api.asynchronous.open_group(fresh, mode="r")).getitem("4")
        return await array.getitem(slice(None))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: asyncio.run(read()), range(8)):
            np.testing.assert_array_equal(found, expected)


def test_pickled(sources: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(sources["svs"].parent)
    group = group_of("svs.tif", levels=4)
    text = pickle.dumps(group)
    monkeypatch.chdir("/")
    copy, again = pickle.loads(text), pickle.loads(text)
    assert copy.store.image is not group.store.image and copy.store == again.store
    for n in ("0", "2", "4"):
        np.testing.assert_array_equal(copy[n][:], group[n][:])
    with pytest.raises(UnsupportedError, match="bytes"):
        pickle.dumps(gigapix.virtual(sources["svs"].read_bytes()))


# The store


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def collected(found: Any) -> list[str]:
    return [each async for each in found]


def test_listing(sources: Mapping[str, Path]):
    store = gigapix.virtual(sources["cog_masked"])
    keys = run(collected(store.list()))
    assert len(keys) == len(set(keys)) == 10 + 2 * (4 * 6 + 2 * 3 + 1 * 2 + 1)
    assert run(collected(store.list_dir(""))) == ["zarr.json", "0", "1", "2", "3", "masks"]
    assert run(collected(store.list_dir("masks"))) == ["zarr.json", "0", "1", "2", "3"]
    assert run(collected(store.list_dir("1"))) == ["zarr.json", "c"]
    assert run(collected(store.list_dir("1/c/"))) == ["0"]
    assert run(collected(store.list_dir("1/c/0/1"))) == ["0", "1", "2"]
    for none in ("4", "1/c/0/9", "1/c/0/1/2", "1/c/x", "1/c/-1", "zarr.json", "1/cc"):
        assert run(collected(store.list_dir(none))) == [], none
    assert run(collected(store.list_prefix("2/c/0/0/"))) == ["2/c/0/0/0", "2/c/0/0/1"]
    assert run(collected(store.list_prefix("masks/z"))) == ["masks/zarr.json"]
    for key in keys:
        assert run(store.exists(key))
        assert run(store.getsize(key)) == len(run(store.get(key, PROTOTYPE)).to_bytes())
    assert run(store.getsize_prefix("")) == sum(run(store.getsize(key)) for key in keys)
    assert run(store.getsize_prefix("1/c")) == sum(run(store.getsize(key)) for key in keys if key.startswith("1/c"))


@pytest.mark.parametrize(
    "key", ["", "0", "0/c", "0/c/0/0", "0/c/0/0/6", "0/c/0/0/-1", "0/c/0/0/0/0", "0/c/0/0/00", "0/c/0/0/²", "9/zarr.json",
            "0/.zarray", ".zgroup", "masks/zarr.json/", "/zarr.json"],
)  # fmt: skip
def test_keys_that_are_not_there(key: str, sources: Mapping[str, Path]):
    store = gigapix.virtual(sources["cog_masked"])
    assert run(store.get(key, PROTOTYPE)) is None and not run(store.exists(key))
    with pytest.raises(FileNotFoundError):
        run(store.getsize(key))


def test_byte_ranges(sources: Mapping[str, Path]):
    store = gigapix.virtual(sources["svs"])
    wanted = [None, RangeByteRequest(3, 70), OffsetByteRequest(12_000), SuffixByteRequest(5), SuffixByteRequest(10**6)]
    for key in ("0/c/0/1/2", "0/zarr.json"):
        found = run(store.get_partial_values(PROTOTYPE, [(key, each) for each in wanted]))
        whole, *parts = [each.to_bytes() for each in found]
        assert parts == [whole[3:70], whole[12_000:], whole[-5:], whole]


def test_it_is_read_only(sources: Mapping[str, Path]):
    store = gigapix.virtual(sources["svs"])
    assert store.read_only and store.with_read_only(True) is store and not store.supports_writes
    with pytest.raises(UnsupportedError, match="read-only"):
        store.with_read_only(False)
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(store, mode="r+").create_group("a")
    for attempt in (store.set("a", PROTOTYPE.buffer.from_bytes(b"")), store.delete("0/zarr.json")):
        with pytest.raises(UnsupportedError):
            run(attempt)


def test_closing(sources: Mapping[str, Path]):
    with gigapix.virtual(sources["svs"]) as store:
        array = zarr.open_group(store, mode="r")["0"]
    with pytest.raises(GigapixError, match="closed"):
        array[:]
    with gigapix.open(sources["svs"]) as image:
        with gigapix.virtual(image) as store:
            assert store.image is image
        image.read()


def test_what_is_wrong_is_told_at_once(sources: Mapping[str, Path], tmp_path: Path):
    with pytest.raises(NotFoundError):
        gigapix.virtual(tmp_path / "none.tif")
    with pytest.raises(RequestError):
        gigapix.virtual(sources["svs"], levels=-1)
    with pytest.raises(RequestError):
        gigapix.virtual(sources["svs"], index=9)


def test_hostile_files():
    """Those that say where they are, and how large they are, as nobody would."""
    cases = [case for case in (*layout.dimensions(), *texts.geo()) if case.name.startswith(("size_", "geo_"))]
    assert len(cases) > 40
    for case in cases:
        try:
            store = gigapix.virtual(case.data, levels="auto", memory="16MB")
            assert zarr.open_group(store, mode="r").attrs["multiscales"]
            run(store.get("0/c/0/0/0", PROTOTYPE))
        except GigapixError:
            continue


def test_damage_to_one_chunk_is_not_damage_to_its_neighbours(tmp_path: Path):
    pixels = noise((64, 64))
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start = file.pages.first.dataoffsets[5]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[start : start + 20] = bytes(20)
    store = gigapix.virtual(bytes(data))

    async def main() -> list[Any]:
        wanted = (store.get(f"0/c/0/{n // 4}/{n % 4}", PROTOTYPE) for n in range(16))
        return await asyncio.gather(*wanted, return_exceptions=True)

    for n, found in enumerate(run(main())):
        if n == 5:
            assert isinstance(found, DecodeError)
        else:
            y, x = n // 4 * 16, n % 4 * 16
            assert found.to_bytes() == pixels[y : y + 16, x : x + 16].tobytes()


def test_those_who_go_away_leave_the_others(tmp_path: Path):
    pixels = noise((64, 64))
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(16, 16), compression="zlib")
    store = gigapix.virtual(tmp_path / "a.tif")

    async def main() -> tuple[Any, Any]:
        first, second = (asyncio.ensure_future(store.get(f"0/c/0/0/{n}", PROTOTYPE)) for n in (0, 1))
        await asyncio.sleep(0)
        first.cancel()
        found = await second
        only = asyncio.ensure_future(store.get("0/c/0/0/0", PROTOTYPE))
        await asyncio.sleep(0)
        only.cancel()  # nobody is left: the next one begins anew
        await asyncio.sleep(0)
        return found, await asyncio.wait_for(store.get("0/c/0/0/0", PROTOTYPE), 60)

    found, again = run(main())
    assert found.to_bytes() == pixels[:16, 16:32].tobytes() and again.to_bytes() == pixels[:16, :16].tobytes()


@given(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 5))), st.integers(1, 40))
@hypothesis_settings(max_examples=40)
def test_rectangles_are_all_chunks_once(indices: set[tuple[int, ...]], most: int):
    found: list[tuple[int, ...]] = []
    for first, last in rectangles(list(indices), most):
        ranges = [range(a, b + 1) for a, b in zip(first, last, strict=True)]
        part = [(z, y, x) for z in ranges[0] for y in ranges[1] for x in ranges[2]]
        assert len(part) <= most
        found += part
    assert sorted(found) == sorted(indices)


def test_rectangles_are_few():
    whole = [(0, y, x) for y in range(4) for x in range(5)]
    assert list(rectangles(whole, 100)) == [((0, 0, 0), (0, 3, 4))]
    assert len(list(rectangles(whole, 10))) == 2


# Far away


def test_a_slice_of_a_remote_giant_takes_four_requests(tmp_path: Path):
    xarray = pytest.importorskip("xarray")
    from tests.remote.servers import MissingError, nginx

    row, column = 100, 77
    y, x = row * 512 + 200, column * 512 + 100
    try:
        with nginx(tmp_path) as server:
            pixels = giant_cog(server.root / "giant.tif", row, column)
            server.lines()
            for levels in (0, None):
                store = gigapix.virtual(f"{server.plain}/giant.tif", levels=levels)
                if levels == 0:
                    found = xarray.open_dataset(store, engine="zarr")["0"][0, y : y + 512, x : x + 512].values
                else:
                    found = zarr.open_group(store, mode="r")["0"][0, y : y + 512, x : x + 512]
                np.testing.assert_array_equal(found, pixels[200:712, 100:612])
                requests, nbytes = server.totals()
                assert requests == store.image.stats.requests == 4 and nbytes < 2 << 20
    except MissingError as reason:
        pytest.skip(str(reason))
