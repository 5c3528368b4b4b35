"""A mapped image is the function of the whole image, whatever it was stored as and however it was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile

import gigapix
from gigapix.errors import MemoryBudgetError, MissingExtraError, RequestError, UnsupportedError
from gigapix.ops.map import map_image

LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 10, "compression": "zlib"},
    "one strip": {"rowsperstrip": 300, "compression": "zlib"},
    "plain strip": {"rowsperstrip": 300},
    "tiles": {"tile": (64, 48), "compression": "zstd"},
}

MODES = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "constant": "constant"}


def some(dtype: str = "u1", shape: tuple[int, ...] = (300, 270, 3)) -> np.ndarray:
    return (np.random.default_rng(5).random(shape) * 250).astype(dtype)


def written(path: Path, pixels: np.ndarray, layout: str = "tiles", **more: Any) -> Path:
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, **(LAYOUTS[layout] | more))
    return path


def neighbours(radius: int) -> Any:
    """The sum of a square around each pixel, with weights that no two shifts share. Looks `radius` pixels around, and
    makes what comes from beyond the block's edge wrong on purpose."""

    def function(block: np.ndarray) -> np.ndarray:
        result = np.zeros(block.shape, np.int64)
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                result += np.roll(block.astype(np.int64), (dy, dx), (1, 2)) * (100 + 7 * dy + dx)
        return result

    return function


def on_the_whole(function: Any, pixels: np.ndarray, halo: int, mode: str) -> np.ndarray:
    full = np.pad(np.moveaxis(pixels, -1, 0), [(0, 0), (halo, halo), (halo, halo)], mode=MODES[mode])
    result = function(full)
    return result[:, halo : result.shape[1] - halo, halo : result.shape[2] - halo]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("halo", [0, 3])
def test_no_seams(layout: str, halo: int, tmp_path: Path) -> None:
    pixels = some()
    function = neighbours(halo)
    expected = on_the_whole(function, pixels, halo, "reflect")
    with gigapix.open(written(tmp_path / "x.tif", pixels, layout)) as image:
        for memory, tile, threads in (("64MB", 128, 2), ("2MB", 16, 1), ("1MB", 32, 3)):
            map_image(image, function, tmp_path / "y.tif", halo=halo, memory=memory, tile=tile, threads=threads)
            np.testing.assert_array_equal(np.moveaxis(tifffile.imread(tmp_path / "y.tif"), -1, 0), expected)
    assert {path.name for path in tmp_path.iterdir()} == {"x.tif", "y.tif"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("halo", [5, 40])
def test_what_lies_beyond_the_edge(mode: str, halo: int, tmp_path: Path) -> None:
    """Also where the image is smaller than the halo."""
    pixels = some("u2", (31, 33, 3))
    function = neighbours(min(halo, 6))
    with gigapix.open(written(tmp_path / "x.tif", pixels, "strips")) as image:
        map_image(image, function, tmp_path / "y.tif", halo=halo, mode=mode, tile=16)
        if mode in ("nearest", "constant") or halo < 31:
            expected = on_the_whole(function, pixels, halo, mode)
            np.testing.assert_array_equal(tifffile.imread(tmp_path / "y.tif"), np.moveaxis(expected, 0, -1))


def test_a_gaussian_is_that_of_scipy(tmp_path: Path) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    pixels = some("f4")

    def blur(block: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(block, (0, 2, 2))

    with gigapix.open(written(tmp_path / "x.tif", pixels)) as image:
        map_image(image, blur, tmp_path / "y.tif", halo=8, memory="4MB", tile=64)
    expected = ndimage.gaussian_filter(np.moveaxis(pixels, -1, 0), (0, 2, 2))
    np.testing.assert_array_equal(np.moveaxis(tifffile.imread(tmp_path / "y.tif"), -1, 0), expected)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "zstd"])
def test_threshold_to_one_band(compression: str, tmp_path: Path) -> None:
    pixels = some()
    with gigapix.open(written(tmp_path / "x.tif", pixels)) as image:
        output = tmp_path / "y.tiff"
        done: list[int] = []
        map_image(image, lambda block: block[1] > 99, output, compression=compression, nodata=7, progress=done.append)
        map_image(image, lambda block: block * 1.5, tmp_path / "z.tif", dtype="u2", bands=[2, 0])
    assert sum(done) == pixels.size
    with rasterio.open(output) as file:
        np.testing.assert_array_equal(file.read(1), pixels[..., 1] > 99)
        assert (file.count, file.dtypes, file.nodata, file.block_shapes) == (1, ("uint8",), 7, [(512, 512)])
    with gigapix.open(tmp_path / "z.tif") as image:
        np.testing.assert_array_equal(image.read(), np.moveaxis(pixels[..., [2, 0]] * 1.5, -1, 0).astype("u2"))


def test_where_it_lies_is_kept(tmp_path: Path) -> None:
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 3, "height": 300, "width": 270, "crs": "EPSG:32631",
        "transform": rasterio.Affine(10, 0, 500000, 0, -10, 4000000), "nodata": 3, "photometric": "rgb",
    }  # fmt: skip
    with rasterio.open(tmp_path / "x.tif", "w", **profile) as file:
        file.write(np.moveaxis(some(), -1, 0))
    with gigapix.open(tmp_path / "x.tif") as image:
        map_image(image, lambda block: block, tmp_path / "y.tif")
    with rasterio.open(tmp_path / "x.tif") as before, rasterio.open(tmp_path / "y.tif") as after:
        assert (after.crs, after.transform, after.colorinterp) == (before.crs, before.transform, before.colorinterp)
        assert after.nodata is None
        np.testing.assert_array_equal(after.read(), before.read())


def test_levels_and_stacks(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (5, 2, 64, 48), np.uint16)
    with tifffile.TiffWriter(tmp_path / "x.ome.tif", ome=True) as out:
        out.write(pixels, subifds=1, tile=(16, 16), metadata={"axes": "ZCYX"})
        out.write(pixels[..., ::2, ::2], subfiletype=1, tile=(16, 16))
    with gigapix.open(tmp_path / "x.ome.tif") as image:
        map_image(image, lambda block: block, tmp_path / "y.tif", select={"Z": 3}, level=1)
        with pytest.raises(UnsupportedError, match="CZYX"):
            map_image(image, lambda block: block, tmp_path / "z.tif")
    with gigapix.open(tmp_path / "y.tif") as image:
        np.testing.assert_array_equal(image.read(), pixels[3, :, ::2, ::2])


def test_zarr(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    pixels, function = some("u2"), neighbours(2)
    expected = on_the_whole(function, pixels, 2, "reflect")
    for layout in ("one strip", "tiles"):
        with gigapix.open(written(tmp_path / "x.tif", pixels, layout)) as image:
            map_image(image, function, tmp_path / "y.zarr", halo=2, tile=64, memory="3MB")
        array = zarr.open_array(tmp_path / "y.zarr", mode="r")
        np.testing.assert_array_equal(array[:], expected)
        assert (array.chunks, array.metadata.dimension_names) == ((1, 64, 64), ("c", "y", "x"))
    assert {path.name for path in tmp_path.iterdir()} == {"x.tif", "y.zarr"}


def test_zarr_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with (
        gigapix.open(written(tmp_path / "x.tif", some())) as image,
        pytest.raises(MissingExtraError, match=r"gigapix\[zarr\]"),
    ):
        map_image(image, lambda block: block, tmp_path / "y.zarr")


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "y.tif").write_bytes(b"before")
    calls = []

    def fails(block: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) > 3:
            raise ZeroDivisionError
        return block

    with gigapix.open(written(tmp_path / "x.tif", some())) as image:
        with pytest.raises(ZeroDivisionError):
            map_image(image, fails, tmp_path / "y.tif", memory="1MB", tile=16, threads=1)
        changing = iter([1, 2, 1, 1, 1, 1, 1, 1])
        with pytest.raises(RequestError, match="first gave 1 bands"):
            map_image(image, lambda block: block[: next(changing)], tmp_path / "y.tif")
    assert (tmp_path / "y.tif").read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"x.tif", "y.tif"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"output": "y.jpg"}, {"tile": 100}, {"tile": 0}, {"compression": "zip"}, {"mode": "wrap"}, {"halo": -1},
        {"output": "x.tif"}, {"threads": 0}, {"output": "y.zarr", "compression": "lzw"}, {"bands": [9]},
        {"function": lambda block: block[:, 1:]}, {"function": lambda block: 3},
    ],
)  # fmt: skip
def test_what_makes_no_sense(arguments: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / arguments.pop("output", "y.tif")
    function = arguments.pop("function", lambda block: block)
    with gigapix.open(written(tmp_path / "x.tif", some())) as image, pytest.raises(RequestError, match=r"x\.tif"):
        map_image(image, function, output, **arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"x.tif"}


def test_too_little_memory_is_said_before_anything_is_written(tmp_path: Path) -> None:
    pixels = some("u1", (600, 3000, 3))
    with gigapix.open(written(tmp_path / "x.tif", pixels, "one strip", rowsperstrip=600)) as image:
        with pytest.raises(MemoryBudgetError, match="18468000 bytes"):
            map_image(image, lambda block: block, tmp_path / "y.tif", memory="1MB")
        map_image(image, lambda block: block, tmp_path / "y.tif", memory="2MB", tile=16)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "y.tif"), pixels)


def test_groups_of_tiles_where_a_row_has_no_room(tmp_path: Path) -> None:
    pixels = some("u1", (200, 3000, 3))
    function = neighbours(2)
    with gigapix.open(written(tmp_path / "x.tif", pixels)) as image:
        map_image(image, function, tmp_path / "y.tif", memory="2MB", tile=64, halo=2)
    expected = on_the_whole(function, pixels, 2, "reflect")
    np.testing.assert_array_equal(np.moveaxis(tifffile.imread(tmp_path / "y.tif"), -1, 0), expected)
