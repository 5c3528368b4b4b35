"""Small files of microscopes and slide scanners, written by tifffile: OME-TIFF, ImageJ, Aperio SVS.

`MICRO` maps a name to a function that writes the file and returns the pixels of its first image at full resolution: as
(T, C, Z, Y, X) without T, C and Z of size 1, the samples of RGB in C. Every plane is different, so that two planes in
the wrong order show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

Pixels = npt.NDArray[Any]
NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
T, C, Z, HEIGHT, WIDTH = 2, 3, 4, 37, 45


def planes(t: int = T, c: int = C, z: int = Z, height: int = HEIGHT, width: int = WIDTH, dtype: str = "u2") -> Pixels:
    """(T, C, Z, Y, X): noise, each plane with a level of its own."""
    noise = np.random.default_rng(0).integers(0, 64, (t, c, z, height, width))
    level = np.arange(t * c * z).reshape(t, c, z, 1, 1) * (3 if np.dtype(dtype).itemsize == 1 else 64)
    return (noise + level).astype(dtype)


def stored(pixels: Pixels, order: str) -> Pixels:
    """(T, C, Z, Y, X) with the first axes as `order` (T, C and Z, fastest first) lays pages into a file."""
    return np.ascontiguousarray(pixels.transpose(*("TCZ".index(axis) for axis in reversed(order)), 3, 4))


def ome_xml(
    pixels: str, tiff_data: str = "<TiffData/>", *, uuid: str = "", channels: str = "", after: str = "", image: str = ""
) -> str:
    """OME-XML of one image: attributes of Pixels, its TiffData, its channels, and what follows the images."""
    root = f' UUID="{uuid}"' if uuid else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{NAMESPACE}"{root}><Image ID="Image:0" Name="one">'
        f'<Pixels ID="Pixels:0" {pixels}>{channels}{tiff_data}</Pixels>{image}</Image>{after}</OME>'
    )


def sizes(order: str, t: int = T, c: int = C, z: int = Z, dtype: str = "uint16") -> str:
    """Attributes of a Pixels element."""
    extent = f'SizeX="{WIDTH}" SizeY="{HEIGHT}" SizeZ="{z}" SizeC="{c}" SizeT="{t}"'
    return f'DimensionOrder="XY{order}" Type="{dtype}" {extent}'


def write_pages(path: Path, pages: Pixels, description: str = "", **options: Any) -> None:
    """Pages as they are, the first with a description."""
    with tifffile.TiffWriter(path, byteorder=options.pop("byteorder", "<")) as writer:
        for number, page in enumerate(pages):
            text = description.encode() if number == 0 and description else None
            writer.write(page, description=text, metadata=None, photometric="minisblack", **options)


def ome_in_order(path: Path, order: str = "CZT", byteorder: str = "<") -> Pixels:
    """All planes of one file, in one of the six orders."""
    pixels = planes()
    pages = stored(pixels, order).reshape(-1, HEIGHT, WIDTH)
    write_pages(path, pages, ome_xml(sizes(order)), byteorder=byteorder, compression="zlib", predictor=2)
    return pixels


def ome_reversed(path: Path) -> Pixels:
    """The pages in the opposite order, each named by a TiffData of its own."""
    pixels = planes(c=1)
    rows = [
        f'<TiffData IFD="{T * Z - 1 - (t * Z + z)}" FirstT="{t}" FirstZ="{z}"/>' for t in range(T) for z in range(Z)
    ]
    pages = pixels.reshape(-1, HEIGHT, WIDTH)[::-1]
    write_pages(path, pages, ome_xml(sizes("ZCT", c=1), "".join(rows)), compression="zlib")
    return pixels[:, 0]


def ome_pyramid(path: Path, byteorder: str = "<") -> Pixels:
    """Five axes with two reduced resolutions of each plane in SubIFDs, tiled."""
    pixels = planes(height=80, width=96)
    pages = stored(pixels, "CZT")
    options: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True, byteorder=byteorder) as writer:
        metadata = {"axes": "TZCYX", "PhysicalSizeX": 0.5, "Channel": {"Name": ["a", "b", "c"]}}
        writer.write(pages, subifds=2, metadata=metadata, **options)
        for step in (2, 4):
            writer.write(pages[..., ::step, ::step], subfiletype=1, **options)
    return pixels


def ome_rgb(path: Path, planar: bool = False) -> Pixels:
    """RGB pages along Z. Samples stand in C: (C, Z, Y, X)."""
    pixels = planes(t=1, c=3, dtype="u1")[0]
    shown = pixels.transpose(1, 0, 2, 3) if planar else pixels.transpose(1, 2, 3, 0)
    tifffile.imwrite(
        path, shown, ome=True, photometric="rgb", planarconfig="separate" if planar else "contig",
        metadata={"axes": "ZSYX" if planar else "ZYXS"},
    )  # fmt: skip
    return pixels


def ome_two_images(path: Path) -> Pixels:
    """Two images with stacks of their own, in one file."""
    first, second = planes(t=1, c=1)[0, 0], planes(t=3, c=1, z=1, height=20, width=20)[:, 0, 0]
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(first, photometric="minisblack", metadata={"axes": "ZYX", "Name": "first"})
        writer.write(second, photometric="minisblack", metadata={"axes": "TYX", "Name": "second"})
    return first


def ome_set(folder: Path, names: Sequence[str] = ("z0.ome.tif", "z1.ome.tif", "z2.ome.tif")) -> Pixels:
    """A set of files, one for each Z with its planes along T; each holds the whole text. Returns (T, Z, Y, X)."""
    pixels = planes(c=1, z=len(names))[:, 0]
    rows = "".join(
        f'<TiffData IFD="{t}" FirstT="{t}" FirstZ="{z}" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{z}</UUID></TiffData>'
        for z, name in enumerate(names)
        for t in range(T)
    )
    for z, name in enumerate(names):
        text = ome_xml(sizes("ZCT", c=1, z=len(names)), rows, uuid=f"urn:uuid:{z}")
        write_pages(folder / name, pixels[:, z], text)
    return pixels


def ome_binary_only(path: Path) -> Pixels:
    """One page of a set whose text lies in a companion file."""
    binary = f'<OME xmlns="{NAMESPACE}"><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:9"/></OME>'
    pixels = planes(1, 1, 1)[0, 0]
    write_pages(path, pixels, binary)
    return pixels[0]


def imagej_hyperstack(path: Path, byteorder: str = ">", **options: Any) -> Pixels:
    """Five axes with an IFD for each plane, labels, display ranges and LUTs."""
    pixels = planes()
    luts = [np.zeros((3, 256), np.uint8) for _ in range(C)]
    for channel, lut in enumerate(luts):
        lut[channel] = np.arange(256)
    metadata = {
        "axes": "TZCYX", "spacing": 0.25, "unit": "um", "finterval": 1.5, "mode": "composite",
        "LUTs": luts, "Ranges": (0.0, 255.0) * C, "Labels": [f"plane {n}" for n in range(T * C * Z)], "Info": "of µ",
    }  # fmt: skip
    tifffile.imwrite(
        path, stored(pixels, "CZT"), imagej=True, byteorder=byteorder, resolution=(4, 4), metadata=metadata, **options
    )
    return pixels


def imagej_contiguous(path: Path) -> Pixels:
    """Five axes and one IFD: the planes follow the first one's data."""
    pixels = planes()
    tifffile.imwrite(path, stored(pixels, "CZT"), imagej=True, truncate=True, metadata={"axes": "TZCYX"})
    return pixels


def imagej_rgb(path: Path) -> Pixels:
    """RGB pages along Z. Samples stand in C: (C, Z, Y, X)."""
    pixels = planes(t=1, c=3, dtype="u1")[0]
    tifffile.imwrite(path, pixels.transpose(1, 2, 3, 0), imagej=True, photometric="rgb", metadata={"axes": "ZYXS"})
    return pixels


def shaped_truncated(path: Path) -> Pixels:
    """tifffile's own description, and one IFD for all planes."""
    pixels = planes(t=1)[0]
    tifffile.imwrite(path, pixels, truncate=True, photometric="minisblack", metadata={"axes": "CZYX"})
    return pixels


def svs(path: Path, focal_planes: int = 1) -> Pixels:
    """A slide: the full resolution in JPEG tiles, a thumbnail in strips, two reductions, label and macro.

    Returns the decoded full resolution, (C, Y, X), or with focal planes (C, Z, Y, X).
    """
    y, x = np.mgrid[0:256, 0:320]
    slide = np.stack([x % 251, y % 251, (x + y) % 251], axis=-1).astype(np.uint8)
    header = "Aperio Image Library v11.2.1 \r\n320x256 [0,0 320x256] (64x64) JPEG/RGB Q=90"
    text = f"{header}|AppMag = 20|MPP = 0.4990|Filename = made up|Left = 25.691574"
    tiles: dict[str, Any] = {"tile": (64, 64), "compression": "jpeg", "compressionargs": {"level": 90}}
    common: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": False}
    with tifffile.TiffWriter(path) as writer:
        writer.write(slide, description=text, **tiles, **common)
        writer.write(slide[::8, ::8], description="Aperio Image Library v11.2.1 \r\n320x256 -> 40x32 - ", **common)
        for focus in range(1, focal_planes):
            writer.write(slide - np.uint8(focus), description=text, **tiles, **common)
        for step in (2, 4):
            for focus in range(focal_planes):
                writer.write(slide[::step, ::step] - np.uint8(focus), description=text, **tiles, **common)
        for kind, name, height, width in ((1, "label", 30, 25), (9, "macro", 20, 60)):
            line = f"Aperio Image Library v11.2.1 \r\n{name} {width}x{height}"
            writer.write(slide[:height, :width], description=line, subfiletype=kind, **common)
    pages = [0, *range(2, 1 + focal_planes)]
    decoded = np.stack([tifffile.imread(path, key=page) for page in pages])
    return np.moveaxis(decoded, -1, 0) if focal_planes > 1 else np.moveaxis(decoded[0], -1, 0)


MICRO: Mapping[str, Callable[[Path], Pixels]] = MappingProxyType({
    **{f"ome_{order}": (lambda path, order=order: ome_in_order(path, order))
       for order in ("CZT", "CTZ", "ZCT", "ZTC", "TCZ", "TZC")},
    "ome_big_endian": lambda path: ome_in_order(path, byteorder=">"),
    "ome_reversed": ome_reversed,
    "ome_pyramid": ome_pyramid,
    "ome_pyramid_big_endian": lambda path: ome_pyramid(path, ">"),
    "ome_rgb": ome_rgb,
    "ome_rgb_planar": lambda path: ome_rgb(path, planar=True),
    "ome_two_images": ome_two_images,
    "ome_binary_only": ome_binary_only,
    "imagej_hyperstack": imagej_hyperstack,
    "imagej_compressed": lambda path: imagej_hyperstack(path, "<", compression="zlib"),
    "imagej_contiguous": imagej_contiguous,
    "imagej_rgb": imagej_rgb,
    "shaped_truncated": shaped_truncated,
    "svs": svs,
    "svs_focal_planes": lambda path: svs(path, 3),
})  # fmt: skip
"""Name to the function that writes the file. `ome_set` writes several files and stands apart."""
