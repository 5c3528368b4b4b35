"""Parameters that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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


class Integers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them; `count` of them where that is given."""

    name = "integers"

    def __init__(self, metavar: str, count: int | None = None) -> None:
        self.metavar = metavar
        self.count = count

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """How it shows in the help."""
        return self.metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Parse the text."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not {self.metavar}", param, ctx)
        if self.count is not None and len(numbers) != self.count:
            self.fail(f"{value!r} is not {self.metavar}", param, ctx)
        return numbers
