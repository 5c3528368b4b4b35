"""What a server does wrong is a typed error, or is tried again; every request counts either way."""

from __future__ import annotations

import pickle
import traceback

import numpy as np
import pytest

import gigapix
from gigapix import (
    ChangedError,
    DeniedError,
    FormatError,
    NotFoundError,
    RangeUnsupportedError,
    ServerError,
    ShortBodyError,
    SourceError,
    SourceTimeoutError,
)
from tests.remote.images import scene

QUICK = {"retry_delay": 0.001, "timeout": 5}
PIXELS = scene(1024)
WINDOW = (260, 270, 100, 90)  # in one tile, so that one request is under way
EXPECTED = PIXELS[:, 270:360, 260:360]

PERMANENT = {
    "401": DeniedError,
    "403": DeniedError,
    "404": NotFoundError,
    "410": NotFoundError,
    "400": SourceError,
    "409": SourceError,
    "501": SourceError,
    "whole": RangeUnsupportedError,
    "shifted": RangeUnsupportedError,
    "unsized": RangeUnsupportedError,
    "garbled": RangeUnsupportedError,
    "unranged": RangeUnsupportedError,
}
TRANSIENT = {
    "408": ServerError,
    "429": ServerError,
    "500": ServerError,
    "502": ServerError,
    "503": ServerError,
    "504": ServerError,
    "reset": ServerError,
    "short": ShortBodyError,
    "cut": ShortBodyError,
}
CHANGED = ["412", "other", "swapped"]


def counted(image, odd):
    """The image's totals are the server's, but for bodies that broke off, of which it isn't told what came, and for those
    that were not read."""
    unread = ("cut", "whole", "shifted", "unsized", "garbled", "unranged")
    broken = [request for request in odd.log if request.did in unread]
    assert image.stats.requests == odd.requests
    assert image.stats.bytes == odd.bytes - sum(request.sent for request in broken)
    assert len(image.stats.ranges) == image.stats.requests
    assert sum(length for _, length in image.stats.ranges) == image.stats.bytes


@pytest.mark.parametrize("did", [*PERMANENT, *TRANSIENT])
def test_a_failure_while_opening_is_typed(did, way, odd, url):
    odd.otherwise = lambda: did
    kind = (PERMANENT | TRANSIENT)[did]
    with pytest.raises(kind) as error:
        way.open(url, retries=2, **QUICK)
    assert type(error.value) is kind and error.value.path == url
    assert odd.requests == (3 if did in TRANSIENT else 1)
    assert pickle.loads(pickle.dumps(error.value)).args == error.value.args


@pytest.mark.parametrize("did", [*PERMANENT, *TRANSIENT])
def test_a_failure_while_reading_is_typed(did, way, odd, url):
    with way.open(url, retries=2, **QUICK) as image:
        odd.otherwise = lambda: did
        kind = (PERMANENT | TRANSIENT)[did]
        with pytest.raises(kind):
            way.read(image, WINDOW)
        counted(image, odd)
        odd.otherwise = lambda: "ok"
        np.testing.assert_array_equal(way.read(image, WINDOW), EXPECTED)
        counted(image, odd)


@pytest.mark.parametrize("did", TRANSIENT)
def test_what_may_pass_is_tried_again(did, way, odd, url):
    odd.do(did, did)
    with way.open(url, **QUICK) as image:
        assert image.stats.retries == 2
        odd.do(did)
        np.testing.assert_array_equal(way.read(image, WINDOW), EXPECTED)
        assert image.stats.retries == 3
        counted(image, odd)


@pytest.mark.parametrize("did", CHANGED)
def test_another_version_is_never_mixed_with_the_first(did, way, odd, url):
    with way.open(url, **QUICK) as image:
        odd.do(did)
        with pytest.raises(ChangedError):
            way.read(image, WINDOW)
        counted(image, odd)


def test_an_object_that_shrank_or_grew_has_changed(way, odd, data):
    for now in (data[:-5000], data + bytes(5000), data[:20000]):
        url = odd.put(data)
        with way.open(url, **QUICK) as image:
            odd.objects["x.tif"] = now  # under the same ETag
            with pytest.raises((ChangedError, ShortBodyError)):
                way.read(image, WINDOW)


@pytest.mark.parametrize("did", ["weak", "untagged", "bare"])
def test_versions_that_can_not_be_asked_for(did, way, odd, url):
    odd.otherwise = lambda: did
    with way.open(url, **QUICK) as image:
        np.testing.assert_array_equal(way.read(image, WINDOW), EXPECTED)
        assert not any("If-Match" in request.headers or "if-match" in request.headers for request in odd.log)


def test_every_later_request_asks_for_the_first_version(way, odd, url):
    with way.open(url, **QUICK) as image:
        way.read(image, WINDOW)
    asked = [{key.lower(): value for key, value in request.headers.items()}.get("if-match") for request in odd.log]
    assert asked == [None, *['"first"'] * (len(odd.log) - 1)] and len(asked) > 1


@pytest.mark.parametrize("did", ["hang", "half"])
def test_a_server_that_does_not_answer_in_time(did, way, odd, url):
    with way.open(url, timeout=0.2, retries=1, retry_delay=0.001) as image:
        odd.do(did, did)
        with pytest.raises(SourceTimeoutError) as error:
            way.read(image, WINDOW)
        assert isinstance(error.value, TimeoutError)
        assert image.stats.requests == odd.requests
        odd.do(did)
        np.testing.assert_array_equal(way.read(image, WINDOW), EXPECTED)


def test_a_late_answer_is_an_answer(way, odd, url):
    odd.delay = 0.05
    odd.otherwise = lambda: "late"
    with way.open(url, **QUICK) as image:
        np.testing.assert_array_equal(way.read(image, WINDOW), EXPECTED)
        assert image.stats.retries == 0
        counted(image, odd)


def test_redirects_are_followed(way, odd, url):
    with way.open(url, **QUICK) as image:
        odd.do("moved")
        np.testing.assert_array_equal(way.read(image, WINDOW), EXPECTED)
        assert (image.stats.requests, image.stats.bytes) == (odd.requests - 1, odd.bytes)


def test_redirects_in_circles_end(way, odd, url):
    odd.otherwise = lambda: "moved"
    with pytest.raises(SourceError, match="circles"):
        way.open(url, **QUICK)


def test_an_empty_object_and_one_cut_short_are_no_images(way, odd, data):
    with pytest.raises(FormatError):
        way.open(odd.put(b""), **QUICK)
    with pytest.raises(FormatError):
        way.open(odd.put(data[:100]), **QUICK)
    with way.open(odd.put(data[:-300_000]), **QUICK) as image, pytest.raises(FormatError):
        way.read(image)


def test_a_server_that_is_not_there(way):
    with pytest.raises(ServerError):
        way.open("http://127.0.0.1:1/x.tif", retries=1, **QUICK)


def test_no_secret_is_told(way, odd, url, caplog):
    """Neither in names, nor in messages, logs or tracebacks."""
    caplog.set_level("DEBUG")
    signed = f"{url}?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET".replace("http://", "http://user:SECRET@")
    with way.open(signed, **QUICK) as image:
        way.read(image, WINDOW)
        told = [repr(image), image.path, repr(image.stats)]
    for did in [*PERMANENT, *TRANSIENT, *CHANGED]:
        odd.do(did)
        try:
            with way.open(signed, retries=0, **QUICK) as image:
                told.append(repr(image))
        except gigapix.GigapixError as error:
            told += traceback.format_exception(error)
            chain: BaseException | None = error
            while chain is not None:
                told.append(repr(chain))
                chain = chain.__cause__ or chain.__context__
    assert "SECRET" not in " ".join([*told, caplog.text])
    assert "127.0.0.1" in caplog.text
