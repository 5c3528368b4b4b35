"""The threads of an image: how many, and what is done where there are none to be had."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

import gigapix


@pytest.fixture
def path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, tile=(16, 16), compression="zlib")
    return tmp_path / "x.tif"


@pytest.mark.parametrize("threads", [0, -1])
def test_at_least_one_thread(path, threads):
    with pytest.raises(gigapix.RequestError, match="threads"):
        gigapix.open(path, threads=threads)


def test_where_no_thread_can_be_started_the_caller_reads_alone(path, monkeypatch):
    def submit(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    with gigapix.open(path, threads=4) as image:
        np.testing.assert_array_equal(image.read()[0], tifffile.imread(path))
