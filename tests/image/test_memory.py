"""The memory of a read is a promise: its output, a segment or two a thread, and a small constant, in a fresh process."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

CHILD = """
import resource, sys, threading
threading.stack_size(512 << 10)
import numpy as np
import gigapix
path, warm, beside, what = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

def work(path):
    with gigapix.open(path, threads=2) as image:
        if what == "read":
            return int(image.read().sum(dtype=np.uint64))
        if what == "window":
            return int(image.read((0, image.height - 8, image.width, 8)).sum(dtype=np.uint64))
        return sum(int(block.sum(dtype=np.uint64)) for _, block in image.blocks(block_bytes=1 << 20))

work(warm)
used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + beside, used + beside))
print(work(path))
"""

SIDE = 4096
LAYOUTS = {
    "deflate tiles": {"tile": (256, 256), "compression": "deflate", "predictor": 2},
    "lzw strips": {"rowsperstrip": 16, "compression": "lzw"},
    "uncompressed strip": {"rowsperstrip": SIDE},
    "uncompressed tiles": {"tile": (512, 512)},
    "planar zstd": {"tile": (256, 256), "compression": "zstd", "planarconfig": "separate"},
}


@pytest.fixture(scope="module")
def pixels():
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((x * 7 + y * 3) % 251 + (x * y) % 5).astype("u2")


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what it should on Linux alone")
@pytest.mark.parametrize(("what", "beside"), [("read", 1.1), ("window", 0), ("blocks", 0)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_read_keeps_within_its_output(layout, what, beside, pixels, tmp_path):
    options = LAYOUTS[layout]
    data = np.stack([pixels, pixels[::-1]]) if "planarconfig" in options else pixels
    small = np.ascontiguousarray(data[..., :64, :64])
    for name, each in [("x.tif", data), ("warm.tif", small)]:
        kind = {key: min(value, 64) if key == "rowsperstrip" else value for key, value in options.items()}
        tifffile.imwrite(tmp_path / name, each, photometric="minisblack", **(options if each is data else kind))
    expected = data[..., -8:, :] if what == "window" else data
    allowed = int(beside * data.nbytes) + (12 << 20)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "x.tif", tmp_path / "warm.tif", str(allowed), what],
        capture_output=True, text=True, check=False, env={"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == int(expected.sum(dtype=np.uint64))


STREAMED_CHILD = """
import resource, sys, threading
threading.stack_size(512 << 10)
import numpy as np
import gigapix
from gigapix.image.pieces import pieces
path, warm, beside = sys.argv[1], sys.argv[2], int(sys.argv[3])
budget = beside * 3 // 4

def work(path):
    with gigapix.open(path, threads=2, memory=budget) as image:
        blocks = image.blocks(memory=budget, halo=2)
        walked = sum(int(block[:, min(2, w.row_off):][:, :w.height].sum(dtype=np.uint64)) for w, block in blocks)
        window = int(image.read((0, image.height - 64, image.width, 64)).sum(dtype=np.uint64))
        sums = []
        pieces(image, 0, lambda p: sums.append(int(p.pixels.sum(dtype=np.uint64))), memory=budget, placed=False)
        return walked, window, sum(sums)

work(warm)
used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + beside, used + beside))
print(*work(path))
"""

STREAMED = {
    "PNG RGB8": {"bands": 3},
    "PNG gray16": {"dtype": "u2"},
    "PNG palette": {"palette": True},
    "deflate": {"compression": "zlib", "predictor": 2},
    "LZW": {"compression": "lzw"},
    "zstd": {"compression": "zstd"},
    "LZMA": {"compression": "lzma"},
    "PackBits": {"compression": "packbits"},
    "planar LZW": {"compression": "lzw", "planarconfig": "separate", "bands": 2},
    "uncompressed": {"bands": 3},
}


def giant(kind, side, path):
    """Write an image of one segment, whose decoded size is many times what the child may hold; its pixels."""
    options = dict(STREAMED[kind])
    dtype, bands, palette = options.pop("dtype", "u1"), options.pop("bands", 1), options.pop("palette", False)
    y, x = np.mgrid[:side, :side]
    pixels = np.stack([(x * 7 + y * (3 + band)) % 251 for band in range(bands)], -1).astype(dtype)
    if kind.startswith("PNG"):
        image = Image.fromarray(pixels if bands > 1 else pixels[..., 0])
        if palette:
            image.putpalette(bytes(range(256)) * 3)
        image.save(path, "PNG", compress_level=1)
        return pixels
    planar = "planarconfig" in options
    data = np.moveaxis(pixels, -1, 0) if planar else pixels if bands > 1 else pixels[..., 0]
    photometric = "rgb" if bands == 3 else "minisblack"
    tifffile.imwrite(path, data, rowsperstrip=side, photometric=photometric, **options)
    return pixels


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what it should on Linux alone")
@pytest.mark.parametrize("kind", STREAMED)
def test_a_giant_segment_needs_no_room(kind, tmp_path):
    pixels = giant(kind, 4096 if kind != "LZMA" else 3000, tmp_path / "x")
    giant(kind, 256, tmp_path / "warm")
    done = subprocess.run(
        [sys.executable, "-c", STREAMED_CHILD, tmp_path / "x", tmp_path / "warm", str(16 << 20)],
        capture_output=True, text=True, check=False, env={"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    whole = int(pixels.sum(dtype=np.uint64))
    assert [int(text) for text in done.stdout.split()] == [whole, int(pixels[-64:].sum(dtype=np.uint64)), whole]
