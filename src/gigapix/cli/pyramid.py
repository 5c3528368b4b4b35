"""``gigapix pyramid``: all resolutions of an image, in one pass."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from gigapix.cli.options import debug_option


@click.command(name="pyramid")
@click.argument("source")
@click.argument("target")
@click.option("--plan", "plan_only", is_flag=True, help="Only show what would be read, held and written.")
@click.option("--factors", metavar="N | AXIS=N[:N...],...", help="2, or by axis and level: z=1:2:2,y=2,x=2.  [2]")
@click.option(
    "--reducer", "reducers", multiple=True, metavar="NAME", help="mean, max, mode ...; several: --reducer each."
)
@click.option("--levels", type=click.IntRange(min=0), help="Levels beyond the full one; until they fit a chunk.")
@click.option("--chunks", metavar="N | AXIS=N,...", help="Samples along each side of a chunk.")
@click.option("--shards", metavar="N | AXIS=N,...", help="Samples along each side of a shard.")
@click.option("--codec", help="zstd, blosc, gzip, htj2k or none; a level as in zstd:5. Of a COG: see below.")
@click.option(
    "--levels-from-codec", is_flag=True, help="With htj2k: write level 0 alone, in chunks that hold them all."
)
@click.option("--references", type=click.Choice(["icechunk", "kerchunk"]), help="Write references to those levels.")
@click.option("--memory", metavar="SIZE", help="Bytes to hold at most, as in 500MB.")
@click.option("--nodata", type=float, help="A value that is left out of every reduction.")
@click.option("--axes", help="Names of the source's axes: zyx, or time,lat,lon.")
@click.option("--name", help="Of the image, for the metadata.")
@click.option("--zarr-format", type=click.IntRange(2, 3), default=3, show_default=True, help="2 is OME-Zarr 0.4.")
@click.option("--workers", type=click.IntRange(min=1), help="Threads; as many as cores.")
@click.option("--executor", metavar="WHERE", help="processes, processes:N, or dask://HOST:PORT.")
@click.option("--select", metavar="AXIS=N,...", help="Positions along axes that a COG can't have.")
@click.option("--index", type=click.IntRange(min=0), help="Which image of a file with several.")
@click.option("--overwrite", is_flag=True, help="Delete what has the target's name first.")
@click.option("--no-resume", is_flag=True, help="Begin anew, where a run that was stopped could be gone on with.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@debug_option
def command(source: str, target: str, plan_only: bool, as_json: bool, **given: Any) -> None:
    """Write all resolutions of SOURCE to TARGET: a COG where that ends in .tif, else a Zarr group.

    SOURCE is any image that gigapix opens, or a Zarr array or group, by path or URL. TARGET is a path or URL. A run
    that was stopped goes on where it was when it is started again; a COG begins anew.

    A COG has the codecs deflate, zstd, lzw, none, jpeg:85, webp:75, webp:lossless, lerc:0.01, and lerc:0.01+zstd.
    """
    from gigapix.cli.output import print_json
    from gigapix.pyramids.plan import pyramid

    running = {name: given.pop(name) for name in ("executor", "overwrite", "no_resume")}
    options = {name: value for name, value in given.items() if value not in (None, (), "")}
    for name in ("factors", "chunks", "shards", "select"):
        if name in options:
            options[name] = _by_axis(options[name], name)
    if "axes" in options:
        options["axes"] = options["axes"].split(",") if "," in options["axes"] else options["axes"]
    if "reducers" in options:
        options["reducers"] = list(options["reducers"])
    plan = pyramid(source, target, **options)
    if not plan_only:
        plan.run(
            running["executor"], resume=not running["no_resume"], overwrite=running["overwrite"], progress=True
        )  # fmt: skip
    if as_json:
        arrays = [
            {"path": each.path, "shape": each.shape, "dtype": str(each.dtype), "chunks": each.chunks,
             "shards": each.shards, "scale": level.scale, "translation": level.translation, "reducer": level.reducer}
            for each, level in zip(plan.outputs, plan.levels(), strict=True)
        ]  # fmt: skip
        print_json({"target": plan.target.name, "axes": plan.dims, "arrays": arrays, "reads": plan.reads,
                    "writes": plan.writes, "memory": plan.memory_bytes, "workers": plan.workers})  # fmt: skip
    elif plan_only:
        click.echo(str(plan))
    else:
        click.echo(f"{plan.target.name}: {len(plan.outputs)} arrays")


def _by_axis(text: str, option: str) -> Any:
    """``2``, ``y=2,x=2``, or with a number a level ``z=1:2:2``."""
    with contextlib.suppress(ValueError):
        if "=" not in text:
            return int(text)
        pairs = (part.split("=") for part in text.split(","))
        found = {axis: [int(number) for number in numbers.split(":")] for axis, numbers in pairs}
        return {axis: numbers if len(numbers) > 1 else numbers[0] for axis, numbers in found.items()}
    raise click.BadParameter(f"{text!r} is no number, and not like y=2,x=2", param_hint=f"--{option}")
