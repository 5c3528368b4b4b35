"""Cancelling, closing and ending: nothing stays pending, nothing is said, nothing crashes, and memory is bounded."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import gigapix
from gigapix import SourceError
from tests.remote.images import cog, scene

ROOT = Path(__file__).resolve().parents[2]
PIXELS = scene(1024)


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it does not come to pass")


def quiet(main):
    """Run `main` in a loop in debug mode; nothing may be left over or said."""
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with asyncio.Runner(debug=True) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: said.append(context))
            result = runner.run(main())
            left = asyncio.all_tasks(runner.get_loop())
        gc.collect()
    assert not said and not left
    return result


def test_cancelling_a_task_cancels_its_requests_and_gives_back_its_memory(odd, url):
    async def main():
        async with gigapix.open_async(url, memory="8MB", concurrency=4) as image:
            odd.otherwise = lambda: "hang"
            tasks = [asyncio.ensure_future(image.read_async()) for _ in range(5)]
            tasks += [asyncio.ensure_future(image.tile_async(n, n)) for n in range(8)]
            sent = odd.requests
            await until(lambda: odd.requests == sent + 4)  # the reads share one, and three tiles have got in
            for task in tasks:
                task.cancel()
            ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
            assert all(isinstance(each, asyncio.CancelledError) for each in ended)
            assert image.reader.budget._free == image.reader.budget.total
            assert image._gate._free == image._gate.total
            assert image.cache.source._lanes._free == 4
            assert not image.cache.source.store._pending
            odd.otherwise = lambda: "ok"
            np.testing.assert_array_equal(await image.read_async(), PIXELS)

    quiet(main)


def test_one_failure_cancels_the_rest_of_its_read(odd, url):
    async def main():
        async with gigapix.open_async(url, merge_gap=-1, retries=0) as image:
            odd.do("404")
            with pytest.raises(SourceError):
                await image.read_async()
            assert not image.cache.source.store._pending
            assert image.reader.budget._free == image.reader.budget.total

    quiet(main)


def test_one_failure_cancels_no_other_read(odd, url):
    async def main():
        async with gigapix.open_async(url, retries=0) as image:
            odd.delay = 0.1
            odd.do("late", "404")
            tiles = [image.tile_async(n, n) for n in (0, 5)]
            found = await asyncio.gather(*tiles, return_exceptions=True)
            good, bad = sorted(found, key=lambda each: isinstance(each, SourceError))
            assert isinstance(bad, gigapix.NotFoundError) and good.shape == (1, 128, 128)

    quiet(main)


def test_a_time_limit_of_the_caller(odd, url):
    async def main():
        async with gigapix.open_async(url) as image:
            odd.do("hang")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await image.tile_async(1, 1)
            assert (await image.tile_async(1, 1)).shape == (1, 128, 128)

    quiet(main)


def test_closing_cancels_what_is_under_way(odd, url):
    async def main():
        image = await gigapix.open_async(url)
        odd.otherwise = lambda: "hang"
        sent = odd.requests
        tasks = [asyncio.ensure_future(image.tile_async(n, n)) for n in range(4)]
        await until(lambda: odd.requests >= sent + 4)
        image.close()
        ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert all(isinstance(each, SourceError) and "closed" in str(each) for each in ended)
        with pytest.raises(SourceError, match="closed"):
            await image.tile_async(0, 0)
        with pytest.raises(SourceError, match="closed"):
            image.tile(0, 0)
        image.close()

    quiet(main)


def test_closing_ends_waiting_for_another_try(odd, url):
    image = gigapix.open(url, retry_delay=60)
    odd.otherwise = lambda: "503"
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(image.tile, 0, 0)
        while not image.stats.retries:
            pass
        image.close()
        with pytest.raises(SourceError, match="closed"):
            reading.result(4)  # the next try would come after 5 to 10 seconds


def test_a_loop_that_ends_while_reading(odd, url):
    """`asyncio.run` cancels what is left."""

    async def main():
        image = await gigapix.open_async(url)
        odd.otherwise = lambda: "hang"
        sent = odd.requests
        left.append(asyncio.ensure_future(image.read_async()))
        await until(lambda: odd.requests > sent)
        return image

    left = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = asyncio.run(main(), debug=True)
        assert left[0].cancelled() and not image.cache.source.store._pending
        image.close()
        gc.collect()


def test_an_image_serves_one_loop_after_another_and_threads_beside_them(odd, url):
    with gigapix.open(url) as image:
        for _ in range(3):
            np.testing.assert_array_equal(asyncio.run(image.read_async(), debug=True), PIXELS)
            np.testing.assert_array_equal(image.read(), PIXELS)
        wrong = []

        def work(n):
            for k in range(5):
                found = asyncio.run(image.tile_async(k, n % 8)) if n % 2 else image.tile(k, n % 8)
                if not np.array_equal(found, PIXELS[:, 128 * (n % 8) : 128 * (n % 8 + 1), 128 * k : 128 * (k + 1)]):
                    wrong.append((n, k))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong and (image.stats.requests, image.stats.bytes) == (odd.requests, odd.bytes)


def test_a_blocking_read_in_a_loop_whose_tasks_hold_all_memory(odd, url):
    async def main():
        async with gigapix.open_async(url, memory=1, concurrency=1) as image:
            tasks = [asyncio.ensure_future(image.tile_async(n, n)) for n in range(8)]
            await asyncio.sleep(0)
            np.testing.assert_array_equal(image.tile(0, 0), PIXELS[:, :128, :128])
            await asyncio.gather(*tasks)

    quiet(main)


def test_a_file_stays_open_while_a_thread_reads_it(tmp_path, data, monkeypatch):
    """The system gives the number of a closed descriptor to the next file, whose bytes the thread would read."""
    path = tmp_path / "x.tif"
    path.write_bytes(data)
    reading, go, pread, seen = threading.Event(), threading.Event(), os.pread, []

    def slow(fd, length, offset):
        seen.append(fd)
        reading.set()
        go.wait(10)
        return pread(fd, length, offset)

    image = gigapix.open(path)
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(os, "pread", slow)
        found = pool.submit(image.tile, 1, 1)
        reading.wait(10)
        image.close()
        os.fstat(seen[0])
        go.set()
        np.testing.assert_array_equal(found.result(10), PIXELS[:, 128:256, 128:256])
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(seen[0])
    with pytest.raises(SourceError, match="closed"):
        image.tile(1, 1)


# Processes

PROGRAMS = {
    "reads": "with gigapix.open(url) as image: image.read()",
    "leaves it open": "image = gigapix.open(url); image.read()",
    "raises": "image = gigapix.open(url); image.read(); raise SystemExit(3)",
    "fails": "gigapix.open(url).tile(99, 99)",
    "async": "asyncio.run(main(url))",
    "async, leaves it open": "image = asyncio.run(opened(url)); asyncio.run(image.read_async())",
    "async, ends while reading": "asyncio.run(ends(url))",
    "async, fails while reading": "asyncio.run(fails(url))",
    "threads read": "threading.Thread(target=gigapix.open(url).read).start()",
    "a daemon reads": "threading.Thread(target=gigapix.open(url).read, daemon=True).start()",
}

PRELUDE = """
import asyncio, sys, threading
import gigapix

def patient():  # a machine may be busy
    asyncio.get_running_loop().slow_callback_duration = 60

async def opened(url):
    patient()
    return await gigapix.open_async(url)

async def main(url):
    patient()
    async with gigapix.open_async(url) as image:
        await asyncio.gather(*(image.tile_async(n, n) for n in range(8)))

async def ends(url):
    patient()
    image = await gigapix.open_async(url)
    tasks = [asyncio.ensure_future(image.tile_async(n, n)) for n in range(8)]
    await asyncio.sleep(0.002)

async def fails(url):
    patient()
    async with gigapix.open_async(url) as image:
        tasks = [asyncio.ensure_future(image.tile_async(n, n)) for n in range(8)]
        await asyncio.sleep(0)
        raise SystemExit(3)

url = sys.argv[1]
"""


def test_a_loop_does_not_stand_still_for_imports(tmp_path):
    """They take a third of a second: a thread does them."""
    program = """
import asyncio, sys, threading
import gigapix

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "gigapix.image.image"):
            assert threading.current_thread() is not threading.main_thread(), name
            watched.add(name)

async def main():
    sys.meta_path.insert(0, Watch())
    async with gigapix.open_async(sys.argv[1]) as image:
        assert watched == {"numpy", "gigapix.image.image"}
        await image.tile_async(0, 0)

watched = set()
asyncio.run(main())
"""
    path = tmp_path / "x.tif"
    cog(path, PIXELS)
    env = {**os.environ, "PYTHONPATH": str(Path(gigapix.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr


def test_fifty_processes_end_without_a_word(nginx, data):
    (nginx.root / "exit.tif").write_bytes(data)
    url = f"{nginx.slow or nginx.plain}/exit.tif"
    env = {**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONWARNINGS": "error", "PYTHONFAULTHANDLER": "1"}
    env["PYTHONPATH"] = str(Path(gigapix.__file__).parents[1])

    def run(program):
        source = PRELUDE + textwrap.dedent(PROGRAMS[program])
        done = subprocess.run([sys.executable, "-c", source, url], capture_output=True, text=True, env=env, check=False)
        wanted = (
            1 if program == "fails" else 3 if "SystemExit" in PROGRAMS[program] or "fails" in PROGRAMS[program] else 0
        )
        said = done.stderr.splitlines()[-1:] if program == "fails" else done.stderr
        clean = "RequestError" in str(said) if program == "fails" else not said
        return None if done.returncode == wanted and clean else (program, done.returncode, done.stderr)

    with ThreadPoolExecutor(4) as pool:
        bad = [each for each in pool.map(run, [*PROGRAMS] * 5) if each]
    assert not bad


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure a peak")
def test_ten_thousand_tiles_at_once_stay_within_64_mb(nginx):
    pixels = scene(4096, bands=3)
    cog(nginx.root / "many.tif", pixels, COMPRESS="LZW", BLOCKSIZE="128", OVERVIEWS="NONE", PREDICTOR="NO")
    nginx.lines()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(gigapix.__file__).parents[1]), str(ROOT)])}
    command = [sys.executable, "-m", "tests.remote.child_tiles", f"{nginx.plain}/many.tif", "64MB"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    result = json.loads(done.stdout)
    rounds, rest = divmod(10_000, 1024)
    last = sum(
        int(pixels[:, 128 * (n // 32) :][:, :128, 128 * (n % 32) :][..., :128].sum(dtype="u8")) for n in range(rest)
    )
    assert result["sum"] == rounds * int(pixels.sum(dtype="u8")) + last
    assert result["grown"] <= 64 << 20
    assert (result["requests"], result["bytes"]) == nginx.totals()
