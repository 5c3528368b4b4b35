"""Zarr arrays read as images: pixels against zarr-python and tensorstore, whatever their chunks, codecs and axes are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from obstore.store import MemoryStore
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

import gigapix
from gigapix.errors import GigapixError

DTYPES = ("uint8", "int8", "uint16", "int32", "uint64", "float16", "float32", "float64", "complex64", "bool")
COMPRESSORS_V3: dict[str, Any] = {
    "none": None,
    "zstd": ZstdCodec(level=1),
    "zstd-checksum": ZstdCodec(level=1, checksum=True),
    "gzip": GzipCodec(level=1),
    "crc32c": [ZstdCodec(level=1), Crc32cCodec()],
    **{
        f"blosc-{name}-{shuffle}": BloscCodec(cname=name, clevel=1, shuffle=shuffle)
        for name, shuffle in (
            ("lz4", "noshuffle"),
            ("lz4hc", "shuffle"),
            ("blosclz", "bitshuffle"),
            ("zlib", "shuffle"),
        )
    },
}


def pixels(shape: tuple[int, ...], dtype: str, seed: int = 0) -> NDArray[Any]:
    chance = np.random.default_rng(seed)
    values = chance.integers(0, 100, shape)
    return (values > 50 if dtype == "bool" else values).astype(dtype)


def as_image(array: NDArray[Any], names: str) -> NDArray[Any]:
    """An array in the order that images have: further axes of more than one position, T, C, Z, Y, X."""
    order = [names.index(axis) for axis in "tczyx" if axis in names]
    found = array.transpose(order)
    kept = "".join(axis for axis in "tczyx" if axis in names)
    if "c" not in names:
        at = 1 if "t" in names else 0
        found, kept = np.expand_dims(found, at), kept[:at] + "c" + kept[at:]
    for axis in "tz":
        if axis in kept and found.shape[kept.index(axis)] == 1:
            found, kept = found.squeeze(kept.index(axis)), kept.replace(axis, "")
    return found.astype(np.uint8) if found.dtype == bool else found


@st.composite
def arrays(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.permutations(["y", "x", *draw(st.sets(st.sampled_from("tcz")))]))
    shape = tuple(draw(st.integers(1, 21 if name in "yx" else 5)) for name in names)
    chunks = tuple(draw(st.integers(1, size + 3)) for size in shape)
    version = draw(st.sampled_from((2, 3, 3)))
    shards = version == 3 and draw(st.booleans())
    return {
        "names": names,
        "shape": shape,
        "chunks": chunks,
        "shards": tuple(step * draw(st.integers(1, 3)) for step in chunks) if shards else None,
        "dtype": draw(st.sampled_from(DTYPES)),
        "version": version,
        "codec": draw(st.sampled_from(sorted(COMPRESSORS_V3))),
        "big": draw(st.booleans()),
        "transpose": draw(st.permutations(range(len(names)))) if version == 3 and draw(st.booleans()) else None,
        "fortran": draw(st.booleans()),
        "separator": draw(st.sampled_from("./")),
        "written": draw(st.integers(0, shape[0])),
    }


def write(path: Path, case: dict[str, Any]) -> NDArray[Any]:
    """The array of a case, of which only the first `written` places along its first axis are."""
    whole = pixels(case["shape"], case["dtype"])
    fill = whole.ravel()[0] if case["dtype"] == "bool" else np.asarray(7, case["dtype"])[()]
    common: dict[str, Any] = {"shape": case["shape"], "chunks": case["chunks"], "fill_value": fill, "overwrite": True}
    if case["version"] == 2:
        dtype = np.dtype(case["dtype"]).newbyteorder(">" if case["big"] else "<")
        array = zarr.create_array(
            path, dtype=dtype, zarr_format=2, order="F" if case["fortran"] else "C",
            chunk_key_encoding={"name": "v2", "separator": case["separator"]},
            attributes={"_ARRAY_DIMENSIONS": list(case["names"])}, **common,
        )  # fmt: skip
    else:
        array = zarr.create_array(
            path,
            dtype=case["dtype"],
            shards=case["shards"],
            serializer=BytesCodec(endian="big" if case["big"] else "little"),
            filters=[TransposeCodec(order=tuple(case["transpose"]))] if case["transpose"] is not None else (),
            compressors=COMPRESSORS_V3[case["codec"]],
            dimension_names=list(case["names"]),
            chunk_key_encoding={"name": "default", "separator": case["separator"]},
            **common,
        )
    if case["written"]:
        array[: case["written"]] = whole[: case["written"]]
    return np.asarray(array[...])


@settings(max_examples=40)
@given(arrays(), st.data())
def test_pixels_are_those_of_zarr_python(
    tmp_path_factory: pytest.TempPathFactory, case: Any, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.zarr"
    expected = as_image(write(path, case), "".join(case["names"]))
    with gigapix.open(path) as image:
        found = image.read()
        assert found.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, expected)
        height, width = expected.shape[-2:]
        left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
        band = data.draw(st.integers(0, image.bands - 1))
        part = image.read((left, top, right - left, bottom - top), bands=[band])
        there = expected.take([band], image.axes.index("C"))[..., top:bottom, left:right]
        np.testing.assert_array_equal(part, there)
        rows = np.concatenate([block for _, block in image.blocks(block_bytes=1 << 30)], axis=-2)
        np.testing.assert_array_equal(rows, expected)
        if case["dtype"] in ("uint8", "uint16", "int32", "float32"):
            assert image.statistics()[0].max == expected.take(0, image.axes.index("C")).max()


@pytest.mark.parametrize("codec", ["zstd", "blosc-lz4-noshuffle"])
@pytest.mark.parametrize("shards", [None, (32, 64)])
def test_tensorstore_agrees(tmp_path: Path, codec: str, shards: tuple[int, int] | None) -> None:
    import tensorstore

    whole = pixels((70, 90), "uint16")
    zarr.create_array(
        tmp_path / "a.zarr", shape=whole.shape, dtype=whole.dtype, chunks=(16, 32), shards=shards,
        compressors=COMPRESSORS_V3[codec],
    )[...] = whole  # fmt: skip
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path / "a.zarr")}}
    expected = tensorstore.open(spec, read=True).result().read().result()
    with gigapix.open(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.read(bands=0), expected)
        np.testing.assert_array_equal(image.tile(1, 2)[0], expected[32:48, 32:64])


@pytest.mark.parametrize(
    ("compressor", "filters"),
    [
        ({"id": "zlib", "level": 1}, None),
        ({"id": "bz2", "level": 1}, None),
        ({"id": "lzma"}, None),
        ({"id": "lz4"}, None),
        ({"id": "gzip"}, None),
        ({"id": "zstd"}, [{"id": "delta", "dtype": "<u2"}]),
        (None, [{"id": "shuffle", "elementsize": 2}]),
        ({"id": "blosc"}, [{"id": "delta", "dtype": "<u2"}, {"id": "shuffle", "elementsize": 2}]),
    ],
)
def test_codecs_of_v2(tmp_path: Path, compressor: Any, filters: Any) -> None:
    import numcodecs

    whole = pixels((40, 50), "uint16")
    path = tmp_path / "a.zarr"
    zarr.create_array(
        path, shape=whole.shape, dtype=whole.dtype, chunks=(16, 32), zarr_format=2,
        compressors=numcodecs.get_codec(dict(compressor)) if compressor else None,
        filters=[numcodecs.get_codec(dict(each)) for each in filters] if filters else None,
    )[...] = whole  # fmt: skip
    with gigapix.open(path) as image:
        np.testing.assert_array_equal(image.read(bands=0), whole)


@pytest.mark.parametrize("name", ["jpeg2k", "png", "jpegxl", "webp", "jpeg", "lerc"])
def test_codecs_of_images(tmp_path: Path, name: str) -> None:
    import imagecodecs

    samples = 3 if name in ("webp", "jpeg") else 1
    whole = np.clip(np.add.outer(np.arange(64), np.arange(96)) % 256, 0, 255).astype(np.uint8)
    chunk = np.repeat(whole[:, :, None], samples, 2) if samples > 1 else whole
    encode, options = (
        getattr(imagecodecs, f"{name}_encode"),
        {"webp": {"lossless": True}, "jpeg2k": {"reversible": True}},
    )
    path = tmp_path / "a.zarr"
    path.mkdir()
    about = {
        "zarr_format": 2, "shape": chunk.shape, "chunks": chunk.shape, "dtype": "|u1", "order": "C", "fill_value": 0,
        "compressor": {"id": f"imagecodecs_{name}"}, "filters": None,
    }  # fmt: skip
    (path / ".zarray").write_text(json.dumps(about))
    names = ["y", "x", "c"][: chunk.ndim]
    (path / ".zattrs").write_text(json.dumps({"_ARRAY_DIMENSIONS": names}))
    (path / ".".join("0" * chunk.ndim)).write_bytes(encode(chunk, **options.get(name, {})))
    with gigapix.open(path) as image:
        found = np.moveaxis(image.read(), 0, -1)
    difference = np.abs(found.astype(int) - chunk.reshape(found.shape)).max()
    assert difference <= (8 if name == "jpeg" else 0)


def test_what_is_not_supported_is_named(tmp_path: Path) -> None:
    about = {"zarr_format": 2, "shape": [4, 4], "chunks": [4, 4], "dtype": "<u2", "order": "C", "fill_value": 0}
    cases = [
        ({"compressor": {"id": "zfpy"}}, "zfpy"),
        ({"compressor": None, "filters": [{"id": "fixedscaleoffset"}]}, "fixedscaleoffset"),
        ({"compressor": None, "dtype": "<M8[ns]"}, "M8"),
        ({"compressor": None, "dtype": [["a", "<u2"]]}, "a"),
    ]
    for change, word in cases:
        (tmp_path / ".zarray").write_text(json.dumps(about | change))
        with pytest.raises(gigapix.UnsupportedError, match=rf"\.zarray: .*{word}"):
            gigapix.open(tmp_path)


def memory(path: Path, prefix: str = "x.zarr") -> MemoryStore:
    """The files below a folder as a store."""
    store = MemoryStore()
    for root, _, files in os.walk(path):
        for file in files:
            whole = Path(root) / file
            obstore.put(store, f"{prefix}/{whole.relative_to(path).as_posix()}", whole.read_bytes())
    return store


def test_requests_are_few_and_counted(tmp_path: Path) -> None:
    whole = pixels((3, 256, 256), "uint16")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for n in (0, 1):
        array = group.create_array(
            str(n), shape=(3, 256 >> n, 256 >> n), dtype="uint16", chunks=(1, 32, 32), shards=(1, 128 >> n, 128 >> n),
            dimension_names=["c", "y", "x"],
        )  # fmt: skip
        array[...] = whole[:, :: 1 << n, :: 1 << n]
    axes = [{"name": name, "type": "space"} for name in "cyx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}]}
    with gigapix.open("x.zarr", store=memory(tmp_path / "a.zarr")) as image:
        assert image.stats.requests == 3  # the group, and its two arrays side by side
    zarr.consolidate_metadata(str(tmp_path / "a.zarr"))
    with gigapix.open("x.zarr", store=memory(tmp_path / "a.zarr")) as image:
        assert image.stats.requests == 1
        np.testing.assert_array_equal(image.tile(1, 1), whole[:, 32:64, 32:64])
        assert image.stats.requests == 7  # an index and a chunk of three shards
        np.testing.assert_array_equal(image.tile(2, 1), whole[:, 32:64, 64:96])
        assert image.stats.requests == 10  # no index twice
        assert image.stats.ranges


def test_async_reads_are_the_same(tmp_path: Path) -> None:
    whole = pixels((100, 120), "float32")
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=whole.shape, dtype=whole.dtype, chunks=(32, 32), shards=(64, 64))[...] = whole
    store = memory(path)

    async def read() -> None:
        async with gigapix.open_async("x.zarr", store=store) as image:
            np.testing.assert_array_equal(await image.read_async(bands=0), whole)
            np.testing.assert_array_equal(await image.read_async((10, 20, 40, 50), bands=0), whole[20:70, 10:50])
            seen = [block[0] async for _, block in image.blocks_async(block_bytes=1)]
            assert sum(block.size for block in seen) == whole.size
        with pytest.raises(gigapix.SourceError, match="closed"):
            await image.read_async()

    asyncio.run(read())


def test_what_is_not_there(tmp_path: Path) -> None:
    store = MemoryStore()
    for missing in ("x.zarr", "x", "a/b.ome.zarr/0"):
        with pytest.raises(gigapix.NotFoundError):
            gigapix.open(missing, store=store)
    with pytest.raises(gigapix.NotFoundError, match="no Zarr group"):
        gigapix.open(tmp_path)
    zarr.open_group(tmp_path / "empty.zarr", mode="w")
    with pytest.raises(gigapix.UnsupportedError, match="no image"):
        gigapix.open(tmp_path / "empty.zarr")


def test_a_folder_whose_name_tells_nothing_is_found(tmp_path: Path) -> None:
    whole = pixels((10, 12), "uint8")
    zarr.create_array(tmp_path / "a", shape=whole.shape, dtype=whole.dtype)[...] = whole
    store = memory(tmp_path / "a", "some/where")
    with gigapix.open("some/where", store=store) as image:
        np.testing.assert_array_equal(image.read(bands=0), whole)

    async def read() -> NDArray[Any]:
        async with gigapix.open_async("some/where", store=store) as image:
            return await image.read_async(bands=0)

    np.testing.assert_array_equal(asyncio.run(read()), whole)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The objects of a small OME-Zarr of two levels, one of them sharded."""
    path = tmp_path_factory.mktemp("sound") / "a.zarr"
    group = zarr.open_group(path, mode="w")
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    listed = [{"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [2**n] * 2}]} for n in (0, 1)]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": listed}]}
    for n in (0, 1):
        array = group.create_array(
            str(n), shape=(32 >> n, 32 >> n), dtype="uint16", chunks=(8, 8), shards=(16, 16) if n == 0 else None,
            compressors=ZstdCodec() if n == 0 else BloscCodec(), dimension_names=["y", "x"],
        )  # fmt: skip
        array[...] = pixels((32 >> n, 32 >> n), "uint16")
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def swapped(value: Any, draw: st.DrawFn) -> Any:
    """A JSON value with one part of it replaced."""
    odd = st.sampled_from(
        [None, True, -1, 0, 1 << 62, 1e308, "x", "../x", [], {}, [1 << 31] * 3, [[]], {"name": "bytes"}]
    )
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: swapped(value[key], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], swapped(value[at], draw), *value[at + 1 :]]
    return draw(odd)


@settings(max_examples=80)
@given(st.data())
def test_damaged_hierarchies_end_in_our_errors(sound: dict[str, bytes], data: st.DataObject) -> None:
    objects = dict(sound)
    name = data.draw(st.sampled_from(sorted(objects)))
    if name.endswith(".json"):
        objects[name] = json.dumps(
            data.draw(st.composite(lambda draw: swapped(json.loads(objects[name]), draw))())
        ).encode()
    else:
        raw = bytearray(objects[name])
        for _ in range(data.draw(st.integers(0, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        objects[name] = bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2, 1, 0]))])
    store = MemoryStore()
    for key, value in objects.items():
        obstore.put(store, f"x.zarr/{key}", value)
    with contextlib.suppress(GigapixError), gigapix.open("x.zarr", store=store, memory="32MB") as image:
        assert image.metadata is not None
        assert image.count > 0
        assert image.profile["driver"] == "Zarr"
        assert len(image.bounds) == 4
        assert len(image.color_interpretation) == image.bands
        assert image.colormap is None or image.colormap
        for level, each in enumerate(image.levels):
            if each.nbytes < 1 << 24:
                image.read(level=level)
        image.read((0, 0, 4, 4), bands=0)


def damaged(sound: dict[str, bytes], name: str, change: Callable[[bytes], bytes]) -> MemoryStore:
    store = MemoryStore()
    for key, value in sound.items():
        obstore.put(store, f"x.zarr/{key}", change(value) if key == name else value)
    return store


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("0/c/0/0", lambda raw: raw[:-1], r"0/c/0/0: the checksum"),
        ("0/c/0/0", lambda raw: raw[:9], r"0/c/0/0: too short"),
        ("0/c/0/0", lambda raw: raw[:-9] + b"xxxxx" + raw[-4:], r"0/c/0/0: the checksum"),
        ("0/c/0/0", lambda raw: b"x" * 20 + raw[20:], r"x\.zarr/0/c/0/0: zstd"),
        ("1/c/0/0", lambda raw: b"", r"x\.zarr/1/c/0/0: is empty"),
        ("1/c/0/0", lambda raw: raw[:20], r"x\.zarr/1/c/0/0: blosc"),
        ("1/c/0/0", lambda raw: raw[:4] + b"\xff\xff\xff\x7f" + raw[8:], r"x\.zarr/1/c/0/0: blosc: 2147483647"),
        ("1/zarr.json", lambda raw: b"[1", r"1/zarr\.json: no JSON"),
        ("1/zarr.json", lambda raw: b"[" * 99_999, r"1/zarr\.json: no JSON"),
        ("1/zarr.json", lambda raw: raw.replace(b"uint16", b"string"), r"1/zarr\.json: samples of type string"),
    ],
)
def test_errors_name_the_object(sound: dict[str, bytes], name: str, change: Any, words: str) -> None:
    with pytest.raises(GigapixError, match=words), gigapix.open("x.zarr", store=damaged(sound, name, change)) as image:
        image.read(level=int(name[0]))


def test_a_chunk_of_more_than_its_array_is_refused(tmp_path: Path) -> None:
    import imagecodecs

    bomb = imagecodecs.zstd_encode(bytes(64 << 20), level=3)
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(8, 8), dtype="uint8", chunks=(8, 8))[...] = 1
    (path / "c/0/0").write_bytes(bomb)
    for codec, raw in (("zstd", bomb), ("gzip", imagecodecs.gzip_encode(bytes(64 << 20))), ("zstd", bomb[:30])):
        about = json.loads((path / "zarr.json").read_text())
        about["codecs"][1] = {"name": codec, "configuration": {"level": 1}}
        (path / "zarr.json").write_text(json.dumps(about))
        (path / "c/0/0").write_bytes(raw)
        with gigapix.open(path) as image, pytest.raises(gigapix.DecodeError, match=r"a\.zarr/c/0/0"):
            image.read()
