"""Objects with any name, by path, URL and store; URLs that are signed."""

from __future__ import annotations

import urllib.request
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import obstore
import pytest
import tifffile
from obstore.store import HTTPStore, LocalStore, MemoryStore, S3Store

import gigapix
from gigapix.source.clients import decoded

NAMES = [
    "plain.tif",
    "ü.tif",
    "a b.tif",
    "#.tif",
    "100%.tif",
    "[x].tif",
    "what?.tif",
    "~*+&=;,@.tif",
    "ü # % [ ] ? ~ * +.tif",
]
ENCODED = "a%20b%25.tif"
"""A name that looks like an encoded one."""
PIXELS = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "x.tif"
    tifffile.imwrite(path, PIXELS[0], metadata=None)
    return path.read_bytes()


@pytest.fixture(scope="module")
def bucket(s3, data):
    store = S3Store(
        "data",
        endpoint=s3,
        region="us-east-1",
        skip_signature=True,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    for name in [*NAMES, ENCODED]:
        obstore.put(store, f"folder/{name}", data, use_multipart=False)
    return store


def check(way, target, **options):
    with way.open(target, **options) as image:
        np.testing.assert_array_equal(way.read(image), PIXELS)
        return image.path


@pytest.mark.parametrize("name", [*NAMES, ENCODED])
def test_files(name, way, tmp_path, data):
    path = tmp_path / name
    path.write_bytes(data)
    assert check(way, path) == str(path)
    check(way, path.as_uri())
    check(way, f"file://localhost{quote(str(path))}")
    check(way, name, store=LocalStore(tmp_path))
    if name != ENCODED:
        check(way, f"file://{path}")


@pytest.mark.parametrize("name", [*NAMES, ENCODED])
def test_web(name, way, odd, data):
    odd.put(data, f"folder/{name}")
    check(way, f"{odd.origin}/folder/{quote(name)}")
    check(way, f"folder/{name}", store=HTTPStore.from_url(odd.origin, client_options={"allow_http": True}))
    if name != ENCODED and not set(name) & set("#?"):
        check(way, f"{odd.origin}/folder/{name}")


@pytest.mark.parametrize("name", [*NAMES, ENCODED])
def test_s3(name, way, bucket, s3):
    options = {"endpoint": s3, "region": "us-east-1", "anonymous": True}
    check(way, f"s3://data/folder/{quote(name)}", **options)
    check(way, f"folder/{name}", store=bucket)
    if name != ENCODED:
        assert check(way, f"s3://data/folder/{name}", **options) == f"s3://data/folder/{name}"


def test_names_in_memory(way, data):
    store = MemoryStore()
    for name in [*NAMES, ENCODED]:
        store.put(name, data)
        check(way, name, store=store)


def test_which_names_are_taken_as_encoded():
    assert decoded("a%20b/%C3%BC.tif") == "a b/ü.tif"
    assert [decoded(name) for name in NAMES] == NAMES


@pytest.mark.parametrize(
    "url", ["s3://data", "s3://data/", "ftp://host/x.tif", "http://[x/y", "file://host/x.tif", "gs:///x"]
)
def test_urls_that_name_nothing(way, url):
    with pytest.raises(gigapix.SourceError):
        way.open(url)


def test_the_query_of_a_signed_url_arrives_as_it_is(way, odd, data):
    odd.put(data, "a b.tif")
    query = "sv=2024-01-01&sp=r&sig=a%2Bb%2Fc%3D&se=2030-01-01T00%3A00%3A00Z"
    assert check(way, f"{odd.origin}/a%20b.tif?{query}") == f"{odd.origin}/a%20b.tif"
    assert {request.target for request in odd.log} == {f"/a%20b.tif?{query}"}


def test_a_presigned_url(way, bucket, s3):
    keys = {"access_key_id": "test", "secret_access_key": "test"}
    signer = S3Store(
        "data", endpoint=s3, region="us-east-1", virtual_hosted_style_request=False,
        client_options={"allow_http": True}, **keys,
    )  # fmt: skip
    url = obstore.sign(signer, "GET", "folder/ü.tif", timedelta(minutes=5))
    assert "X-Amz-Signature" in parse_qs(urlsplit(url).query)
    urllib.request.urlopen(url).close()
    assert "?" not in check(way, url)
