"""``gigapix virtual``: an image as Zarr without copying it: what it would be, or references written."""

from __future__ import annotations

from typing import Final

import click

from gigapix.cli.options import debug_option, index_option, json_option, path_argument

LARGE_CHUNK: Final = 256 << 20
"""Bytes of a chunk, from which on a reader is warned."""


@click.command(name="virtual")
@path_argument
@click.argument("out", required=False)
@click.option(
    "--format", "form", type=click.Choice(["icechunk", "kerchunk-json", "kerchunk-parquet"]),
    help="Where OUT does not tell it by .icechunk, .json or .parquet.",
)  # fmt: skip
@click.option("--url", help="Of PATH, for those who will read the references.")
@index_option
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@json_option
@debug_option
def command(
    path: str, out: str | None, form: str | None, url: str | None, index: int, overwrite: bool, as_json: bool
) -> None:
    """Show PATH as a Zarr group, or write that group to OUT as references: byte ranges of PATH, no pixels.

    OUT is an Icechunk repository (.icechunk), or kerchunk references as JSON (.json) or Parquet (.parquet).
    """
    import os

    os.environ.setdefault("ICECHUNK_LOG", "error")  # else it warns of repositories on disk
    from gigapix.cli.opened import opened
    from gigapix.cli.output import human_bytes, print_json, printable
    from gigapix.views.references import plan_references
    from gigapix.views.references_write import write_references

    with opened(path, index) as image:
        plan = plan_references(image)
        if out is not None:
            written = write_references(image, out, format=form, url=url, overwrite=overwrite)  # type: ignore[arg-type]
        if plan.chunk_bytes > LARGE_CHUNK:
            largest = human_bytes(plan.chunk_bytes)
            click.echo(f"gigapix: a chunk has {largest}, which a reader of any of its pixels holds", err=True)
        if as_json:
            arrays = [
                {
                    "path": each.array.path,
                    "shape": each.array.shape,
                    "chunks": each.array.chunks,
                    "dtype": str(each.array.dtype),
                    "codecs": [codec["name"] for codec in each.chain],
                    "fault": each.fault or None,
                }
                for each in plan.arrays
            ]
            where = {} if out is None else {
                "out": written.path, "format": written.format, "references": written.references,
                "container": written.container or None,
            }  # fmt: skip
            print_json({"path": image.path, "arrays": arrays, **where})
        elif out is None:
            click.echo("\n".join(map(printable, str(plan).splitlines())))
        else:
            click.echo(f"{printable(written.path)}: {written.arrays} arrays, {written.references} references")
            if written.container:
                click.echo(f"virtual chunk container: {printable(written.container)}")
