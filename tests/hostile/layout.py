"""Hostile layout: sizes, grids, samples, tables of offsets and byte counts."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from tests.hostile.build import (
    DATA,
    LONG,
    LONG8,
    SHORT,
    amended,
    baseline,
    build,
    tag,
    tiled,
    without,
)
from tests.hostile.case import GRAY, SOUND, Case, either, fails, reads

HUGE = 0xFFFFFFFF


def cases() -> Iterator[Case]:
    yield from dimensions()
    yield from grids()
    yield from samples()
    yield from tables()
    yield from shared()


def dimensions() -> Iterator[Case]:
    for width, height in ((0, 16), (16, 0), (0, 0)):
        yield either(f"size_{width}x{height}", build(baseline(width, height, size=256), data=SOUND))
    for width, height in ((HUGE, HUGE), (1 << 31, 1 << 31), (HUGE, 1), (1, HUGE), (1 << 20, 1 << 20), (50_000, 50_000)):
        name = f"size_{width}x{height}"
        yield fails(name, build(baseline(width, height, size=256), data=SOUND))
        yield fails(
            f"{name}_one_row_strips", build(baseline(width, height, size=256, t278=tag(278, LONG, 1)), data=SOUND)
        )
        squashed = zlib.compress(SOUND)
        deflated = baseline(width, height, size=len(squashed), t259=tag(259, SHORT, 8))
        yield fails(f"{name}_deflate", build(deflated, data=squashed))
        one = tiled(width, height, offsets=[DATA], counts=[256])
        yield fails(f"{name}_one_tile_of_16", build(one, data=SOUND))
        whole = amended(one, t322=tag(322, LONG, width), t323=tag(323, LONG, height))
        yield fails(f"{name}_one_tile_of_all", build(whole, data=SOUND))
    for size in (1 << 32, 1 << 40, 1 << 63, (1 << 64) - 1):
        wide = baseline(t256=tag(256, LONG8, size), t257=tag(257, LONG8, size))
        yield fails(f"size_{size}_squared", build(wide, data=SOUND, big=True))
    for depth in (0, HUGE):
        deep = baseline(t32997=tag(32997, LONG, depth))
        yield either(f"image_depth_{depth}", build(deep, data=SOUND))
    many = baseline(t277=tag(277, SHORT, 65535))
    yield fails("samples_65535", build(many, data=SOUND))
    yield fails("samples_65535_planar", build(amended(many, t284=tag(284, SHORT, 2)), data=SOUND))


def grids() -> Iterator[Case]:
    yield either("rows_per_strip_0", build(baseline(t278=tag(278, LONG, 0)), data=SOUND))
    for rows in (17, 0x7FFFFFFF, HUGE):
        yield reads(f"rows_per_strip_{rows}", build(baseline(t278=tag(278, LONG, rows)), data=SOUND))
    yield reads("rows_per_strip_2_63", build(baseline(t278=tag(278, LONG8, 1 << 63)), data=SOUND, big=True))
    for rows in (1, 8, 15):
        yield either(f"rows_per_strip_{rows}_table_of_one", build(baseline(t278=tag(278, LONG, rows)), data=SOUND))
    sound = tiled(16, 16, offsets=[DATA], counts=[256])
    yield reads("tile", build(sound, data=SOUND))
    for width, height in ((0, 16), (16, 0), (0, 0)):
        zero = amended(sound, t322=tag(322, LONG, width), t323=tag(323, LONG, height))
        yield fails(f"tile_{width}x{height}", build(zero, data=SOUND))
    for side in (1 << 16, 1 << 31, HUGE):
        huge = amended(sound, t322=tag(322, LONG, side), t323=tag(323, LONG, side))
        yield fails(f"tile_{side}", build(huge, data=SOUND))
    for depth in (0, HUGE):
        yield either(f"tile_depth_{depth}", build(amended(sound, t32998=tag(32998, LONG, depth)), data=SOUND))
    for code in (323, 324):
        yield fails(f"tile_missing_{code}", build(without(sound, code), data=SOUND))
    for code in (322, 325):
        yield either(f"tile_missing_{code}", build(without(sound, code), data=SOUND))
    odd = tiled(7, 5, 3, offsets=[DATA + 9 * n for n in range(6)], counts=[9] * 6)
    grid = np.frombuffer(SOUND[:54], np.uint8).reshape(2, 3, 3, 3).transpose(0, 2, 1, 3).reshape(6, 9)
    yield reads("tile_of_3x3", build(odd, data=SOUND), grid[None, :5, :7])
    both = amended(baseline(), t322=tag(322, SHORT, 16), t323=tag(323, SHORT, 16))
    yield either("strips_and_tile_size", build(both, data=SOUND))
    both = amended(sound, t273=tag(273, LONG, DATA), t278=tag(278, LONG, 16), t279=tag(279, LONG, 256))
    yield either("strips_and_tiles", build(both, data=SOUND))


def samples() -> Iterator[Case]:
    for bits in (0, 33, 63, 65, 255, 65535):
        yield fails(f"bits_{bits}", build(baseline(t258=tag(258, SHORT, bits)), data=SOUND))
    yield either("bits_16_in_data_for_8", build(baseline(t258=tag(258, SHORT, 16)), data=SOUND))
    rgb = baseline(16, 4, size=192, t262=tag(262, SHORT, 2), t277=tag(277, SHORT, 3))
    shown = GRAY.reshape(-1)[:192].reshape(4, 16, 3).transpose(2, 0, 1)
    yield reads("bits_8_8_8", build(amended(rgb, t258=tag(258, SHORT, 8, 8, 8)), data=SOUND), shown)
    yield either("bits_8_for_three_samples", build(rgb, data=SOUND))
    yield either("bits_8_8_for_three_samples", build(amended(rgb, t258=tag(258, SHORT, 8, 8)), data=SOUND))
    yield either("bits_8_8_8_8_for_three_samples", build(amended(rgb, t258=tag(258, SHORT, 8, 8, 8, 8)), data=SOUND))
    yield either("bits_8_16_8", build(amended(rgb, t258=tag(258, SHORT, 8, 16, 8)), data=SOUND))
    yield either("bits_0_0_0", build(amended(rgb, t258=tag(258, SHORT, 0, 0, 0)), data=SOUND))
    yield either(
        "bits_5_6_5_planar", build(amended(rgb, t258=tag(258, SHORT, 5, 6, 5), t284=tag(284, SHORT, 2)), data=SOUND)
    )
    yield either(
        "formats_mixed", build(amended(rgb, t258=tag(258, SHORT, 8, 8, 8), t339=tag(339, SHORT, 1, 3, 2)), data=SOUND)
    )
    for kind in (0, 3, 5, 6, 7, 65535):
        yield either(f"sample_format_{kind}_of_8_bits", build(baseline(t339=tag(339, SHORT, kind)), data=SOUND))
    for bits in (1, 7, 9, 12, 17, 24, 31, 48, 64, 128):
        for kind in (2, 3, 5, 6):
            odd = baseline(8, 4, size=256, t258=tag(258, SHORT, bits), t339=tag(339, SHORT, kind))
            yield either(f"sample_format_{kind}_of_{bits}_bits", build(odd, data=SOUND))
    yield either("samples_0", build(baseline(t277=tag(277, SHORT, 0)), data=SOUND))
    yield either("extra_samples_more_than_samples", build(baseline(t338=tag(338, SHORT, *[0] * 50)), data=SOUND))
    for planar in (0, 3, 65535):
        yield either(f"planar_{planar}", build(baseline(t284=tag(284, SHORT, planar)), data=SOUND))
    for predictor in (0, 4, 65535):
        odd = baseline(t317=tag(317, SHORT, predictor))
        yield either(f"predictor_{predictor}", build(odd, data=SOUND))
    yield either("predictor_3_of_integers", build(baseline(t317=tag(317, SHORT, 3)), data=SOUND))
    for bits in (1, 4, 12, 24):
        packed = baseline(8, 8, size=256, t258=tag(258, SHORT, bits), t317=tag(317, SHORT, 2))
        yield either(f"predictor_2_of_{bits}_bits", build(packed, data=SOUND))
    for compression in (0, 9, 10, 99, 34676, 65535):
        yield either(f"compression_{compression}", build(baseline(t259=tag(259, SHORT, compression)), data=SOUND))
    for photometric in (3, 6, 8, 9, 32803, 34892, 65535):
        yield either(f"photometric_{photometric}", build(baseline(t262=tag(262, SHORT, photometric)), data=SOUND))
    for fill_order in (0, 3, 65535):
        yield either(f"fill_order_{fill_order}", build(baseline(t266=tag(266, SHORT, fill_order)), data=SOUND))
    for orientation in (0, 9, 65535):
        yield reads(f"orientation_{orientation}", build(baseline(t274=tag(274, SHORT, orientation)), data=SOUND))
    for horizontal, vertical in ((0, 0), (3, 3), (8, 8), (65535, 65535), (4, 4)):
        sub = baseline(
            t262=tag(262, SHORT, 6), t277=tag(277, SHORT, 3), t258=tag(258, SHORT, 8, 8, 8), t530=tag(530, SHORT, horizontal, vertical)
        )  # fmt: skip
        yield either(f"subsampling_{horizontal}_{vertical}", build(sub, data=SOUND * 3))
    yield reads(
        "colormap_too_short", build(baseline(t262=tag(262, SHORT, 3), t320=tag(320, SHORT, 1, 2, 3)), data=SOUND)
    )


def tables() -> Iterator[Case]:
    end = len(build(baseline(), data=SOUND))
    for offset in (end, end - 1, end + 1000, 0x7FFFFFFF, HUGE - 1, HUGE):
        yield fails(f"strip_at_{offset}", build(baseline(at=offset), data=SOUND))
    for offset in (1 << 32, 1 << 62, 1 << 63, (1 << 64) - 256, (1 << 64) - 1):
        wild = baseline(t273=tag(273, LONG8, offset))
        yield fails(f"strip_at_{offset}_bigtiff", build(wild, data=SOUND, big=True))
        wild = baseline(t279=tag(279, LONG8, offset))
        yield either(f"strip_of_{offset}_bytes_bigtiff", build(wild, data=SOUND, big=True))
    yield reads("strip_at_0_of_0", build(baseline(at=0, size=0), data=SOUND), np.zeros_like(GRAY))
    yield either("strip_at_0", build(baseline(at=0), data=SOUND))
    yield either("strip_of_0_bytes", build(baseline(size=0), data=SOUND))
    for size in (1, 255):
        yield either(f"strip_of_{size}_bytes", build(baseline(size=size), data=SOUND))
    for size in (257, 1 << 20, 0x7FFFFFFF, HUGE):
        yield either(f"strip_of_{size}_bytes", build(baseline(size=size), data=SOUND))
    squashed = zlib.compress(SOUND)
    for size in (0, 1, len(squashed) - 1, len(squashed) + 1, 1 << 20, HUGE):
        yield either(
            f"deflate_strip_of_{size}_bytes", build(baseline(size=size, t259=tag(259, SHORT, 8)), data=squashed)
        )
    rows = [DATA + 16 * n for n in range(16)]
    for length in (0, 1, 15, 17, 1000):
        offsets = (rows + [DATA] * 1000)[:length]
        table = baseline(
            t273=tag(273, LONG, *offsets), t278=tag(278, LONG, 1), t279=tag(279, LONG, *[16] * 16)
        )  # fmt: skip
        name = f"offsets_{length}_for_16_strips"
        yield reads(name, build(table, data=SOUND)) if length > 16 else either(name, build(table, data=SOUND))
        table = baseline(
            t273=tag(273, LONG, *rows), t278=tag(278, LONG, 1), t279=tag(279, LONG, *[16] * length)
        )  # fmt: skip
        name = f"byte_counts_{length}_for_16_strips"
        yield reads(name, build(table, data=SOUND)) if length > 16 else either(name, build(table, data=SOUND))
    table = baseline(t273=tag(273, LONG, count=16, offset=1 << 30), t278=tag(278, LONG, 1))
    yield fails("offsets_past_end", build(table, data=SOUND))
    table = baseline(t273=tag(273, LONG8, count=1 << 61, offset=8), t278=tag(278, LONG, 1))
    yield either("offsets_2_61", build(table, data=SOUND, big=True))
    table = baseline(t273=tag(273, LONG8, count=1 << 61, offset=(1 << 64) - 64), t278=tag(278, LONG, 1))
    yield fails("offsets_wrap_around", build(table, data=SOUND, big=True))


def shared() -> Iterator[Case]:
    """Segments that overlap or are one: odd, and plain to read."""
    overlapping = baseline(
        t273=tag(273, LONG, *[DATA + n for n in range(16)]), t278=tag(278, LONG, 1), t279=tag(279, LONG, *[16] * 16)
    )
    pixels = np.lib.stride_tricks.sliding_window_view(GRAY.reshape(-1)[:31], 16)
    yield reads("strips_overlap", build(overlapping, data=SOUND), pixels[None])
    four = tiled(offsets=[DATA] * 4, counts=[256] * 4)
    yield reads("tiles_share_one_place", build(four, data=SOUND), np.tile(GRAY, (1, 2, 2)))
    header = tiled(offsets=[8] * 4, counts=[256] * 4)
    yield reads("tiles_hold_the_header", data := build(header, data=SOUND), _squares(data[8:264]))
    tiny = tiled(100, 100, 1, offsets=[DATA + 7] * 10_000, counts=[1] * 10_000)
    yield reads("tiles_10000_of_one_pixel", build(tiny, data=SOUND), np.full((1, 100, 100), 7, np.uint8))


def _squares(data: bytes) -> np.ndarray:
    return np.tile(np.frombuffer(data, np.uint8).reshape(1, 16, 16), (1, 2, 2))
