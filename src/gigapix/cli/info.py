"""``gigapix info``: one look at an image, for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gigapix.cli.options import debug_option, index_option, json_option, path_argument

if TYPE_CHECKING:
    from rich.table import Table


@click.command(name="info")
@path_argument
@index_option
@json_option
@debug_option
def command(path: str, index: int, as_json: bool) -> None:
    """Describe an image from its header: no pixel is read."""
    from gigapix.cli.describe import describe
    from gigapix.cli.opened import opened
    from gigapix.cli.output import print_json

    with opened(path, index) as image:
        found = {**describe(image), "index": index}
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from gigapix.cli.output import console, printable

    out = console()
    out.print(Text(printable(found["path"]), style="bold"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="cyan", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in _facts(found).items():
        if value:
            facts.add_row(key, printable(value))
    out.print(facts)
    out.print()
    out.print(_levels(found["levels"]))
    for problem in found["problems"]:
        out.print(Text(f"note: {printable(problem)}", style="yellow"))


def _facts(found: dict[str, Any]) -> dict[str, str]:
    """The lines of the upper part; an empty one is left out."""
    from gigapix.cli.output import human_bytes, number

    kind = {"plain": "", "ome": "OME-TIFF", "svs": "SVS", "imagej": "ImageJ"}.get(found["kind"], found["kind"])
    size = human_bytes(found["size"]) if found["size"] is not None else "size unknown"
    order = f"{found['byte_order']}-endian"
    colors, crs, step = found["color_interpretation"] or [], found["crs"], found["resolution"]
    encoding = [
        found["compression"],
        "" if found["predictor"] == "none" else f"predictor: {found['predictor']}",
        found["photometric"],
        f"{found['interleave']}-interleaved" if found["bands"] > 1 else "",
        "" if found["dtype"].endswith(str(found["bits"][0])) else f"{found['bits'][0]} bits a sample",
    ]
    return {
        "file": ", ".join(filter(None, [size, found["format"], order, found["layout"], kind])),
        "image": f"{found['index']} of {found['images']}" + (f", {found['name']}" if found["name"] else ""),
        "pixels": f"{' x '.join(map(str, found['shape']))} ({found['axes']}), {found['dtype']}",
        "encoding": ", ".join(filter(None, encoding)),
        "bands": ", ".join(colors[:8]) + (f" and {len(colors) - 8} more" if len(colors) > 8 else ""),
        "palette": f"{found['colormap']} colours" if found["colormap"] else "",
        "nodata": str(found["nodata"]) if found["nodata"] is not None else "none",
        "mask": "stored" if found["mask"] else "none",
        "CRS": f"{'EPSG:' + str(crs['epsg']) if crs['epsg'] else ''} {crs['name'] or ''}".strip() if crs else "",
        "origin": ", ".join(map(number, found["origin"] or [])),
        "resolution": f"{number(step[0])} x {number(step[1])}" if step else "",
        "bounds": ", ".join(map(number, found["bounds"] or [])),
        "GCPs": str(found["gcps"] or ""),
        "channels": ", ".join(channel["name"] or f"({n})" for n, channel in enumerate(found["channels"])),
        "pixel size": ", ".join(f"{k} {number(v['value'])} {v['unit']}" for k, v in found["pixel_size"].items()),
        "header": f"{human_bytes(found['header_bytes'])} in {_times(found['requests'], 'request')}",
    }


def _levels(levels: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from gigapix.cli.output import human_bytes

    columns = (
        "level",
        "pixels",
        "scale",
        "segments",
        "of",
        "stored: min",
        "mean",
        "max",
        "sparse",
        "mask",
        "in memory",
    )
    table = Table(*columns, box=None, pad_edge=False)
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    for place, level in enumerate(levels):
        segment, sizes = level["segment"], level["segment_bytes"]
        deep = f" x {segment['depth']}" if segment["depth"] > 1 else ""
        stored = [human_bytes(sizes[key]) for key in ("min", "mean", "max")] if sizes else ["?", "?", "?"]
        table.add_row(
            str(place),
            f"{level['width']} x {level['height']}",
            f"1:{level['decimation'][0]:g}",
            str(level["segments"]),
            f"{segment['width']} x {segment['height']}{deep}",
            *stored,
            str(sizes["sparse"]) if sizes else "?",
            "yes" if level["mask"] else "no",
            human_bytes(level["nbytes"]),
        )
    return table


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
