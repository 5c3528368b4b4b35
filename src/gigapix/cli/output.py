"""What goes to the terminal: JSON, texts out of files that nobody vouches for, tables and progress."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def printable(text: str) -> str:
    """The text on one line and without control characters, which could rewrite a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def human_bytes(*counts: float) -> str:
    """``1.5 MiB``; several counts in the unit of the largest, ``0.2 / 1.5 MiB``."""
    power = min(max(int(max(counts)).bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    digits = 0 if power == 0 else 1
    return " / ".join(f"{count / 1024**power:.{digits}f}" for count in counts) + f" {_UNITS[power]}"


def number(value: complex | None) -> str:
    """A figure for people: whole numbers in full, others to ten digits."""
    return "-" if value is None else f"{value}" if isinstance(value, int) else f"{value:.10g}"


def print_json(value: Any) -> None:
    """Print a value as JSON, lists of plain values on one line each.

    A complex number is ``[real, imaginary]``; JSON has no number for ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
    """
    click.echo(_json(_plain(value), ""))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _json(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(key)}: {_json(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(deeper + _json(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with the cells below one another, to the right, two spaces between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.rjust, row, widths)) for row in rows]


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, where stderr is a terminal; the function yielded moves it on."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.update(task, advance=step)
