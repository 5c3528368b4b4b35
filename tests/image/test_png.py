"""PNGs as images: what they say of themselves, and their pixels, as stored."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import gigapix
from gigapix.errors import DecodeError, FormatError, GigapixError, UnsupportedError
from tests import fixtures_png as made
from tests import guard
from tests.hostile.probe import mutants


@pytest.fixture(scope="module")
def suite(corpus: Path) -> list[Path]:
    """PngSuite's files, the corrupt ones (x...) last."""
    return sorted((corpus.parent / "png" / "pngsuite").glob("*.png"), key=lambda path: (path.name[0] == "x", path.name))


def by_gdal(path: Path) -> rasterio.DatasetReader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path)


def colormap(dataset: rasterio.DatasetReader) -> Any:
    try:
        return dataset.colormap(1)
    except ValueError:
        return None


def test_suite_facts(suite: list[Path]) -> None:
    checked = 0
    for path in suite:
        if path.name.startswith("x"):
            continue
        with gigapix.open(path) as image, by_gdal(path) as oracle:
            colour_key = image.bands == 3 and "transparent" in image.metadata
            expected = {**oracle.profile, **({"nodata": None} if colour_key else {})}
            assert image.profile == expected, path.name
            assert image.colormap == colormap(oracle), path.name
            assert image.color_interpretation == tuple(kind.name for kind in oracle.colorinterp), path.name
            if not colour_key:
                assert image.mask_flags == tuple(
                    tuple(flag.name for flag in flags) for flags in oracle.mask_flag_enums
                ), path.name
            if path.name[:4] in ("ct0n", "ct1n", "ctzn"):  # iTXt is beyond this GDAL
                assert image.metadata.get("text", {}) == oracle.tags()
            gamma = oracle.tags(ns="COLOR_PROFILE").get("PNG_GAMMA")
            assert image.metadata.get("gamma") == (float(gamma) if gamma else None)
            assert "problems" not in image.metadata
            assert (image.count, image.kind, image.crs, image.gcps) == (1, "png", None, ())
            assert image.bounds == tuple(oracle.bounds)
            assert image.stats.requests <= 2
        checked += 1
    assert checked == 161


def test_suite_pixels(suite: list[Path]) -> None:
    for path in suite:
        if path.name.startswith("x"):
            continue
        with gigapix.open(path) as image, by_gdal(path) as oracle:
            pixels = image.read()
            np.testing.assert_array_equal(pixels, oracle.read(), err_msg=path.name)
        with Image.open(path) as picture:
            if max(image.levels[0].spec.encoding.bits) == 8:  # Pillow expands fewer bits, and halves more
                shown = np.asarray(picture).reshape(image.height, image.width, -1)
                np.testing.assert_array_equal(pixels, np.moveaxis(shown, -1, 0), err_msg=path.name)


def test_suite_corrupt(suite: list[Path]) -> None:
    errors = {}
    for path in suite:
        if path.name.startswith("x"):
            with pytest.raises(GigapixError) as caught, gigapix.open(path) as image:
                image.read()
            assert caught.value.path == str(path)
            errors[path.name] = type(caught.value)
    assert errors.pop("xcsn0g01.png") is DecodeError
    assert set(errors.values()) == {FormatError} and len(errors) == 13


def test_corpus_animation(corpus: Path) -> None:
    path = corpus.parent / "png" / "apng" / "basic_f20.png"
    with Image.open(path) as oracle, gigapix.open(path) as image:
        assert image.count == oracle.n_frames == 20  # type: ignore[attr-defined]
    with gigapix.open(path, index=19) as image:
        assert image.metadata["animation"] == {"frames": 20, "plays": 0}
        assert image.metadata["frame"].keys() == {"x", "y", "width", "height", "delay", "dispose", "blend"}
        assert image.read().shape == (4, image.metadata["frame"]["height"], image.metadata["frame"]["width"])


def same(data: bytes, pixels: np.ndarray, **options: Any) -> None:
    with gigapix.open(data, **options) as image:
        found = image.read()
        np.testing.assert_array_equal(found, np.moveaxis(pixels, -1, 0))
        assert found.dtype == pixels.dtype
        height, width = pixels.shape[:2]
        window = (width // 3, height // 2, width - width // 3, height - height // 2)
        np.testing.assert_array_equal(image.read(window), found[:, height // 2 :, width // 3 :])
        np.testing.assert_array_equal(image.read(bands=image.bands - 1), found[-1])


@pytest.mark.parametrize(("color_type", "depth"), made.KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("filters", [(0,), (1,), (2,), (3,), (4,), made.ALL_FILTERS])
def test_pixels(color_type: int, depth: int, interlaced: bool, filters: tuple[int, ...]) -> None:
    pixels = made.noise(color_type, depth)
    same(made.png(pixels, depth, color_type, filters=filters, interlaced=interlaced, cuts=(50, 1, 0)), pixels)


@given(
    st.sampled_from(made.KINDS), st.booleans(), st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(1, 20),
    st.integers(1, 20), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=60)
def test_any_pixels(
    kind: tuple[int, int], interlaced: bool, filters: list[int], height: int, width: int, cuts: list[int], seed: int
) -> None:
    color_type, depth = kind
    pixels = made.noise(color_type, depth, height, width, seed=seed)
    same(made.png(pixels, depth, color_type, filters=filters, interlaced=interlaced, cuts=cuts), pixels)


@pytest.mark.parametrize("separate", [False, True])
def test_frames(separate: bool) -> None:
    frames = [(made.noise(2, 8, 9 - n, 9 - 2 * n, seed=n), n, n) for n in range(3)]
    default = made.noise(2, 8, 9, 9, seed=9) if separate else None
    data = made.apng(frames, 2, default=default, cuts=(40,))
    shown = [*([default] if default is not None else []), *(frame[0] for frame in frames)]
    with gigapix.open(data) as image:
        assert image.count == len(shown)
    for index, pixels in enumerate(shown):
        same(data, pixels, index=index)
    with gigapix.open(data, index=len(shown) - 1) as image:
        assert image.metadata["frame"] == {
            "x": 2, "y": 2, "width": 5, "height": 7, "delay": pytest.approx(0.3), "dispose": "previous", "blend": "source",
        }  # fmt: skip


@pytest.mark.parametrize("interlaced", [False, True])
def test_every_prefix(interlaced: bool) -> None:
    """A cut file is refused, or has lost nothing but what stands behind its pixels."""
    pixels = made.noise(2, 8)
    data = made.png(pixels, 8, 2, interlaced=interlaced, cuts=(100,))
    shortest = len(data)
    for length in range(len(data)):
        try:
            with gigapix.open(data[:length]) as image:
                found = image.read()
        except FormatError:
            continue
        np.testing.assert_array_equal(found, np.moveaxis(pixels, -1, 0), err_msg=str(length))
        shortest = min(length, shortest)
    assert shortest >= len(data) - 12 - 4 - 4  # IEND, a CRC, the Adler-32


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_no_damage_goes_unseen(interlaced: bool, flip: int) -> None:
    """With a byte changed anywhere, the pixels are the same or they are refused."""
    pixels = made.noise(3, 4, 9, 9)
    sound = made.png(
        pixels, 4, 3, interlaced=interlaced, cuts=(30,), before=[("tRNS", b"abc")], behind=[("tEXt", b"a\0b")]
    )
    same_pixels = 0
    for place in range(len(sound)):
        damaged = bytearray(sound)
        damaged[place] ^= flip
        try:
            with gigapix.open(bytes(damaged)) as image:
                found = image.read()
        except (FormatError, UnsupportedError):
            continue
        np.testing.assert_array_equal(found, np.moveaxis(pixels, -1, 0), err_msg=str(place))
        same_pixels += 1
    assert 12 < same_pixels < 60  # within tRNS, tEXt and IEND


@pytest.mark.parametrize("verify", [True, False])
def test_mutants(verify: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without checksums more of the damage gets through to what reads it."""
    monkeypatch.setenv("GIGAPIX_VERIFY", str(int(verify)))
    frames = [(made.noise(3, 4, seed=n), 0, 0) for n in range(2)]
    texts = [
        ("zTXt", b"a\0\0" + zlib.compress(b"b" * 99)),
        ("iCCP", b"c\0\0" + zlib.compress(b"d" * 99)),
        ("pHYs", bytes(9)),
    ]
    stems = {
        "rgb": made.png(made.noise(2, 8), 8, 2, before=texts, behind=[("tIME", bytes(7))]),
        "interlaced": made.png(made.noise(0, 16), 16, 0, interlaced=True, before=[("tRNS", b"\0\7")]),
        "animated": made.apng(frames, 3, depth=4),
    }
    tasks = []
    for name, data in stems.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        tasks.append((str(tmp_path / f"{name}.png"), 0, 150))
    for (path, _, _), outcome in zip(tasks, guard.run_all(mutants, tasks), strict=True):
        assert not outcome.fault, f"{path}: {outcome}"
        assert not outcome.value[1], outcome.value[1]


def test_what_is_transparent() -> None:
    def opened(color_type: int, depth: int, transparency: bytes) -> gigapix.Image:
        pixels = made.noise(color_type, depth, seed=3)
        return gigapix.open(
            made.png(
                pixels,
                depth,
                color_type,
                before=[("PLTE", made.palette(1 << depth))] * (color_type == 3) + [("tRNS", transparency)],
            )
        )

    with opened(0, 16, b"\1\2") as image:
        assert (image.nodata, image.metadata["transparent"], image.mask_flags) == (258.0, (258,), (("nodata",),))
    with opened(2, 8, b"\0\1\0\2\0\3") as image:
        assert (image.nodata, image.metadata["transparent"], image.mask_flags) == (
            None,
            (1, 2, 3),
            (("all_valid",),) * 3,
        )
    with opened(3, 2, b"\7\0\xff") as image:
        assert (image.nodata, image.mask_flags) == (1.0, (("nodata",),))
        assert [color[3] for color in (image.colormap or {}).values()] == [7, 0, 255, 255]
        assert list(image.colormap or {}) == [0, 1, 2, 3]
    with opened(3, 2, b"\0\0") as image:
        assert image.nodata is None


def test_metadata_by_pillow() -> None:
    profile, exif = bytes(range(256)) * 9, Image.Exif()
    exif[271] = "maker"
    info = PngImagePlugin.PngInfo()
    for keyword, text, packed in (("Title", "plain", False), ("Long", "packed " * 99, True), ("Title", "again", False)):
        info.add_text(keyword, text, zip=packed)
    info.add_itxt("XML:com.adobe.xmp", "<xmp>é</xmp>", zip=True)
    info.add_text("Late", "behind", zip=False)
    file = io.BytesIO()
    Image.new("RGBA", (40, 30)).save(file, "png", pnginfo=info, icc_profile=profile, dpi=(254, 508), exif=exif)
    with gigapix.open(file.getvalue()) as image:
        found = image.metadata
    assert found["kind"] == "png" and "problems" not in found
    assert found["text"] == {
        "Title": ["plain", "again"], "Long": "packed " * 99, "XML:com.adobe.xmp": "<xmp>é</xmp>", "Late": "behind",
    }  # fmt: skip
    assert (found["icc"], found["icc_name"]) == (profile, "ICC Profile")
    assert found["pixel_size"] == {"X": (0.0001, "m"), "Y": (0.00005, "m")}
    assert found["exif"] == exif.tobytes()[6:]


def test_chunks_are_tags() -> None:
    data = made.png(
        made.noise(0, 8), before=[("gAMA", b"\0\0\0\1"), ("tEXt", b"a\0b")], behind=[("tEXt", b"c\0d"), ("prVt", b"x")]
    )
    with gigapix.open(data) as image:
        tags = image.tags
        assert list(tags) == ["IHDR", "gAMA", "tEXt", "prVt"] and len(tags) == 4
        assert (tags["gAMA"], tags["tEXt"], tags["prVt"]) == (b"\0\0\0\1", (b"a\0b", b"c\0d"), b"x")
        assert tags["IHDR"] == struct.pack(">IIBBBBB", 11, 13, 8, 0, 0, 0, 0)
        assert "IDAT" not in tags and "PLTE" not in tags
        with pytest.raises(UnsupportedError):
            _ = image.ifd


def test_problems_are_told() -> None:
    with gigapix.open(
        made.png(made.noise(0, 8), before=[("tRNS", b"1"), ("sRGB", b"\7")], behind=[("tIME", b"")])
    ) as image:
        assert [problem.split()[0] for problem in image.metadata["problems"]] == ["tRNS", "sRGB", "tIME"]


def test_requests() -> None:
    store = obstore.store.MemoryStore()
    when = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    time = ("tIME", struct.pack(">H5B", *when.timetuple()[:6]))
    pixels = made.noise(6, 16, 200, 200)
    obstore.put(
        store,
        "a.png",
        made.png(pixels, 16, 6, filters=(0,), before=[("gAMA", b"\0\0\0\1")], behind=[time], cuts=(8192,)),
    )
    with gigapix.open("a.png", store=store) as image:
        assert (image.stats.requests, image.header_bytes) == (1, 16384)
        assert (image.count, image.nodata, image.profile["count"]) == (1, None, 4)
        assert image.stats.requests == 1
        assert image.metadata["time"] == when
        assert image.stats.requests == 2 and image.stats.bytes <= 16384 + 65536 + 2 * 16384
        assert image.tags["tIME"] == time[1]
        assert image.stats.requests == 2
        np.testing.assert_array_equal(image.read(), np.moveaxis(pixels, -1, 0))


def test_checksums_are_a_setting() -> None:
    pixels = made.noise(0, 8)
    sound = made.png(pixels, before=[("gAMA", bytes(4))])
    for kind in (b"IHDR", b"IDAT", b"gAMA"):
        at = sound.index(kind)
        end = at + 4 + int.from_bytes(sound[at - 4 : at], "big")
        data = sound[:end] + bytes(4) + sound[end + 4 :]
        with gigapix.open(data, verify=False) as image:
            np.testing.assert_array_equal(image.read()[0], pixels[..., 0])
            assert image.metadata["gamma"] == 0
        if kind == b"gAMA":
            with gigapix.open(data) as image:
                assert "gamma" not in image.metadata and "CRC" in image.metadata["problems"][0]
                continue
        with pytest.raises(FormatError, match="CRC"), gigapix.open(data) as image:
            image.read()
