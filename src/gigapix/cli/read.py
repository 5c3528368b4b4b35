"""``gigapix read``: a window of an image as a file of its own."""

from __future__ import annotations

from pathlib import Path

import click

from gigapix.cli.options import debug_option, index_option, integers_option, level_option, path_argument


def _selection(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    chosen = {}
    for value in values:
        axis, _, position = value.partition("=")
        if not axis or not position.isdecimal():
            raise click.BadParameter(f"{value!r} is not AXIS=POSITION")
        chosen[axis.upper()] = int(position)
    return chosen


@click.command(name="read")
@path_argument
@integers_option("--window", "COL,ROW,WIDTH,HEIGHT", "In pixels of the level; the whole without it.", 4)
@level_option
@integers_option("--bands", "N,...", "Which bands, in this order, counted from 0; all without it.")
@click.option(
    "--select", multiple=True, callback=_selection, metavar="AXIS=N", help="A position along T or Z of a stack."
)
@index_option
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help=".npy, .tif or .png"
)
@click.option(
    "--compress", type=click.Choice(["deflate", "none"]), default="deflate", show_default=True, help="Of a .tif."
)
@debug_option
def command(
    path: str,
    window: tuple[int, ...] | None,
    level: int,
    bands: tuple[int, ...] | None,
    select: dict[str, int],
    index: int,
    output: Path,
    compress: str,
) -> None:
    """Read a window and write its pixels, as they are stored, to a file.

    The name's ending chooses the format: .npy (band first, any type, any axes), .tif (tiled; keeps CRS, place, nodata
    and palette) or .png (8 or 16 bits, 1 to 4 bands). Memory stays bounded for .npy and .tif; a .png is made in memory.
    """
    from gigapix.cli.export import export
    from gigapix.cli.opened import opened
    from gigapix.cli.output import human_bytes, progress
    from gigapix.cli.request import Request

    if output.suffix.lower() not in (".npy", ".tif", ".tiff", ".png"):
        raise click.BadParameter("must end in .npy, .tif, .tiff or .png", param_hint="--output")
    if output.exists() and Path(path).exists() and output.samefile(path):
        raise click.BadParameter("is the image itself", param_hint="--output")
    with opened(path, index) as image:
        plan = image.plan(window, level=level, bands=bands, select=select)
        request = Request(image=image, plan=plan, level=level, bands=bands, select=select, compress=compress)
        with progress("reading", plan.nbytes) as advance:
            export(request, output, advance)
    shape = " x ".join(map(str, plan.shape))
    size = human_bytes(output.stat().st_size) if output.is_file() else "written"
    click.echo(f"{output}: {shape} ({plan.axes}), {plan.level.dtype}, {size}", err=True)
