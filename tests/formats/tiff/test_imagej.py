"""ImageJ's description and its private tags."""

from __future__ import annotations

import itertools
import struct

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from gigapix.errors import FormatError, LimitError
from gigapix.formats.tiff import imagej
from gigapix.formats.tiff.stack import stack_of_imagej
from tests.fixtures_micro import C, T, Z, imagej_hyperstack


def described(*lines: str) -> imagej.ImageJ:
    found = imagej.parse("\n".join(["ImageJ=1.53t", *lines]))
    assert found is not None
    return found


def test_fields():
    text = "ImageJ=1.53t\nimages=24\nchannels=3\nslices=4\nframes=2\nhyperstack=true\nmode=composite\nunit=\\u00B5m\n"
    text += "spacing=0.25\nfinterval=1.5\nloop=true\nmin=-3.5\nmax=1e3\nodd\na=b=c\n"
    found = imagej.parse(text)
    assert found is not None
    assert (found.version, found.images, found.channels, found.slices, found.frames) == ("1.53t", 24, 3, 4, 2)
    assert (found.hyperstack, found.loop, found.mode, found.unit) == (True, True, "composite", "\u00b5m")
    assert (found.spacing, found.interval, found.minimum, found.maximum) == (0.25, 1.5, -3.5, 1000.0)
    assert found.entries["a"] == "b=c"


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m", "\u00b5m", "\u03bcm"])
def test_micrometers(unit):
    assert described(f"unit={unit}").unit == "\u00b5m"


def test_no_unit():
    assert described("unit=pixel").unit == ""
    assert described("fps=4").interval == 0.25
    assert described("fps=1e-320").interval is None
    assert described("finterval=nan").interval is None


@pytest.mark.parametrize("text", ["", "ImageJ", "imagej=1", "OME", "\nImageJ=1"])
def test_other_texts(text):
    assert imagej.parse(text) is None


@pytest.mark.parametrize(
    ("lines", "samples", "planar", "extent"),
    [
        (["images=24", "channels=3", "slices=4", "frames=2"], 1, False, (2, 3, 4)),
        (["images=5"], 1, False, (1, 1, 5)),
        (["images=5", "slices=5"], 3, False, (1, 1, 5)),
        (["images=5", "slices=5", "channels=3"], 3, False, (1, 1, 5)),
        (["images=15", "slices=5", "channels=3"], 3, False, (1, 3, 5)),
        (["images=15", "slices=5", "channels=3"], 3, True, (1, 1, 5)),
        ([], 1, False, (1, 1, 1)),
    ],
)
def test_extent(lines, samples, planar, extent):
    assert imagej.extent_of(described(*lines), samples=samples, planar=planar) == extent


@pytest.mark.parametrize("line", ["images=0", "images=many", "images=-5", "slices=0", "frames=2.5", "channels=1e300"])
def test_counts_that_cannot_be(line):
    with pytest.raises(FormatError):
        stack_of_imagej(described(line), contiguous=True)


def test_too_many():
    with pytest.raises(LimitError):
        stack_of_imagej(described("images=2000000000"), contiguous=True)
    with pytest.raises(FormatError, match="names 5 planes, and the file has 4"):
        stack_of_imagej(described("images=5"), contiguous=False, pages=4)


def test_pages_without_a_count_are_slices():
    stack = stack_of_imagej(described("unit=um"), contiguous=False, pages=7)
    assert (stack.axes, stack.shape) == ("Z", (7,))


def test_contiguous():
    def of(**changes: int | None) -> bool:
        facts = {"offset": 100, "plane_bytes": 10, "next_ifd": 0, "file_size": 130} | changes
        return imagej.is_contiguous(3, **facts)

    assert of()
    assert of(file_size=None)
    assert of(next_ifd=130)
    assert not of(file_size=129)
    assert not of(next_ifd=129)
    assert not of(next_ifd=8)
    assert not imagej.is_contiguous(1, offset=100, plane_bytes=10, next_ifd=0)
    assert of(offset=1 << 40, file_size=(1 << 40) + 30)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_metadata(tmp_path, byteorder):
    imagej_hyperstack(tmp_path / "a.tif", byteorder)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        tags = tif.pages[0].tags
        counts = tags[50838].value
        data = bytes(tif.filehandle.seek(tags[50839].valueoffset) and tif.filehandle.read(tags[50839].valuebytecount))
        want = tif.imagej_metadata
    found = imagej.parse_metadata(data, counts, byteorder)
    assert found is not None
    assert found.info == want["Info"] == "of µ"
    assert list(found.labels) == want["Labels"] == [f"plane {n}" for n in range(T * C * Z)]
    assert list(itertools.chain(*found.ranges)) == list(want["Ranges"])
    assert [bytes(lut) for lut in want["LUTs"]] == list(found.luts)
    assert found.colors == ((255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255))
    stack = stack_of_imagej(described("images=3", "channels=3"), contiguous=True, metadata=found)
    assert [channel.color for channel in stack.channels] == list(found.colors)


def test_all_kinds_of_metadata():
    texts = [text.encode("utf-16-le") for text in ("key", "value", "odd")]
    parts = [b"over 1", b"over 2", b"region", b"a plot", b"unknown", *texts]
    header = b"JIJI" + b"".join(
        struct.pack("<4sI", kind[::-1], count)
        for kind, count in ((b"over", 2), (b"roi ", 1), (b"plot", 1), (b"what", 1), (b"prop", 3))
    )
    found = imagej.parse_metadata(header + b"".join(parts), [len(header), *map(len, parts)], "<")
    assert found is not None
    assert found.overlays == (b"over 1", b"over 2")
    assert (found.roi, found.plot, dict(found.properties)) == (b"region", b"a plot", {"key": "value"})


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (b"", []),
        (b"IJIJ", [12, 1 << 31, 5]),
        (b"IJIJ" + bytes(24), [28]),
        (b"IJIJinfo\0\0\0\2ab", [12, 2]),
        (b"IJIJ" + bytes(8000), [4, 2]),
        (b"IJIJ" + bytes(8000), [1004, 2]),
        (b"IJIJinfo\0\0\0\1ab", [12, -2]),
        (b"ABCDinfo\0\0\0\1ab", [12, 2]),
    ],
)
def test_damaged_metadata(data, counts):
    assert imagej.parse_metadata(data, counts, ">") is None


@given(st.binary(max_size=80), st.lists(st.integers(-1, 90), max_size=6), st.sampled_from("<>"))
def test_any_metadata(data, counts, byteorder):
    imagej.parse_metadata(b"IJIJ" + data, counts, byteorder)


@given(st.text(max_size=100))
def test_any_description(text):
    found = imagej.parse("ImageJ=" + text)
    assert found is not None
    assert imagej.extent_of(found)
