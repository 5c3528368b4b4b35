"""Every honest file reads as tifffile and rasterio read it: whole, in windows, by bands, by levels, into an array."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gigapix
from gigapix.errors import GigapixError, RequestError
from tests.corpus.pixels import band_first, difference
from tests.fixtures import FIXTURES, bit_values

Pixels = npt.NDArray[Any]

LOSSY = ("jpeg",)
"""In the names of files whose pixels may differ by the rounding of another decoder's build."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("fixtures")

    @cache
    def file(name: str) -> Path:
        path = folder / f"{name}.tif"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FIXTURES[name](path)
        return path

    return file


@cache
def truth(path: Path) -> Pixels:
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        return band_first(page.asarray(), page.axes, _axes(path))


@cache
def _axes(path: Path) -> str:
    with gigapix.open(path) as image:
        return image.axes


def _same(found: Pixels, expected: Pixels, name: str) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert difference(found, expected) <= (1 if any(word in name for word in LOSSY) else 0)


@pytest.mark.parametrize("name", FIXTURES)
def test_whole(name: str, files: Callable[[str], Path]) -> None:
    path = files(name)
    with gigapix.open(path) as image:
        found = image.read()
        assert found.shape == image.shape
        assert found.dtype == image.dtype
        assert found.dtype.isnative
    _same(found, truth(path), name)
    if name.startswith("bits_"):
        _, bits, samples, _ = name.split("_")
        np.testing.assert_array_equal(found, np.moveaxis(bit_values((int(bits),) * int(samples)), 2, 0))


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.startswith(("gdal", "cog", "overviews"))])
def test_rasterio_agrees(name: str, files: Callable[[str], Path]) -> None:
    path = files(name)
    with gigapix.open(path) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as dataset:
            assert image.shape == (dataset.count, dataset.height, dataset.width)
            expected = dataset.read()
            factors = [1, *dataset.overviews(1)]
        # GDAL's JPEG decoder rounds chroma in its own way: up to 22 in pixels of noise, and little in the mean.
        near = _near if any(word in name for word in LOSSY) else _equal
        assert near(image.read().astype(expected.dtype), expected)
        assert len(image.levels) == len(factors)
        for level in range(1, len(factors)):
            with rasterio.open(path, overview_level=level - 1) as dataset:
                expected = dataset.read()
            assert near(image.read(level=level), expected)


def _equal(found: Pixels, expected: Pixels) -> bool:
    return difference(found, expected) == 0


def _near(found: Pixels, expected: Pixels) -> bool:
    return bool(np.abs(found.astype(float) - expected).mean() < 2)


@pytest.mark.parametrize("name", [name for name in FIXTURES if "masked" in name])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_masks(name: str, files: Callable[[str], Path]) -> None:
    path = files(name)
    with gigapix.open(path) as image, rasterio.open(path) as dataset:
        np.testing.assert_array_equal(image.read_mask(), dataset.dataset_mask())
        np.testing.assert_array_equal(image.read_mask((3, 5, 20, 17)), dataset.dataset_mask()[5:22, 3:23])
        for level in range(1, len(image.levels)):
            with rasterio.open(path, overview_level=level - 1) as overview:
                np.testing.assert_array_equal(image.read_mask(level=level), overview.dataset_mask())


@pytest.mark.parametrize("name", FIXTURES)
@given(draw=st.data())
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows(name: str, files: Callable[[str], Path], draw: st.DataObject) -> None:
    path = files(name)
    whole = truth(path)
    height, width = whole.shape[-2:]
    with gigapix.open(path, threads=draw.draw(st.sampled_from([1, 2, 3]))) as image:
        column, row = draw.draw(st.integers(0, width - 1)), draw.draw(st.integers(0, height - 1))
        across, down = draw.draw(st.integers(1, width - column)), draw.draw(st.integers(1, height - row))
        channel = image.axes.index("C")
        wanted = draw.draw(
            st.one_of(
                st.none(),
                st.integers(0, image.bands - 1),
                st.lists(st.integers(0, image.bands - 1), min_size=1, max_size=4),
            )
        )
        expected = whole[..., row : row + down, column : column + across]
        if wanted is not None:
            expected = np.take(expected, wanted, axis=channel)
        out = draw.draw(st.sampled_from([None, "plain", "strided", "reversed"]))
        target = _target(out, expected)
        found = image.read((column, row, across, down), bands=wanted, out=target)
        assert target is None or found is target
    _same(found, expected, name)


def _target(kind: str | None, like: Pixels) -> Pixels | None:
    """An array to read into, full of what must not stay there."""
    if kind is None:
        return None
    if kind == "plain":
        return np.full_like(like, 77, order="C")
    if kind == "strided":
        return np.full((*like.shape[:-1], like.shape[-1] * 2), 77, like.dtype)[..., ::2]
    return np.full(like.shape[::-1], 77, like.dtype).T[..., ::-1, :]


@pytest.mark.parametrize(
    "name", ["lzw_tiles_planar", "none_strips_rgb", "gdal_sparse_band", "volume_zlib_8", "cog_deflate"]
)
def test_tiles_and_blocks_make_the_whole(name: str, files: Callable[[str], Path]) -> None:
    path = files(name)
    with gigapix.open(path) as image:
        for number, level in enumerate(image.levels):
            whole = image.read(level=number)
            rows, columns = level.grid
            tiles = np.block([[image.tile(x, y, number) for x in range(columns)] for y in range(rows)])
            np.testing.assert_array_equal(tiles, whole)
            for size in (1, 5000, 1 << 30):
                blank = np.full_like(whole, 77)
                for window, block in image.blocks(number, block_bytes=size):
                    blank[(..., *window.slices)] = block
                np.testing.assert_array_equal(blank, whole)


def test_volume_by_depth(files: Callable[[str], Path]) -> None:
    path = files("volume_zlib_8")
    with gigapix.open(path) as image:
        whole = image.read()
        assert image.axes == "CZYX"
        np.testing.assert_array_equal(image.read(select={"Z": slice(3, 9)}), whole[:, 3:9])
        np.testing.assert_array_equal(image.read((3, 4, 20, 30), select={"Z": 10}), whole[:, 10, 4:34, 3:23])


def test_pages_of_many_sizes(files: Callable[[str], Path]) -> None:
    path = files("pages_of_many_sizes")
    with tifffile.TiffFile(path) as file:
        for index, page in enumerate(file.pages):
            with gigapix.open(path, index=index) as image:
                assert image.count == len(file.pages)
                np.testing.assert_array_equal(image.read(), page.asarray()[None])


def test_pages_of_one_size(files: Callable[[str], Path]) -> None:
    path = files("pages_of_one_size")
    with tifffile.TiffFile(path) as file:
        for index, page in enumerate(file.pages):
            with gigapix.open(path, index=index) as image:
                np.testing.assert_array_equal(image.read(), page.asarray()[None])


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": (0, 0, 46, 1)}, {"window": (0, 0, 1, 38)}, {"window": (-1, 0, 1, 1)}, {"window": (0, -1, 1, 1)},
        {"window": (0, 0, 0, 1)}, {"window": (0, 0, -1, -1)}, {"window": (1 << 70, 0, 1, 1)}, {"window": (0, 0, 1)},
        {"level": 1}, {"level": -1}, {"bands": 3}, {"bands": -1}, {"bands": [0, 3]}, {"bands": []},
        {"select": {"Z": 0}}, {"select": {"Q": 0}},
        {"out": np.zeros((3, 37, 44), np.uint8)}, {"out": np.zeros((3, 37, 45), np.int8)},
        {"window": (0.5, 0, 1, 1)}, {"window": "abcd"}, {"bands": "abc"},
    ],
    ids=str,
)  # fmt: skip
def test_requests_for_what_is_not_there(wrong: dict[str, Any], files: Callable[[str], Path]) -> None:
    with gigapix.open(files("lzw_tiles_rgb")) as image, pytest.raises((RequestError, TypeError)) as caught:
        image.read(**wrong)
    if isinstance(caught.value, GigapixError):
        assert caught.value.path is None or "lzw_tiles_rgb" in str(caught.value)


@pytest.mark.parametrize("index", [1, -1, 1 << 40])
def test_image_that_is_not_there(index: int, files: Callable[[str], Path]) -> None:
    with pytest.raises(RequestError, match="lzw_tiles_rgb"):
        gigapix.open(files("lzw_tiles_rgb"), index=index)


@pytest.mark.parametrize("place", [(3, 0), (0, 3), (-1, 0), (0, -1)])
def test_tile_that_is_not_there(place: tuple[int, int], files: Callable[[str], Path]) -> None:
    with gigapix.open(files("lzw_tiles_rgb")) as image, pytest.raises(RequestError):
        image.tile(*place)


def test_bytes_read_like_the_file(files: Callable[[str], Path]) -> None:
    path = files("cog_deflate")
    with gigapix.open(path) as image:
        expected = image.read()
    for data in (path.read_bytes(), bytearray(path.read_bytes()), memoryview(path.read_bytes())):
        with gigapix.open(data) as image:
            np.testing.assert_array_equal(image.read(), expected)
