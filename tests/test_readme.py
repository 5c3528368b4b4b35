"""The README's examples, run as they stand: what they print must be what they say."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import tifffile
from click.testing import CliRunner

from gigapix.cli import main

ROOT = Path(__file__).resolve().parents[1]


def blocks(language: str, page: str = "README.md") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the examples speak of, in the working folder."""
    rng = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 3, "height": 1536, "width": 2048, "crs": "EPSG:32631",
        "transform": rasterio.Affine(10, 0, 500000, 0, -10, 4000000), "photometric": "RGB",
    }  # fmt: skip
    with rasterio.MemoryFile() as memory, memory.open(**profile) as source:
        source.write(np.kron(rng.integers(0, 255, (3, 96, 128), np.uint8), np.ones((16, 16), np.uint8)))
        rasterio.shutil.copy(source, tmp_path / "scene.tif", driver="COG", compress="deflate", blocksize=512)
    stack = rng.integers(0, 4000, (5, 2, 128, 128), np.uint16)
    tifffile.imwrite(tmp_path / "cells.ome.tif", stack, ome=True, metadata={"axes": "ZCYX"})
    noise = rng.integers(0, 256, (3000, 4000), np.uint8)  # as large as it is, whatever the compressor
    (tmp_path / "atlas.png").write_bytes(imagecodecs.png_encode(noise, level=1))
    with rasterio.open(tmp_path / "scene.tif") as scene:
        pixels = np.moveaxis(scene.read(), 0, -1)
    tifffile.imwrite(tmp_path / "photo.tif", pixels, photometric="rgb", compression="webp", rowsperstrip=len(pixels))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", ["README.md", "docs/reading.md", "docs/memory.md", "docs/statistics.md"])
def test_python_examples(page: str) -> None:
    test = doctest.DocTestParser().get_doctest("".join(blocks("python", page)), {}, page, page, 0)
    assert len(test.examples) > 10
    out: list[str] = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=out.append).failed == 0, "".join(out)


@pytest.mark.parametrize(
    ("page", "written"),
    [("README.md", {"window.png", "coarse.tif", "cells.npy", "histogram.png"}), ("docs/memory.md", {"rows.npy"})],
)
def test_command_lines(folder: Path, page: str, written: set[str]) -> None:
    lines = "".join(blocks("sh", page)).splitlines()
    assert len(lines) > 2
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "gigapix"
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert {path.name for path in folder.iterdir()} >= written


def test_every_option_of_the_docs_exists() -> None:
    """docs/cli.md opens with the commands' options: each must be there, and each that is there must be named, unless the
    line ends in dots."""
    text = (ROOT / "docs" / "cli.md").read_text()
    usage = re.search(r"((?:^    .*\n)+)", text, re.MULTILINE)
    assert usage is not None
    for chunk in re.split(r"^    gigapix ", usage[1], flags=re.MULTILINE)[1:]:
        name, named = chunk.split()[0], set(re.findall(r"--\w+", chunk))
        found = set(re.findall(r"--\w+", CliRunner().invoke(main, [name, "--help"]).output))
        assert named <= found, name
        assert chunk.endswith("...\n") or named == found - {"--help", "--debug", "--output"}, name


def test_every_setting_is_in_the_docs() -> None:
    from dataclasses import fields

    from gigapix import Settings

    table = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", (ROOT / "docs" / "reading.md").read_text(), re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    missing = {field.name for field in fields(Settings)} - named - {"credential_provider"}
    assert not missing
