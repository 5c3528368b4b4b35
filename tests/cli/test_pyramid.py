from __future__ import annotations

import json
from pathlib import Path

import pytest
import zarr

from tests.cli.conftest import Run


def test_a_plan_writes_nothing(run: Run, cog: Path, tmp_path: Path) -> None:
    text = run("pyramid", cog, tmp_path / "o.zarr", "--plan", "--chunks", "256", "--levels", "2").output
    assert "└── 2  3 x 225 x 275 uint8" in text
    assert not list(tmp_path.iterdir())
    found = json.loads(run("pyramid", cog, tmp_path / "o.zarr", "--plan", "--json", "--reducer", "max").output)
    assert list(found) == ["target", "axes", "arrays", "reads", "writes", "memory", "workers"]
    assert (found["axes"], found["reads"]) == (["c", "y", "x"], 20)
    assert found["arrays"][1]["reducer"] == "max" and found["arrays"][1]["scale"] == [1.0, -20.0, 20.0]
    assert not list(tmp_path.iterdir())


def test_a_pyramid(run: Run, cog: Path, tmp_path: Path) -> None:
    target = tmp_path / "o.zarr"
    options = [
        "--factors",
        "c=3,y=1:2,x=2",
        "--levels",
        "2",
        "--reducer",
        "mean",
        "--reducer",
        "q0.5",
        "--memory",
        "200MB",
    ]
    assert f"{target}: 5 arrays" in run("pyramid", cog, target, *options, "--executor", "processes:2").output
    group = zarr.open_group(target, mode="r")
    assert [group[path].shape for path in ("0", "1", "2")] == [(3, 900, 1100), (1, 900, 550), (1, 450, 275)]
    assert "valid" in run("validate", target, "--pixels").output
    assert "exists" in run("pyramid", cog, target, *options, code=1).output
    run("pyramid", cog, target, "--zarr-format", "2", "--overwrite", "--codec", "blosc")
    assert "multiscales" in zarr.open_group(target, mode="r").attrs


@pytest.mark.parametrize(
    "option", [("--factors", "y=a"), ("--chunks", "y=2=3"), ("--shards", "x"), ("--zarr-format", "4")]
)
def test_a_wrong_command_line(run: Run, cog: Path, tmp_path: Path, option: tuple[str, str]) -> None:
    run("pyramid", cog, tmp_path / "o.zarr", *option, code=2)


def test_what_can_not_be(run: Run, cog: Path, tmp_path: Path) -> None:
    assert "no reducer 'avg'" in run("pyramid", cog, tmp_path / "o.zarr", "--reducer", "avg", code=1).output
    assert "bytes of memory" in run("pyramid", cog, tmp_path / "o.zarr", "--memory", "1kB", code=1).output


def test_a_cog(run: Run, cog: Path, tmp_path: Path) -> None:
    target = tmp_path / "o.tif"
    options = ["--chunks", "256", "--codec", "zstd:3", "--reducer", "max", "--select", "c=1"]
    text = run("pyramid", cog, target, *options, "--plan").output
    assert "o.tif: COG, zstd:3, predictor 2" in text and "└── 3  113 x 138 (15.2 kB) by max, 1 tile" in text
    assert not target.exists()
    assert f"{target}: 4 arrays" in run("pyramid", cog, target, *options).output
    assert "valid" in run("validate", target, "--full").output
    assert "exists" in run("pyramid", cog, target, code=1).stderr
    found = json.loads(run("pyramid", cog, target, "--overwrite", "--json").output)
    assert (found["writes"], [each["shape"] for each in found["arrays"]]) == (
        1,
        [[3, 900, 1100], [3, 450, 550], [3, 225, 275]],
    )
