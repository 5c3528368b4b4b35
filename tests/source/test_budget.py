import asyncio
import random
import threading

from gigapix.source import Budget


class Meter:
    """How much is held, and was held at most."""

    def __init__(self):
        self.lock, self.held, self.most = threading.Lock(), 0, 0

    def add(self, amount):
        with self.lock:
            self.held += amount
            self.most = max(self.most, self.held)


def test_threads_and_tasks_keep_to_it_together():
    budget, meter = Budget(100), Meter()

    def work(seed):
        chance = random.Random(seed)
        for _ in range(100):
            size = chance.randint(1, 100)
            with budget.hold(size):
                meter.add(size)
                meter.add(-size)

    async def task(seed):
        chance = random.Random(seed)
        for _ in range(50):
            size = chance.randint(1, 100)
            async with budget.hold_async(size):
                meter.add(size)
                await asyncio.sleep(0)
                meter.add(-size)

    async def main():
        await asyncio.gather(*(task(seed) for seed in range(20)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    asyncio.run(main(), debug=True)
    for thread in threads:
        thread.join()
    assert meter.held == 0 and 0 < meter.most <= 100 and budget._free == 100


def test_a_wish_for_more_than_all_is_granted_alone():
    budget = Budget(10)
    with budget.hold(1000):
        assert budget._free == 0
    assert budget._free == 10


def test_first_come_first_served():
    budget, order = Budget(10), []

    async def hold(name, size):
        async with budget.hold_async(size):
            order.append(name)
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(hold("a", 6), hold("large", 10), *(hold(n, 1) for n in range(5)))

    asyncio.run(main())
    assert order[:2] == ["a", "large"]


def test_a_cancelled_wish_gives_back_what_it_had():
    budget = Budget(10)

    async def hold(size, seconds=10.0):
        async with budget.hold_async(size):
            await asyncio.sleep(seconds)

    async def main():
        tasks = [asyncio.ensure_future(hold(10)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(hold(10, 0), 5)

    asyncio.run(main(), debug=True)
    assert budget._free == 10 and not budget._waiting


def test_a_blocking_call_in_a_loop_does_not_wait_for_its_tasks():
    budget = Budget(10)

    async def main():
        async with budget.hold_async(10):
            with budget.hold(5):
                return True

    assert asyncio.run(main()) and budget._free == 10
