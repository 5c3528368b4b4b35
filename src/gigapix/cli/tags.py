"""``gigapix tags``: what is really in the file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from gigapix.cli.options import debug_option, index_option, json_option, path_argument

if TYPE_CHECKING:
    from gigapix.cli.directories import Directory, TagLine

_WIDTH: Final = 100
"""Characters of a value that are shown to people."""


@click.command(name="tags")
@path_argument
@index_option
@json_option
@debug_option
def command(path: str, index: int, as_json: bool) -> None:
    """List every tag of the image's directories: levels, planes and masks. Of a PNG, every chunk without pixels.

    Of long arrays and texts only the beginning is read and shown.
    """
    from gigapix.cli.directories import directories
    from gigapix.cli.opened import opened
    from gigapix.cli.output import print_json, printable

    with opened(path, index) as image:
        found = directories(image, index)
        if as_json:
            print_json({"path": path, "index": index, "directories": [_record(directory) for directory in found]})
            return
        for directory in found:  # one after the other: a stack may have a hundred thousand
            click.echo(directory.title)
            for tag in directory.tags:
                click.echo(f"  {tag.number:>5}  {tag.name:<30} {tag.type:<9} {tag.count:>10}  {_value(tag)}")
            for problem in directory.problems:
                click.echo(f"  note: {printable(problem)}")


def _record(directory: Directory) -> dict[str, Any]:
    tags = [asdict(tag) for tag in directory.tags]
    return {
        "role": directory.role, "offset": directory.offset, "tags": tags, "problems": list(directory.problems)
    }  # fmt: skip


def _value(tag: TagLine) -> str:
    from gigapix.cli.output import printable

    if tag.problem is not None:
        return f"({printable(tag.problem)})"
    value = tag.value if isinstance(tag.value, str) else _joined(tag.value, tag.type.endswith("RATIONAL"))
    text = printable(value[: _WIDTH + 1])
    return text[:_WIDTH] + ("..." if tag.shortened or len(text) > _WIDTH else "")


def _joined(value: Any, rational: bool) -> str:
    """``1/2`` for a rational, spaces between several values."""
    if not isinstance(value, tuple | list):
        return str(value)
    if not rational:
        return " ".join(map(str, value))
    pairs = value if isinstance(value[0], tuple | list) else [value]
    return " ".join(f"{numerator}/{denominator}" for numerator, denominator in pairs)
