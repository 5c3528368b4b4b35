"""Parameters that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

path_argument: Final[Decorator] = click.argument("path", type=click.Path(path_type=str))
index_option: Final[Decorator] = click.option(
    "--index", type=click.IntRange(min=0), default=0, show_default=True, help="Which image of a file with several."
)
level_option: Final[Decorator] = click.option(
    "--level", type=click.IntRange(min=0), default=0, show_default=True, help="Which resolution; 0 is the full one."
)
json_option: Final[Decorator] = click.option("--json", "as_json", is_flag=True, help="Print JSON (keys: docs/cli.md).")


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().params["debug"] = True


debug_option: Final[Decorator] = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_remember_debug, help="Show a traceback when something fails."
)
"""So that it works behind the command's name, too."""


def integers_option(name: str, metavar: str, text: str, count: int | None = None) -> Decorator:
    """An option that takes whole numbers with commas between them; `count` of them where that is given."""

    def parse(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
        if value is None:
            return None
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if not numbers or (count is not None and len(numbers) != count):
            raise click.BadParameter(f"{value!r} is not {metavar}")
        return numbers

    return click.option(name, metavar=metavar, callback=parse, help=text)
