"""Several at once: all answers in order, or the first error after the others have ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST_THREADS: Final = 15
"""A batch of header ranges rarely has more than a few; each is one request."""


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines side by side. Where one fails the others are cancelled; no task of theirs outlives the call."""
    import asyncio

    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def side_by_side(work: Sequence[Callable[[], object]], *, threads: bool = True) -> None:
    """Run functions, each in a thread but the first, which the caller runs; one after the other without `threads`."""
    if len(work) < 2 or not threads:
        for each in work:
            each()
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(work) - 1, MOST_THREADS), thread_name_prefix="gigapix") as pool:
        futures = [pool.submit(each) for each in work[1:]]
        work[0]()
    for future in futures:
        future.result()
