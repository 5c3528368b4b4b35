"""Honest files for the reader's tests, small, one feature each, written by tifffile, GDAL and `hostile.build`.

`FIXTURES` maps a name to a function that writes the file. The pixels are noise over a slope: no codec can get them
right by chance, and none is stuck with data that don't compress.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import tifffile
from rasterio.enums import Resampling
from rasterio.shutil import copy as gdal_copy
from rasterio.windows import Window

from tests.hostile.build import DATA, LONG, SHORT, baseline, build, tag

Pixels = npt.NDArray[Any]
Writer = Callable[[Path], None]

HEIGHT, WIDTH = 37, 45


def pixels(dtype: str = "u1", samples: int = 1, *, depth: int = 0, seed: int = 0, top: int | None = None) -> Pixels:
    """(depth, y, x, sample) without depth or sample where they are 1. Integers reach up to `top`."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    shape = (max(depth, 1), HEIGHT, WIDTH, samples)
    slope = np.linspace(0, 0.7, HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH, 1)
    values = slope + rng.random(shape) * 0.3
    if kind.kind in "ui":
        most = (np.iinfo(kind).max if top is None else top) * values
        found = most.astype(kind) if kind.kind == "u" else (most - (most.max() / 3)).astype(kind)
    elif kind.kind == "c":
        found = (values * 1000 - 300 + 1j * values[:, ::-1]).astype(kind)
    else:
        found = (values * 1000 - 300).astype(kind)
    if samples == 1:
        found = found[..., 0]
    return found if depth else found[0]


def _tifffile(path: Path, data: Pixels, order: str = "<", big: bool = False, **options: Any) -> None:
    if options.get("compression") == "jpegxl" and data.dtype.kind == "f":
        data = abs(data) / abs(data).max()  # libjxl 0.11 encodes no other floats
    options.setdefault("photometric", "rgb" if _samples(data, options) in (3, 4) else "minisblack")
    with tifffile.TiffWriter(path, byteorder=order, bigtiff=big) as writer:
        writer.write(data, metadata=None, **options)


def _samples(data: Pixels, options: dict[str, Any]) -> int:
    if options.get("planarconfig") == "separate":
        return data.shape[0]
    return data.shape[-1] if data.ndim > 2 and data.shape[-1] <= 4 else 1


LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 5},
    "one_strip": {"rowsperstrip": HEIGHT},
    "tiles": {"tile": (16, 32)},
}

LOSSLESS = ("none", "lzw", "deflate", "adobe_deflate", "packbits", "lzma", "zstd", "png", "lerc", "jpegxl", "jpeg2000")

CODEC_TYPES = {
    "jpeg": ["u1"], "webp": ["u1"], "png": ["u1", "u2"], "jpeg2000": ["u1", "u2", "i2"], "jpegxl": ["u1", "u2", "f4"],
    "jpegxr": ["u1", "u2", "f4"], "lerc": ["u1", "i2", "u2", "i4", "u4", "f4", "f8"],
}  # fmt: skip

ALL_TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]


def _codecs() -> Iterator[tuple[str, Writer]]:
    """Each codec in each layout, gray, chunky and planar."""
    for codec, (layout, options) in itertools.product((*LOSSLESS, "jpeg", "webp", "jpegxr"), LAYOUTS.items()):
        for kind in ("gray", "rgb", "planar"):
            if (codec == "webp" and kind != "rgb") or (codec == "jpegxr" and (layout, kind) != ("one_strip", "rgb")):
                continue  # WebP is colour only; each JPEG XR segment is decoded by a process of its own
            data = pixels("u1", 1 if kind == "gray" else 3)
            more: dict[str, Any] = {"planarconfig": "separate"} if kind == "planar" else {}
            data = np.ascontiguousarray(np.moveaxis(data, 2, 0)) if kind == "planar" else data
            yield f"{codec}_{layout}_{kind}", partial(_tifffile, data=data, compression=codec, **options, **more)


def _types() -> Iterator[tuple[str, Writer]]:
    """Each type that a codec takes, with each predictor that the type takes, in both byte orders."""
    for codec in (*LOSSLESS, "jpegxr"):
        for dtype in CODEC_TYPES.get(codec, ALL_TYPES):
            if dtype != "u1":
                data = pixels(dtype, top=4000 if codec == "jpeg2000" else None)
                tile = (48, 48) if codec == "jpegxr" else (16, 16)
                yield f"{codec}_{dtype}", partial(_tifffile, data=data, compression=codec, tile=tile)
    for codec, order in itertools.product(("lzw", "zstd"), "<>"):
        end = "big_endian" if order == ">" else "little_endian"
        for dtype, samples in itertools.product(ALL_TYPES, (1, 3)):
            predictor = 3 if dtype[0] == "f" else 2
            if dtype[0] == "c":
                continue
            write = partial(
                _tifffile,
                data=pixels(dtype, samples),
                order=order,
                compression=codec,
                predictor=predictor,
                rowsperstrip=7,
            )
            yield f"{codec}_{dtype}_{samples}_predictor_{end}", write
    for dtype, big in itertools.product(ALL_TYPES, (False, True)):
        write = partial(_tifffile, data=pixels(dtype, 3), order=">", big=big, tile=(16, 16))
        yield f"none_{dtype}_big_endian{'_bigtiff' if big else ''}", write
    planar = np.ascontiguousarray(np.moveaxis(pixels("u2", 5), 2, 0))
    for predictor in (1, 2):
        write = partial(
            _tifffile, data=planar, compression="deflate", predictor=predictor, planarconfig="separate", tile=(32, 16)
        )
        yield f"planar_of_5_predictor_{predictor}", write
    yield (
        "chunky_of_7",
        partial(_tifffile, data=pixels("u2", 7), planarconfig="contig", rowsperstrip=4, extrasamples=[0] * 6),
    )
    yield (
        "rgba",
        partial(_tifffile, data=pixels("u1", 4), extrasamples=["unassalpha"], compression="lzw", tile=(16, 16)),
    )
    yield (
        "palette",
        partial(
            _tifffile,
            data=pixels("u1"),
            photometric="palette",
            colormap=np.arange(768, dtype=np.uint16).reshape(3, 256),
        ),
    )
    yield "min_is_white", partial(_tifffile, data=pixels("u1"), photometric="miniswhite")
    for x, y in ((1, 1), (2, 1), (2, 2), (4, 1)):
        write = partial(
            _tifffile, data=pixels("u1", 3), compression="jpeg", photometric="ycbcr", subsampling=(x, y), tile=(32, 32)
        )
        yield f"jpeg_ycbcr_{x}x{y}", write


def _bits() -> Iterator[tuple[str, Writer]]:
    """Samples of any number of bits, in strips whose rows end within a byte."""
    odd = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 17, 20, 24, 28, 31)
    for bits, samples, order in itertools.product(odd, (1, 3), "<>"):
        if bits == 24 and order == ">":
            continue  # tifffile returns more than 24 bits
        write = partial(_bit_file, (bits,) * samples, order)
        yield f"bits_{bits}_{samples}_{'be' if order == '>' else 'le'}", write
    yield "rgb565_le", partial(_bit_file, (5, 6, 5), "<")
    yield "float24_le", partial(_bit_file, (24,), "<", sample_format=3)
    yield "float24_be", partial(_bit_file, (24,), ">", sample_format=3)
    yield "fill_order_2", partial(_bit_file, (1,), "<", fill_order=2)
    yield "fill_order_2_bytes", partial(_bit_file, (8,), "<", fill_order=2)


def bit_values(bits: tuple[int, ...]) -> Pixels:
    """What `_bit_file` holds: (y, x, sample) uint64."""
    rng = np.random.default_rng(bits[0])
    return np.stack([rng.integers(0, 1 << b, (HEIGHT, WIDTH), dtype=np.uint64) for b in bits], axis=-1)


def _bit_file(bits: tuple[int, ...], order: str, path: Path, fill_order: int = 1, sample_format: int = 1) -> None:
    rows_per_strip = 10
    values = bit_values(bits)
    rows = []
    for row in values:
        # 8, 16 ... bits in the file's byte order, everything else most significant bit first (TIFF 6.0 section 7).
        text = "".join(f"{value:0{b}b}" for pixel in row.tolist() for value, b in zip(pixel, bits, strict=True))
        text = text.ljust(-(-len(text) // 8) * 8, "0")
        rows.append(int(text, 2).to_bytes(len(text) // 8))
    strips = [b"".join(rows[n : n + rows_per_strip]) for n in range(0, HEIGHT, rows_per_strip)]
    if fill_order == 2:
        flip = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))
        strips = [strip.translate(flip) for strip in strips]
    starts = list(itertools.accumulate((len(strip) for strip in strips), initial=DATA))[:-1]
    directory = baseline(
        WIDTH,
        HEIGHT,
        t258=tag(258, SHORT, *bits),
        t262=tag(262, SHORT, 2 if len(bits) == 3 else 1),
        t266=tag(266, SHORT, fill_order),
        t273=tag(273, LONG, *starts),
        t277=tag(277, SHORT, len(bits)),
        t278=tag(278, LONG, rows_per_strip),
        t279=tag(279, LONG, *[len(strip) for strip in strips]),
        t339=tag(339, SHORT, *[sample_format] * len(bits)),
    )
    path.write_bytes(build(directory, data=b"".join(strips), order=order))


def _gdal(path: Path, data: Pixels, *, masked: bool = False, holes: bool = False, **profile: Any) -> None:
    data = data[..., None] if data.ndim == 2 else data
    height, width, count = data.shape
    profile |= {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": data.dtype}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as dataset:
        if holes:
            dataset.write(data[:16, :16].transpose(2, 0, 1), window=Window(0, 0, 16, 16))
        else:
            dataset.write(data.transpose(2, 0, 1))
        if masked:
            dataset.write_mask(np.indices((height, width)).sum(0) % 5 > 1)


def _cog(path: Path, data: Pixels, *, masked: bool = False, **options: Any) -> None:
    with rasterio.MemoryFile() as memory:
        profile = {
            "driver": "GTiff",
            "height": data.shape[0],
            "width": data.shape[1],
            "count": data.shape[2],
            "dtype": data.dtype,
        }
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            with memory.open(**profile, crs="EPSG:32632", transform=rasterio.Affine(2, 0, 5e5, 0, -2, 5e6)) as dataset:
                dataset.write(data.transpose(2, 0, 1))
                if masked:
                    dataset.write_mask(np.indices(data.shape[:2]).sum(0) % 7 > 1)
            with memory.open() as dataset:
                gdal_copy(dataset, path, driver="COG", blocksize=128, **options)


def _gdal_files() -> Iterator[tuple[str, Writer]]:
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    gray, rgb = pixels("u1"), pixels("u1", 3)
    for codec, kind in itertools.product(
        ("LZW", "DEFLATE", "ZSTD", "LERC_DEFLATE", "LERC_ZSTD", "LERC", "LZMA", "PACKBITS"), ("strips", "tiles")
    ):
        layout = tiles if kind == "tiles" else {"blockysize": 6}
        yield f"gdal_{codec.lower()}_{kind}", partial(_gdal, data=pixels("u2", 3), compress=codec, **layout)
    for predictor, dtype in ((2, "u2"), (2, "i4"), (3, "f4"), (3, "f8")):
        write = partial(
            _gdal, data=pixels(dtype, 2), compress="DEFLATE", predictor=predictor, interleave="pixel", **tiles
        )
        yield f"gdal_predictor_{predictor}_{dtype}", write
    for interleave in ("pixel", "band"):
        yield f"gdal_{interleave}", partial(_gdal, data=pixels("u2", 4), interleave=interleave, **tiles)
        yield (
            f"gdal_sparse_{interleave}",
            partial(_gdal, data=rgb, holes=True, SPARSE_OK=True, interleave=interleave, **tiles),
        )
    yield "gdal_sparse_nodata", partial(_gdal, data=pixels("i2", 2), holes=True, SPARSE_OK=True, nodata=-7, **tiles)
    yield "gdal_sparse_nan", partial(_gdal, data=pixels("f4"), holes=True, SPARSE_OK=True, nodata=float("nan"), **tiles)
    yield (
        "gdal_sparse_strips",
        partial(_gdal, data=pixels("u1")[:, :16], holes=True, SPARSE_OK=True, blockysize=16, compress="LZW"),
    )
    for codec in ("CCITTRLE", "CCITTFAX3", "CCITTFAX4", "LZW", "PACKBITS"):
        yield (
            f"gdal_bilevel_{codec.lower()}",
            partial(_gdal, data=(gray > 90).astype(np.uint8), compress=codec, nbits=1, blockysize=10),
        )
    for bits in (2, 4, 7, 12, 16):
        data = pixels("u1" if bits < 9 else "u2", 1, top=(1 << bits) - 1)
        yield f"gdal_{bits}_bits", partial(_gdal, data=data, nbits=bits, compress="LZW", **tiles)
    yield "gdal_float16", partial(_gdal, data=pixels("f4"), nbits=16, compress="DEFLATE", **tiles)
    yield "gdal_int8", partial(_gdal, data=pixels("i1"), **tiles)
    yield "gdal_complex", partial(_gdal, data=pixels("c8"), compress="LZW")
    yield "gdal_jpeg_ycbcr", partial(_gdal, data=rgb, compress="JPEG", photometric="YCBCR", **tiles)
    yield "gdal_jpeg_rgb_strips", partial(_gdal, data=rgb, compress="JPEG", blockysize=8)
    yield "gdal_webp", partial(_gdal, data=rgb, compress="WEBP", **tiles)
    yield "gdal_webp_alpha", partial(_gdal, data=pixels("u1", 4), compress="WEBP", WEBP_LOSSLESS=True, **tiles)
    yield (
        "gdal_bigtiff_big_endian",
        partial(_gdal, data=rgb, BIGTIFF="YES", ENDIANNESS="BIG", compress="DEFLATE", predictor=2),
    )
    yield "gdal_masked", partial(_gdal, data=rgb, masked=True, compress="DEFLATE", **tiles)
    large = np.tile(pixels("u1", 3), (10, 9, 1))[:300, :400]
    for codec in ("DEFLATE", "LZW", "ZSTD", "JPEG", "WEBP", "LERC"):
        options = (
            {"compress": codec, "predictor": "YES"} if codec in ("DEFLATE", "LZW", "ZSTD") else {"compress": codec}
        )
        yield f"cog_{codec.lower()}", partial(_cog, data=large, **options)
    yield "cog_masked", partial(_cog, data=large, masked=True, compress="DEFLATE")
    yield "cog_bigtiff", partial(_cog, data=large, compress="DEFLATE", BIGTIFF="YES")
    yield (
        "cog_sparse",
        partial(
            _cog, data=np.where(np.arange(400)[:, None] > 200, large, np.uint8(0)), compress="DEFLATE", SPARSE_OK="TRUE"
        ),
    )
    yield "cog_f4", partial(_cog, data=np.tile(pixels("f4", 2), (8, 8, 1)), compress="ZSTD", predictor="YES")
    yield "overviews", partial(_with_overviews, data=large)


def _with_overviews(path: Path, data: Pixels) -> None:
    _gdal(path, data, tiled=True, blockxsize=64, blockysize=64, compress="LZW")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8], Resampling.nearest)


def _stacks() -> Iterator[tuple[str, Writer]]:
    """Volumes and files of several pages."""
    for codec, tile in itertools.product(("none", "zlib", "lzw"), ((8, 16, 16), (5, 32, 16))):
        data = pixels("u2", depth=11)
        write = partial(_tifffile, data=data, compression=codec, tile=tile, volumetric=True)
        yield f"volume_{codec}_{tile[0]}", write
    volume = pixels("u1", 3, depth=9)
    yield "volume_rgb", partial(_tifffile, data=volume, tile=(4, 16, 16), volumetric=True, compression="zstd")
    yield "pages_of_one_size", partial(_pages, sizes=[(HEIGHT, WIDTH)] * 5)
    yield "pages_of_many_sizes", partial(_pages, sizes=[(20, 30), (10, 10), (1, 1), (30, 7)])


def _pages(path: Path, sizes: list[tuple[int, int]]) -> None:
    with tifffile.TiffWriter(path) as writer:
        for number, (height, width) in enumerate(sizes):
            data = np.random.default_rng(number).integers(0, 999, (height, width), np.uint16)
            writer.write(data, metadata=None, compression="deflate", rowsperstrip=3)


def all_fixtures() -> dict[str, Writer]:
    return dict(itertools.chain(_codecs(), _types(), _bits(), _gdal_files(), _stacks()))


FIXTURES = all_fixtures()
