"""``gigapix validate``: a verdict on a file or a Zarr group, with its reasons."""

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
@click.option("--full", is_flag=True, help="Of a file, look at every segment, not at a few of each level.")
@click.option("--pixels", is_flag=True, help="Of a group, compare each level with what it was made of.")
@json_option
@debug_option
@click.pass_context
def command(ctx: click.Context, path: str, strict: bool, full: bool, pixels: bool, as_json: bool) -> None:
    """Tell whether a file is a Cloud Optimized GeoTIFF, or a Zarr group a sound pyramid, and why not.

    For a file the rules are those of rio-cogeo and of GDAL's validator; no pixel is decoded. For a group they are those
    of OME-Zarr 0.4 and 0.5 and of the Zarr conventions multiscales, spatial and proj. Exit code 4 where it is not
    valid.
    """
    from gigapix.cli.output import print_json
    from gigapix.pyramids.validate import validate

    report = validate(path, strict=strict, full=full, pixels=pixels)
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
    click.echo(click.style(verdict, fg=color) + f" as {_kind(report)}")
    for error in report.errors:
        click.echo(click.style("error: ", fg="red") + printable(error))
    for warning in report.warnings:
        click.echo(click.style("warning: ", fg="yellow") + printable(warning))
    if "compared" in report.details:
        click.echo(f"pixels of {len(report.details['compared'])} levels were compared")
    if report.details.get("segments_checked"):
        click.echo(f"{report.details['segments_checked']} of {report.details['segments']} segments were looked at")


def _kind(report: Report) -> str:
    """What it was held against."""
    if "zarr_format" not in report.details:
        return "a Cloud Optimized GeoTIFF"
    ome, conventions = report.details.get("ome"), report.details.get("conventions")
    names = [f"OME-Zarr {ome}"] if ome in ("0.4", "0.5") else []
    if conventions:
        names.append(f"a group of the conventions {', '.join(conventions)}")
    return " and ".join(names) or "a pyramid"
