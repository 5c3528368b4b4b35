"""Peak memory does not grow with the image, and is what the plan says at most. bench/pyramid has larger ones."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's marks are Linux's")
def test_peaks(tmp_path):
    command = [sys.executable, "-m", "tests.pyramids.weigh", str(tmp_path / "o.zarr"), "4096", "9216"]
    environment = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "PATH": ""}
    here = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, env=environment, check=False)
    assert not done.returncode, done.stderr
    (small, promised), (large, the_same) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert the_same <= 1.1 * promised and large <= the_same
    assert large <= 1.1 * small + (1 << 20)  # of which the allocator's whims
