"""Scans: whatever happens between the first object and the last, each has one row."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from obstore.store import MemoryStore, S3Store

import gigapix
from gigapix.catalog import manifest as manifests
from gigapix.catalog.headers import Listed
from gigapix.catalog.schema import schema
from tests.catalog.conftest import geotiff

IMAGES = 14


def rows(output):
    found = ds.dataset(output, format="parquet").to_table().to_pylist()
    return sorted(found, key=lambda row: row["path"])


@pytest.fixture
def many(tmp_path):
    """A hundred small images."""
    folder = tmp_path / "many"
    folder.mkdir()
    geotiff(folder / "000.tif")
    for n in range(1, 100):
        os.link(folder / "000.tif", folder / f"{n:03d}.tif")
    return folder


def test_a_folder(folder, tmp_path):
    done = gigapix.scan(folder, tmp_path / "out")
    found = rows(tmp_path / "out")
    assert done.complete and done.objects == len(found) == IMAGES and done.errors == 2
    assert {row["path"] for row in found if row["error_code"]} == {"broken.tif", "empty.tif"}
    assert {row["format"] for row in found} == {"TIFF", "BigTIFF", "PNG", None}
    assert all(row["size"] == (folder / row["path"]).stat().st_size for row in found)


def test_the_schema_is_the_same_whatever_is_in_the_files(folder, tmp_path):
    gigapix.scan(folder, tmp_path / "all", shard_objects=1, headers=True, tiles=True)
    for part in (tmp_path / "all").glob("part-*.parquet"):
        assert pq.read_schema(part).equals(schema())


def test_a_second_scan_reads_nothing(folder, tmp_path):
    first = gigapix.scan(folder, tmp_path)
    again = gigapix.scan(folder, tmp_path)
    assert again.complete and again.requests == 0 and again.taken == first.objects
    with pytest.raises(gigapix.RequestError, match="holds a scan of"):
        gigapix.scan(folder / "a", tmp_path)
    with pytest.raises(gigapix.RequestError, match="holds a scan of"):
        gigapix.scan(folder, tmp_path, headers=True)


def test_stopped_and_gone_on(many, tmp_path):
    stop = threading.Event()
    out = tmp_path / "out"
    first = gigapix.scan(many, out, shard_objects=7, stop=stop, progress=lambda p: p.objects > 20 and stop.set())
    assert not first.complete and 20 < first.objects < 100
    second = gigapix.scan(many, out, shard_objects=7)
    assert second.complete and second.objects == 100 and 0 < second.taken <= first.objects
    gigapix.scan(many, tmp_path / "quiet")
    assert rows(out) == rows(tmp_path / "quiet")


CHILD = """
import sys, gigapix, time
gigapix.scan(sys.argv[1], sys.argv[2], shard_objects=5, rate=2000)
"""


def test_killed_at_random_moments(many, tmp_path):
    """SIGKILL, again and again, while it lists, reads and writes; in the end each object has one row.

    Twenty times by ``GIGAPIX_KILLS=20``, which takes a minute.
    """
    out, chance = tmp_path / "out", random.Random(5)
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", CHILD, many, tmp_path / "quiet"], check=True)
    whole = time.monotonic() - began
    killed = 0
    for _ in range(int(os.environ.get("GIGAPIX_KILLS", "4"))):
        child = subprocess.Popen([sys.executable, "-c", CHILD, many, out])
        time.sleep(whole * chance.uniform(0.4, 0.95))
        child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
    assert killed
    done = gigapix.scan(many, out, shard_objects=5)
    assert done.complete and done.objects == 100
    assert rows(out) == rows(tmp_path / "quiet")


def test_what_goes_on_counts_the_errors_of_before(tmp_path):
    for n in range(30):
        (tmp_path / f"{n:02d}.tif").write_bytes(b"nothing")
    first = gigapix.scan(tmp_path, tmp_path / "out", shard_objects=10)
    next((tmp_path / "out").glob("part-00001-*")).unlink()
    again = gigapix.scan(tmp_path, tmp_path / "out", shard_objects=10)
    assert (first.errors, first.taken, again.errors, again.taken) == (30, 0, 30, 20)


def test_a_progress_that_fails_ends_the_scan(many, tmp_path):
    def fail(progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gigapix.scan(many, tmp_path / "out", shard_objects=10, progress=fail)
    assert gigapix.scan(many, tmp_path / "out", shard_objects=10).objects == 100


def test_parts_of_a_listing_that_was_broken_off_are_swept(many, tmp_path):
    (tmp_path / "out" / "_scan").mkdir(parents=True)
    (tmp_path / "out" / "part-00000-dead.parquet").write_bytes(b"rows of a shard that no manifest names")
    (tmp_path / "out" / "_scan" / "keys-00000-dead.parquet").write_bytes(b"")
    gigapix.scan(many, tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 100
    assert not list((tmp_path / "out").rglob("*dead*"))


def test_two_at_once_make_one_catalogue(many, tmp_path):
    out = tmp_path / "out"
    threads = [threading.Thread(target=gigapix.scan, args=(many, out), kwargs={"shard_objects": 9}) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["path"] for row in rows(out)] == [f"{n:03d}.tif" for n in range(100)]


def test_the_first_shards_are_small():
    page = [Listed(f"{n}.tif", 1, None, None) for n in range(1000)]
    root = manifests.Root(name="s3://bucket")
    found = [len(listed) for _, listed in manifests.cut([(root, page)] * 30, 10_000)]
    assert found == [1000, 2000, 4000, 8000, 10_000, 5000]
    assert [len(listed) for _, listed in manifests.cut([(root, page)] * 2, 700)] == [700, 700, 600]


def test_too_many_errors(tmp_path):
    for n in range(30):
        (tmp_path / f"{n}.tif").write_bytes(b"nothing")
    with pytest.raises(gigapix.RequestError, match="errors"):
        gigapix.scan(tmp_path, tmp_path / "out", max_errors=5, shard_objects=10)
    with pytest.raises(gigapix.NotFoundError):
        gigapix.scan(tmp_path / "nowhere", tmp_path / "other")


def test_limit_and_patterns(folder, tmp_path):
    assert gigapix.scan(folder, tmp_path / "1", limit=3).objects == 3
    gigapix.scan(folder, tmp_path / "2", include=["a/*.tif"], exclude=["*0.tif"])
    assert [row["path"] for row in rows(tmp_path / "2")] == [f"a/cog{n}.tif" for n in range(1, 6)]


def test_async(many, tmp_path):
    async def main():
        task = asyncio.create_task(gigapix.scan_async(many, tmp_path / "x", shard_objects=2, rate=50))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await gigapix.scan_async(many, tmp_path / "y")

    assert asyncio.run(main()).objects == 100


# Refresh


def test_a_refresh_reads_what_is_new_or_has_changed(many, tmp_path):
    (many / "050.tif").unlink()
    (many / "050.tif").write_bytes(b"broken")
    gigapix.scan(many, tmp_path / "old", shard_objects=30)
    (many / "050.tif").unlink()
    geotiff(many / "050.tif", size=(7, 8))
    (many / "060.tif").unlink()
    (many / "070.tif").unlink()
    geotiff(many / "070.tif", size=(9, 9))
    geotiff(many / "new.tif", size=(5, 6))
    done = gigapix.scan(tmp_path / "old", tmp_path / "new", shard_objects=40)
    # A hard link less changes nothing that an ETag is made of.
    assert done.taken == 97 and done.requests == 3 and done.objects == 100 and not done.errors
    gigapix.scan(many, tmp_path / "afresh")
    assert rows(tmp_path / "new") == rows(tmp_path / "afresh")
    with pytest.raises(gigapix.RequestError, match="folder of its own"):
        gigapix.scan(tmp_path / "old", tmp_path / "old")


# Executors


def test_processes(many, tmp_path):
    gigapix.scan(many, tmp_path / "here")
    done = gigapix.scan(many, tmp_path / "1", shard_objects=20, executor="processes:2")
    assert done.complete and done.objects == 100
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        gigapix.scan(many, tmp_path / "2", shard_objects=20, executor=pool)
    assert rows(tmp_path / "1") == rows(tmp_path / "2") == rows(tmp_path / "here")


def test_a_dask_cluster_that_loses_a_worker(many, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        killed = []

        def kill(progress):
            if progress.objects >= 10 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        done = gigapix.scan(
            many, tmp_path / "out", shard_objects=5, rate=100, executor=client.get_executor(pure=False), progress=kill
        )
    assert killed and done.complete and done.objects == 100
    gigapix.scan(many, tmp_path / "here")
    assert rows(tmp_path / "out") == rows(tmp_path / "here")


# Object stores


def put(url, path, data):
    urllib.request.urlopen(urllib.request.Request(f"{url}/data/{path}", data=data, method="PUT")).close()


def test_from_s3_to_s3(s3, folder, tmp_path, monkeypatch):
    for path in folder.rglob("*.*"):
        put(s3, f"in/{path.relative_to(folder)}", path.read_bytes())
    reach = {"endpoint": s3, "anonymous": True, "region": "us-east-1"}
    done = gigapix.scan("s3://data/in", "s3://data/out", headers=True, **reach)
    assert done.complete and (done.objects, done.errors) == (IMAGES, 2)
    assert gigapix.scan("s3://data/in/a/cog*.tif", tmp_path / "glob", **reach).objects == 6
    with gigapix.Catalog("s3://data/out", **reach) as catalog:
        assert len(catalog) == IMAGES
        with catalog.open("in/a/cog3.tif") as image:
            assert image.stats.requests == 0
            expected = gigapix.open(folder / "a/cog3.tif").read()
            assert (image.read() == expected).all() and image.stats.requests >= 1
        put(s3, "in/a/cog3.tif", (folder / "a/rgb.TIF").read_bytes())
        with catalog.open("s3://data/in/a/cog3.tif") as image, pytest.raises(gigapix.ChangedError):
            image.read()
        with catalog.open("in/a/cog3.tif", fresh=True) as image:
            assert image.bands == 3
    refreshed = gigapix.scan("s3://data/out", tmp_path / "refreshed", **reach)
    # The other broken ones are tried again; what was not chosen then would have to be read.
    assert refreshed.taken == IMAGES - 3 and refreshed.objects == IMAGES


def test_a_store_of_ones_own(s3, folder, tmp_path):
    put(s3, "own/x.tif", (folder / "a/cog0.tif").read_bytes())
    store = S3Store(
        "data", endpoint=s3, region="us-east-1", skip_signature=True, virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )  # fmt: skip
    done = gigapix.scan("own", tmp_path / "out", store=store, executor="processes:1")
    assert done.objects == 1 and not done.errors
    (row,) = rows(tmp_path / "out")
    assert (row["store"], row["path"], row["requests"]) == ("s3://data", "own/x.tif", 1)
    memory = MemoryStore()
    gigapix.scan("own", "cat", store=store, output_store=memory)
    assert any(entry["path"].startswith("cat/part-") for page in memory.list() for entry in page)


def test_lists_of_keys(s3, folder, tmp_path):
    put(s3, "keys/x.tif", (folder / "a/cog0.tif").read_bytes())
    reach = {"endpoint": s3, "anonymous": True, "region": "us-east-1"}
    (tmp_path / "keys.txt").write_text(
        f"s3://data/keys/x.tif\n# not this\n\n{folder}/plain.tif\ns3://data/keys/none.tif\n"
    )
    gigapix.scan(tmp_path / "keys.txt", tmp_path / "1", **reach)
    found = {row["path"]: row for row in rows(tmp_path / "1")}
    assert {path: row["error_code"] for path, row in found.items()} == {
        "keys/x.tif": None, "keys/none.tif": "not_found", f"{folder}/plain.tif": None,
    }  # fmt: skip
    assert found["keys/x.tif"]["etag"] and found["keys/x.tif"]["size"] and found["keys/x.tif"]["requests"] == 1
    (tmp_path / "inventory.csv").write_text('"data","keys/x.tif","1234"\n')
    (tmp_path / "named.csv").write_text(f"id,href\n1,{folder}/plain.tif\n")
    import pyarrow as pa

    stac = {"assets": [{"data": {"href": f"{folder}/plain.tif", "type": "image/tiff; application=geotiff"},
                        "thumbnail": {"href": "x.jpg", "type": "image/jpeg"}}]}  # fmt: skip
    pq.write_table(pa.table(stac), tmp_path / "stac.parquet")
    for name in ("inventory.csv", "named.csv", "stac.parquet"):
        done = gigapix.scan(tmp_path / name, tmp_path / f"of-{name}", **reach)
        assert (done.objects, done.errors) == (1, 0)


def test_the_manifest_of_a_newer_gigapix(tmp_path):
    (tmp_path / "_scan").mkdir()
    (tmp_path / manifests.NAME).write_text('{"version": 99, "sources": [], "options": {}, "shards": []}')
    with pytest.raises(gigapix.FormatError, match="newer"):
        gigapix.scan(tmp_path, tmp_path / "out")
    Path(tmp_path / manifests.NAME).write_text("{")
    with pytest.raises(gigapix.FormatError, match="can't be read"):
        gigapix.scan(tmp_path, tmp_path / "out")
