"""``gigapix stats``: the figures of a whole level, read block by block."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gigapix.cli.options import debug_option, index_option, json_option, level_option, path_argument

if TYPE_CHECKING:
    from gigapix.ops.histogram import Histogram
    from gigapix.ops.statistics import BandStatistics

_BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 64


@click.command(name="stats")
@path_argument
@index_option
@level_option
@click.option("--histogram", is_flag=True, help="Count samples of more than 16 bits, too: 256 bins, in a second pass.")
@json_option
@debug_option
def command(path: str, index: int, level: int, histogram: bool, as_json: bool) -> None:
    """Print exact statistics of each band: of every pixel, in bounded memory.

    Left out are NaN, nodata, and pixels that the file's own mask excludes. The figures do not depend on how the file is
    cut into blocks. Samples of 8 and 16 bits are counted value by value.
    """
    from gigapix.cli.opened import opened
    from gigapix.cli.output import print_json, progress
    from gigapix.ops.image import image_statistics

    with opened(path, index) as image:
        samples = math.prod(image.plan(level=level).shape)
        passes = 2 if histogram and image.dtype.itemsize > 2 and image.dtype.kind != "c" else 1
        with progress("reading", passes * samples) as advance:
            bands = image_statistics(image, level, histogram=histogram, advance=advance)
    if as_json:
        print_json({"path": path, "index": index, "level": level, "bands": [asdict(band) for band in bands]})
    else:
        _print(bands)


def _print(bands: tuple[BandStatistics, ...]) -> None:
    from gigapix.cli.output import columns, number

    rows = [["band", "min", "max", "mean", "std", "valid", "sum"]]
    for place, band in enumerate(bands):
        rows.append([str(place), *map(number, (band.min, band.max, band.mean, band.std, band.valid, band.sum))])
    for line in columns(rows):
        click.echo(line)
    for place, band in enumerate(bands):
        if band.histogram is not None:
            click.echo(f"\nband {place}, {number(band.histogram.min)} to {number(band.histogram.max)}")
            click.echo(_bars(band.histogram))


def _bars(histogram: Histogram) -> str:
    """The histogram as one line, with the root of the counts so that rare values still show."""
    import numpy as np

    counts = np.asarray(histogram.counts, np.float64)
    columns = min(len(counts), _COLUMNS)
    edges = np.arange(columns) * len(counts) // columns
    heights = np.sqrt(np.add.reduceat(counts, edges))
    steps = np.ceil(heights / heights.max() * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[step] for step in steps)
