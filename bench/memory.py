"""A whole image in the memory that is named: four tables.

    python bench/memory.py                        image-memory-tests' own table: four files, seconds and MiB
    python bench/memory.py --grid                 every layout of TIFF and PNG, 8000 x 8000 pixels, against peers
    python bench/memory.py --gate                 fresh processes that may have 16 MiB; peaks that do not grow; giants
    python bench/memory.py --window               a window of a PNG by its index; Galaxy's question of 600 MB
    python bench/memory.py --grid --side 2000 --only "lzw,png" --peers gigapix,pyvips --repeat 1

`--quick` takes small images and one repetition: does it run?
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import memory_anchor
import memory_gate
import memory_grid
import memory_window


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where gigapix keeps the aims of the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = {"grid": memory_grid, "gate": memory_gate, "window": memory_window}
    for name, module in tables.items():
        parser.add_argument(f"--{name}", action="store_true", help=(module.__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small images, one repetition")
    parser.add_argument("--only", default="", help="rows whose name contains one of these, separated by commas")
    parser.add_argument("--peers", default="", help="of the table's peers, separated by commas")
    parser.add_argument("--side", type=int, default=0, help="of the grid's images, and of the window's")
    parser.add_argument("--repeat", type=int, default=0)
    parser.add_argument("--memory", default="", help="what gigapix is given; 12MB if not named, and in the table less")
    options = parser.parse_args(arguments)
    options.side = options.side or (1500 if options.quick else 8000)
    options.repeat = options.repeat or (1 if options.quick else 3)
    asked = [module for name, module in tables.items() if getattr(options, name)] or [memory_anchor]
    memory = options.memory
    missed = 0
    for module in asked:
        options.memory = memory or ("" if module is memory_anchor else "12MB")
        missed += module.main(options)
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
