"""Ten thousand tiles at once within little memory: `python -m tests.remote.child_tiles URL MEMORY` prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import gigapix

COUNT = 10_000


def resident(field: str) -> int:
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(field))


def start_anew() -> int:
    """Set the peak to what is held now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


async def main(url: str, memory: str) -> None:
    async with gigapix.open_async(url, memory=memory) as image:
        rows, columns = image.levels[0].grid

        async def one(n: int) -> int:
            tile = await image.tile_async(n % columns, n // columns % rows)
            return int(tile.sum(dtype="u8"))

        await asyncio.gather(*(one(n) for n in range(40)))  # what is imported and started is not the reads'
        before = start_anew()
        sums = await asyncio.gather(*(one(n) for n in range(COUNT)))
        grown = resident("VmHWM") - before
        print(
            json.dumps({"sum": sum(sums), "grown": grown, "requests": image.stats.requests, "bytes": image.stats.bytes})
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
