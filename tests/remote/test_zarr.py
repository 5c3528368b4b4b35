"""Zarr on a web server: requests as the server counts them, and shards that change while they are read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import zarr

import gigapix
from tests.remote.servers import Nginx

PIXELS = np.random.default_rng(0).integers(0, 999, (128, 128)).astype(np.uint16)


@pytest.fixture
def group(nginx: Nginx) -> Path:
    path = nginx.root / "it.zarr"
    array = zarr.create_array(
        path, shape=(128, 128), dtype="uint16", chunks=(32, 32), shards=(64, 64), overwrite=True, fill_value=5
    )
    array[:64] = PIXELS[:64]
    nginx.lines()
    return path


def test_the_server_counts_the_same(nginx: Nginx, group: Path) -> None:
    with gigapix.open(f"{nginx.plain}/it.zarr") as image:
        np.testing.assert_array_equal(image.tile(1, 0)[0], PIXELS[:32, 32:64])
        lines = nginx.lines()
        assert [line.target.rpartition("/it.zarr/")[2] for line in lines] == ["zarr.json", "c/0/0", "c/0/0"]
        assert lines[1].range == f"bytes=-{4 * 16 + 4}"
        assert (image.stats.requests, image.stats.bytes) == (3, sum(line.sent for line in lines))
        np.testing.assert_array_equal(image.read(bands=0)[64:], np.full((64, 128), 5))  # two shards are not there
        assert [line.status for line in nginx.lines()].count(404) == 2


def test_a_shard_that_changes_is_told(nginx: Nginx, group: Path) -> None:
    async def read() -> None:
        async with gigapix.open_async(f"{nginx.plain}/it.zarr/") as image:
            await image.tile_async(0, 0)
            zarr.open_array(group, mode="r+")[:64] = PIXELS[64:]
            with pytest.raises(gigapix.ChangedError, match="c/0/0"):
                await image.tile_async(1, 1)

    asyncio.run(read())


def test_a_group_whose_name_tells_nothing(nginx: Nginx, group: Path) -> None:
    (nginx.root / "plain").unlink(missing_ok=True)
    (nginx.root / "plain").symlink_to(group)
    with gigapix.open(f"{nginx.plain}/plain/") as image:
        assert image.width == 128
    with pytest.raises(gigapix.NotFoundError):
        gigapix.open(f"{nginx.plain}/nothing.zarr")


def test_no_secret_is_told_of_a_folder(nginx: Nginx) -> None:
    url = f"http://user:SECRET@{nginx.plain.removeprefix('http://')}/nothing.zarr"
    for each in (url, f"{url}?key=SECRET", f"{url}/"):
        with pytest.raises(gigapix.SourceError) as caught:
            gigapix.open(each)
        assert "SECRET" not in f"{caught.value} {caught.value!r}"
