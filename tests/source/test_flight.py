import asyncio
import threading
import time

import pytest

from gigapix.source.flight import SingleFlight
from gigapix.source.signal import Signal


def test_threads_share_one_answer():
    flight = SingleFlight()
    began, go, calls, answers = threading.Event(), threading.Event(), [], []

    def work():
        calls.append(1)
        began.set()
        go.wait(10)
        return object()

    threads = [threading.Thread(target=lambda: answers.append(flight.run("k", work))) for _ in range(20)]
    threads[0].start()
    began.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(flight._under_way[None, "k"].done._wakers) < 19:
        time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and len(answers) == 20 and len(set(map(id, answers))) == 1
    assert flight.run("k", lambda: 7) == 7


def test_threads_share_one_error():
    flight = SingleFlight()
    began, go, errors = threading.Event(), threading.Event(), []

    def work():
        began.set()
        go.wait(10)
        raise ValueError("odd")

    def ask():
        try:
            flight.run("k", work)
        except ValueError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    threads[0].start()
    began.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert len(errors) == 5


def test_tasks_share_one_answer_each_a_copy_of_its_own():
    flight = SingleFlight(share=list)
    calls = []

    async def work():
        calls.append(1)
        await asyncio.sleep(0.01)
        return [1, 2]

    async def main():
        return await asyncio.gather(*(flight.run_async("k", work) for _ in range(100)))

    answers = asyncio.run(main(), debug=True)
    assert len(calls) == 1 and answers == [[1, 2]] * 100 and len(set(map(id, answers))) == 100


def test_where_the_first_is_cancelled_the_next_takes_over():
    flight = SingleFlight()
    calls = []

    async def work():
        calls.append(1)
        await asyncio.sleep(0.01)
        return len(calls)

    async def main():
        tasks = [asyncio.ensure_future(flight.run_async("k", work)) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(main(), debug=True)
    assert isinstance(first, asyncio.CancelledError) and others == [2, 2, 2, 2]


def test_one_who_waits_may_be_cancelled():
    flight = SingleFlight()

    async def work():
        await asyncio.sleep(0.01)
        return 1

    async def main():
        tasks = [asyncio.ensure_future(flight.run_async("k", work)) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main(), debug=True)
    assert [a for a in answers if a == 1] == [1] * 4 and isinstance(answers[3], asyncio.CancelledError)


def test_all_are_cancelled_and_nobody_takes_over():
    flight = SingleFlight()
    calls = []

    async def work():
        calls.append(1)
        await asyncio.sleep(10)

    async def main():
        tasks = [asyncio.ensure_future(flight.run_async("k", work)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(a, asyncio.CancelledError) for a in asyncio.run(main(), debug=True))
    assert len(calls) == 1 and not flight._under_way


def test_a_task_shares_what_a_thread_does_and_a_blocking_call_in_the_loop_does_not_wait_for_its_tasks():
    flight = SingleFlight()
    began, go = threading.Event(), threading.Event()

    def slow():
        began.set()
        go.wait(10)
        return "thread"

    async def never():
        await asyncio.sleep(30)

    async def main():
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(None, flight.run, "k", slow)
        await asyncio.to_thread(began.wait, 10)
        waiting = asyncio.ensure_future(flight.run_async("k", never))
        await asyncio.sleep(0)
        go.set()
        assert await waiting == await thread == "thread"
        task = asyncio.ensure_future(flight.run_async("k", never))
        await asyncio.sleep(0)
        assert flight.run("k", lambda: "at once") == "at once"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main(), debug=True)


def test_a_loop_that_was_closed_is_not_woken():
    signal = Signal()
    loop = asyncio.new_event_loop()

    async def main():
        task = asyncio.ensure_future(signal.wait_async())
        await asyncio.sleep(0)
        task.cancel()

    loop.run_until_complete(main())
    loop.close()
    signal.set()
    assert signal.is_set
