"""``gigapix validate``: a verdict on a file, with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from gigapix.cli.options import debug_option, json_option, path_argument

if TYPE_CHECKING:
    from gigapix.image.validate import Report

NOT_VALID: Final = 4
"""Exit code."""


@click.command(name="validate")
@path_argument
@click.option("--strict", is_flag=True, help="Warnings make it invalid, too.")
@click.option("--full", is_flag=True, help="Look at every segment, not at a few of each level.")
@json_option
@debug_option
@click.pass_context
def command(ctx: click.Context, path: str, strict: bool, full: bool, as_json: bool) -> None:
    """Tell whether a file is a Cloud Optimized GeoTIFF, and why not.

    The rules are those of rio-cogeo and of GDAL's validator; no pixel is decoded. Exit code 4 where it is not valid.
    """
    from gigapix.cli.output import print_json
    from gigapix.image.validate import validate

    report = validate(path, strict=strict, full=full)
    if as_json:
        print_json({name: getattr(report, name) for name in ("path", "valid", "errors", "warnings", "details")})
    else:
        _print(report)
    if not report.valid:
        ctx.exit(NOT_VALID)


def _print(report: Report) -> None:
    from gigapix.cli.output import printable

    click.secho(printable(report.path), bold=True)
    verdict, color = ("valid", "green") if report.valid else ("not valid", "red")
    click.echo(click.style(verdict, fg=color) + " as a Cloud Optimized GeoTIFF")
    for error in report.errors:
        click.echo(click.style("error: ", fg="red") + printable(error))
    for warning in report.warnings:
        click.echo(click.style("warning: ", fg="yellow") + printable(warning))
    if report.details.get("segments_checked"):
        click.echo(f"{report.details['segments_checked']} of {report.details['segments']} segments were looked at")
