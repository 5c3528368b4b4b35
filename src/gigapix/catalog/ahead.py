"""Items that a thread makes before they are asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], stop: threading.Event, most: int) -> Iterator[T]:
    """The same items, made by a thread of their own, `most` of them before they are asked for."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(most)

    def put(more: bool, item: Any) -> bool:
        while not stop.is_set():
            try:
                ready.put((more, item), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(True, item):
                    return
            put(False, None)
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            put(False, error)

    threading.Thread(target=work, name="gigapix-list", daemon=True).start()
    return _taken(ready, stop)


def _taken(ready: queue.Queue[tuple[bool, Any]], stop: threading.Event) -> Iterator[Any]:
    while True:
        try:
            more, item = ready.get(timeout=0.1)
        except queue.Empty:
            if stop.is_set():
                return
            continue
        if more:
            yield item
        elif item is None:
            return
        else:
            raise item
