"""nginx as an anonymous S3 with path-style URLs: objects are files, a listing is a file picked by the query's parts.

It stands at four addresses: plain, with 30 ms of latency on every answer, and each of them is counted. What it answers
is what S3 answers to those who ask for ``list-type=2`` without ``start-after``: that one it refuses, because no page
was made for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scan_inputs import FOLDER

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.remote.servers import MODULES, MissingError, find, free_port, running

SECONDS = 0.030
FLUSH = 0.2
"""Seconds after which nginx has written what it buffered of its log: a line a request would slow it down."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A running server."""

    near: str
    far: str
    """The same with latency."""
    log: Path

    def counted(self) -> dict[str, int]:
        """Requests for objects, for listings, answers that are errors, and bytes of bodies, since the last call."""
        time.sleep(2 * FLUSH)
        with self.log.open("rb+") as stream:
            lines = stream.read().split(b"\n")[:-1]
            stream.truncate(0)
        objects, listings, errors, sent = 0, 0, 0, 0
        for line in lines:
            kind, status, length = line.split()
            objects += kind == b"o"
            listings += kind == b"l"
            errors += status >= b"400"
            sent += int(length)
        return {"requests": objects, "listings": listings, "errors": errors, "bytes": sent}


def options(endpoint: str) -> dict[str, Any]:
    """What obstore's `S3Store` and `from_url` (of any version) want to know of it."""
    return {
        "endpoint": endpoint,
        "region": "us-east-1",
        "skip_signature": True,
        "virtual_hosted_style_request": False,
        "client_options": {"allow_http": True},
    }


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Bench]:
    """Serves `scan_inputs.FOLDER`, with its own files in `folder`. Raises MissingError."""
    program = find("nginx", "Debian, Ubuntu: apt-get install nginx-light")
    echo = next((p for m in MODULES if (p := Path(m) / "ngx_http_echo_module.so").exists()), None)
    if echo is None:
        raise MissingError("needs nginx's echo module (Debian, Ubuntu: apt-get install libnginx-mod-http-echo)")
    near, far = free_port(), free_port()
    (folder / "tmp").mkdir()
    temporary = " ".join(
        f"{kind}_temp_path {folder}/tmp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
    load_module {echo};
    {"user root;" if os.geteuid() == 0 else ""}
    daemon off; worker_processes 2; worker_rlimit_nofile 20000;
    pid {folder}/nginx.pid; error_log {folder}/error.log;
    events {{ worker_connections 8192; }}
    http {{
        root {FOLDER}; {temporary}
        sendfile on; tcp_nopush on; keepalive_requests 100000000; etag on;
        types {{ }} default_type application/octet-stream;
        map $args $token {{ ~(?:^|&)continuation-token=(?<t>[^&]*) $t; }}
        map $args $late {{ ~(?:^|&)start-after= 1; }}
        map $args $kind {{ ~(?:^|&)list-type=2 l; default o; }}
        log_format short "$kind $status $body_bytes_sent";
        access_log {folder}/access.log short buffer=1m flush={FLUSH * 1000:.0f}ms;
        server {{
            listen 127.0.0.1:{near} backlog=8192;
            location / {{ }}
            location ~ ^/[^/]+/?$ {{
                if ($late) {{ return 400; }}
                try_files /listing$uri/$arg_prefix,$arg_delimiter,$token.xml =404;
            }}
        }}
        server {{
            listen 127.0.0.1:{far} backlog=8192;
            location / {{ echo_sleep {SECONDS:.3f}; echo_exec @object; }}
            location @object {{ }}
            location ~ ^/[^/]+/?$ {{ echo_sleep {SECONDS:.3f}; echo_exec @listing; }}
            location @listing {{
                if ($late) {{ return 400; }}
                try_files /listing$uri/$arg_prefix,$arg_delimiter,$token.xml =404;
            }}
        }}
    }}
    """)
    with running([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], near, folder / "nginx.out"):
        yield Bench(near=f"http://127.0.0.1:{near}", far=f"http://127.0.0.1:{far}", log=folder / "access.log")
