"""A web server that misbehaves on purpose, one request at a time, and writes down what it was asked and what it sent.

`do` says what the next requests get; when that is used up, `otherwise` decides. What there is to get:

    ok            the range (206), the whole (200) where none was asked for, 404, 412 and 416 where they are due
    whole         200 and the whole object, whatever range was asked for
    cut           fewer bytes than Content-Length says, then the connection is closed
    short         fewer bytes than Content-Range says, with a Content-Length that agrees with the bytes
    other         another ETag than before
    swapped       the same, and If-Match is ignored
    weak          a weak ETag, which no If-Match matches
    shifted       the range one byte further on
    untagged      no ETag at all
    bare          neither ETag nor Last-Modified
    unsized       a Content-Range that doesn't tell the size
    garbled       a Content-Range that is none
    unranged      206 without a Content-Range
    hang          nothing, for as long as the server runs
    half          half of the body, then nothing for as long as the server runs
    late          the range after `delay` seconds
    held          the range when `release` is set
    reset         the connection is reset
    moved         a redirect to the same object
    403 ...       that status
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    """One line of the log."""

    target: str
    """Path and query as they came."""
    range: str
    headers: dict[str, str]
    did: str
    status: int
    sent: int
    """Bytes of the object; the text of a refusal is not counted."""


class OddServer(ThreadingHTTPServer):
    """Serves `objects` by their decoded path without the leading slash."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.log: list[Request] = []
        self.delay = 1.0
        self.otherwise: Callable[[], str] = lambda: "ok"
        self.stopping = threading.Event()
        self.release = threading.Event()
        self._script: deque[str] = deque()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def requests(self) -> int:
        return len(self.log)

    @property
    def bytes(self) -> int:
        return sum(request.sent for request in self.log)

    def put(self, data: bytes, name: str = "x.tif") -> str:
        """Serve `data`; returns its URL."""
        self.objects[name] = data
        return f"{self.origin}/{name}"

    def do(self, *what: str) -> None:
        """What the next requests get, one after the other."""
        self._script.extend(what)

    def next(self) -> str:
        try:
            return self._script.popleft()
        except IndexError:
            return self.otherwise()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OddServer

    def log_message(self, *args: Any) -> None:
        """`OddServer.log` has it."""

    def do_GET(self) -> None:
        did = self.server.next()
        data = self.server.objects.get(unquote(urlsplit(self.path).path)[1:])
        if did == "hang":
            self._wrote(did, 0, 0)
            self.server.stopping.wait()
            self.close_connection = True
            return None
        if did == "reset":
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return self._wrote(did, 0, 0)
        if did == "moved":
            return self._refuse(did, 302, Location=self.path)
        if did.isdigit():
            return self._refuse(did, int(did))
        if data is None:
            return self._refuse(did, 404)
        return self._serve(did, data)

    def _serve(self, did: str, data: bytes) -> None:
        etag = {"other": '"other"', "swapped": '"other"', "weak": 'W/"first"'}.get(did, '"first"')
        if did != "swapped" and self.headers.get("If-Match", etag) != etag:
            return self._refuse(did, 412)
        start, stop = 0, len(data)
        partial = "Range" in self.headers and did != "whole"
        if partial:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last) + 1, len(data))
            start += did == "shifted"
            if start >= len(data):
                return self._refuse(did, 416, **{"Content-Range": f"bytes */{len(data)}"})
        body = data[start:stop]
        sent = body[: len(body) // 2] if did in ("cut", "short", "half") else body
        lines = [
            "HTTP/1.1 206 Partial Content" if partial else "HTTP/1.1 200 OK",
            f"Content-Length: {len(sent if did == 'short' else body)}",
        ]
        if did != "bare":
            lines.append("Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT")
        if partial and did != "unranged":
            told = {"unsized": f"bytes {start}-{stop - 1}/*", "garbled": "bytes of all kinds"}
            lines.append(f"Content-Range: {told.get(did, f'bytes {start}-{stop - 1}/{len(data)}')}")
        if did not in ("untagged", "bare"):
            lines.append(f"ETag: {etag}")
        self._wrote(did, 206 if partial else 200, len(sent))
        if did == "late":
            self.server.stopping.wait(self.server.delay)
        if did == "held":
            self.server.release.wait()
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + sent)
        self.wfile.flush()
        if did == "half":
            self.server.stopping.wait()
        self.close_connection = did in ("cut", "half")
        return None

    def _refuse(self, did: str, status: int, **headers: str) -> None:
        self._wrote(did, status, 0)
        lines = [f"HTTP/1.1 {status} No", "Content-Length: 5", *(f"{key}: {value}" for key, value in headers.items())]
        self.wfile.write("\r\n".join([*lines, "", "sorry"]).encode())

    def _wrote(self, did: str, status: int, sent: int) -> None:
        """Note the request, before it is answered: whoever has the answer may look at the log."""
        self.server.log.append(
            Request(
                target=self.path,
                range=self.headers.get("Range", ""),
                headers=dict(self.headers),
                did=did,
                status=status,
                sent=sent,
            )
        )


@contextlib.contextmanager
def odd_server() -> Iterator[OddServer]:
    """A running server, stopped at the end whatever hangs."""
    server = OddServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
