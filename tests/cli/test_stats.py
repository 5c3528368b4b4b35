from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import rasterio
import tifffile

from gigapix.cli.plot import BOTTOM, LEFT, RIGHT, TOP, draw
from gigapix.cli.stats import bars
from gigapix.ops.histogram import Histogram
from tests.cli.conftest import Run


def test_figures_are_those_of_numpy(run: Run, strips: Path) -> None:
    pixels = tifffile.imread(strips).astype(float)
    valid = pixels[(pixels != -9999) & ~np.isnan(pixels)]
    found = json.loads(run("stats", strips, "--json").output)
    assert (found["path"], found["index"], found["level"]) == (str(strips), 0, 0)
    (band,) = found["bands"]
    assert list(band) == ["min", "max", "mean", "std", "valid", "sum", "histogram"]
    assert (band["min"], band["max"], band["valid"]) == (valid.min(), valid.max(), valid.size)
    assert band["mean"] == pytest.approx(valid.mean(), rel=1e-13)
    assert band["std"] == pytest.approx(valid.std(), rel=1e-12)
    assert band["histogram"] is None


def test_the_mask_of_the_file_counts(run: Run, cog: Path) -> None:
    bands = json.loads(run("stats", cog, "--json").output)["bands"]
    with rasterio.open(cog) as dataset:
        pixels = dataset.read()[:, 100:]
    for band, expected in zip(bands, pixels, strict=True):
        assert band["valid"] == expected.size
        assert band["sum"] == expected.sum()
        assert band["mean"] == expected.mean()
        counts = np.bincount(expected.ravel()).tolist()
        assert band["histogram"] == {"kind": "values", "min": expected.min(), "max": expected.max(), "counts": counts}


def test_levels_and_images(run: Run, cog: Path, pages: Path) -> None:
    (red, *_) = json.loads(run("stats", cog, "--level", 1, "--json").output)["bands"]
    assert red["valid"] < 900 * 1100 / 4
    (band,) = json.loads(run("stats", pages, "--index", 1, "--json").output)["bands"]
    assert (band["min"], band["max"], band["valid"]) == (None, None, 2000)
    assert band["mean"][1] == 1.0
    assert "no level 9" in run("stats", cog, "--level", 9, code=1).output
    assert "no image 9" in run("stats", cog, "--index", 9, code=1).output


def test_a_stack_is_taken_by_channel(run: Run, stack: Path) -> None:
    pixels = tifffile.imread(stack)
    bands = json.loads(run("stats", stack, "--json").output)["bands"]
    assert [band["sum"] for band in bands] == [int(pixels[:, :, channel].sum()) for channel in range(2)]
    assert [band["valid"] for band in bands] == [pixels[:, :, 0].size] * 2


def test_histogram_of_floats(run: Run, strips: Path) -> None:
    pixels = tifffile.imread(strips)
    valid = pixels[(pixels != -9999) & ~np.isnan(pixels)]
    (band,) = json.loads(run("stats", strips, "--histogram", "--json").output)["bands"]
    histogram = band["histogram"]
    assert (histogram["kind"], histogram["min"], histogram["max"]) == ("bins", valid.min(), valid.max())
    np.testing.assert_array_equal(histogram["counts"], np.histogram(valid, 256)[0])


def test_percentiles_values_and_thresholds(run: Run, strips: Path, cog: Path) -> None:
    pixels = tifffile.imread(strips)
    valid = pixels[(pixels != -9999) & ~np.isnan(pixels)].astype(float)
    asked = ("--percentiles", "2,50,97.5", "--unique", 2, "--threshold", "otsu", "--memory", "64MB", "--threads", 2)
    found = json.loads(run("stats", strips, *asked, "--json").output)
    (band,) = found["bands"]
    assert found["passes"] == 2
    expected = np.percentile(valid, (2, 50, 97.5))
    assert band["percentiles"] == dict(zip(("2", "50", "97.5"), expected, strict=True))
    assert band["unique"] == {"limit": 2, "values": None, "counts": None, "more": True}
    assert valid.min() < band["threshold"] < valid.max()
    text = run("stats", cog, *asked).output
    assert text.splitlines()[0].split()[-4:] == ["2%", "50%", "97.5%", "threshold"]
    assert "band 2: more than 2 values" in text


def test_few_values_are_listed(run: Run, palette: Path) -> None:
    counts = np.bincount(tifffile.imread(palette).ravel())
    (band,) = json.loads(run("stats", palette, "--unique", 4, "--json").output)["bands"]
    assert band["unique"] == {"limit": 4, "values": [0, 1, 2, 3], "counts": counts.tolist(), "more": False}
    assert f"band 0: 0 ({counts[0]} times), 1 (" in run("stats", palette, "--unique", 9).output


def test_a_plot(run: Run, strips: Path, cog: Path, pages: Path, tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    for source in (strips, cog):
        run("stats", source, "--plot", path)
        pixels = imagecodecs.png_decode(path.read_bytes())
        assert pixels.shape == (420, 880, 3)
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > (4 if source == strips else 10)
        path.unlink()
    run("stats", pages, "--index", 1, "--plot", path)  # complex: nothing to draw but the axes
    assert path.exists()
    run("stats", cog, "--plot", tmp_path / "plot.svg", code=2)


def test_the_tallest_bar_stands_where_the_values_are() -> None:
    counts = tuple(1000 if value == 200 else 10 for value in range(256))
    plot = draw([Histogram(kind="values", min=0, max=255, counts=counts)])[TOP:-BOTTOM, LEFT:-RIGHT]
    row = plot[2].astype(int)  # just below the top
    (columns,) = np.nonzero(row[:, 0] - row[:, 1] > 30)  # red
    width = plot.shape[1]
    assert 200 * width / 256 - 1 <= columns[0] <= columns[-1] <= 201 * width / 256 + 1
    assert columns.size >= 2


def test_equal_counts_are_equally_high() -> None:
    assert bars(Histogram(kind="values", min=0, max=99, counts=(7,) * 100)) == "█" * 64


def test_wrong_arguments(run: Run, cog: Path) -> None:
    for arguments in (("--percentiles", "2,x"), ("--percentiles", "101"), ("--unique", 0), ("--threshold", "best")):
        run("stats", cog, *arguments, code=2)
    assert "memory can't be 'some'" in run("stats", cog, "--memory", "some", code=2).output
    assert "no folder 'nowhere'" in run("stats", cog, "--plot", "nowhere/plot.png", code=2).output


def test_a_plot_is_not_drawn_over_the_image(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(imagecodecs.png_encode(np.zeros((9, 9), np.uint8)))
    before = path.read_bytes()
    assert "the image itself" in run("stats", path, "--plot", path, code=2).output
    assert path.read_bytes() == before


def test_close_percentiles_are_told_apart(run: Run, cog: Path) -> None:
    (band, *_) = json.loads(run("stats", cog, "--percentiles", "99.9999999,100,0", "--json").output)["bands"]
    assert list(band["percentiles"]) == ["99.9999999", "100", "0"]


def test_no_valid_pixel(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nan.tif"
    tifffile.imwrite(path, np.full((16, 16), np.nan, np.float32))
    lines = run("stats", path, "--threshold", "otsu", "--unique", 2, "--percentiles", 50).output.splitlines()
    assert lines[0].split()[-2:] == ["50%", "threshold"]
    assert lines[1].split() == ["0", "-", "-", "-", "-", "0", "0", "-", "-"]
    assert "band 0: no value" in lines


def test_for_people(run: Run, cog: Path, strips: Path, tmp_path: Path) -> None:
    lines = run("stats", cog).output.splitlines()
    assert lines[0].split() == ["band", "min", "max", "mean", "std", "valid", "sum"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert "█" in run("stats", strips, "--histogram").output
    path = tmp_path / "nothing.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), extratags=[(42113, "s", 0, "0", True)])
    assert run("stats", path).output.splitlines()[1].split() == ["0", "-", "-", "-", "-", "0", "0"]
