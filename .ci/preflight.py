"""What this machine lacks to build gigapix, said before anything is installed.

Run by the interpreter that is to be used: prints what that interpreter is, ``3 11 7 cpython-final /its/path``, or ends
with status 1 and one sentence that says what is missing and what to do. Every Python can parse it: one that is too old
must be able to say so.
"""

import sys


def lacking():
    """Return the sentence, or "" where nothing is missing."""
    name = "Python %d.%d.%d (%s)" % (sys.version_info[:3] + (sys.executable,))
    if sys.version_info < (3, 11):
        return name + " is too old: gigapix needs 3.11 or newer; install one, and name it with PYTHON=/path/to/python3."
    try:
        import ensurepip  # noqa: F401  (Debian ships venv without it)
        import venv  # noqa: F401
    except ImportError:
        return name + " has no venv module with pip: install it (Debian, Ubuntu: apt-get install python3-venv)."

    import os
    import shlex
    import subprocess
    import sysconfig

    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    paths = ["-I" + sysconfig.get_path(kind) for kind in ("include", "platinclude")]

    def preprocesses(header):
        command = shlex.split(compiler) + paths + ["-x", "c", "-E", "-"]
        done = subprocess.run(command, input=b"#include <%s>\n" % header, capture_output=True, check=False)
        return done.returncode == 0

    try:
        if not preprocesses(b"stdlib.h"):
            return (
                "The C compiler `"
                + compiler
                + "` finds no C library: install it (Debian, Ubuntu: apt-get install build-essential)."
            )
    except OSError:
        return (
            "There is no C compiler (`" + compiler + "`), and gigapix has compiled parts: install one (Debian, Ubuntu: "
            "apt-get install build-essential; macOS: xcode-select --install), or name yours with CC=/path/to/cc."
        )
    if not preprocesses(b"Python.h"):
        return name + " has no C headers (Python.h): install them (Debian, Ubuntu: apt-get install python3-dev)."
    return ""


if __name__ == "__main__":
    sentence = lacking()
    if sentence:
        sys.exit("gigapix: " + sentence)
    build = sys.implementation.name + "-" + sys.version_info.releaselevel + getattr(sys, "abiflags", "")
    print("%d %d %d %s %s" % (sys.version_info[:3] + (build, sys.executable)))
