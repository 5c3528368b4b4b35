"""One line a request at DEBUG, and nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys

import gigapix
from tests.remote.images import cog, scene


def test_one_line_a_request(way, odd, tmp_path, caplog):
    cog(tmp_path / "x.tif", scene(512))
    url = odd.put((tmp_path / "x.tif").read_bytes())
    caplog.set_level(logging.DEBUG, "gigapix")
    odd.do("503")
    with way.open(f"{url}?sig=SECRET", retry_delay=0.001) as image:
        way.read(image)
    lines = [record.getMessage() for record in caplog.records if record.name == "gigapix"]
    assert len(lines) == odd.requests == image.stats.requests
    assert all(line.startswith(f"{url}: ") and "SECRET" not in line for line in lines)
    assert (
        "ServerError" in lines[0] and f"{image.stats.ranges[-1][1]} bytes at {image.stats.ranges[-1][0]}" in lines[-1]
    )
    assert {record.levelno for record in caplog.records if record.name == "gigapix"} == {logging.DEBUG}


def test_quiet_by_default(odd, tmp_path):
    cog(tmp_path / "x.tif", scene(512))
    url = odd.put((tmp_path / "x.tif").read_bytes())
    odd.do("503")
    program = "import sys, gigapix\nwith gigapix.open(sys.argv[1]) as image: image.read()"
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, check=True)
    assert done.stdout == done.stderr == b"" and odd.requests > 2
    assert gigapix.__doc__
