"""The command line: one file per command, loaded when the command is called.

``gigapix --help`` must answer at once, so the commands' names and summaries stand here, and nothing is imported before
click knows which one is meant. Data goes to stdout, progress and faults to stderr. Exit codes: 0 done, 1 failed,
2 usage, 3 partly done, 4 not valid. A fault is one line that names the file, the place in it and what is wrong;
``--debug`` shows the traceback instead.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import click

COMMANDS: Final[Mapping[str, str]] = MappingProxyType({
    "info": "Describe an image: its levels, encoding, place on Earth, channels.",
    "tags": "List every tag of the image's directories.",
    "read": "Read a window and write it to .npy, .tif or .png.",
    "stats": "Exact minimum, maximum, mean, deviation and histogram of each band.",
    "scan": "Read the headers of many images into a Parquet catalogue.",
    "query": "Ask a catalogue by SQL.",
    "pyramid": "Make all resolutions of an image, as OME-Zarr and GeoZarr.",
    "virtual": "An image as a Zarr group: show it, or write it as references (Icechunk, kerchunk).",
    "validate": "Tell whether a file is a Cloud Optimized GeoTIFF, and why not.",
    "create-tms": "Write the TileMatrixSet of an image's own grid (OGC, JSON).",
})  # fmt: skip
"""Name and summary; the command itself is `command` in the module of that name, with ``_`` for ``-``."""


class Commands(click.Group):
    """click's group with commands that are imported late, and with faults as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gigapix.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the summaries without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a fault becomes one line on stderr and exit code 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own business; it leaves quietly when the reader of a pipe is gone
        except Exception as error:  # the last to see it: nobody should be shown a traceback unasked
            if ctx.params["debug"]:
                raise
            click.echo(f"gigapix: {fault(error)}", err=True)
            ctx.exit(1)


def fault(error: Exception) -> str:
    """One line for one fault."""
    from gigapix.cli.output import printable
    from gigapix.errors import GigapixError

    if isinstance(error, GigapixError):
        return printable(str(error))
    if isinstance(error, OSError) and error.strerror:
        return printable(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    if isinstance(error, MemoryError):
        return "out of memory"
    return printable(f"a fault in gigapix itself, {type(error).__name__}: {error} (--debug shows where)")


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gigapix", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def main(*, debug: bool) -> None:
    """Open images that don't fit in memory, and read only what is needed.

    Images, levels and bands are counted from 0. Each command has its own --help.
    """
