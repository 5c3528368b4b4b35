"""A Ceph of one node in memory with its S3 gateway, on loopback: the only S3 server here that checks signatures.

A monitor, one object store and radosgw, each of which puts itself into the background and leaves its process id behind.
It takes some fifteen seconds to start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.remote.servers import find, free_port

HINT = "Debian, Ubuntu: apt-get install ceph-mon ceph-osd radosgw"
KEY, SECRET = "testkey", "testsecret"
SECONDS = 60

CONFIG = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = true
mon warn on insecure global id reclaim allowed = false
mon allow pool size one = true
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
mon data = {folder}/mon
osd data = {folder}/osd
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
keyring = {folder}/keyring
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw data = {folder}
"""


@contextlib.contextmanager
def radosgw(folder: Path) -> Iterator[str]:
    """The URL of the gateway, whose user has `KEY` and `SECRET`. Raises MissingError."""
    programs = ["ceph", "ceph-authtool", "monmaptool", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin"]
    path = {name: find(name, HINT) for name in programs}
    port, mon1, mon2, fsid = free_port(), free_port(), free_port(), str(uuid.uuid4())
    config = folder / "ceph.conf"
    config.write_text(CONFIG.format(fsid=fsid, mon1=mon1, mon2=mon2, folder=folder, port=port))
    for name in ("mon", "osd"):
        (folder / name).mkdir()

    def run(program: str, *arguments: str) -> str:
        where = [] if program in ("ceph-authtool", "monmaptool") else ["-c", str(config)]
        done = subprocess.run(
            [path[program], *where, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} {arguments[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    keyring = str(folder / "keyring")
    run("ceph-authtool", keyring, "--create-keyring", "--gen-key", "-n", "mon.")
    everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
    for name in ("client.admin", "client.rgw"):
        run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything)
    monmap = str(folder / "monmap")
    address = f"[v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]"
    run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, monmap)
    try:
        run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        run("ceph-mon", "-i", "a")
        store = str(uuid.uuid4())
        run("ceph", "osd", "new", store)
        run(
            "ceph-authtool",
            keyring,
            "--gen-key",
            "-n",
            "osd.0",
            "--cap",
            "mon",
            "allow profile osd",
            "--cap",
            "osd",
            "allow *",
        )
        run("ceph", "auth", "add", "osd.0", "-i", keyring)
        run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        run("ceph-osd", "-i", "0")
        with contextlib.suppress(RuntimeError):  # it may have put itself there already
            run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h")
        run("radosgw", "-n", "client.rgw")
        _wait(f"http://127.0.0.1:{port}")
        user = ["--uid", "test", "--display-name", "test", "--access-key", KEY, "--secret-key", SECRET]
        run("radosgw-admin", "-n", "client.rgw", "user", "create", *user)
        yield f"http://127.0.0.1:{port}"
    finally:
        for each in folder.glob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(each.read_text()), signal.SIGKILL)


def _wait(url: str) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
