"""Real servers on loopback, each on a free port, each stopped at the end: nginx, ministack (S3), azurite, Redis.

A server that the machine doesn't have raises `MissingError` with the reason, and the tests that need it are skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODULES = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules")
SECONDS = 20.0
"""A server that does not answer by then has not started."""


class MissingError(Exception):
    """The machine has no such server. The message says what to install."""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def find(name: str, hint: str) -> str:
    """A program, also where a user's PATH doesn't look."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if found is None:
        raise MissingError(f"needs {name} ({hint})")
    return found


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[None]:
    """A program while it listens on a port."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd
        )
    try:
        until = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, kw_only=True)
class Line:
    """One request as nginx saw it."""

    port: int
    target: str
    status: int
    range: str
    sent: int
    """Bytes of the body."""


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """Serves the files of `root` in three ways, and writes down every request."""

    root: Path
    plain: str
    slow: str
    """The same with 30 ms of latency, "" where nginx has no echo module."""
    faulty: str
    """The same, where every twentieth request gets a 503."""
    log: Path

    def lines(self) -> list[Line]:
        """The requests since the last call. A request of our own makes sure that nginx has written all before it."""
        mark = f"/mark-{time.monotonic_ns()}"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.plain + mark).close()
        until = time.monotonic() + SECONDS
        while mark not in (text := self.log.read_text()):
            assert time.monotonic() < until, "nginx writes no log"
            time.sleep(0.002)
        os.truncate(self.log, 0)
        found = []
        for line in text.splitlines():
            port, target, status, wanted, sent = line.split("\t")
            if not target.startswith("/mark-"):
                found.append(Line(port=int(port), target=target, status=int(status), range=wanted, sent=int(sent)))
        return found

    def totals(self) -> tuple[int, int]:
        """(requests, bytes of objects) since the last look at the log."""
        lines = self.lines()
        return len(lines), sum(line.sent for line in lines if line.status in (200, 206))


@contextlib.contextmanager
def nginx(folder: Path, root: Path | None = None) -> Iterator[Nginx]:
    """Raises MissingError."""
    program = find("nginx", "Debian, Ubuntu: apt-get install nginx-light")
    echo = next((p for m in MODULES if (p := Path(m) / "ngx_http_echo_module.so").exists()), None)
    plain, slow, faulty = free_port(), free_port(), free_port()
    root = root or folder / "data"
    root.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir()
    slow_server = f"""
        server {{ listen 127.0.0.1:{slow}; location / {{ echo_sleep 0.030; echo_exec @real; }} location @real {{ }} }}"""
    text = f"""
    {f"load_module {echo};" if echo else ""}
    {"user root;" if os.geteuid() == 0 else ""}
    daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
    events {{ worker_connections 4096; }}
    http {{
        root {root}; sendfile on; tcp_nopush on; keepalive_requests 1000000; etag on;
        log_format facts "$server_port\\t$request_uri\\t$status\\t$http_range\\t$body_bytes_sent";
        access_log {folder}/access.log facts;
        client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
        uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
        split_clients $request_id $fails {{ 5% 1; * 0; }}
        server {{ listen 127.0.0.1:{plain}; }}
        server {{ listen 127.0.0.1:{faulty}; location / {{ if ($fails) {{ return 503; }} }} }}
        {slow_server if echo else ""}
    }}
    """
    (folder / "nginx.conf").write_text(text)
    with running([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], plain, folder / "nginx.out"):
        yield Nginx(
            root=root,
            plain=f"http://127.0.0.1:{plain}",
            slow=f"http://127.0.0.1:{slow}" if echo else "",
            faulty=f"http://127.0.0.1:{faulty}",
            log=folder / "access.log",
        )


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """The URL of an S3 server that checks no signatures, with the bucket ``data``. Raises MissingError."""
    try:
        import ministack as _  # noqa: F401
    except ImportError:
        raise MissingError("needs ministack (pip install ministack)") from None
    port = free_port()
    env = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "s3", "HOME": str(folder)}
    with running([sys.executable, "-m", "ministack"], port, folder / "ministack.out", env, folder):
        url = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{url}/data", method="PUT")).close()
        yield url


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """The URL of the account ``devstoreaccount1`` of an Azure Blob server. Raises MissingError."""
    program = find("azurite-blob", "npm install -g azurite")
    port = free_port()
    options = ["--silent", "--location", str(folder), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with running([program, *options, "--skipApiVersionCheck"], port, folder / "azurite.out"):
        yield f"http://127.0.0.1:{port}/devstoreaccount1"


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a Redis that writes nothing to disk. Raises MissingError."""
    program = find("redis-server", "Debian, Ubuntu: apt-get install redis-server")
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with running([program, *options], port, folder / "redis.out"):
        yield f"redis://127.0.0.1:{port}/0"
