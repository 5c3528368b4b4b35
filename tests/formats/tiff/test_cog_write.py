"""The layout of a COG, byte by byte, and against tifffile."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.formats.tiff.cog_write import CogLevel, block, cog_head
from gigapix.formats.tiff.ghost import parse_ghost
from gigapix.formats.tiff.write import MASK, NONE, TiffFile


def level(size: int, masked: bool, **options: Any) -> CogLevel:
    plain: dict[str, Any] = {"width": size, "height": size, "samples": 1, "tile": 16}
    image = TiffFile(**plain, dtype=np.dtype("u1"), compression=NONE, **options)
    return CogLevel(image=image, mask=TiffFile(**plain, dtype=np.dtype(bool), photometric=MASK) if masked else None)


def test_a_block() -> None:
    assert block(b"abcdef") == b"\6\0\0\0abcdefcdef"
    assert block(b"abcdef", b"1234") == b"\6\0\0\0abcdefcdef\4\0\0\x001234" + b"1234"


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4), masked=st.booleans(), big=st.sampled_from([None, True]),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_every_tile_is_where_the_tables_say(sizes: list[int], masked: bool, big: bool | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = [level(size, masked, tags={305: (2, "x" * seed)}) for size in sizes]
    lengths = [rng.integers(4, 300, (1 + masked, *each.image.grid)).astype("u8") for each in levels]
    tiles = [[[rng.bytes(int(n)) for n in kind.ravel()] for kind in each] for each in lengths]
    head = cog_head(levels, lengths, big=big)
    data = head + b"".join(block(*pair) for each in reversed(tiles) for pair in zip(*each, strict=True))
    assert data[:4] == (b"II\x2b\0" if big else b"II\x2a\0")
    ghost = parse_ghost(data[16 if big else 8 :][:300])
    assert ghost is not None and ghost.has_leaders and ghost.mask_interleaved == masked
    order = [(0, kind) for kind in range(1 + masked)]
    order += [(n, kind) for kind in range(1 + masked) for n in range(1, len(sizes))]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages) == len(order)
        assert all(page.offset % 2 == 0 for page in file.pages)
        for page, (n, kind) in zip(file.pages, order, strict=True):
            assert page.photometric == (4 if kind else 1) and page.imagewidth == sizes[n]
            for place, size, tile in zip(page.dataoffsets, page.databytecounts, tiles[n][kind], strict=True):
                assert data[place : place + size] == tile
                assert data[place - 4 : place] == struct.pack("<I", size)
                assert data[place + size : place + size + 4] == tile[-4:]


@pytest.mark.parametrize(("size", "big"), [(958_500, False), (958_800, True)])
def test_bigtiff_where_offsets_need_it(size: int, big: bool) -> None:
    image = TiffFile(width=512 * 70, height=512 * 64, samples=1, dtype=np.dtype("u1"))
    head = cog_head([CogLevel(image=image)], [np.full((1, 64, 70), size, np.uint64)])
    assert head[:4] == (b"II\x2b\0" if big else b"II\x2a\0")
    with tifffile.TiffFile(io.BytesIO(head)) as tiff:
        offsets = np.array(tiff.pages[0].dataoffsets)
    assert offsets[0] == len(head) + 4 and (np.diff(offsets) == size + 8).all()
