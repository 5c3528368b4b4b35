"""The codec ``gigapix.tiff`` in zarr-python: its configuration, and what it makes of bytes that are not sound."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pickle
import zlib
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.core.buffer import default_buffer_prototype
from zarr.registry import get_codec_class

from gigapix.errors import DecodeError, FormatError, GigapixError, UnsupportedError
from gigapix.formats.model import Encoding, OldJpeg
from gigapix.interop.zarr_codecs import TiffCodec
from gigapix.views.chains import SPARSE, TiffChunk
from gigapix.views.chains_json import encoding_json, encoding_of

NUMBERS = st.integers(0, 1 << 16)
SOME = st.lists(st.integers(0, 64), max_size=4).map(tuple)
TABLES = st.lists(st.binary(max_size=8), max_size=3).map(tuple)

OLD = st.builds(
    OldJpeg, interchange=st.binary(max_size=9), quantization=TABLES, dc_tables=TABLES, ac_tables=TABLES,
    restart_interval=NUMBERS, process=NUMBERS,
)  # fmt: skip

ENCODINGS = st.builds(
    Encoding, compression=NUMBERS, dtype=st.sampled_from(["u1", "i2", "f4", "c8"]).map(np.dtype), samples=st.just(1),
    bits=SOME, sample_format=NUMBERS, byteorder=st.sampled_from("<>"), predictor=NUMBERS, fill_order=NUMBERS,
    photometric=NUMBERS, planar=st.booleans(), extra_samples=SOME, subsampling=st.tuples(NUMBERS, NUMBERS),
    jpeg_tables=st.binary(max_size=20), old_jpeg=st.none() | OLD, t4_options=NUMBERS, t6_options=NUMBERS,
    lerc_parameters=SOME, nodata=st.none() | st.integers(0, 9), framing=st.sampled_from(["", "IDAT", "fdAT"]),
    interlaced=st.booleans(),
)  # fmt: skip

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 70000) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)

FIELDS = (*(field.name for field in dataclasses.fields(Encoding)), "axes", "edge", "mask")


@given(ENCODINGS)
@settings(max_examples=40)
def test_an_encoding_is_the_same_behind_its_json(encoding: Encoding) -> None:
    back = encoding_of(json.loads(json.dumps(encoding_json(encoding))))
    assert dataclasses.replace(back, dtype=encoding.dtype, nodata=encoding.nodata) == encoding


@given(ENCODINGS, st.sampled_from(["CYX", "YX", "TCZYX"]), st.tuples(NUMBERS, NUMBERS), st.booleans())
@settings(max_examples=20)
def test_a_codec_is_the_same_behind_its_metadata(
    encoding: Encoding, axes: str, edge: tuple[int, int], mask: bool
) -> None:
    encoding = dataclasses.replace(encoding, dtype=np.dtype("u1"), nodata=None)
    codec = TiffCodec(TiffChunk(encoding=encoding, axes=axes, edge=edge, mask=mask))
    assert get_codec_class("gigapix.tiff") is TiffCodec
    assert TiffCodec.from_dict(json.loads(json.dumps(codec.to_dict()))) == codec
    assert pickle.loads(pickle.dumps(codec)) == codec


@given(st.dictionaries(st.sampled_from(FIELDS), ANY) | ANY)
@settings(max_examples=60)
def test_any_json_is_a_configuration_or_a_fault(given: Any) -> None:
    with contextlib.suppress(FormatError):
        TiffChunk.of_json(given)


@given(
    st.sampled_from([1, 2, 4, 5, 6, 7, 8, 32773, 34712, 34887, 34925, 50000, 50001, 50002, 34892]),
    ENCODINGS, st.binary(max_size=60), st.sampled_from([(1, 4, 4), (3, 5, 2), (1, 1, 1)]), st.booleans(),
)  # fmt: skip
@settings(max_examples=60)
def test_any_configuration_and_bytes_give_pixels_or_a_fault(
    compression: int, encoding: Encoding, data: bytes, shape: tuple[int, int, int], edge: bool
) -> None:
    encoding = dataclasses.replace(encoding, compression=compression)
    out = np.empty(shape, encoding.dtype)
    with contextlib.suppress(GigapixError):
        TiffChunk(encoding=encoding, axes="CYX", edge=(1, 2) if edge else (0, 0)).decode(data, out, 0)


def group(codec: TiffCodec, *, rows: int, chunk: int, strips: list[bytes]) -> zarr.Array[Any]:
    """An array of (1, rows, 8) uint16 of strips."""
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store, shape=(1, rows, 8), chunks=(1, chunk, 8), dtype="u2", fill_value=9, serializer=codec, compressors=None,
        filters=None,
    )  # fmt: skip
    for n, strip in enumerate(strips):
        key, value = f"c/0/{n}/0", default_buffer_prototype().buffer.from_bytes(strip)
        zarr.core.sync.sync(store.set(key, value))
    return array


def strips(rows: int, chunk: int, predictor: int) -> tuple[np.ndarray[Any, Any], list[bytes]]:
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (rows, 8), np.uint16)
    stored = np.diff(pixels, axis=1, prepend=np.uint16(0)) if predictor == 2 else pixels
    cut = [stored[at : at + chunk].astype(">u2").tobytes() for at in range(0, rows, chunk)]
    return pixels, [zlib.compress(each) for each in cut]


ENCODING = Encoding(compression=8, dtype=np.dtype("u2"), bits=(16,), byteorder=">", predictor=2)


def test_ragged_strips() -> None:
    """The last strip is filled up; one in the middle that is cut short is damage, even to as many rows or more."""
    pixels, data = strips(22, 5, 2)
    codec = TiffCodec(TiffChunk(encoding=ENCODING, axes="CYX", edge=(2, 0)))
    array = group(codec, rows=22, chunk=5, strips=data)
    np.testing.assert_array_equal(array[0], pixels)
    for rows, fault in ((1, True), (2, False), (3, True), (4, True)):
        short = zlib.compress(zlib.decompress(data[1])[: rows * 16])
        damaged = group(codec, rows=22, chunk=5, strips=[data[0], short, *data[2:]])
        if fault:
            with pytest.raises(DecodeError):
                damaged[0]
        else:  # a whole strip of the last one's size
            np.testing.assert_array_equal(damaged[0, 5:7], pixels[5:7])
            assert (damaged[0, 7:10] == 9).all()
    for cut in (data[-1][:-9], b""):
        with pytest.raises(DecodeError):
            group(codec, rows=22, chunk=5, strips=[*data[:-1], cut])[0]


def test_a_sparse_segment_is_the_fill_value() -> None:
    codec = TiffCodec(TiffChunk(encoding=ENCODING, axes="CYX"))
    assert (group(codec, rows=5, chunk=5, strips=[SPARSE])[...] == 9).all()


def test_a_mask() -> None:
    encoding = Encoding(compression=1, dtype=np.dtype("u1"), bits=(1,))
    out = np.empty((2, 8), np.uint8)
    TiffChunk(encoding=encoding, axes="YX", mask=True).decode(b"\xf0\x01", out, 0)
    assert out.tolist() == [[255] * 4 + [0] * 4, [0] * 7 + [255]]


def test_it_only_reads() -> None:
    array = group(TiffCodec(TiffChunk(encoding=ENCODING, axes="CYX")), rows=5, chunk=5, strips=[])
    with pytest.raises(UnsupportedError, match="only reads"):
        array[...] = 1
    with pytest.raises(FormatError):
        TiffCodec.from_dict({"name": "other"})


def test_a_chunk_of_other_axes() -> None:
    chunk = TiffChunk(encoding=ENCODING, axes="CYX")
    with pytest.raises(FormatError, match="a chunk of"):
        chunk.decode(b"0", np.empty((5, 5), np.uint16), 0)
