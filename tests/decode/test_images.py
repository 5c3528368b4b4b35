"""Image codecs: what comes out of each, sizes and types that don't fit, and LERC's masks."""

import itertools

import imagecodecs
import numpy as np
import pytest
import tifffile

from gigapix.decode import decode_into
from gigapix.errors import DecodeError, UnsupportedError
from tests.decode.build import decoded, encoding, picture, planes

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")

LOSSLESS = {
    34712: lambda p: imagecodecs.jpeg2k_encode(p, level=0, reversible=True),
    33003: lambda p: imagecodecs.jpeg2k_encode(p, level=0, reversible=True, codecformat="j2k"),
    33005: imagecodecs.htj2k_encode,
    34887: imagecodecs.lerc_encode,
    34933: imagecodecs.png_encode,
    34934: imagecodecs.jpegxr_encode,
    50001: lambda p: imagecodecs.webp_encode(p, lossless=True),
    50002: lambda p: imagecodecs.jpegxl_encode(p, lossless=True),
}

TYPES = {
    34712: ["u1", "u2", "i2"],
    33003: ["u1", "u2"],
    33005: ["u1", "u2"],
    34887: ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"],
    34933: ["u1", "u2"],
    34934: ["u1"],
    50001: ["u1"],
    50002: ["u1", "u2", "f2", "f4"],
}

CASES = [
    (compression, dtype, samples)
    for compression, dtypes in TYPES.items()
    for dtype, samples in itertools.product(dtypes, (1, 3, 4))
    if not (compression == 50001 and samples == 1)
]


@pytest.mark.parametrize(("compression", "dtype", "samples"), CASES)
def test_each_codec_with_each_type(compression, dtype, samples):
    pixels = picture(21, 34, samples, dtype)
    data = LOSSLESS[compression](pixels)
    assert np.array_equal(decoded(data, encoding(compression, dtype, samples), (21, 34)), planes(pixels))


@pytest.mark.parametrize(("twin", "compression"), [(22610, 34934), (33004, 34712), (34927, 50001), (52546, 50002)])
def test_other_numbers_of_the_same_codecs(twin, compression):
    pixels = picture(21, 34, 3)
    data = LOSSLESS[compression](pixels)
    assert np.array_equal(decoded(data, encoding(twin, samples=3), (21, 34)), planes(pixels))


@pytest.mark.parametrize("compression", [34712, 34887, 34933, 50001, 50002])
def test_a_tile_stored_cropped_gives_what_it_has(compression):
    pixels = picture(20, 30, 3)
    data = LOSSLESS[compression](pixels)
    target = np.zeros((3, 1, 15, 22), "u1")
    decode_into(data, encoding(compression, samples=3), (1, 32, 32), target, origin=(0, 5, 8))
    assert np.array_equal(target, planes(pixels[5:20, 8:30]))
    for shape in ((21, 30), (20, 31)):
        with pytest.raises(DecodeError, match="holds 20 rows of 30"):
            decode_into(data, encoding(compression, samples=3), (1, 32, 32), np.zeros((3, 1, *shape), "u1"))


@pytest.mark.parametrize("compression", [34712, 34887, 34933, 50001, 50002])
def test_a_strip_stored_at_full_height_is_cut_and_wider_ones_are_refused(compression):
    pixels = picture(32, 30, 3)
    data = LOSSLESS[compression](pixels)
    assert np.array_equal(decoded(data, encoding(compression, samples=3), (9, 30)), planes(pixels[:9]))
    for shape in ((32, 29), (16, 16), (16, 31)):
        with pytest.raises(DecodeError, match="holds 32 rows of 30"):
            decoded(data, encoding(compression, samples=3), shape)


def test_slices_of_a_volume_lie_one_above_the_other():
    pixels = picture(3 * 8, 10)
    data = LOSSLESS[34933](pixels)
    target = np.zeros((1, 2, 3, 4), "u1")
    decode_into(data, encoding(34933), (3, 8, 10), target, origin=(1, 2, 3))
    assert np.array_equal(target[0], pixels.reshape(3, 8, 10)[1:3, 2:5, 3:7])
    with pytest.raises(DecodeError):
        decode_into(data, encoding(34933), (4, 8, 10), target)


@pytest.mark.parametrize(("compression", "samples"), [(34712, 3), (34933, 3), (34933, 4), (50002, 3), (34887, 4)])
def test_another_number_of_samples_is_an_error(compression, samples):
    data = LOSSLESS[compression](picture(8, 9, samples))
    for other in {1, 2, 3, 4} - {samples}:
        with pytest.raises(DecodeError):
            decoded(data, encoding(compression, samples=other), (8, 9))


def test_types_that_hold_the_samples_take_them_and_others_do_not():
    pixels = picture(8, 9, dtype="u2") * 200
    data = LOSSLESS[34933](pixels)
    assert np.array_equal(decoded(data, encoding(34933, "i2"), (8, 9)).view("u2"), planes(pixels))
    assert np.array_equal(decoded(data, encoding(34933, "u4"), (8, 9)), planes(pixels))
    assert np.array_equal(decoded(data, encoding(34933, "f8"), (8, 9)), planes(pixels))
    for narrow in ("u1", "f2"):
        with pytest.raises(DecodeError, match="samples of uint16"):
            decoded(data, encoding(34933, narrow), (8, 9))
    with pytest.raises(DecodeError, match="samples of float32"):
        decoded(LOSSLESS[50002](picture(8, 9, dtype="f4")), encoding(50002, "u4"), (8, 9))


def test_webp_drops_an_opaque_alpha_channel_and_gets_it_back():
    pixels = picture(8, 9, 3)
    data = imagecodecs.webp_encode(pixels, lossless=True)
    opaque = np.dstack([pixels, np.full((8, 9), 255, "u1")])
    assert np.array_equal(decoded(data, encoding(50001, samples=4), (8, 9)), planes(opaque))


def test_jpegxl_planes():
    pixels = picture(8, 9, 5)
    stream = imagecodecs.jpegxl_encode(
        np.ascontiguousarray(np.moveaxis(pixels, -1, 0)), lossless=True, planar=True, photometric="GRAY"
    )
    assert np.array_equal(decoded(stream, encoding(50002, samples=5), (8, 9)), planes(pixels))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("dtype", "samples"), [("u1", 1), ("u1", 3), ("u2", 1), ("f4", 1)])
def test_pixarlog(dtype, samples, order):
    pixels = picture(8, 9, samples, dtype) / (1 if dtype[0] == "u" else 300)
    pixels = np.ascontiguousarray(pixels.astype(dtype))
    data = imagecodecs.pixarlog_encode(pixels)
    expected = imagecodecs.pixarlog_decode(data, shape=pixels.shape, dtype=dtype)
    if order == ">":
        codes = np.frombuffer(imagecodecs.deflate_decode(data, out=8 * 9 * samples * 2), "<u2")
        data = imagecodecs.deflate_encode(codes.astype(">u2").tobytes())
    assert np.array_equal(decoded(data, encoding(32909, order + dtype, samples), (8, 9)), planes(expected))
    with pytest.raises(DecodeError):
        decoded(data, encoding(32909, order + dtype, samples), (9, 9))
    with pytest.raises(UnsupportedError):
        decoded(data, encoding(32909, "i4", samples), (8, 9))


def gdal_lerc(path, pixels, **more):
    """(data, encoding) of one LERC strip by GDAL, and what GDAL reads of it."""
    rasterio = pytest.importorskip("rasterio")
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": count, "dtype": pixels.dtype.name}
    with rasterio.open(path, "w", **profile, interleave="pixel", BLOCKYSIZE=height, **more) as file:
        file.write(pixels)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert len(page.dataoffsets) == 1
        data = path.read_bytes()[page.dataoffsets[0] :][: page.databytecounts[0]]
        how = encoding(
            34887,
            file.byteorder + pixels.dtype.str[1:],
            count,
            extra_samples=tuple(int(extra) for extra in page.extrasamples),
            lerc_parameters=tuple(page.tags.valueof(50674)),
        )
    with rasterio.open(path) as file:
        return data, how, file.read()


@pytest.mark.parametrize("compress", ["lerc", "lerc_deflate", "lerc_zstd"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_lerc_of_gdal(tmp_path, dtype, compress):
    pixels = planes(picture(20, 30, 3, dtype))[:, 0]
    data, how, truth = gdal_lerc(tmp_path / "a.tif", pixels, compress=compress)
    assert np.array_equal(decoded(data, how, (20, 30))[:, 0], truth)
    assert np.array_equal(truth, pixels)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("each", [False, True])
def test_lerc_masks_of_floats_are_nan_as_gdal_has_it(tmp_path, count, each):
    pixels = planes(picture(20, 30, count, "f4"))[:, 0].copy()
    pixels[:, :5, :7] = np.nan
    if each:
        pixels[-1, 10:, 3:] = np.nan
    data, how, truth = gdal_lerc(tmp_path / "a.tif", pixels, compress="lerc")
    assert np.array_equal(decoded(data, how, (20, 30))[:, 0], truth, equal_nan=True)
    assert np.array_equal(truth, pixels, equal_nan=True)


@pytest.mark.parametrize("opaque", [False, True])
def test_lerc_mask_for_an_alpha_channel(tmp_path, opaque):
    pixels = planes(picture(20, 30, 4))[:, 0].copy()
    pixels[3] = 255 if opaque else np.where(pixels[3] > 128, 255, 0)
    data, how, truth = gdal_lerc(tmp_path / "a.tif", pixels, compress="lerc", photometric="RGB", ALPHA="YES")
    assert np.array_equal(decoded(data, how, (20, 30))[:, 0], truth)
    # What lies under a transparent pixel is not kept.
    assert np.array_equal(truth[:, pixels[3] > 0], pixels[:, pixels[3] > 0])


def test_lerc_samples_are_in_the_order_of_the_file(tmp_path):
    pixels = planes(picture(20, 30, 3, "i2"))[:, 0]
    data, how, truth = gdal_lerc(tmp_path / "a.tif", pixels, compress="lerc", ENDIANNESS="BIG")
    assert how.byteorder == ">"
    assert np.array_equal(decoded(data, how, (20, 30))[:, 0], truth)


def test_a_lerc_blob_in_a_bomb_stops():
    bomb = imagecodecs.zstd_encode(bytes(100_000_000))
    with pytest.raises(DecodeError):
        decoded(bomb, encoding(34887, lerc_parameters=(4, 2)), (8, 9))
