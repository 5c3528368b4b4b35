"""``gigapix create-tms``: the tile matrix set of an image's own grid."""

from __future__ import annotations

import click

from gigapix.cli.options import debug_option, index_option, path_argument


@click.command(name="create-tms")
@path_argument
@index_option
@click.option("--id", "identifier", help="Its identifier; a new UUID where none is given.")
@click.option("--title", help="For people.")
@debug_option
def command(path: str, index: int, identifier: str | None, title: str | None) -> None:
    """Print the OGC TileMatrixSet 2.0 of an image's own grid as JSON: its CRS, a tile matrix for each level."""
    from gigapix.cli.opened import opened
    from gigapix.cli.output import print_json
    from gigapix.interop.tms import tile_matrix_set

    with opened(path, index) as image:
        print_json(tile_matrix_set(image, id=identifier, title=title))
