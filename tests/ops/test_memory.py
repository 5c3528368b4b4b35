"""What is asked of an image, and a function on it, stays within the memory that is named: in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

CHILD = """
import resource, sys, threading
threading.stack_size(512 << 10)
import numpy as np
import gigapix
path, warm, what = sys.argv[1:]

def work(path):
    with gigapix.open(path, threads=2) as image:
        if what == "map":
            image.map(lambda block: block[:1] + 1, path + ".out.tif", halo=3, memory="8MB", tile=128, threads=2)
            return 0
        asked = dict(histogram=True, percentiles=[2, 50, 98], unique=1000, threshold="otsu")
        return image.summary(**asked, memory="8MB", threads=2).bands[0].statistics.sum

work(warm)
used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + (16 << 20), used + (16 << 20)))
print(work(path))
"""

LAYOUTS = {
    "one strip": {"rowsperstrip": 1, "compression": "lzw"},
    "plain strip": {"rowsperstrip": 1},
    "tiles": {"tile": (256, 256), "compression": "zlib"},
}


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what it should on Linux alone")
@pytest.mark.parametrize(
    ("layout", "dtype", "what"),
    [*((layout, "f4", what) for layout in LAYOUTS for what in ("summary", "map")), ("tiles", "u2", "summary")],
)
def test_sixteen_mebibytes_are_enough(layout: str, dtype: str, what: str, tmp_path: Path) -> None:
    side = {"f4": 2300, "u2": 3200}[dtype]  # 20 MiB
    y, x = np.mgrid[:side, :side]
    pixels = ((x * 7 + y * 3) % 251 + (x * y) % 5).astype(dtype)
    for name, each in (("x.tif", pixels), ("warm.tif", pixels[:64, :64])):
        options = LAYOUTS[layout] | ({"rowsperstrip": each.shape[0]} if "strip" in layout else {})
        tifffile.imwrite(tmp_path / name, np.ascontiguousarray(each), **options)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "x.tif", tmp_path / "warm.tif", what],
        capture_output=True, text=True, check=False, env={"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if what == "summary":
        assert float(done.stdout) == pixels.sum(dtype=np.float64)
    else:
        np.testing.assert_array_equal(tifffile.imread(f"{tmp_path / 'x.tif'}.out.tif"), pixels + 1)
