"""A bucket as buckets are: of a thousand objects a hundred are broken, twenty are deleted after they were listed, and
one request in twenty fails. There is a row for each, and what it says is so."""

from __future__ import annotations

import random
import struct
from xml.sax.saxutils import escape

import numpy as np
import pyarrow.dataset
import pytest
import tifffile

import gigapix
from tests.remote.images import cog, ifd_last
from tests.remote.odd_server import odd_server

OBJECTS, BROKEN, VANISHED = 1000, 100, 20
LISTED = ("image_width", "image_height", "bands", "dtype", "compression", "tile_width")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """(file, what its row must say): COGs of many sizes, and files whose directory needs a second request."""
    folder, found = tmp_path_factory.mktemp("good"), []
    for n in range(24):
        bands, kind = (1, 3, 4)[n % 3], (np.uint8, np.uint16, np.float32)[n % 4 % 3]
        pixels = np.arange(bands * (130 + 7 * n) * (150 + 5 * n)).reshape(bands, 130 + 7 * n, 150 + 5 * n) % 251
        path = folder / f"{n}.tif"
        if n % 6 == 5:
            noise = np.random.default_rng(n).integers(0, 255, (1, 200 + n, 300), dtype=np.uint8)
            ifd_last(path, noise)
            assert path.stat().st_size > 30_000
        else:
            cog(path, pixels.astype(kind))
        with tifffile.TiffFile(path) as tif:
            page = tif.pages.first
            says = (page.imagewidth, page.imagelength, page.samplesperpixel, page.dtype.name, page.compression.value)
            found.append((path.read_bytes(), (*says, page.tilewidth)))
    return found


def broken(data):
    """Files that no image is in, by the code that their rows must have."""
    chance = random.Random(3)
    (ifd,) = struct.unpack_from("<I", data, 4)
    at = next(n for n in range(ifd + 2, ifd + 200, 12) if data[n : n + 2] == b"\0\1")  # ImageWidth

    def patched(offset, piece):
        return data[:offset] + piece + data[offset + len(piece) :]

    return [
        ("format", b""),
        ("format", b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"),
        ("format", chance.randbytes(5000)),
        ("format", data[:5]),
        ("truncated", data[: ifd + 20]),
        ("truncated", patched(4, struct.pack("<I", len(data) + 1000))),
        ("format", b"II\x2b\0\x09\0\0\0" + bytes(8) + data[16:]),  # a BigTIFF with offsets of nine bytes
        ("format", patched(at + 8, bytes(4))),  # no width
        ("format", patched(ifd, bytes(2))),  # no entries
        ("format", patched(4, bytes(4))),  # no directory
    ]


def listing(entries):
    """One page, as S3 has it."""
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;first&quot;</ETag><Size>{size}</Size></Contents>"
        for key, size in entries
    )
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()


def test_a_thousand_objects(good, tmp_path):
    chance = random.Random(11)
    kinds = broken(good[0][0])
    what = ["good"] * (OBJECTS - BROKEN - VANISHED) + ["broken"] * BROKEN + ["vanished"] * VANISHED
    chance.shuffle(what)
    wanted, entries = {}, []
    with odd_server() as server:
        for n, kind in enumerate(what):
            key = f"{n // 100:02d}/a file {n}.tif"
            code, (data, says) = None, good[n % len(good)]
            if kind == "broken":
                code, data = kinds[n % len(kinds)]
            entries.append((key, len(data)))
            if kind == "vanished":
                code = "not_found"
            else:
                server.objects[f"bucket/{key}"] = data
            wanted[key] = (code, len(data), *((None,) * len(LISTED) if code else says))
        server.objects["bucket"] = listing(entries)
        server.otherwise = lambda: chance.choices(["ok", "503", "reset", "cut", "500"], [95, 2, 1, 1, 1])[0]
        gigapix.scan(
            "s3://bucket", tmp_path, endpoint=server.origin, region="us-east-1", anonymous=True, retry_delay=0.001
        )
        failed = sum(request.did != "ok" for request in server.log)
    assert failed >= OBJECTS * 0.03
    table = pyarrow.dataset.dataset(tmp_path, format="parquet").to_table(["path", "error_code", "size", *LISTED])
    found = {row.pop("path"): tuple(row.values()) for row in table.to_pylist()}
    assert table.num_rows == len(found) == OBJECTS
    assert {key: (row, wanted[key]) for key, row in found.items() if row != wanted[key]} == {}
