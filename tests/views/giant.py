"""A COG of 100,000 x 100,000 pixels in a file full of holes."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.hostile.build import LONG, LONG8, SHORT, amended, build, tag, tiled

SIDE, TILE = 100_000, 512


def giant_cog(path: Path, row: int, column: int) -> npt.NDArray[Any]:
    """IFDs first, each followed by its tables, then the tiles, of the full resolution first. Of those, 2 x 2 from a row
    and column of tiles on are there, the others are holes. Returns their pixels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 16, (2 * TILE, 2 * TILE)).astype("u1")
    sides = [math.ceil(SIDE / 2**n) for n in range(9)]
    across = SIDE // TILE + 1
    room = 160 << 10  # a tile's

    def directories(start: int) -> list[Any]:
        found = []
        for side in sides:
            count = math.ceil(side / TILE) ** 2
            found.append(
                amended(
                    tiled(side, side, TILE, offsets=[0], counts=[0], t259=tag(259, SHORT, 8)),
                    t254=tag(254, LONG, int(side < SIDE)),
                    t324=tag(324, LONG8, *range(start, start + count * room, room)),
                    t325=tag(325, LONG, *[len(coded[0])] * count),
                )
            )
            start += count * room
        return found

    tiles = [pixels[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE].tobytes() for y in range(2) for x in range(2)]
    coded = [zlib.compress(tile) for tile in tiles]
    size = max(map(len, coded))
    coded = [each.ljust(size, b"\0") for each in coded]
    start = len(build(*directories(0), big=True))
    with path.open("wb") as file:
        file.write(build(*directories(start), big=True))
        for n, each in enumerate(coded):
            file.seek(start + ((row + n // 2) * across + column + n % 2) * room)
            file.write(each)
        file.truncate(start + sum(math.ceil(side / TILE) ** 2 for side in sides) * room)
    return pixels
