"""A thousand reads against a server with bad habits: each is right or a typed error, and memory stays where it was."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gigapix
from gigapix import ServerError, ShortBodyError
from tests.remote.images import cog, scene

PIXELS = scene(1024)
READS = 1000


def habits(seed):
    """5 % refused, 2 % cut short in one of two ways, 2 % late."""
    chance = random.Random(seed)
    return lambda: chance.choices(["ok", "503", "cut", "short", "late"], [91, 5, 1, 1, 2])[0]


def windows(seed):
    chance = random.Random(seed)
    for _ in range(READS):
        x, y = chance.randrange(900), chance.randrange(900)
        yield x, y, chance.randint(1, 1024 - x), chance.randint(1, min(1024 - y, 200))


@pytest.fixture
def url(odd, tmp_path):
    cog(tmp_path / "x.tif", PIXELS)
    url = odd.put((tmp_path / "x.tif").read_bytes())
    odd.otherwise = habits(7)
    return url


def checked(found, window):
    x, y, width, height = window
    np.testing.assert_array_equal(found, PIXELS[:, y : y + height, x : x + width])
    return True


@pytest.mark.parametrize("retries", [5, 0])
def test_tasks(retries, odd, url):
    async def main():
        image = None
        while image is None:  # opening may meet with the same
            try:
                image = await gigapix.open_async(url, retry_delay=0.001, retries=retries)
            except (ServerError, ShortBodyError):
                assert retries == 0
        errors = 0

        async def read(window):
            nonlocal errors
            async with at_once:
                try:
                    return checked(await image.read_async(window), window)
                except (ServerError, ShortBodyError):
                    errors += 1
                    return False

        at_once = asyncio.Semaphore(64)
        every = list(windows(1))
        await asyncio.gather(*map(read, every[:300]))
        gc.collect()
        tracemalloc.start()
        good = await asyncio.gather(*map(read, every[300:]))
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 4 << 20
        assert (errors > 0) == (retries == 0) and sum(good) > 500
        assert (image.stats.retries > 0) == (retries > 0)
        image.close()

    odd.delay = 1.0 if retries else 0.01
    asyncio.run(main())
    assert {request.did for request in odd.log} == {"ok", "503", "cut", "short", "late"}


def test_threads(odd, url):
    odd.delay = 0.2
    with gigapix.open(url, retry_delay=0.001) as image, ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda window: checked(image.read(window), window), windows(2)))
        cut = [request for request in odd.log if request.did == "cut"]
        assert image.stats.requests == odd.requests
        assert image.stats.bytes == odd.bytes - sum(request.sent for request in cut)
        assert image.stats.retries == sum(request.did in ("503", "cut", "short") for request in odd.log)
