"""Placing against numpy: segments are encoded from pixels by a few lines that do what the specification says."""

import io
import zlib

import imagecodecs
import numpy as np
import pytest
import rasterio
import rasterio.io
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.kernels import place

DTYPES = {
    1: ["u1", "i1", "u2", "i2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"],
    2: ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4"],
    3: ["f2", "f4", "f8"],
}


def encode(pixels: np.ndarray, predictor: int, *, swap: bool) -> bytes:
    """The segment of pixels (depth, height, width, samples)."""
    if predictor == 1:
        return (pixels.byteswap() if swap else pixels).tobytes()
    d, h, w, s = pixels.shape
    if predictor == 2:
        whole = pixels.view(f"u{pixels.itemsize}")
        difference = whole.copy()
        difference[:, :, 1:] -= whole[:, :, :-1]
        return (difference.byteswap() if swap else difference).tobytes()
    planes = pixels.astype(pixels.dtype.newbyteorder(">")).view("u1").reshape(d, h, w * s, pixels.itemsize)
    row = np.moveaxis(planes, -1, -2).reshape(d, h, w * s * pixels.itemsize)
    difference = row.copy()
    difference[..., s:] -= row[..., :-s]
    return difference.tobytes()


def random_pixels(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    return raw.view(dtype)[..., 0]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bit by bit, NaNs as well."""
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@settings(max_examples=400)
@given(st.data())
def test_any_box_of_any_segment(data: st.DataObject) -> None:
    predictor = data.draw(st.sampled_from([1, 2, 3]), label="predictor")
    dtype = data.draw(st.sampled_from(DTYPES[predictor]), label="dtype")
    width = data.draw(st.one_of(st.integers(1, 9), st.integers(30, 80)))
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4)), width)
    samples = data.draw(st.sampled_from([1, 1, 2, 3, 3, 4, 5, 9]), label="samples")
    swap = data.draw(st.booleans())
    pixels = random_pixels((*shape, samples), dtype, data.draw(st.integers(0, 2**32)))
    segment = encode(pixels, predictor, swap=swap)

    select = data.draw(
        st.one_of(st.just(list(range(samples))), st.lists(st.integers(0, samples - 1), min_size=1, max_size=4))
    )
    origin, size = [], []
    for length in shape:
        start = data.draw(st.just(0) | st.integers(0, length - 1))
        origin.append(start)
        size.append(data.draw(st.just(length - start) | st.integers(1, length - start)))
    box = tuple(slice(o, o + n) for o, n in zip(origin, size, strict=True))
    expected = np.moveaxis(pixels[box], -1, 0)[select]

    # The output is a view of something larger: in any order of axes, with gaps, backwards.
    order = data.draw(st.permutations(range(4)) | st.just(list(range(4))), label="order")
    gaps = [data.draw(st.sampled_from([1, 1, 2, -1])) for _ in range(4)]
    outer = [expected.shape[axis] * abs(gaps[axis]) + 2 for axis in order]
    memory = np.frombuffer(bytearray(b"\xa5" * int(np.prod(outer) * np.dtype(dtype).itemsize)), dtype).reshape(outer)
    view = memory[tuple(slice(1, -1) for _ in range(4))].transpose(np.argsort(order))
    target = view[tuple(slice(None, None, gap) for gap in gaps)]
    assert target.shape == expected.shape
    before = memory.copy()

    unit = np.dtype(dtype).itemsize // (2 if dtype in {"c8", "c16"} else 1)
    place.place(segment, target, shape, samples, select, tuple(origin), predictor, swap, swap_unit=unit)
    assert same(target, expected)
    target[...] = np.frombuffer(b"\xa5" * 16, dtype)[0]
    assert same(memory, before)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_complex_samples_swap_by_component(dtype: str, swap: bool) -> None:
    pixels = random_pixels((1, 4, 9, 2), dtype, 11)
    target = np.zeros((2, 1, 4, 9), dtype)
    unit = target.itemsize // 2
    segment = encode(pixels, 1, swap=swap)
    place.place(segment, target, (1, 4, 9), 2, [0, 1], (0, 0, 0), 1, swap, swap_unit=unit)
    assert same(target, np.moveaxis(pixels, -1, 0))


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "f2", "f4", "f8"])
def test_imagecodecs_agrees(dtype: str, samples: int) -> None:
    pixels = random_pixels((20, 33, samples), dtype, 7)
    if dtype[0] == "f":
        pixels = np.random.default_rng(1).normal(0, 100, pixels.shape).astype(dtype)
        segment, predictor = imagecodecs.floatpred_encode(pixels, axis=-2), 3
    else:
        segment, predictor = imagecodecs.delta_encode(pixels, axis=-2), 2
    target = np.zeros((samples, 1, 20, 33), dtype)
    place.place(segment.tobytes(), target, (1, 20, 33), samples, range(samples), (0, 0, 0), predictor, False)
    assert same(target[:, 0], np.moveaxis(pixels, -1, 0))


@pytest.mark.parametrize("step", [-1, 2])
@pytest.mark.parametrize(("dtype", "predictor"), [("u1", 2), ("u2", 2), ("u4", 2), ("u8", 2), ("f4", 3), ("u2", 1)])
def test_columns_that_are_not_side_by_side(dtype: str, predictor: int, step: int) -> None:
    pixels = random_pixels((1, 2, 70, 1), dtype, 13)
    target = np.zeros((1, 1, 2, 140), dtype)[..., : 70 * abs(step) : abs(step)][..., :: 1 if step > 0 else -1]
    place.place(encode(pixels, predictor, swap=False), target, (1, 2, 70), 1, [0], (0, 0, 0), predictor, False)
    assert same(target[0], pixels[..., 0])


@pytest.mark.parametrize(
    ("dtype", "predictor", "bands", "endianness"),
    [("uint8", 2, 3, "LITTLE"), ("uint16", 2, 4, "BIG"), ("int32", 2, 1, "BIG"), ("uint64", 2, 2, "LITTLE"),
     ("float32", 3, 3, "LITTLE"), ("float32", 3, 1, "BIG"), ("float64", 3, 2, "BIG")],
)  # fmt: skip
def test_gdal_agrees(dtype: str, predictor: int, bands: int, endianness: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 200, (bands, 64, 48)).astype(dtype)
    options = {"tiled": True, "blockxsize": 16, "blockysize": 32, "interleave": "pixel", "compress": "deflate"}
    with rasterio.io.MemoryFile() as file:
        with file.open(
            driver="GTiff", width=48, height=64, count=bands, dtype=dtype, predictor=predictor, endianness=endianness,
            transform=rasterio.Affine(1, 0, 5, 0, -1, 5), **options,
        ) as image:  # fmt: skip
            image.write(pixels)
        encoded = file.read()
    result = np.zeros((bands, 1, 64, 48), dtype)
    with tifffile.TiffFile(io.BytesIO(encoded)) as tiff:
        page = tiff.pages.first
        assert isinstance(page, tifffile.TiffPage)
        for i, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
            y, x = i // 3 * 32, i % 3 * 16
            tile = zlib.decompress(encoded[offset : offset + count])
            target = result[:, :, y : y + 32, x : x + 16]
            place.place(tile, target, (1, 32, 16), bands, range(bands), (0, 0, 0), predictor, endianness == "BIG")
    assert same(result[:, 0], pixels)


@pytest.mark.parametrize(("predictor", "needed"), [(1, 5 * 21 + 4 * 3), (2, 5 * 21 + 4 * 3), (3, 6 * 21)])
def test_only_what_the_box_needs_must_be_there(predictor: int, needed: int) -> None:
    """Rows 3 to 5, columns 1 to 3 of a segment of 9 x 7 pixels of three samples."""
    pixels = random_pixels((1, 9, 7, 3), "f4", 5)
    segment = encode(pixels, predictor, swap=False)
    target = np.zeros((1, 1, 3, 3), "f4")
    place.place(segment[: 4 * needed], target, (1, 9, 7), 3, [2], (0, 3, 1), predictor, False)
    assert same(target[0, 0], np.ascontiguousarray(pixels[0, 3:6, 1:4, 2]))
    with pytest.raises(ValueError, match=f"needs {4 * needed}"):
        place.place(segment[: 4 * needed - 1], target, (1, 9, 7), 3, [2], (0, 3, 1), predictor, False)


def test_a_source_that_is_not_aligned() -> None:
    pixels = random_pixels((1, 3, 50, 1), "u8", 5)
    segment = b"x" + encode(pixels, 2, swap=True)
    target = np.zeros((1, 1, 3, 50), "u8")
    place.place(memoryview(segment)[1:], target, (1, 3, 50), 1, [0], (0, 0, 0), 2, True)
    assert same(target[0], pixels[..., 0])


BIG = 2**40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dst": np.zeros((1, 2, 3))}, "3 dimensions"),
        ({"dst": np.zeros((1, 1, 2, 3), ">u2")}, "native"),
        ({"dst": np.zeros((1, 1, 2, 3), "V3")}, "3 bytes"),
        ({"dst": np.zeros((1, 1, 2, 3), "u1"), "predictor": 3}, "1 bytes"),
        ({"dst": np.zeros((1, 1, 2, 3), "c16")}, "16 bytes"),
        ({"dst": np.zeros((1, 1, 2, 3), "c16"), "swap_unit": 3}, "16 bytes"),
        ({"swap_unit": -2}, "2 bytes"),
        ({"swap_unit": 4}, "2 bytes"),
        ({"predictor": 0}, "predictor 0"),
        ({"predictor": 4}, "predictor 4"),
        ({"select": []}, "0 samples"),
        ({"select": [0, 1]}, "2 samples"),
        ({"select": [3]}, "among the 3"),
        ({"select": [-1]}, "among the 3"),
        ({"interleaved": 0}, "among the 0"),
        ({"origin": (0, 0, 3)}, "leaves"),
        ({"origin": (0, 3, 0)}, "leaves"),
        ({"origin": (1, 0, 0)}, "leaves"),
        ({"origin": (0, -1, 0)}, "leaves"),
        ({"origin": (0, 0, BIG)}, "leaves"),
        ({"shape": (1, 4, -5)}, "leaves"),
        ({"shape": (1, 4, 6)}, "needs"),
        ({"shape": (BIG, BIG, BIG), "origin": (BIG - 1, BIG - 2, BIG - 3)}, "needs|beyond"),
        ({"shape": (1, BIG**3, 5)}, "beyond"),
        ({"shape": (1, 4, BIG**3)}, "beyond"),
        ({"interleaved": BIG}, "needs"),
    ],
)
def test_what_does_not_fit(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "src": bytes(range(1, 4 * 5 * 3 * 2 + 1)),
        "dst": np.zeros((1, 1, 2, 3), "u2"),
        "shape": (1, 4, 5),
        "interleaved": 3,
        "select": [0],
        "origin": (0, 2, 2),
        "predictor": 1,
        "swap": False,
    }
    place.place(**arguments)
    arguments["dst"] = np.zeros((1, 1, 2, 3), "u2")
    arguments |= changes
    with pytest.raises(ValueError, match=message):
        place.place(**arguments)
    assert not np.any(np.asarray(arguments["dst"]).view("u1"))


def test_an_empty_box_needs_no_bytes() -> None:
    place.place(b"", np.zeros((0, 1, 2, 3)), (1, 2, 3), 1, [], (0, 0, 0), 1, False)
    place.place(b"", np.zeros((1, 1, 0, 3)), (1, 2, 3), 1, [0], (0, 2, 0), 3, False)
