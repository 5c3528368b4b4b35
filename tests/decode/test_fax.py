"""CCITT fax: against libtiff's encoder (in Pillow), whole and cut."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from gigapix.decode import decode_into
from gigapix.errors import DecodeError
from tests.decode.build import decoded, encoding, planes

NAMES = {2: "tiff_ccitt", 3: "group3", 4: "group4"}


def page() -> np.ndarray:
    """Black runs of many lengths, and empty rows in the middle and at the end."""
    rng = np.random.default_rng(5)
    runs = np.repeat(rng.integers(0, 2, 4000), rng.integers(1, 90, 4000))[: 64 * 333]
    pixels = runs.reshape(64, 333).astype("u1")
    pixels[20:24] = 0
    return pixels


def fax(compression: int, pixels: np.ndarray) -> tuple[bytes, int]:
    """(strip, t4 options) of a TIFF by libtiff."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels.astype(bool))
    image.save(buffer, "TIFF", compression=NAMES[compression], tiffinfo={278: pixels.shape[0]})
    buffer.seek(0)
    with tifffile.TiffFile(buffer) as file:
        first = file.pages[0]
        assert len(first.dataoffsets) == 1
        strip = buffer.getvalue()[first.dataoffsets[0] :][: first.databytecounts[0]]
        return strip, first.tags.valueof(292) or 0


@pytest.mark.parametrize("compression", NAMES)
def test_each_coding(compression):
    pixels = page()
    strip, options = fax(compression, pixels)
    how = encoding(compression, bits=(1,), t4_options=options)
    assert np.array_equal(decoded(strip, how, pixels.shape), planes(pixels))
    reverse = imagecodecs.bitorder_decode(strip)
    how = encoding(compression, bits=(1,), t4_options=options, fill_order=2)
    assert np.array_equal(decoded(reverse, how, pixels.shape), planes(pixels))


@pytest.mark.parametrize("compression", NAMES)
def test_a_box_and_fewer_rows(compression):
    pixels = page()
    strip, options = fax(compression, pixels)
    how = encoding(compression, bits=(1,), t4_options=options)
    target = np.zeros((1, 1, 10, 20), "u1")
    decode_into(strip, how, (1, 64, 333), target, origin=(0, 30, 100))
    assert np.array_equal(target[0, 0], pixels[30:40, 100:120])
    assert np.array_equal(decoded(strip, how, (40, 333)), planes(pixels[:40]))


@pytest.mark.parametrize("compression", NAMES)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_strip_that_ends_early_is_an_error_and_not_white(compression, part):
    pixels = page()
    strip, options = fax(compression, pixels)
    how = encoding(compression, bits=(1,), t4_options=options)
    with pytest.raises(DecodeError):
        decoded(strip[: int(len(strip) * part)], how, pixels.shape)
