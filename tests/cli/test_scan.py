"""`gigapix scan` and `gigapix query`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from gigapix.cli import main
from tests.catalog.conftest import geotiff


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(3):
        geotiff(folder / f"{n}.tif")
    return folder


def test_scan_and_query(images, tmp_path):
    result = run("scan", images, tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["objects"] == 3
    result = run("query", tmp_path / "out", "select compression, count(*) as n from images group by 1", "--json")
    assert json.loads(result.output) == [{"compression": 1, "n": 3}]
    assert run("query", tmp_path / "out", "select path from images order by 1", "--csv").output.split() == [
        "path", "0.tif", "1.tif", "2.tif"]  # fmt: skip
    assert "0.tif" in run("query", tmp_path / "out", "select path, geometry from images").output
    assert run("query", tmp_path / "out", "selec").exit_code == 1


def test_errors_make_three(images, tmp_path):
    (images / "bad.tif").write_bytes(b"?")
    result = run("scan", images, tmp_path / "out")
    assert result.exit_code == 3 and "4 objects, 1 errors" in result.output
    assert run("scan", images, tmp_path / "other", "--max-errors", "0").exit_code == 1


def test_dry_run(images, tmp_path):
    result = run("scan", images, tmp_path / "out", "--dry-run", "--json")
    assert json.loads(result.output)["requests"] == 3 and not (tmp_path / "out").exists()
    assert "objects   3" in run("scan", images, "--dry-run").output


def test_usage(images, tmp_path):
    assert run("scan", images).exit_code == 2
    assert run("scan", "--config", tmp_path / "none.yaml", images, tmp_path / "out").exit_code == 2
    assert run("scan", images, tmp_path / "out", "--executor", "magic").exit_code == 1


def test_interrupted(images, tmp_path):
    """Ctrl-C finishes what is under way; the next call does the rest."""
    for n in range(3, 60):
        (images / f"{n}.tif").hardlink_to(images / "0.tif")
    start = [sys.executable, "-c", "from gigapix.cli import main; main()"]
    command = [*start, "scan", images, tmp_path / "out", "--shard", "5", "--rate", "20"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 30
    while not list(tmp_path.glob("out/part-*")) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 3, err
    assert b"start it again" in out
    result = run("scan", images, tmp_path / "out", "--shard", "5")
    assert result.exit_code == 0 and "60 objects" in result.output
