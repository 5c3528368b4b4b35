import os
import threading

import pytest

from gigapix.errors import DeniedError, NotFoundError, SourceError
from gigapix.source import HeaderCache, Settings, Source, drive, open_source

DATA = bytes(range(256)) * 1024


@pytest.fixture(params=["file", "bytes"])
def source(request, tmp_path):
    if request.param == "bytes":
        return open_source(DATA)
    path = tmp_path / "a file with ü # % [odd] ? name*.bin"
    path.write_bytes(DATA)
    return open_source(path)


def test_a_range_is_its_bytes_and_is_counted(source):
    assert bytes(source.read(300, 20)) == DATA[300:320]
    assert bytes(source.read(len(DATA) - 5, 20)) == DATA[-5:]
    assert bytes(source.read(len(DATA), 20)) == b"" == bytes(source.read(10**12, 1)) == bytes(source.read(-1, 4))
    assert (source.stats.requests, source.stats.bytes, list(source.stats.ranges)) == (
        2,
        25,
        [(300, 20), (len(DATA) - 5, 5)],
    )


def test_a_closed_file_can_not_be_read(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    source = open_source(path)
    source.close()
    source.close()
    with pytest.raises(SourceError, match="closed"):
        source.read(0, 1)


def test_a_file_that_shrinks_gives_a_short_buffer(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    source = open_source(path)
    os.truncate(path, 100)
    assert bytes(source.read(90, 50)) == DATA[90:100]


def test_what_can_not_be_opened_says_why(tmp_path):
    with pytest.raises(NotFoundError, match="missing") as error:
        open_source(tmp_path / "missing")
    assert isinstance(error.value, FileNotFoundError) and error.value.path == str(tmp_path / "missing")
    with pytest.raises(SourceError, match="folder"):
        open_source(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceError, match="neither"):
        open_source(tmp_path / "fifo")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(DeniedError):
        open_source(path)


def test_neighbours_are_answered_from_one_block(source):
    cache = HeaderCache(Source(source.store, Settings(header_block=1024, header_bytes=1024)))
    source = cache.source
    assert [bytes(b) for b in cache.fetch([(1030, 4), (1500, 10), (2040, 20)])] == [
        DATA[1030:1034], DATA[1500:1510], DATA[2040:2060]
    ]  # fmt: skip
    assert list(source.stats.ranges) == [(1024, 2048)]
    cache.fetch([(1030, 4), (2040, 20)])
    assert (source.stats.requests, source.stats.cache_hits) == (1, 2)


def test_a_long_range_is_read_as_it_is(source):
    cache = HeaderCache(source)
    cache.fetch([(3, 200_000)])
    assert list(source.stats.ranges) == [(3, 200_000)]


def test_the_cache_is_bounded_and_right_at_the_end_of_the_file(source):
    cache = HeaderCache(Source(source.store, Settings(header_block=512, header_cache=2048, header_bytes=512)))
    for offset in list(range(0, len(DATA) + 600, 300)) * 2:
        assert bytes(cache.fetch([(offset, 700)])[0]) == DATA[offset : offset + 700]
    assert len(cache.blocks) <= 4


def test_the_cache_is_safe_under_threads(source):
    cache = HeaderCache(Source(source.store, Settings(header_block=256, header_cache=1024)))
    wrong = []

    def work(seed):
        for n in range(300):
            offset = (seed * 7919 + n * 104729) % len(DATA)
            if bytes(cache.fetch([(offset, 100)])[0]) != DATA[offset : offset + 100]:
                wrong.append(offset)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_drive_names_the_file_in_an_error(source):
    def steps():
        yield [(0, 4)]
        raise SourceError("is odd")

    with pytest.raises(SourceError) as error:
        drive(steps(), HeaderCache(source))
    assert error.value.path == source.name
