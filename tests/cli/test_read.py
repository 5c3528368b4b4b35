from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given
from hypothesis import strategies as st

import gigapix
from gigapix.cli.request import cut
from gigapix.image.window import Window
from tests.cli.conftest import Run


@pytest.fixture(params=[1, 1 << 14, 16 << 20], ids=["tiny", "small", "usual"])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of every size must make the same file."""
    for module in ("export", "export_tiff"):
        monkeypatch.setattr(f"gigapix.cli.{module}.BLOCK_BYTES", request.param)
    return int(request.param)


WINDOWS = [(), ("--window", "0,0,1,1"), ("--window", "131,57,300,290"), ("--window", "1099,0,1,900")]


def expected(path: Path, window: tuple[str, ...], **options: Any) -> np.ndarray[Any, Any]:
    box = tuple(map(int, window[1].split(","))) if window else None
    with gigapix.open(path) as image:
        return image.read(box, **options)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("window", WINDOWS)
def test_npy(run: Run, cog: Path, tmp_path: Path, window: tuple[str, ...]) -> None:
    out = tmp_path / "out.npy"
    run("read", cog, *window, "-o", out)
    np.testing.assert_array_equal(np.load(out, mmap_mode="r"), expected(cog, window))
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("compress", ["deflate", "none"])
def test_tif(run: Run, cog: Path, tmp_path: Path, window: tuple[str, ...], compress: str) -> None:
    out = tmp_path / "out.tif"
    run("read", cog, *window, "-o", out, "--compress", compress)
    with rasterio.open(out) as dataset, rasterio.open(cog) as source:
        np.testing.assert_array_equal(dataset.read(), expected(cog, window))
        assert dataset.crs == source.crs
        column, row = map(int, window[1].split(",")[:2]) if window else (0, 0)
        assert dataset.transform == source.transform * rasterio.Affine.translation(column, row)
        assert [c.name for c in dataset.colorinterp] == ["red", "green", "blue"]


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("window", [(), ("--window", "7,3,200,330")])
@pytest.mark.parametrize("name", ["out.npy", "out.tif"])
def test_strips(run: Run, strips: Path, tmp_path: Path, window: tuple[str, ...], name: str) -> None:
    out = tmp_path / name
    run("read", strips, *window, "-o", out)
    found = np.load(out) if out.suffix == ".npy" else tifffile.imread(out)[None]
    np.testing.assert_array_equal(found, expected(strips, window))
    if out.suffix == ".tif":
        with rasterio.open(out) as dataset:
            assert dataset.nodata == -9999


@pytest.mark.usefixtures("block_bytes")
def test_a_stack_whole(run: Run, stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    run("read", stack, "-o", out)
    np.testing.assert_array_equal(np.load(out), np.moveaxis(tifffile.imread(stack), 2, 1))
    run("read", stack, "--level", 1, "--select", "z=2", "--bands", "1", "--window", "5,6,40,30", "-o", out)
    np.testing.assert_array_equal(
        np.load(out), np.moveaxis(tifffile.imread(stack, level=1), 2, 1)[:, 1:, 2, 6:36, 5:45]
    )


def test_one_plane_of_a_stack_as_tif(run: Run, stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    result = run("read", stack, "-o", out, code=1)
    assert "--select T=0, --select Z=0" in result.output
    assert not out.exists()
    assert not list(tmp_path.iterdir())
    run("read", stack, "-o", out, "--select", "T=1", "--select", "Z=0")
    np.testing.assert_array_equal(np.moveaxis(tifffile.imread(out), -1, 0), tifffile.imread(stack)[1, 0])


def test_bands_and_levels(run: Run, cog: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    run("read", cog, "--bands", "2,0", "--level", 1, "-o", out)
    np.testing.assert_array_equal(np.load(out), expected(cog, (), level=1, bands=[2, 0]))
    out = tmp_path / "out.tif"
    run("read", cog, "--bands", "1,2", "--level", 1, "--window", "10,20,50,60", "-o", out)
    with rasterio.open(out) as dataset:
        assert dataset.shape == (60, 50)
        assert dataset.photometric is None or dataset.photometric.name == "black"
        assert dataset.bounds == pytest.approx((500200, 3999000, 501200, 3999600 + 0), abs=900)
        assert dataset.res == pytest.approx((20, 20))


def test_png(run: Run, cog: Path, pages: Path, strips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    run("read", cog, "--window", "5,6,70,80", "-o", out)
    np.testing.assert_array_equal(
        np.moveaxis(imagecodecs.png_decode(out.read_bytes()), -1, 0), expected(cog, ("", "5,6,70,80"))
    )
    run("read", pages, "-o", out)
    np.testing.assert_array_equal(imagecodecs.png_decode(out.read_bytes()), tifffile.imread(pages, key=0))
    assert "uint8 or uint16" in run("read", strips, "-o", out, code=1).output
    np.testing.assert_array_equal(
        imagecodecs.png_decode(out.read_bytes()), tifffile.imread(pages, key=0)
    )  # it is still there


def test_a_palette_stays(run: Run, palette: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    run("read", palette, "--window", "3,4,20,10", "-o", out)
    with rasterio.open(out) as dataset, rasterio.open(palette) as source:
        assert dataset.colormap(1) == source.colormap(1)
        np.testing.assert_array_equal(dataset.read(), source.read()[:, 4:14, 3:23])


def test_a_palette_of_few_bits(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "bits.tif", tmp_path / "out.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "width": 24, "height": 20, "nbits": 4}
    with rasterio.open(path, "w", **profile, photometric="palette") as dataset:
        dataset.write(np.random.default_rng(1).integers(0, 16, (1, 20, 24), np.uint8))
        dataset.write_colormap(1, {value: (value, 255 - value, 7, 255) for value in range(16)})
    run("read", path, "-o", out)
    with rasterio.open(out) as dataset, rasterio.open(path) as source:
        np.testing.assert_array_equal(dataset.read(), source.read())
        assert [dataset.colormap(1)[value] for value in range(16)] == [source.colormap(1)[value] for value in range(16)]


def test_pixel_is_point_and_rotation(run: Run, tmp_path: Path) -> None:
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64)
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 1, "width": 64, "height": 64, "crs": "EPSG:4326"}
    for name, transform, point in [
        ("point", rasterio.Affine(0.5, 0, 10, 0, -0.5, 50), "Point"),
        ("rotated", rasterio.Affine(1, 0.2, 10, 0.1, -1, 50), "Area"),
    ]:
        path, out = tmp_path / f"{name}.tif", tmp_path / "out.tif"
        with rasterio.open(path, "w", **profile, transform=transform) as dataset:
            dataset.update_tags(AREA_OR_POINT=point)
            dataset.write(pixels)
        run("read", path, "--window", "8,16,20,20", "-o", out)
        with rasterio.open(out) as dataset:
            assert dataset.transform.almost_equals(transform * rasterio.Affine.translation(8, 16))
            assert dataset.tags()["AREA_OR_POINT"] == point
            assert dataset.crs.to_epsg() == 4326


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--window", "0,0,5"), 2, "COL,ROW,WIDTH,HEIGHT"),
        (("--window", "a,b,c,d"), 2, "COL,ROW,WIDTH,HEIGHT"),
        (("--bands", "x"), 2, "is not N,..."),
        (("--select", "Z"), 2, "is not AXIS=POSITION"),
        (("--level", "-1"), 2, "--level"),
        (("--window", "1000,0,200,10"), 1, "not within the image"),
        (("--window", "0,0,0,10"), 1, "empty"),
        (("--bands", "3"), 1, "position 3 along C of 3"),
        (("--select", "Z=0"), 1, "no axis 'Z'"),
        (("--level", "77"), 1, "no level 77"),
    ],
)
def test_what_is_not_there(
    run: Run, cog: Path, tmp_path: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    assert words in run("read", cog, *options, "-o", tmp_path / "out.npy", code=code).output
    assert not list(tmp_path.iterdir())


def test_outputs_that_cannot_be(run: Run, cog: Path, tmp_path: Path) -> None:
    assert ".npy, .tif" in run("read", cog, "-o", tmp_path / "out.jpg", code=2).output
    assert "is the image itself" in run("read", cog, "-o", cog, code=2).output
    assert "No such file" in run("read", cog, "-o", tmp_path / "no" / "out.npy", code=1).output


def test_a_file_system_that_has_no_room(run: Run, cog: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        output = run("read", cog, "-o", tmp_path / "out.npy", code=1).output
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert output == f"gigapix: {tmp_path / 'out.npy'}: File too large\n"
    assert not list(tmp_path.iterdir())


def test_a_failure_half_way_leaves_what_was_there(run: Run, cog: Path, tmp_path: Path) -> None:
    """Damage the last tile: the first ones are read and written before it fails."""
    with tifffile.TiffFile(cog) as tiff:
        offset, size = tiff.pages[0].dataoffsets[-1], tiff.pages[0].databytecounts[-1]
    data = bytearray(cog.read_bytes())
    data[offset : offset + size] = b"\xff" * size
    broken, out = tmp_path / "broken.tif", tmp_path / "out.npy"
    broken.write_bytes(data)
    out.write_text("before")
    assert str(broken) in run("read", broken, "-o", out, code=1).output
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.tif", "out.npy"]


@given(
    window=st.builds(Window, *[st.integers(0, 50)] * 2, *[st.integers(1, 60)] * 2),
    step=st.tuples(st.integers(1, 70), st.integers(1, 70)), anchor=st.tuples(st.integers(0, 50), st.integers(0, 50)),
)  # fmt: skip
def test_a_cut_covers_each_pixel_once(window: Window, step: tuple[int, int], anchor: tuple[int, int]) -> None:
    seen = np.zeros((120, 120), int)
    for part in cut(window, step, anchor):
        seen[part.slices] += 1
        assert (part.col_off - anchor[0]) // step[0] == (part.col_off + part.width - 1 - anchor[0]) // step[0]
        assert (part.row_off - anchor[1]) // step[1] == (part.row_off + part.height - 1 - anchor[1]) // step[1]
    assert seen[window.slices].all()
    assert seen.sum() == window.width * window.height
