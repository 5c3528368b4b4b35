"""``gigapix stats``: what all pixels of a level say, within the memory that is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigapix.cli.options import debug_option, index_option, json_option, level_option, path_argument

if TYPE_CHECKING:
    from gigapix.ops.histogram import Histogram
    from gigapix.ops.image import Summary
    from gigapix.ops.questions import BandSummary

_BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 64


def _percentiles(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in value.split(",")) if value is not None else ()
    except ValueError:
        found = (math.nan,)
    if not all(0 <= q <= 100 for q in found):
        raise click.BadParameter(f"{value!r} is not Q,... of 0 to 100")
    return found


def _memory(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    from gigapix.errors import RequestError
    from gigapix.image.memory import budget_of

    try:
        return None if value is None else budget_of(value)
    except RequestError as error:
        raise click.BadParameter(str(error)) from None


def _plot(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() != ".png":
        raise click.BadParameter("must end in .png")
    if value is not None and not value.parent.is_dir():  # to be told now, not when all pixels are read
        raise click.BadParameter(f"there is no folder {str(value.parent)!r}")
    return value


@click.command(name="stats")
@path_argument
@index_option
@level_option
@click.option("--memory", metavar="SIZE", callback=_memory, help="Such as 64MB; a quarter of what is free without it.")
@click.option("--threads", type=click.IntRange(min=1), help="How many decode at once; one a core without it.")
@click.option("--histogram", is_flag=True, help="Count samples of more than 16 bits, too: 256 bins, in a second pass.")
@click.option("--percentiles", metavar="Q,...", callback=_percentiles, help="Exact ones, of 0 to 100, as in 2,98.")
@click.option("--unique", type=click.IntRange(min=1), metavar="N", help="Which values there are, if N at most.")
@click.option("--threshold", type=click.Choice(["otsu", "triangle", "yen", "isodata"]), help="From the histogram.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), callback=_plot, help="Draw the histograms to a PNG."
)
@json_option
@debug_option
def command(
    path: str, index: int, level: int, memory: int | None, threads: int | None, histogram: bool,
    percentiles: tuple[float, ...], unique: int | None, threshold: str | None, plot: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Print exact statistics of each band: of every pixel, in bounded memory.

    Left out are NaN, nodata, and pixels that the file's own mask excludes. The figures do not depend on how the file is
    cut into blocks. Samples of 8 and 16 bits are counted value by value.
    """
    from gigapix.cli.opened import opened
    from gigapix.cli.output import print_json, progress
    from gigapix.ops.histogram import is_narrow
    from gigapix.ops.image import summary

    if plot is not None and plot.exists() and Path(path).exists() and plot.samefile(path):
        raise click.BadParameter("is the image itself", param_hint="--plot")
    with opened(path, index) as image:
        dtype = image.dtype
        histogram = histogram or plot is not None or is_narrow(dtype)
        samples = math.prod(image.plan(level=level).shape)
        wide = not is_narrow(dtype) and dtype.kind != "c"
        passes = max(
            1, 2 * (wide and (histogram or threshold is not None)), wide * dtype.itemsize // 2 * bool(percentiles)
        )
        with progress("reading", passes * samples) as advance:
            found = summary(
                image, level=level, memory=memory, threads=threads, histogram=histogram, percentiles=percentiles,
                unique=unique, threshold=threshold, progress=advance,
            )  # fmt: skip
    if plot is not None:
        from gigapix.cli.plot import write_plot

        write_plot(plot, [band.histogram for band in found.bands])
    if as_json:
        bands = [_plain(band, percentiles, unique, threshold) for band in found.bands]
        print_json({"path": path, "index": index, "level": level, "passes": found.passes, "bands": bands})
    else:
        _print(found, percentiles, threshold)


def _plain(
    band: BandSummary, percentiles: tuple[float, ...], unique: int | None, threshold: str | None
) -> Mapping[str, Any]:
    """The keys of a band: what was not asked for is not there, but for the histogram."""
    found: dict[str, Any] = asdict(band.statistics) if band.statistics else {}
    found["histogram"] = asdict(band.histogram) if band.histogram else None
    if percentiles:
        values = band.percentiles or (None,) * len(percentiles)
        found["percentiles"] = {_percent(q): value for q, value in zip(percentiles, values, strict=True)}
    if unique is not None and band.unique is not None:
        found["unique"] = asdict(band.unique) | {"more": band.unique.more}
    if threshold is not None:
        found["threshold"] = band.threshold
    return found


def _percent(q: float) -> str:
    """``2``, ``97.5``: in full, so that no two are the same."""
    return str(q).removesuffix(".0")


def _print(found: Summary, percentiles: tuple[float, ...], threshold: str | None) -> None:
    from gigapix.cli.output import columns, number

    names = [f"{_percent(q)}%" for q in percentiles]
    thresholds = threshold is not None
    rows = [["band", "min", "max", "mean", "std", "valid", "sum", *names, *["threshold"] * thresholds]]
    for place, band in enumerate(found.bands):
        s = band.statistics
        figures = (s.min, s.max, s.mean, s.std, s.valid, s.sum) if s else ()
        of_band = *figures, *(band.percentiles or (None,) * len(names)), *[band.threshold] * thresholds
        rows.append([str(place), *map(number, of_band)])
    for line in columns(rows):
        click.echo(line)
    for place, band in enumerate(found.bands):
        if band.unique is not None and band.unique.values is not None and band.unique.counts is not None:
            pairs = zip(band.unique.values, band.unique.counts, strict=True)
            listed = ", ".join(f"{number(value)} ({count} times)" for value, count in pairs)
            click.echo(f"\nband {place}: {listed or 'no value'}")
        elif band.unique is not None:
            click.echo(f"\nband {place}: more than {band.unique.limit} values")
        if band.histogram is not None:
            click.echo(f"\nband {place}, {number(band.histogram.min)} to {number(band.histogram.max)}")
            click.echo(bars(band.histogram))


def bars(histogram: Histogram) -> str:
    """The histogram as one line: the root of the counts, so that rare values still show, by the mean of a column, since
    columns may stand for one value more or less."""
    import numpy as np

    counts = np.asarray(histogram.counts, np.float64)
    columns = min(len(counts), _COLUMNS)
    edges = np.arange(columns) * len(counts) // columns
    heights = np.sqrt(np.add.reduceat(counts, edges) / np.diff(edges, append=len(counts)))
    steps = np.ceil(heights / heights.max() * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[step] for step in steps)
