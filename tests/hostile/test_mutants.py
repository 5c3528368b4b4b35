"""Damaged copies of sound files: a prefix reads right or not at all, any other damage reads somehow or gives a typed error."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import gigapix
from gigapix.errors import GigapixError
from tests import guard
from tests.fixtures import FIXTURES
from tests.hostile.build import SHORT, amended, baseline, build, tag
from tests.hostile.case import GRAY, SOUND
from tests.hostile.probe import mutants
from tests.hostile.segments import encoders, one_tile

STEMS = (
    *(f"{codec}_tiles_rgb" for codec in ("none", "lzw", "deflate", "packbits", "lzma", "zstd", "png", "jpegxl", "jpeg2000", "jpeg", "webp")),
    "lerc_tiles_gray", "jpegxr_one_strip_rgb", "lzw_strips_planar", "jpeg_ycbcr_2x2", "jpeg_ycbcr_4x1", "lzw_f4_3_predictor_little_endian",
    "zstd_u2_3_predictor_big_endian", "none_f8_big_endian_bigtiff", "bits_12_3_le", "rgb565_le", "float24_be", "fill_order_2",
    "gdal_bilevel_ccittrle", "gdal_bilevel_ccittfax3", "gdal_bilevel_ccittfax4", "gdal_lerc_zstd_tiles", "gdal_lerc_deflate_tiles",
    "gdal_masked", "gdal_sparse_band", "gdal_float16", "gdal_complex", "cog_deflate", "cog_jpeg", "volume_lzw_8", "pages_of_many_sizes",
    "gdal_webp", "palette",
)  # fmt: skip

EACH = 150
"""Mutants of one stem and seed. Raise `SEEDS` to look for longer."""

SEEDS = 1


def test_mutants(tmp_path: Path) -> None:
    tasks = []
    for name in STEMS:
        path = tmp_path / f"{name}.tif"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            FIXTURES[name](path)
        tasks += [(str(path), seed, EACH) for seed in range(SEEDS)]
    outcomes = guard.run_all(mutants, tasks)
    faults, read = [], 0
    for (path, seed, _), outcome in zip(tasks, outcomes, strict=True):
        if outcome.fault:
            faults.append(f"{Path(path).stem}: {outcome.fault} at seed {seed} number {outcome.step}: {outcome.detail}")
        else:
            read += outcome.value[0]
            faults += [f"{Path(path).stem}: {fault}" for fault in outcome.value[1]]
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults)
    # Were all refused, or all read, the mutants would test nothing.
    assert 0.1 < read / (EACH * len(tasks)) < 0.95


@pytest.mark.parametrize("name", encoders())
def test_every_prefix(name: str) -> None:
    compression, encode, lossless = encoders()[name]
    samples = 3 if name == "webp" else 1
    shown = np.repeat(GRAY, samples, 0)
    data = one_tile(
        compression, encode(np.repeat(GRAY[0][..., None], 3, 2) if samples == 3 else GRAY[0]), samples=samples
    )
    with gigapix.open(data) as image:
        whole = image.read()
    if lossless:
        np.testing.assert_array_equal(whole, shown)
    # The IFD ends with the link to the next one, which a file may lack, and with the long values after it.
    assert _read_or_refused(data, whole) >= len(data) - 4 - 6 * samples


@pytest.mark.parametrize("big", [False, True])
def test_every_prefix_with_data_last(big: bool) -> None:
    """The IFD first, as in a COG: every prefix with the IFD opens, and what is cut off is never made up."""
    plain = baseline(t258=tag(258, SHORT, 8))
    size = len(build(plain, big=big))
    data = build(amended(plain, t273=tag(273, 4, size)), big=big) + SOUND
    assert _read_or_refused(data, GRAY) == len(data)


def _read_or_refused(data: bytes, whole: np.ndarray) -> int:
    """The length of the shortest prefix that is read."""
    shortest = len(data)
    for length in range(len(data), -1, -1):
        try:
            with gigapix.open(data[:length]) as image:
                found = image.read()
        except GigapixError:
            continue
        np.testing.assert_array_equal(found, whole, err_msg=f"the first {length} bytes of {len(data)}")
        shortest = length
    return shortest
