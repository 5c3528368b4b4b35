"""``gigapix info``: one look at an image, for people or as JSON."""

from __future__ import annotations

from typing import Any

import click

from gigapix.cli.options import debug_option, index_option, json_option, path_argument


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
    from gigapix.cli.output import columns, printable

    click.secho(printable(found["path"]), bold=True)
    facts = {key: printable(value) for key, value in _facts(found).items() if value}
    for name, value in facts.items():
        click.echo(click.style(name.ljust(12), fg="cyan") + value)
    click.echo()
    for line in columns(_levels(found["levels"])):
        click.echo(line)
    for problem in found["problems"]:
        click.secho(f"note: {printable(problem)}", fg="yellow")


def _facts(found: dict[str, Any]) -> dict[str, str]:
    """The lines of the upper part; an empty one is left out."""
    from gigapix.cli.output import human_bytes, number

    kinds = {"plain": "", "ome": "OME-TIFF", "svs": "SVS", "imagej": "ImageJ", "shaped": "by tifffile", "png": ""}
    kind = kinds.get(found["kind"], found["kind"])
    if found["format"].startswith("Zarr"):
        kind = {"ome": "OME-Zarr", "array": ""}.get(found["kind"], found["kind"])
    size = human_bytes(found["size"]) if found["size"] is not None else "size unknown"
    colors, channels = found["color_interpretation"] or [], found["channels"]
    crs, step = found["crs"], found["resolution"]
    encoding = [
        found["compression"],
        "" if found["predictor"] == "none" else f"predictor: {found['predictor']}",
        "" if found["format"].startswith("Zarr") else found["photometric"],
        f"{found['interleave']}-interleaved" if len(found["bits"]) > 1 or found["interleave"] == "band" else "",
        "" if found["dtype"].endswith(str(found["bits"][0])) else f"{found['bits'][0]} bits a sample",
    ]
    return {
        "file": ", ".join(
            filter(None, [size, found["format"], f"{found['byte_order']}-endian", found["layout"], kind])
        ),
        "image": f"{found['index']} of {found['images']}" + (f", {found['name']}" if found["name"] else ""),
        "pixels": f"{' x '.join(map(str, found['shape']))} ({found['axes']}), {found['dtype']}",
        "encoding": ", ".join(filter(None, encoding)),
        "bands": ""
        if channels
        else ", ".join(colors[:8]) + (f" and {len(colors) - 8} more" if len(colors) > 8 else ""),
        "channels": ", ".join(channel["name"] or f"({place})" for place, channel in enumerate(channels)),
        "pixel size": ", ".join(f"{k} {number(v['value'])} {v['unit']}" for k, v in found["pixel_size"].items()),
        "palette": f"{found['colormap']} colours" if found["colormap"] else "",
        "nodata": str(found["nodata"]) if found["nodata"] is not None else "none",
        "mask": "stored" if found["mask"] else "none",
        "CRS": f"{'EPSG:' + str(crs['epsg']) if crs['epsg'] else ''} {crs['name'] or ''}".strip() if crs else "",
        "origin": ", ".join(map(number, found["origin"] or [])),
        "resolution": f"{number(step[0])} x {number(step[1])}" if step else "",
        "bounds": ", ".join(map(number, found["bounds"] or [])),
        "GCPs": str(found["gcps"] or ""),
        "header": f"{human_bytes(found['header_bytes'])} in {_times(found['requests'], 'request')}",
    }


def _levels(levels: list[dict[str, Any]]) -> list[list[str]]:
    from gigapix.cli.output import human_bytes

    rows = [["level", "pixels", "scale", "segments", "of", "stored: min / mean / max", "in memory"]]
    for place, level in enumerate(levels):
        segment, sizes = level["segment"], level["segment_bytes"]
        deep = f" x {segment['depth']}" if segment["depth"] > 1 else ""
        sparse = f", {sizes['sparse']} sparse" if sizes and sizes["sparse"] else ""
        rows.append(
            [
                str(place),
                f"{level['width']} x {level['height']}",
                f"1:{level['decimation'][0]:g}",
                f"{level['segments']}{sparse}",
                f"{segment['width']} x {segment['height']}{deep}",
                human_bytes(sizes["min"], sizes["mean"], sizes["max"]) if sizes else "?",
                human_bytes(level["nbytes"]),
            ]
        )
    return rows


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
