"""Reading and making rows take turns."""

import threading
import time

import pytest

from gigapix.catalog.readers import _Turns


def test_who_is_alone_is_alone_and_nobody_waits_for_ever():
    turns, seen, reading = _Turns(), [], []

    def read():
        for _ in range(50):
            with turns.reading():
                reading.append(None)
                time.sleep(0)
                reading.pop()

    def rows():
        for _ in range(20):
            with turns.alone():
                seen.append(len(reading))

    threads = [threading.Thread(target=work, daemon=True) for work in (read, read, read, rows, rows)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert seen == [0] * 40


def test_an_error_ends_a_turn():
    turns = _Turns()
    with pytest.raises(ValueError, match="rows"), turns.alone():
        raise ValueError("rows")
    with pytest.raises(ValueError, match="reading"), turns.reading():
        raise ValueError("reading")
    with turns.alone():
        pass
