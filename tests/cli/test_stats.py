from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile

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


def test_for_people(run: Run, cog: Path, strips: Path, tmp_path: Path) -> None:
    lines = run("stats", cog).output.splitlines()
    assert lines[0].split() == ["band", "min", "max", "mean", "std", "valid", "sum"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert "█" in run("stats", strips, "--histogram").output
    path = tmp_path / "nothing.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), extratags=[(42113, "s", 0, "0", True)])
    assert run("stats", path).output.splitlines()[1].split() == ["0", "-", "-", "-", "-", "0", "0"]
