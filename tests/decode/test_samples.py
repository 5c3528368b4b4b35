"""Samples that are no numpy samples."""

import random

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from gigapix.decode import decode_into
from tests.decode.build import decoded, encoding, picture, planes

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")


def pack(values: np.ndarray, bits: tuple[int, ...]) -> bytes:
    """(rows, n) integers, most significant bit first, each row to a whole byte."""
    rows = []
    for row in values:
        text = "".join(f"{int(v) % (1 << bits[i % len(bits)]):0{bits[i % len(bits)]}b}" for i, v in enumerate(row))
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


def holder(bits: int) -> int:
    return next(size for size in (1, 2, 4, 8) if bits <= 8 * size)


@given(st.data())
def test_unsigned_and_signed_integers_of_any_bits(data):
    samples = data.draw(st.integers(1, 4))
    mixed = data.draw(st.booleans())
    one = data.draw(st.integers(1, 64))
    bits = tuple(data.draw(st.integers(1, 64)) if mixed else one for _ in range(samples))
    height, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 9))
    signed = data.draw(st.booleans()) and min(bits) > 1
    draw = random.Random(data.draw(st.integers(0, 9999)))
    values = [draw.getrandbits(b) - (1 << b - 1 if signed else 0) for b in bits * (height * width)]
    kind = f"{'i' if signed else 'u'}{holder(max(bits))}"
    pixels = np.array(values, kind).reshape(height, width * samples)
    if len(set(bits)) == 1 and bits[0] in (8, 16, 32, 64, 24):
        return  # the byte order counts: elsewhere
    if bits == (5, 6, 5):
        return
    how = encoding(1, kind, samples, bits=bits)
    found = decoded(pack(pixels, bits), how, (height, width))
    assert np.array_equal(found, planes(pixels.reshape(height, width, samples)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_24_bits_follow_libtiff(order):
    # libtiff leaves triples alone in files of the machine's order and turns them round in others (see rasterio below).
    values = np.array([[1, 0x123456, 0xFFFFFF]], "u4")
    data = pack(values, (24,))
    data = data if order == "<" else b"".join(data[i : i + 3][::-1] for i in range(0, 9, 3))
    assert np.array_equal(decoded(data, encoding(1, order + "u4", bits=(24,)), (1, 3)), planes(values))


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 7, 9, 12, 15, 17, 24, 31])
def test_what_gdal_writes(tmp_path, bits, order):
    rasterio = pytest.importorskip("rasterio")
    dtype = f"uint{8 * holder(bits)}"
    values = (np.arange(2 * 9 * 11).reshape(2, 9, 11) * 40503 % (1 << bits)).astype(dtype)
    path = tmp_path / "packed.tif"
    more = {"nbits": bits, "compress": "lzw", "interleave": "pixel", "ENDIANNESS": order}
    with rasterio.open(path, "w", driver="GTiff", width=11, height=9, count=2, dtype=dtype, **more) as file:
        file.write(values)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        data = path.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
        assert len(page.dataoffsets) == 1
    how = encoding(5, ("<" if order == "LITTLE" else ">") + dtype[0] + str(holder(bits)), 2, bits=(bits, bits))
    assert np.array_equal(decoded(data, how, (9, 11))[:, 0], values)


@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_of_24_bits(order):
    values = np.array([[1.5, -2.25, 0, 1e-3, 60000, np.inf]], "f4")
    data = bytes(imagecodecs.float24_encode(values, byteorder=order))
    assert np.allclose(decoded(data, encoding(1, order + "f4", bits=(24,)), (1, 6)), planes(values), rtol=1e-4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("bits", "dtype"), [(16, "c8"), (32, "c8"), (64, "c16")])
def test_complex_integers(bits, dtype, order):
    parts = np.array([[1, -2, 100, -128], [0, 5, -1, 127]], f"{order}i{bits // 16}")
    how = encoding(1, order + dtype, bits=(bits,), sample_format=5)
    expected = parts[:, ::2].astype("f8") + 1j * parts[:, 1::2].astype("f8")
    assert np.array_equal(decoded(parts.tobytes(), how, (2, 2))[0, 0], expected.astype(dtype))


@pytest.mark.parametrize("order", ["<", ">"])
def test_rgb565_is_stretched_as_tifffile_does(order):
    words = np.random.default_rng(3).integers(0, 1 << 16, 40, dtype="u2")
    how = encoding(1, order + "u1", 3, bits=(5, 6, 5))
    found = decoded(words.astype(order + "u2").tobytes(), how, (4, 10))
    expected = tifffile.tifffile.unpack_rgb(words.astype("<u2").tobytes(), "<B", (5, 6, 5))
    assert np.array_equal(found, planes(expected.reshape(4, 10, 3)))


@pytest.mark.parametrize("bits", [1, 4, 12, 20])
def test_predictor_2_of_packed_integers_is_modulo_their_bits(bits):
    pixels = np.array([[3, 1, 0, 2, 1], [0, 3, 3, 0, 1]]) % (1 << bits)
    pixels = pixels * ((1 << bits) - 1) // 3
    stored = np.diff(pixels, axis=1, prepend=0) % (1 << bits)
    how = encoding(1, f"u{holder(bits)}", bits=(bits,), predictor=2)
    assert np.array_equal(decoded(pack(stored, (bits,)), how, (2, 5))[0, 0], pixels)


def test_predictor_2_of_complex_numbers_is_that_of_64_bits(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    values = np.random.default_rng(4).normal(size=(2, 6, 10)).view("c16").astype("c8")
    for order in ("LITTLE", "BIG"):
        path = tmp_path / f"{order}.tif"
        more = {"compress": "deflate", "predictor": 2, "interleave": "pixel", "ENDIANNESS": order}
        with rasterio.open(path, "w", driver="GTiff", width=5, height=6, count=2, dtype="complex64", **more) as file:
            file.write(values)
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            data = path.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
        how = encoding(8, ("<" if order == "LITTLE" else ">") + "c8", 2, predictor=2)
        assert np.array_equal(decoded(data, how, (6, 5))[:, 0], values)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u4", "<f4"])
@pytest.mark.parametrize("width", [1, 3, 4, 9])
@pytest.mark.parametrize(("predictor", "apart"), [(34892, 2), (34893, 4)])
def test_far_predictors_of_integers(predictor, apart, width, dtype):
    pixels = picture(5, width, 3, dtype[-2:])
    stored = pixels.view(f"u{pixels.itemsize}").copy()
    stored[:, apart:] -= stored[:, :-apart].copy() if width > apart else 0
    data = stored.astype(dtype.replace("f", "u")).tobytes()
    assert np.array_equal(decoded(data, encoding(1, dtype, 3, predictor=predictor), (5, width)), planes(pixels))


@pytest.mark.parametrize("dtype", ["<f4", ">f2", "<f8"])
@pytest.mark.parametrize("width", [4, 12])
@pytest.mark.parametrize(("predictor", "apart"), [(34894, 2), (34895, 4)])
def test_far_predictors_of_floats(predictor, apart, width, dtype):
    pixels = picture(5, width, 3, dtype[-2:])
    data = imagecodecs.floatpred_encode(pixels, axis=1, dist=apart).tobytes()
    assert np.array_equal(decoded(data, encoding(1, dtype, 3, predictor=predictor), (5, width)), planes(pixels))


def test_a_box_of_packed_samples():
    values = np.arange(60).reshape(4, 15) % 8
    how = encoding(5, "u1", 3, bits=(3, 3, 3))
    data = bytes(imagecodecs.lzw_encode(pack(values, (3,))))
    target = np.zeros((1, 1, 2, 3), "u1")
    decode_into(data, how, (1, 4, 5), target, origin=(0, 1, 2), samples=[2])
    assert np.array_equal(target, planes(values.reshape(4, 5, 3))[2:, :, 1:3, 2:])
