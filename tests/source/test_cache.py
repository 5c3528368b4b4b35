import threading

import pytest

from gigapix.source.cache import Cache, SegmentCache
from gigapix.source.headers import Header, MemoryHeaders


def header(*numbers, etag="a", size=16, block=100):
    return Header(etag=etag, size=1000, block_bytes=block, blocks={n: bytes([n]) * size for n in numbers})


def test_segments_are_bounded_and_the_oldest_go():
    cache = SegmentCache(100)
    for n in range(10):
        cache.put(n, bytes(25))
        assert cache.nbytes <= 100
        cache.get(0)
    assert [n for n in range(10) if cache.get(n) is not None] == [0, 7, 8, 9]
    cache.put(9, bytes(40))
    assert cache.nbytes <= 100
    cache.put("large", bytes(101))
    assert cache.get("large") is None
    assert SegmentCache(0).get(1) is None


def test_sizes_may_be_words():
    assert Cache(segments="1.5kB").segments.capacity == 1536
    with pytest.raises(ValueError, match="lots"):
        Cache(segments="lots")


def test_segments_are_safe_under_threads():
    cache = SegmentCache(1000)

    def work(seed):
        for n in range(2000):
            key = (seed * n) % 97
            found = cache.get(key)
            assert found is None or found == bytes([key]) * 50
            cache.put(key, bytes([key]) * 50)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < cache.nbytes <= 1000


def test_headers_grow_within_a_version_and_are_replaced_by_another():
    kept = MemoryHeaders(1000)
    kept.put("x", header(0, 1))
    kept.put("x", header(5))
    assert set(kept.get("x").blocks) == {0, 1, 5} and kept.nbytes == 48
    kept.put("x", header(2, etag="b"))
    assert set(kept.get("x").blocks) == {2} and kept.get("x").etag == "b" and kept.nbytes == 16
    kept.put("x", header(3, etag="b", block=200))
    assert set(kept.get("x").blocks) == {3}
    kept.drop("x")
    kept.drop("x")
    assert kept.get("x") is None and kept.nbytes == 0


def test_headers_are_bounded_and_the_oldest_go():
    kept = MemoryHeaders(100)
    for n in range(10):
        kept.put(str(n), header(0, size=30))
        kept.get("0")
        assert kept.nbytes <= 100
    assert [n for n in range(10) if kept.get(str(n))] == [0, 8, 9]
    kept.put("large", header(0, size=101))
    assert kept.get("large") is None and kept.nbytes == 0
