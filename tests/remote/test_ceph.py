"""Signed requests, at a server that checks them: `make test ARGS="-m ceph"`."""

import tempfile
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import numpy as np
import obstore
import pytest
from obstore.store import S3Store

import gigapix
from gigapix import DeniedError, NotFoundError
from tests.remote.ceph import KEY, SECRET, radosgw
from tests.remote.images import cog, scene
from tests.remote.servers import MissingError

pytestmark = pytest.mark.ceph

PIXELS = scene(512)


@pytest.fixture(scope="module")
def gateway():
    # A socket's path may have 107 characters, and pytest's folders are deep.
    with tempfile.TemporaryDirectory(prefix="ceph") as folder:
        try:
            server = radosgw(Path(folder))
            url = server.__enter__()
        except MissingError as reason:
            pytest.skip(str(reason))
        try:
            yield url
        finally:
            server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def bucket(gateway, tmp_path_factory):
    """A store of the bucket ``data`` that holds ``k/x.tif``."""
    options = {"endpoint": gateway, "region": "us-east-1", "access_key_id": KEY, "secret_access_key": SECRET,
               "virtual_hosted_style_request": False, "client_options": {"allow_http": True}}  # fmt: skip
    made = obstore.sign(S3Store("data", **options), "PUT", "", timedelta(minutes=1))
    request = urllib.request.Request(made, method="PUT")
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read()) from error
    path = tmp_path_factory.mktemp("ceph") / "x.tif"
    cog(path, PIXELS)
    store = S3Store("data", **options)
    store.put("k/x.tif", path.read_bytes())
    return store


def test_with_the_right_secret(bucket, gateway, way, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with way.open("s3://data/k/x.tif", endpoint=gateway, region="us-east-1") as image:
        np.testing.assert_array_equal(way.read(image), PIXELS)
    with pytest.raises(NotFoundError):
        way.open("s3://data/k/missing.tif", endpoint=gateway, region="us-east-1")


@pytest.mark.parametrize(("key", "secret"), [(KEY, "wrong"), ("nobody", SECRET)])
def test_with_another_secret(key, secret, bucket, gateway, way, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with pytest.raises(DeniedError) as error:
        way.open("s3://data/k/x.tif", endpoint=gateway, region="us-east-1")
    assert secret not in str(error.value)


def test_without_a_signature(bucket, gateway, way):
    with pytest.raises(DeniedError):
        way.open("s3://data/k/x.tif", endpoint=gateway, region="us-east-1", anonymous=True)


def test_a_signed_url(bucket, way):
    url = obstore.sign(bucket, "GET", "k/x.tif", timedelta(minutes=5))
    with way.open(url) as image:
        np.testing.assert_array_equal(way.read(image), PIXELS)
        assert "Signature" not in image.path
    with pytest.raises(DeniedError):
        way.open(url[:-3] + "000")


def test_a_store_with_its_own_credentials(bucket, way):
    with way.open("k/x.tif", store=bucket) as image:
        np.testing.assert_array_equal(way.tile(image, 1, 1), PIXELS[:, 128:256, 128:256])
        assert isinstance(image, gigapix.Image)
