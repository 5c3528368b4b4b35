"""Caches by what the server still sees: segments and headers, alone and shared, in memory and in Redis."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from obstore.store import HTTPStore, MemoryStore

import gigapix
from gigapix import Cache, ChangedError
from gigapix.source.headers import MemoryHeaders
from tests.remote.images import cog, scene

PIXELS = scene(1024)


def tile(x, y):
    return PIXELS[:, 128 * y : 128 * (y + 1), 128 * x : 128 * (x + 1)]


def counted(odd, *images):
    assert sum(image.stats.requests for image in images) == odd.requests
    assert sum(image.stats.bytes for image in images) == odd.bytes


# Many at once


def test_a_hundred_tasks_for_one_tile_cause_one_request(odd, url):
    async def main():
        async with gigapix.open_async(url) as image:
            before = odd.requests
            tiles = await asyncio.gather(*(image.tile_async(3, 4) for _ in range(100)))
            assert odd.requests == before + 1
            for each in tiles:
                np.testing.assert_array_equal(each, tile(3, 4))
            assert len({each.ctypes.data for each in tiles}) == 100  # each may write to his own
            counted(odd, image)

    asyncio.run(main(), debug=True)


def test_ten_thousand_tasks_for_one_tile_in_little_memory_cause_one_request(odd, url):
    async def main():
        async with gigapix.open_async(url, memory=1, concurrency=1) as image:
            before = odd.requests
            await asyncio.gather(*(image.tile_async(3, 4) for _ in range(10_000)))
            assert odd.requests == before + 1

    asyncio.run(main())


def test_a_hundred_threads_for_one_tile_cause_one_request(odd, url):
    with gigapix.open(url) as image, ThreadPoolExecutor(100) as pool:
        before = odd.requests
        odd.do("held")
        asked = [pool.submit(image.tile, 3, 4) for _ in range(100)]
        while sum(len(work.done._wakers) for work in list(image._tiles._under_way.values())) < 99:
            time.sleep(0.001)
        odd.release.set()
        tiles = [each.result() for each in asked]
        assert odd.requests == before + 1
        assert all(np.array_equal(each, tile(3, 4)) for each in tiles)
        counted(odd, image)


def test_windows_on_the_same_segments_share_their_requests(odd, url):
    async def main():
        async with gigapix.open_async(url) as image:
            before = odd.requests
            found = await asyncio.gather(*(image.read_async((n, n, 100, 100)) for n in range(20)))
            assert odd.requests == before + 1
            for n, each in enumerate(found):
                np.testing.assert_array_equal(each, PIXELS[:, n : n + 100, n : n + 100])

    asyncio.run(main(), debug=True)


def test_the_first_of_many_may_give_up(odd, url):
    async def main():
        async with gigapix.open_async(url) as image:
            tasks = [asyncio.ensure_future(image.tile_async(3, 4)) for _ in range(10)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            _, *others = await asyncio.gather(*tasks, return_exceptions=True)
            for each in others:
                np.testing.assert_array_equal(each, tile(3, 4))
            assert tasks[0].cancelled()

    asyncio.run(main(), debug=True)


def test_an_error_is_everybodys(odd, url):
    async def main():
        async with gigapix.open_async(url, retries=0) as image:
            before = odd.requests
            odd.do("404")
            found = await asyncio.gather(*(image.tile_async(3, 4) for _ in range(10)), return_exceptions=True)
            assert all(isinstance(each, gigapix.NotFoundError) for each in found) and odd.requests == before + 1

    asyncio.run(main(), debug=True)


# Segments


def test_without_a_cache_each_read_asks_again(way, odd, url):
    with way.open(url) as image:
        for _ in range(3):
            way.tile(image, 1, 1)
        assert odd.requests == 4
        counted(odd, image)


def test_segments_are_kept(way, odd, url):
    with way.open(url, segment_cache="1MB") as image:
        way.read(image)
        before, hits = odd.requests, image.stats.cache_hits
        np.testing.assert_array_equal(way.tile(image, 5, 5), tile(5, 5))
        np.testing.assert_array_equal(way.read(image, (100, 100, 700, 300)), PIXELS[:, 100:400, 100:800])
        assert odd.requests == before and image.stats.cache_hits > hits + 6 * 3
        counted(odd, image)


def test_only_what_is_missing_is_fetched(way, odd, url):
    with way.open(url, segment_cache="1MB") as image:
        way.read(image, (0, 0, 512, 128))
        before = odd.requests, odd.bytes
        np.testing.assert_array_equal(way.read(image, (0, 0, 1024, 128)), PIXELS[:, :128])
        after = odd.requests, odd.bytes
        counts = image.tags["TileByteCounts"][4:8]
        assert (after[0] - before[0], after[1] - before[1]) == (1, sum(counts) + 3 * 8)


def test_the_cache_holds_to_its_bound_and_pins_no_merged_buffer(way, odd, url):
    with way.open(url, segment_cache="100kB") as image:
        way.read(image)
        cache = image.cache.segments._cache
        assert 50_000 < cache.nbytes <= 100 << 10
        for kept in cache._kept.values():
            assert isinstance(kept, bytes)


def test_images_share_a_cache(way, odd, url):
    shared = Cache()
    with way.open(url, cache=shared) as one, way.open(url, cache=shared) as other:
        assert odd.requests == 1  # the other has its header from the first
        way.tile(one, 2, 2)
        before = odd.requests
        np.testing.assert_array_equal(way.tile(other, 2, 2), tile(2, 2))
        assert odd.requests == before
        counted(odd, one, other)
    with way.open(url, cache=shared) as again:
        np.testing.assert_array_equal(way.tile(again, 2, 2), tile(2, 2))
        assert (odd.requests, again.stats.requests) == (before, 0)


def test_different_objects_do_not_mix(way, odd, tmp_path):
    """All have the same ETag, and their tiles lie at the same places."""
    contents = {}
    for name, pixels in (("x.tif", PIXELS), ("y.tif", PIXELS[:, ::-1])):
        cog(tmp_path / name, pixels, COMPRESS="NONE")
        contents[name] = (tmp_path / name).read_bytes(), pixels
    shared = Cache()
    for _ in range(2):
        for name, (content, pixels) in contents.items():
            with way.open(odd.put(content, name), cache=shared) as image:
                np.testing.assert_array_equal(way.read(image), pixels)
    odd.objects["x.tif"], pixels = contents["y.tif"]
    with way.open(f"{odd.origin}/x.tif?version=2", cache=shared) as image:
        np.testing.assert_array_equal(way.read(image), pixels)
    for content, pixels in contents.values():
        store = MemoryStore()
        store.put("x.tif", content)
        with way.open("x.tif", store=store, cache=shared) as image:
            np.testing.assert_array_equal(way.read(image), pixels)


def test_a_given_store_shares_too(way, odd, data):
    odd.put(data, "a/x.tif")
    shared = Cache()
    for n in range(2):
        store = HTTPStore.from_url(f"{odd.origin}/a", client_options={"allow_http": True})
        with way.open("x.tif", store=store, cache=shared) as image:
            way.tile(image, 0, 0)
            assert (image.stats.requests > 0) == (n == 0)


# Headers


@pytest.fixture(params=["memory", "redis"])
def headers(request):
    """A `HeaderStore` of each kind."""
    if request.param == "memory":
        return MemoryHeaders(1 << 20)
    redis = pytest.importorskip("redis")
    from gigapix.source.redis import RedisHeaders

    client = redis.Redis.from_url(request.getfixturevalue("redis_url"))
    client.flushall()
    return RedisHeaders(client)


def test_a_header_is_fetched_once(headers, way, odd, url):
    for n in range(3):
        with way.open(url, cache=Cache(segments=0, headers=headers)) as image:
            assert (image.shape, image.stats.requests) == ((1, 1024, 1024), 1 if n == 0 else 0)
            assert odd.requests == 1 + n
            np.testing.assert_array_equal(way.tile(image, 1, 1), tile(1, 1))
            assert odd.requests == 2 + n


def test_a_header_of_an_object_that_has_changed_is_dropped(headers, way, odd, data, tmp_path):
    url = odd.put(data)
    cache = Cache(segments=0, headers=headers)
    with way.open(url, cache=cache):
        pass
    cog(tmp_path / "y.tif", PIXELS[:, :, ::-1], COMPRESS="LZW")
    odd.put((tmp_path / "y.tif").read_bytes())
    odd.otherwise = lambda: "other"
    with way.open(url, cache=cache) as image, pytest.raises(ChangedError):
        way.tile(image, 0, 0)
    with way.open(url, cache=cache) as image:
        np.testing.assert_array_equal(way.read(image), PIXELS[:, :, ::-1])


def test_an_object_without_a_version_is_not_kept(headers, way, odd, url):
    odd.otherwise = lambda: "untagged"
    for n in range(2):
        with way.open(url, cache=Cache(segments="1MB", headers=headers)) as image:
            way.tile(image, 0, 0)
            assert odd.requests == 2 * (n + 1)


def test_settings_that_cut_headers_otherwise_do_not_mix(headers, way, odd, url):
    for block in (4096, 512, 4096):
        with way.open(url, cache=Cache(segments=0, headers=headers), header_block=block) as image:
            np.testing.assert_array_equal(way.read(image), PIXELS)


def test_headers_are_bounded_for_each_image(headers, way, odd, url):
    cache = Cache(segments=0, headers=headers)
    with way.open(url, cache=cache, header_block=512, header_bytes=512, header_cache=1500) as image:
        way.read(image)
        assert image.stats.requests > 3
        kept = headers.get(image.cache.source.store.identity)
    assert 0 < sum(map(len, kept.blocks.values())) <= 1500


def test_keys_hold_no_secret(headers, way, odd, url):
    with way.open(f"{url}?sig=SECRET", cache=Cache(headers=headers)) as image:
        assert "SECRET" not in image.cache.source.store.identity


def test_a_redis_that_is_gone_costs_nothing_but_requests(way, odd, url, caplog):
    pytest.importorskip("redis")
    from gigapix.source.redis import RedisHeaders

    for _ in range(2):
        with way.open(url, cache=Cache(headers=RedisHeaders("redis://127.0.0.1:1/0"))) as image:
            np.testing.assert_array_equal(way.tile(image, 1, 1), tile(1, 1))
    assert odd.requests == 4 and "Redis" in caplog.text


def test_what_others_wrote_to_redis_is_not_believed(redis_url, way, odd, url):
    import redis

    from gigapix.source.redis import PREFIX, RedisHeaders

    client = redis.Redis.from_url(redis_url)
    with way.open(url) as image:
        key = PREFIX + image.cache.source.store.identity
    for fields in (
        {"etag": "x"},
        {"etag": "x", "size": "many", "block": 16384},
        {"etag": "x", "size": 1, "block": 1, "n": b""},
    ):
        client.delete(key)
        client.hset(key, mapping=fields)
        assert RedisHeaders(client).get(key.removeprefix(PREFIX)) is None
    client.delete(key)
    client.set(key, "text")
    with way.open(url, cache=Cache(headers=RedisHeaders(redis_url))) as image:
        np.testing.assert_array_equal(way.tile(image, 1, 1), tile(1, 1))
    assert client.type(key) == b"string"
