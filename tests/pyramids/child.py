"""Runs that kill themselves: `python -m tests.pyramids.child SOURCE TARGET WHEN...` begins one run for each, which dies in
the middle of that put, or after so many seconds (`0.02`). Prints how many died before one came to its end.

They are forks of one process, so that importing costs once.
"""

import itertools
import os
import signal
import sys

from gigapix.pyramids import run  # noqa: F401
from gigapix.pyramids.folders import Folder
from gigapix.pyramids.plan import pyramid
from tests.pyramids.build import KILLED


def deadly(last):
    put, numbers = Folder.put, itertools.count(1)

    def put_or_die(self, key, data):
        if next(numbers) == last:
            draft = self.beside(".draft").path
            draft.mkdir(parents=True, exist_ok=True)
            data = data if isinstance(data, bytes) else b"".join(data)
            (draft / "half").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        put(self, key, data)

    return put_or_die


for killed, last in enumerate(sys.argv[3:]):
    child = os.fork()
    if child == 0:
        if "." in last:
            signal.setitimer(signal.ITIMER_REAL, float(last))  # whose signal nobody catches
        else:
            Folder.put = deadly(int(last))
        pyramid(sys.argv[1], sys.argv[2], **KILLED).run()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        print(killed, status)
        break
else:
    print(len(sys.argv) - 3, 0)
