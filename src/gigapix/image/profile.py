"""rasterio's `profile` of an image: what one passes to `rasterio.open` to write another image like it.

rasterio reports what GDAL and libtiff make of the tags, so its values are theirs: GDAL's data types and names of
compressions, and blocks as libtiff cuts them and not as they are stored (`_block_of`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from affine import Affine

if TYPE_CHECKING:
    from pyproj import CRS

_COMPRESSIONS: Final = {
    2: "ccittrle",
    3: "ccittfax3",
    4: "ccittfax4",
    5: "lzw",
    6: "OJPEG",
    7: "jpeg",
    8: "deflate",
    32771: "CCITTRLEW",
    32773: "packbits",
    32809: "THUNDERSCAN",
    32946: "deflate",
    34661: "JBIG",
    34676: "SGILOG",
    34677: "SGILOG24",
    34887: "lerc",
    34925: "lzma",
    50000: "zstd",
    50001: "webp",
    50002: "JXL",
    52546: "JXL",
}
"""rasterio's names, else GDAL's."""

_LERC: Final = {1: "lerc_deflate", 2: "lerc_zstd"}
_COLOR_SPACES: Final = {5: ("cmyk", 4, 65535), 6: ("ycbcr", 3, 65535), 8: ("cielab", 3, 3)}
"""By PhotometricInterpretation: rasterio's name, least and most samples."""


def profile_of(
    *,
    width: int,
    height: int,
    samples: int,
    bits: int,
    sample_format: int,
    photometric: int,
    compression: int,
    planar: bool,
    tile: tuple[int, int] | None,
    rows_per_strip: int | None,
    nodata: float | None,
    crs: CRS | None,
    transform: Affine | None,
    lerc_parameters: tuple[int, ...] = (),
) -> dict[str, Any]:
    """The profile of a TIFF, from the values of its tags; `tile` is (height, width), or None where it has strips.

    It differs from rasterio's in that `crs` is a `pyproj.CRS`, and that `count` is that of the stored samples, where
    GDAL makes those of CIE L*a*b* and of CMYK with alpha red, green, blue and alpha.
    """
    block_height, block_width = _block_of(width, height, samples, bits, compression, planar, tile, rows_per_strip)
    profile = {
        "driver": "GTiff",
        "dtype": _dtype_of(bits, sample_format),
        "nodata": nodata,
        "width": width,
        "height": height,
        "count": samples,
        "crs": crs,
        "transform": Affine.identity() if transform is None else transform,
        "blockxsize": block_width,
        "blockysize": block_height,
        "tiled": block_width != width,
    }
    name = _COMPRESSIONS.get(compression)
    if compression == 34887 and len(lerc_parameters) > 1:
        name = _LERC.get(lerc_parameters[1], name)
    if name is not None:
        profile["compress"] = name
    profile["interleave"] = "band" if planar or samples == 1 else "pixel"
    # GDAL converts these to RGB where it can, and then tells what they were.
    color_space, least, most = _COLOR_SPACES.get(photometric, ("", 0, 0))
    if least <= samples <= most and (bits <= 8 or (photometric == 6 and compression == 7)):
        profile["photometric"] = color_space
    return profile


def _dtype_of(bits: int, sample_format: int) -> str:
    """GDAL's type: it has no 16-bit float (up to version 3.10) and takes odd integers for unsigned."""
    kind = {2: "int", 3: "float", 5: "complex_int", 6: "complex"}.get(sample_format, "uint")
    if kind == "float" and bits <= 32:
        return "float32"
    if kind == "int" and bits not in (8, 16, 32, 64):
        kind = "uint"
    size = next((size for size in (8, 16, 32, 64, 128) if bits <= size), bits)
    if kind == "complex_int":
        return "complex_int16" if size == 32 else "complex64"
    return f"{kind}{size}"


def _block_of(
    width: int,
    height: int,
    samples: int,
    bits: int,
    compression: int,
    planar: bool,
    tile: tuple[int, int] | None,
    rows_per_strip: int | None,
) -> tuple[int, int]:
    """(height, width) of the blocks that rasterio shows.

    libtiff cuts an uncompressed image of one strip into strips of up to 8 KiB, so that a row can be read without the
    whole; GDAL reads one of over 2000 rows, if it is compressed, row by row.
    """
    if tile is not None:
        return tile
    rows = min(rows_per_strip or height, height)
    if rows == height and compression == 1 and not planar:
        rows = min(max(1, 8192 // max(1, (width * samples * bits + 7) // 8)), height)
    if rows == height > 2000 and (bits == 8 or (bits == 1 and samples == 1)):
        rows = 1
    return rows, width
