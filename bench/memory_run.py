"""Starts a measured child (memory_child.py), watches its memory from outside, and says how it went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from memory_tally import Survey
from report import last_words

CHILD = Path(__file__).with_name("memory_child.py")
WATCH = 0.005
"""Seconds between two looks. From outside: a thread inside would take its turns from what is measured."""
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "2", "VIPS_CONCURRENCY": "2"}


def measured(order: dict[str, Any], *, seconds: float = 900) -> dict[str, Any]:
    """The child's figures and its `anon` peak; or `error`, its last words. It may take `seconds`."""
    command = [sys.executable, str(CHILD), json.dumps(order)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT
    )
    anon, began = 0, time.monotonic()
    while child.poll() is None:
        anon = max(anon, _anon(child.pid))
        if time.monotonic() - began > seconds:
            child.kill()
            child.communicate()
            return {"peer": order["peer"], "error": f"stopped after {seconds:.0f} s"}
        time.sleep(WATCH)
    out, err = child.communicate()
    if child.returncode:
        done = subprocess.CompletedProcess(command, child.returncode, out, err)
        return {"peer": order["peer"], "error": last_words(done)}
    result = json.loads(out)
    survey = Survey(**result.pop("survey"))
    return {"peer": order["peer"], **result, "anon": anon - result["anon_before"], "survey": survey}


def _anon(pid: int) -> int:
    """RssAnon and RssShmem of a process, in bytes; 0 where it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "RssShmem")))
