"""What ``gigapix info`` says of an image, as data: the keys of ``--json``, which docs/cli.md explains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from gigapix.cli.names import COMPRESSIONS, PHOTOMETRICS, PREDICTORS, named
from gigapix.cli.opened import ask
from gigapix.errors import GigapixError, MissingExtraError
from gigapix.formats.model import LevelSpec
from gigapix.formats.png.series import PngImage
from gigapix.formats.tiff import aperio
from gigapix.formats.zarr.image import ZarrImage
from gigapix.image.image import Image
from gigapix.image.level import Level
from gigapix.image.tiff_facts import spec_of
from gigapix.image.zarr_facts import channels, pixel_size

T = TypeVar("T")

MOST_SEGMENTS: Final = 1 << 14
"""Segments whose sizes are looked up: beyond, the tables alone would be more to read than the header (192 kB)."""


def describe(image: Image) -> dict[str, Any]:
    """Everything that the header tells, with only JSON's types, complex and non-finite numbers aside."""
    header_bytes, requests = image.header_bytes, image.stats.requests
    problems: list[str] = []

    def attempt(question: Callable[[], T]) -> T | None:
        """A fault in one figure must not cost the others: this is what one looks at when a file is broken."""
        try:
            return question()
        except GigapixError as error:
            problems.append(error.message)
            return None

    encoding = image.levels[0].spec.encoding
    name, byte_order, layout = _container(image)
    found: dict[str, Any] = {
        "path": image.path,
        "size": image.file_size,
        "format": name,
        "byte_order": byte_order,
        "kind": image.kind,
        "layout": layout,
        "images": attempt(lambda: image.count),
        "name": image.spec.name or None,
        "axes": image.axes,
        "shape": list(image.shape),
        "width": image.width,
        "height": image.height,
        "bands": image.bands,
        "dtype": str(image.dtype),
        "bits": list(encoding.bits),
        "compression": _compression(image),
        "predictor": named(PREDICTORS, encoding.predictor),
        "photometric": named(PHOTOMETRICS, encoding.photometric),
        "interleave": "band" if encoding.planar else "pixel",
        "color_interpretation": attempt(lambda: list(image.color_interpretation)),
        "colormap": attempt(lambda: len(image.colormap) if image.colormap else None),
        "nodata": attempt(lambda: image.nodata),
        "mask": image.levels[0].has_mask,
        **_place(image, attempt),
        **_stack(image),
        "levels": [_level(image, level, attempt) for level in image.levels],
        "header_bytes": header_bytes,
        "requests": requests,
    }
    said = image.metadata.get("problems", ())
    return {**found, "problems": list(dict.fromkeys([*said, *problems]))}


def _container(image: Image) -> tuple[str, str, str]:
    """Format, byte order and layout."""
    if isinstance(image.spec, PngImage):
        animated, interlaced = image.spec.png.animation is not None, image.spec.header.interlaced
        return "APNG" if animated else "PNG", "big", "interlaced" if interlaced else "rows"
    if isinstance(image.spec, ZarrImage):
        order = "big" if image.levels[0].spec.encoding.byteorder == ">" else "little"
        array = image.spec.arrays[0]
        return f"Zarr v{array.node.version}", order, "shards" if array.sharded else "chunks"
    tiff = spec_of(image).contents.file
    ghost, layout = tiff.ghost, "tiles" if image.levels[0].tiled else "strips"
    if ghost is not None and ghost.layout == "IFDS_BEFORE_DATA" and not ghost.incompatible_edition:
        layout = "COG"
    return "BigTIFF" if tiff.header.bigtiff else "TIFF", "little" if tiff.header.byteorder == "<" else "big", layout


def _compression(image: Image) -> str:
    encoding = image.levels[0].spec.encoding
    if encoding.packing is not None:
        return " + ".join(codec for codec, _ in encoding.packing.codecs) or "none"
    return named(COMPRESSIONS, encoding.compression)


def _place(image: Image, attempt: Callable[[Callable[[], Any]], Any]) -> dict[str, Any]:
    transform = attempt(lambda: image.transform)
    place: dict[str, Any] = {
        "crs": attempt(lambda: _crs(image)),
        "transform": None,
        "origin": None,
        "resolution": None,
        "bounds": None,
        "gcps": attempt(lambda: len(image.gcps)) or 0,
    }
    if transform is not None and not transform.is_identity:
        place["transform"] = list(transform)[:6]
        place["origin"] = [transform.c, transform.f]
        place["resolution"] = [math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)]
        place["bounds"] = attempt(lambda: list(image.bounds))
    return place


def _crs(image: Image) -> dict[str, Any] | None:
    if image.geokeys is None and not isinstance(image.spec, ZarrImage):
        return None
    try:
        name = image.crs.name if image.crs is not None else None
    except MissingExtraError:
        name = None
    return {"epsg": image.epsg, "name": name} if image.epsg is not None or name is not None else None


def _stack(image: Image) -> dict[str, Any]:
    if isinstance(image.spec, PngImage):
        return {"channels": [], "pixel_size": _sizes(image.metadata.get("pixel_size", {}))}
    if isinstance(image.spec, ZarrImage):
        shown = [{"name": str(each.get("label", "")), "color": _rgb(each.get("color"))} for each in channels(image)]
        return {"channels": shown, "pixel_size": _sizes(pixel_size(image))}
    stack = spec_of(image).stack
    if stack is None:
        slide = (
            aperio.parse(spec_of(image).ifd.text(270)) if image.kind == "svs" and image.spec.name == "slide" else None
        )
        size = (slide.mpp, "µm") if slide is not None and slide.mpp is not None else None
        return {"channels": [], "pixel_size": _sizes({"X": size, "Y": size} if size else {})}
    return {
        "channels": [{"name": channel.name, "color": channel.color} for channel in stack.channels],
        "pixel_size": _sizes(stack.pixel_size),
    }


def _rgb(color: Any) -> list[int] | None:
    """Six hexadecimal digits as numbers from 0 to 255."""
    try:
        return list(bytes.fromhex(color)[:3])
    except (TypeError, ValueError):
        return None


def _sizes(sizes: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    return {axis: {"value": value, "unit": unit} for axis, (value, unit) in sizes.items()}


def _level(image: Image, level: Level, attempt: Callable[[Callable[[], Any]], Any]) -> dict[str, Any]:
    spec = level.spec
    return {
        "width": level.width,
        "height": level.height,
        "shape": list(level.shape),
        "decimation": [round(scale, 4) for scale in level.scale[::-1]],
        "segment": {"width": spec.segment[2], "height": spec.segment[1], "depth": spec.segment[0]},
        "tiled": spec.tiled,
        "planes": spec.planes,
        "segments": spec.planes * _segments(spec),
        "segment_bytes": attempt(lambda: _segment_bytes(image, spec)),
        "mask": level.has_mask,
        "nbytes": level.nbytes,
    }


def _segments(spec: LevelSpec) -> int:
    """Of one plane."""
    grid = math.prod(-(-size // step) for size, step in zip(spec.volume, spec.segment, strict=True))
    return grid * (spec.samples if spec.planar else 1)


def _segment_bytes(image: Image, spec: LevelSpec) -> dict[str, Any] | None:
    """Sizes as stored, of the first plane's segments; None where there are too many of them to look at each, or where
    only decoding tells where they end (a PNG), or each is an object of its own."""
    count = _segments(spec)
    if count > MOST_SEGMENTS or spec.encoding.framing or spec.encoding.absent:
        return None
    ranges = ask(image, spec.locate(0, range(count))).ranges
    sizes = [found[1] for found in ranges if found is not None]
    stored = {"min": min(sizes), "mean": sum(sizes) / len(sizes), "max": max(sizes)} if sizes else {}
    return {"min": 0, "mean": 0, "max": 0, **stored, "sparse": count - len(sizes)}
