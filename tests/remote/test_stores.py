"""Stores: S3, GCS and Azure by URL and settings, obstore's stores, and stores that a user wrote."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import multiprocessing
import os
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import numpy as np
import obstore
import pytest
import tifffile
from obstore.store import AzureStore, HTTPStore, MemoryStore, S3Store

import gigapix
from gigapix import (
    ChangedError,
    DeniedError,
    MissingPartError,
    NotFoundError,
    SourceError,
    TruncatedError,
    UnsupportedError,
)
from tests.remote.images import cog, ifd_last, scene
from tests.remote.odd_server import odd_server

PIXELS = scene(512)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "x.tif"
    cog(path, PIXELS)
    return path.read_bytes()


@pytest.fixture(scope="module")
def last(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "x.tif"
    ifd_last(path, PIXELS)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)


def check(way, target, **options):
    with way.open(target, **options) as image:
        np.testing.assert_array_equal(way.read(image), PIXELS)
        return image


def sent(odd, name):
    return {key.lower(): value for request in odd.log for key, value in request.headers.items()}.get(name)


# Clouds


def test_s3(way, s3, data):
    store = S3Store(
        "data", endpoint=s3, region="us-east-1", skip_signature=True, virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )  # fmt: skip
    store.put("k/x.tif", data)
    options = {"endpoint": s3, "region": "us-east-1"}
    with way.open("s3://data/k/x.tif", anonymous=True, **options) as image:
        np.testing.assert_array_equal(way.read(image, (0, 0, 10, 10)), PIXELS[:, :10, :10])
        store.put("k/x.tif", data + b"\0")
        with pytest.raises(ChangedError):
            way.read(image, (200, 200, 10, 10))
    with pytest.raises(NotFoundError):
        way.open("s3://data/k/missing.tif", anonymous=True, **options)


@pytest.mark.parametrize(
    ("url", "target"),
    [("s3://b/k/x.tif", "b/k/x.tif"), ("gs://b/k/x.tif", "b/k/x.tif"), ("az://b/k/x.tif", "b/k/x.tif")],
)
def test_endpoints(url, target, way, odd, data, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    odd.put(data, target)
    image = check(way, url, endpoint=odd.origin, anonymous=True)
    assert (image.path, image.stats.requests, image.stats.bytes) == (url, odd.requests, odd.bytes)
    assert sent(odd, "authorization") is None


def test_settings_come_from_the_environment_when_an_image_is_opened(way, odd, data, monkeypatch):
    odd.put(data, "b/x.tif")
    for name, value in {"ENDPOINT": odd.origin, "REGION": "moon-1", "HEADER_BYTES": "32kB", "RETRIES": "0"}.items():
        monkeypatch.setenv(f"GIGAPIX_{name}", value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    check(way, "s3://b/x.tif")
    assert "KEY/" in sent(odd, "authorization") and "/moon-1/" in sent(odd, "authorization")
    assert odd.log[0].range == "bytes=0-32767"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTHER")
    odd.log.clear()
    check(way, "s3://b/x.tif")
    assert "OTHER/" in sent(odd, "authorization")


def test_the_reader_pays(way, odd, data, monkeypatch):
    odd.put(data, "b/x.tif")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    check(way, "s3://b/x.tif", endpoint=odd.origin)
    assert sent(odd, "x-amz-request-payer") is None
    check(way, "s3://b/x.tif", endpoint=odd.origin, requester_pays=True)
    assert sent(odd, "x-amz-request-payer") == "requester"


def test_credentials_are_asked_for_when_a_request_needs_them(way, odd, data):
    odd.put(data, "b/x.tif")
    asked = []

    def provider():
        asked.append(len(odd.log))
        soon = datetime.now(UTC) + timedelta(milliseconds=1)
        return {"access_key_id": f"KEY{len(asked)}", "secret_access_key": "SECRET", "expires_at": soon}

    with way.open("s3://b/x.tif", endpoint=odd.origin, credential_provider=provider) as image:
        before = len(asked)
        way.read(image, (0, 0, 10, 10))
    assert before >= 1 and len(asked) > before
    assert f"KEY{len(asked)}/" in {k.lower(): v for k, v in odd.log[-1].headers.items()}["authorization"]


def test_a_provider_that_fails(way, odd, data):
    odd.put(data, "b/x.tif")

    def provider():
        raise RuntimeError("the SECRET is gone")

    with pytest.raises(DeniedError, match="provider") as error:
        way.open("s3://b/x.tif", endpoint=odd.origin, credential_provider=provider)
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize("url", ["s3://b/x.tif"])
def test_without_credentials_the_error_says_what_to_do(url, way, odd, data, monkeypatch):
    odd.put(data, "b/x.tif")
    with odd_server() as metadata:
        metadata.otherwise = lambda: "404"
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", metadata.origin)
        with pytest.raises(DeniedError, match="anonymous=True"):
            way.open(url, endpoint=odd.origin, timeout=2, retries=0)


def test_azure(way, azure, data, monkeypatch):
    account, key = "devstoreaccount1", base64.b64decode(
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    )  # fmt: skip  # the emulator's own, the same everywhere
    date = format_datetime(datetime.now(UTC), usegmt=True)
    text = (
        "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/{account}/{account}/data\nrestype:container"
    )
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey {account}:{signature}"}
    request = urllib.request.Request(f"{azure}/data?restype=container", method="PUT", headers=headers)
    with contextlib.suppress(urllib.error.HTTPError):  # it is there already
        urllib.request.urlopen(request).close()
    options = {"account_name": account, "account_key": base64.b64encode(key).decode(), "endpoint": azure}
    store = AzureStore("data", client_options={"allow_http": True}, **options)
    obstore.put(store, "k/ü #.tif", data, use_multipart=False)
    check(way, "k/ü #.tif", store=store)
    obstore.put(store, "k/x.tif", data, use_multipart=False)
    signed = obstore.sign(store, "GET", "k/x.tif", timedelta(minutes=5))
    assert "sig=" in signed and "sig=" not in check(way, signed).path
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", account)
    image = check(way, f"az://data/k/x.tif?{signed.partition('?')[2]}", endpoint=azure)
    assert image.path == "az://data/k/x.tif"


# Stores that are given


def test_a_store_that_is_given_is_not_closed(way, data):
    store = MemoryStore()
    store.put("a/x.tif", data)
    image = check(way, "a/x.tif", store=store)
    assert image.path == "a/x.tif"
    with pytest.raises(SourceError, match="closed"):
        way.read(image)
    check(way, "a/x.tif", store=store)
    assert bytes(store.get_range("a/x.tif", start=0, length=2)) == b"II"


@pytest.mark.parametrize("path", ["a//x.tif", "../x.tif", "missing.tif", ""])
def test_paths_that_a_store_does_not_have(path, way):
    with pytest.raises(SourceError):
        way.open(path, store=MemoryStore())


class Ranges:
    """A store with obspec's methods of one kind, over a dictionary."""

    def __init__(self, data, *methods):
        self.data = data
        self.calls = 0
        for name in methods:
            setattr(self, name, getattr(self, f"_{name}"))

    def _get_range(self, path, *, start, end=None, length=None):
        self.calls += 1
        end = start + length if end is None else end
        if path not in self.data:
            raise FileNotFoundError(path)
        return self.data[path][start:end]

    async def _get_range_async(self, path, *, start, end=None, length=None):
        return self._get_range(path, start=start, end=end, length=length)

    def _get_ranges(self, path, *, starts, ends=None, lengths=None):
        return [self._get_range(path, start=s, length=n) for s, n in zip(starts, lengths, strict=True)]

    async def _get_ranges_async(self, path, *, starts, ends=None, lengths=None):
        return self._get_ranges(path, starts=starts, ends=ends, lengths=lengths)

    def _get(self, path, *, options):
        start, end = options["range"]
        part = self._get_range(path, start=start, end=end)
        meta = {"size": len(self.data[path]), "e_tag": None}
        return SimpleNamespace(buffer=lambda: part, meta=meta, range=(start, start + len(part)))


@pytest.mark.parametrize(
    "methods",
    [
        ["get_range", "get_range_async"],
        ["get_ranges", "get_ranges_async"],
        ["get_range"],
        ["get_ranges"],
        ["get", "get_range"],
        ["get_range_async"],
        ["get_ranges_async"],
    ],
)
@pytest.mark.parametrize("which", ["data", "last"])
def test_stores_that_a_user_wrote(methods, which, way, request):
    blocking = any(not name.endswith("_async") for name in methods)
    content = request.getfixturevalue(which)
    store = Ranges({"x.tif": content, "cut.tif": content[:-1000], "short.tif": content[:50]}, *methods)
    if not blocking and type(way).__name__ == "Blocking":
        with pytest.raises(UnsupportedError, match="open_async"):
            way.open("x.tif", store=store)
        return
    image = check(way, "x.tif", store=store)
    assert image.stats.requests == store.calls
    with pytest.raises(NotFoundError) as error:
        way.open("missing.tif", store=store)
    assert isinstance(error.value.__cause__, FileNotFoundError)
    with pytest.raises((TruncatedError, gigapix.FormatError)):
        check(way, "cut.tif", store=store)
    with pytest.raises(gigapix.FormatError):
        way.open("short.tif", store=store)


def test_what_a_users_store_raises_is_typed(way):
    class Broken:
        def get_range(self, path, *, start, end=None, length=None):
            raise RuntimeError("odd")

    with pytest.raises(SourceError, match="RuntimeError") as error:
        way.open("x.tif", store=Broken())
    assert isinstance(error.value.__cause__, RuntimeError)


def test_no_store_at_all(way):
    with pytest.raises(UnsupportedError):
        way.open("x.tif", store=object())


def _read_in_child(url, answers):
    try:
        with gigapix.open(url) as image:
            answers.send(image.read().sum())
    except gigapix.SourceError as error:
        answers.send(str(error))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_gets_an_error_and_does_not_hang(odd, data):
    url = odd.put(data)
    with gigapix.open(url) as image:
        image.read()
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_read_in_child, args=(url, theirs), daemon=True)
    child.start()
    assert ours.poll(20), "the child hangs"
    assert "fork" in ours.recv()
    child.join(10)


def test_stores_of_one_server_are_made_once(odd, data):
    url = odd.put(data)
    with gigapix.open(url) as one, gigapix.open(url) as other:
        assert one.cache.source.store._store is other.cache.source.store._store
    with gigapix.open(url, timeout=7) as other:
        assert one.cache.source.store is not other.cache.source.store


def test_a_store_keeps_its_own_ways(odd, data):
    """Its retries are not ours to count."""
    url = odd.put(data)
    retries = {"max_retries": 3, "retry_timeout": timedelta(seconds=5)}
    store = HTTPStore.from_url(odd.origin, client_options={"allow_http": True}, retry_config=retries)
    odd.do("503", "503")
    with gigapix.open("x.tif", store=store) as image:
        assert (image.stats.requests, image.stats.retries, odd.requests) == (1, 0, 3)
    assert url


# Images of several files


def test_a_part_beside_the_image(way, odd, tmp_path):
    """An OME-TIFF whose second plane lies in another file."""
    planes = scene(64, bands=2)
    for number, name in enumerate(("a.ome.tif", "b.ome.tif")):
        data = "".join(
            f'<TiffData FirstC="{c}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="1"><UUID FileName="{file}">urn:uuid:{c}</UUID></TiffData>'
            for c, file in enumerate(("a.ome.tif", "b.ome.tif"))
        )
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{number}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="64" SizeY="64" SizeC="2" SizeZ="1" SizeT="1">'
            f'<Channel ID="Channel:0:0"/><Channel ID="Channel:0:1"/>{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / name, planes[number], description=xml, metadata=None)
    url = odd.put((tmp_path / "a.ome.tif").read_bytes(), "folder/a.ome.tif")
    with way.open(url) as image, pytest.raises(MissingPartError, match=r"b\.ome\.tif"):
        way.read(image)
    odd.put((tmp_path / "b.ome.tif").read_bytes(), "folder/b.ome.tif")
    with way.open(url) as image:
        np.testing.assert_array_equal(way.read(image), planes)
    with way.open(f"{url}?sig=1") as image, pytest.raises(MissingPartError, match="signed"):
        way.read(image)
