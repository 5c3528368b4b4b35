"""Hostile segments: bombs, garbage, cut data, and images of another size inside a tile."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from tests.hostile.build import BYTE, DATA, LONG, SHORT, UNDEFINED, Directory, Tag, amended, build, tag, tiled
from tests.hostile.case import GRAY, Case, either, fails, reads

Encoder = Callable[[npt.NDArray[Any]], bytes]

BOMB = 320 << 20
"""Decoded bytes of a bomb: more than a reader may hold."""


def encoders() -> dict[str, tuple[int, Encoder, bool]]:
    """The compression tag, the encoder of a (y, x, sample) array, and whether the codec is lossless, by name."""
    raw = lambda encode: lambda pixels: encode(pixels.tobytes())  # noqa: E731
    return {
        "none": (1, lambda pixels: pixels.tobytes(), True),
        "lzw": (5, raw(imagecodecs.lzw_encode), True),
        "jpeg": (7, lambda pixels: imagecodecs.jpeg8_encode(pixels, level=95), False),
        "deflate": (8, raw(zlib.compress), True),
        "old_deflate": (32946, raw(zlib.compress), True),
        "packbits": (32773, imagecodecs.packbits_encode, True),
        "jpeg2000": (34712, lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True), True),
        "lerc": (34887, imagecodecs.lerc_encode, True),
        "lzma": (34925, raw(lzma.compress), True),
        "zstd": (50000, raw(imagecodecs.zstd_encode), True),
        "webp": (50001, lambda pixels: imagecodecs.webp_encode(pixels, lossless=True), True),
        "png": (34933, imagecodecs.png_encode, True),
        "jpegxr": (34934, imagecodecs.jpegxr_encode, False),
        "jpegxl": (50002, lambda pixels: imagecodecs.jpegxl_encode(pixels, lossless=True), True),
    }


def one_tile(compression: int, data: bytes, *, samples: int = 1, side: int = 16, tile: int = 16, **more: Tag) -> bytes:
    """A file of one tile that holds `data`."""
    return build(one_tile_directory(compression, len(data), samples=samples, side=side, tile=tile, **more), data=data)


def one_tile_directory(compression: int, size: int, *, samples: int, side: int, tile: int, **more: Tag) -> Directory:
    plain = tiled(side, side, tile, offsets=[DATA], counts=[size], t259=tag(259, SHORT, compression))
    if samples == 3:
        plain = amended(plain, t258=tag(258, SHORT, 8, 8, 8), t262=tag(262, SHORT, 2), t277=tag(277, SHORT, 3))
    return amended(plain, **more)


def cases() -> Iterator[Case]:
    yield from damaged()
    yield from misfits()
    yield from bombs()
    yield from jpeg_tables()


def damaged() -> Iterator[Case]:
    noise = np.random.default_rng(259).bytes(4000)
    for name, (compression, encode, lossless) in encoders().items():
        samples = 3 if name == "webp" else 1
        pixels = np.repeat(GRAY[0][..., None], 3, 2) if samples == 3 else GRAY[0]
        sound = encode(pixels)
        shown = np.moveaxis(pixels.reshape(16, 16, samples), 2, 0)
        if lossless:
            yield reads(f"{name}_sound", one_tile(compression, sound, samples=samples), shown)
            yield reads(f"{name}_and_more", one_tile(compression, sound + noise, samples=samples), shown)
        # Half a JPEG or JPEG 2000 is an image to their decoders: what is asked is that nothing else happens.
        for length in (1, 2, 10, len(sound) // 2, len(sound) - 1):
            if length < len(sound):
                yield either(f"{name}_cut_at_{length}", one_tile(compression, sound[:length], samples=samples))
        yield either(f"{name}_twice", one_tile(compression, sound + sound, samples=samples))
        yield either(f"{name}_then_noise", one_tile(compression, sound[: len(sound) // 2] + noise, samples=samples))
    for compression in (2, 3, 4, 5, 6, 7, 8, 32773, 32809, 32908, 32909, 33003, 33005, 33007, 34661, 34712, 34887,
                        34892, 34925, 34933, 34934, 22610, 50000, 50001, 50002, 52546, 65000):  # fmt: skip
        for label, data in (("noise", noise), ("zeros", bytes(4000)), ("ones", b"\xff" * 4000), ("one_byte", b"\0")):
            yield either(f"compression_{compression}_of_{label}", one_tile(compression, data))
            bilevel = {"t258": tag(258, SHORT, 1)}
            yield either(f"compression_{compression}_of_{label}_bilevel", one_tile(compression, data, **bilevel))
    for first in (b"\x00\x01", b"\x80\x00", b"\x80\x40", b"\xff\xff\xff", b"\x80\x7f\xff"):
        yield either(f"lzw_begins_{first.hex()}", one_tile(5, first + noise))
    for options in (0, 1, 2, 4, 7, 0xFFFFFFFF):
        more = {"t258": tag(258, SHORT, 1), "t292": tag(292, LONG, options)}
        yield either(f"fax3_options_{options}", one_tile(3, noise, **more))


def misfits() -> Iterator[Case]:
    """An image codec's own header disagrees with the tile's size or samples."""
    small, large = np.zeros((8, 8), np.uint8), np.zeros((4096, 4096), np.uint8)
    colour, deep = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint16)
    for name, (compression, encode, _) in encoders().items():
        if name in ("none", "lzw", "deflate", "old_deflate", "packbits", "lzma", "zstd"):
            yield fails(f"{name}_of_too_little", one_tile(compression, encode(small)))
            continue
        if name == "webp":
            for label, pixels in (
                ("smaller", np.zeros((8, 8, 3), np.uint8)),
                ("larger", np.zeros((4096, 4096, 3), np.uint8)),
            ):
                yield either(f"webp_{label}", one_tile(compression, encode(pixels), samples=3))
            yield either("webp_of_colour_in_gray", one_tile(compression, encode(colour)))
            continue
        for label, pixels in (("smaller", small), ("larger", large), ("of_colour", colour), ("of_16_bits", deep)):
            try:
                data = encode(pixels)
            except Exception:  # noqa: BLE001  (the encoder doesn't do that kind)
                continue
            yield either(f"{name}_{label}", one_tile(compression, data))
        yield either(f"{name}_of_gray_in_colour", one_tile(compression, encode(GRAY[0]), samples=3))


def bombs() -> Iterator[Case]:
    """A few kilobytes that decode to more than memory should take, in a tile of 256 bytes and in one of its own claim."""
    block = zlib.compressobj(9)
    piece = block.compress(bytes(1 << 20)) + block.flush(zlib.Z_FULL_FLUSH)
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    repeated = body.compress(bytes(1 << 20)) + body.flush(zlib.Z_FULL_FLUSH)
    deflate = piece + repeated * (BOMB >> 20)
    runs = struct.pack("<I", (1 << 1) | ((128 << 10) << 3))[:3] + b"\0"
    end = struct.pack("<I", 1 | (1 << 1) | ((128 << 10) << 3))[:3] + b"\0"
    zstd = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", BOMB) + runs * (BOMB // (128 << 10) - 1) + end
    zstd_liar = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 256) + runs * (BOMB // (128 << 10) - 1) + end
    zstd_vast = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 62) + runs + end
    packbits = b"\x81\x00" * (BOMB // 128)
    many_lzma = lzma.compress(bytes(96 << 20), preset=0)
    lzw = imagecodecs.lzw_encode(bytes(64 << 20))
    found = {
        "deflate": (8, deflate), "zstd": (50000, zstd), "zstd_liar": (50000, zstd_liar), "zstd_vast": (50000, zstd_vast),
        "packbits": (32773, packbits), "lzma": (34925, many_lzma), "lzw": (5, lzw),
    }  # fmt: skip
    for name, (compression, data) in found.items():
        yield either(f"bomb_{name}", one_tile(compression, data))
        # The decoded size is within MAX_RATIO, and no memory need be spent on it: the image is 16 x 16.
        yield either(f"bomb_{name}_claims_2_32", one_tile(compression, data, side=16, tile=(1 << 16) - 16))
    parameters = tag(50674, LONG, 4, 1)
    yield either("bomb_lerc_deflate", one_tile(34887, deflate, t50674=parameters))
    yield either("bomb_lerc_zstd", one_tile(34887, zstd, t50674=tag(50674, LONG, 4, 2)))
    for height, width in ((65500, 65500), (65535, 1), (0, 0)):
        jpeg = _jpeg_of_size(imagecodecs.jpeg8_encode(GRAY[0]), height, width)
        for compression in (6, 7, 33007, 34892):
            yield either(f"bomb_jpeg_{compression}_{height}x{width}", one_tile(compression, jpeg))
    for size in (1 << 16, (1 << 31) - 1, 0xFFFFFFFF):
        codestream = imagecodecs.jpeg2k_encode(GRAY[0], codecformat="j2k", reversible=True)
        siz = codestream.index(b"\xff\x51")
        for label, fields in (("image", (8, 12)), ("image_and_tile", (8, 12, 24, 28))):
            patched = bytearray(codestream)
            for field in fields:
                patched[siz + field - 2 : siz + field + 2] = struct.pack(">I", size)
            yield either(f"bomb_jpeg2000_{label}_{size}", one_tile(34712, bytes(patched)))
        png = bytearray(imagecodecs.png_encode(GRAY[0]))
        png[16:24] = struct.pack(">II", size & 0x7FFFFFFF, size & 0x7FFFFFFF)
        png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
        yield either(f"bomb_png_{size}", one_tile(34933, bytes(png)))
        yield either(f"bomb_lerc_{size}", one_tile(34887, _lerc_of_size(size & 0x7FFFFFFF)))
    webp = bytearray(imagecodecs.webp_encode(np.zeros((16, 16, 3), np.uint8), lossless=True))
    webp[21:25] = struct.pack("<I", 0x0FFFFFFF)  # 14 bits of width and of height, each less one
    yield either("bomb_webp", one_tile(50001, bytes(webp), samples=3))
    for byte in range(2, 12):
        jxl = bytearray(imagecodecs.jpegxl_encode(GRAY[0], lossless=True))
        jxl[min(byte, len(jxl) - 1)] = 0xFF
        yield either(f"bomb_jpegxl_byte_{byte}", one_tile(50002, bytes(jxl)))


def jpeg_tables() -> Iterator[Case]:
    jpeg = imagecodecs.jpeg8_encode(GRAY[0], level=95)
    tables = {
        "empty": b"", "one_byte": b"\xff", "soi": b"\xff\xd8", "soi_eoi": b"\xff\xd8\xff\xd9", "ones": b"\xff" * 1000,
        "zeros": bytes(1000), "noise": np.random.default_rng(347).bytes(1000), "whole_image": jpeg,
        "long_segment": b"\xff\xd8\xff\xdb\xff\xff\x00\xff\xd9", "short_segment": b"\xff\xd8\xff\xdb\x00\x00\xff\xd9",
        "megabyte": b"\xff\xd8" + b"\xff\xfe\x10\x00" * (1 << 18) + b"\xff\xd9",
    }  # fmt: skip
    for name, table in tables.items():
        for kind in (UNDEFINED, BYTE):
            yield either(f"jpeg_tables_{name}_{kind}", one_tile(7, jpeg, t347=tag(347, kind, table)))
    yield either("jpeg_tables_past_end", one_tile(7, jpeg, t347=tag(347, UNDEFINED, count=600, offset=1 << 30)))
    yield either("jpeg_tables_numbers", one_tile(7, jpeg, t347=tag(347, SHORT, *range(300))))
    old = {
        f"t{code}": tag(code, LONG, value)
        for code, value in (
            (512, 1),
            (513, 0xFFFFFF00),
            (514, 0xFFFFFFFF),
            (515, 65535),
            (519, 1 << 30),
            (520, 9),
            (521, 0),
        )
    }
    yield either("old_jpeg_tables_past_end", one_tile(6, jpeg, **old))
    old["t519"] = tag(519, LONG, *[DATA] * 10_000)
    yield either("old_jpeg_tables_10000", one_tile(6, jpeg, **old))


def _jpeg_of_size(jpeg: bytes, height: int, width: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def _lerc_of_size(side: int) -> bytes:
    """A Lerc2 blob of a constant image that claims to be `side` squared, its checksum right."""
    blob = bytearray(imagecodecs.lerc_encode(np.zeros((16, 16), np.uint8)))
    assert blob[:6] == b"Lerc2 "
    blob[14:22] = struct.pack("<ii", side, side)
    blob[10:14] = struct.pack("<I", _fletcher32(bytes(blob[14:])))
    return bytes(blob)


def _fletcher32(data: bytes) -> int:
    low, high = 0xFFFF, 0xFFFF
    words = [data[n] << 8 | data[n + 1] for n in range(0, len(data) - 1, 2)]
    for word in words:
        low += word
        high += low
    if len(data) % 2:
        low += data[-1] << 8
        high += low
    while low > 0xFFFF:
        low = (low & 0xFFFF) + (low >> 16)
    while high > 0xFFFF:
        high = (high & 0xFFFF) + (high >> 16)
    return high << 16 | low
