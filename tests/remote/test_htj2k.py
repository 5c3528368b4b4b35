"""What a level costs that lies in the chunks of level 0, as nginx counts it."""

import asyncio

import numpy as np
import pytest

import gigapix
from gigapix.pyramids.plan import pyramid
from tests.pyramids import wavelet

Y, X = np.mgrid[0:1400, 0:1500]
NOISE = np.random.default_rng(0).normal(0, 40, Y.shape)
PIXELS = (2000 + 1500 * np.sin(X / 37) * np.cos(Y / 53) + NOISE).clip(0, 65535).astype("u2")


@pytest.fixture(scope="module", params=["chunks", "shards"])
def served(nginx, request):
    shards = {"chunks": 512, "shards": 512 if request.param == "chunks" else 1024}
    target = nginx.root / f"{request.param}.zarr"
    pyramid(PIXELS, target, codec="htj2k", levels_from_codec=True, levels=5, **shards).run()
    return f"{nginx.plain}/{request.param}.zarr"


def test_a_level_costs_a_request_a_chunk_and_its_own_bytes(served, nginx):
    expected, costs = wavelet.levels(PIXELS, 512, 5), []
    for number, whole in enumerate(expected):
        nginx.lines()
        with gigapix.open(served) as image:
            opening = len(nginx.lines())
            np.testing.assert_array_equal(image.read(level=number)[0], whole)
            lines = nginx.lines()
            assert opening <= 2  # the group and its array
            assert {line.status for line in lines} <= {200, 206}
            assert len(lines) <= 9 + 1  # a request a chunk, and one of the table
            assert image.stats.requests == opening + len(lines)
        costs.append(sum(line.sent for line in lines))
    assert costs[1] < 0.25 * costs[0]
    assert costs[3] < 0.025 * costs[0]
    assert costs == sorted(costs, reverse=True)


def test_a_window_of_a_level_asynchronously(served, nginx):
    async def read():
        async with gigapix.open_async(served) as image:
            nginx.lines()
            return await image.read_async(gigapix.Window(70, 10, 50, 40), level=3)

    found = asyncio.run(read())
    np.testing.assert_array_equal(found[0], wavelet.levels(PIXELS, 512, 3)[3][10:50, 70:120])
    assert len(nginx.lines()) == 2  # a chunk, and its row of the table
