"""Planes in their places: against the pixels that were written, the specification's own examples, and tifffile."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from gigapix.errors import FormatError, LimitError, UnsupportedError
from gigapix.formats.tiff import imagej, ome, shaped
from gigapix.formats.tiff.ome_planes import is_here
from gigapix.formats.tiff.stack import MAX_PLANES, Stack, stack_of_imagej, stack_of_ome, stack_of_shaped
from tests.fixtures_micro import MICRO, C, T, Z, ome_set, ome_xml, sizes

ORDERS = ("CZT", "CTZ", "ZCT", "ZTC", "TCZ", "TZC")


def stack_of(text: str, **options) -> Stack:
    (image,) = ome.parse(text).images
    return stack_of_ome(image, **options)


def stack_of_file(path: Path) -> Stack:
    """The file's first stack, made of what a reader knows of its first page."""
    with tifffile.TiffFile(path) as tif:
        page, pages = tif.pages[0], len(tif.pages)
        text, samples, planar = page.description, page.samplesperpixel, page.planarconfig == 2
        if tif.is_ome:
            found = ome.parse(text)
            return stack_of_ome(found.images[0], found.uuid, path.name, pages=pages, samples=samples)
        if tif.is_shaped:
            facts = shaped.parse(text)
            return stack_of_shaped(facts, page.shape, contiguous=facts.truncated, pages=pages)
        facts = imagej.parse(text)
        planes = math.prod(imagej.extent_of(facts, samples=samples, planar=planar))
        contiguous = pages == 1 and imagej.is_contiguous(
            planes, offset=page.dataoffsets[0], plane_bytes=page.nbytes, next_ifd=0, file_size=tif.filehandle.size
        )
        return stack_of_imagej(facts, contiguous=contiguous, pages=pages, samples=samples, planar=planar)


def pixels_of(path: Path, stack: Stack):
    """(..., Y, X) of the stack's axes, or (..., C, Y, X) where pages have samples."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        if stack.contiguous:
            run = tif.filehandle.read_array(page.dtype, stack.ifd.size * page.size, page.dataoffsets[0])
            planes = run.reshape(-1, *page.shape)[stack.ifd.ravel()]
        else:
            planes = np.stack([tif.pages[int(index)].asarray() for index in stack.ifd.ravel()])
        if page.samplesperpixel > 1 and page.planarconfig == 1:
            planes = np.moveaxis(planes, -1, 1)
    return planes.reshape(*stack.shape, *planes.shape[1:])


@pytest.mark.parametrize("name", [n for n in MICRO if not n.startswith("svs") and n != "ome_binary_only"])
def test_fixtures(tmp_path, name):
    path = tmp_path / ("a.ome.tif" if name.startswith("ome") else "a.tif")
    want = MICRO[name](path)
    stack = stack_of_file(path)
    found = pixels_of(path, stack)
    if "rgb" in name:  # the reader multiplies samples into C
        found = np.moveaxis(found, 1, 0)
        assert stack.axes == "Z"
    else:
        assert len(stack.axes) == want.ndim - 2
    assert stack.contiguous == ("contiguous" in name or "truncated" in name)
    assert not stack.problems
    assert not stack.missing
    np.testing.assert_array_equal(found, want)


def test_metadata_of_a_stack(tmp_path):
    MICRO["ome_pyramid"](tmp_path / "a.ome.tif")
    stack = stack_of_file(tmp_path / "a.ome.tif")
    assert (stack.axes, stack.shape) == ("TCZ", (T, C, Z))
    assert [channel.name for channel in stack.channels] == ["a", "b", "c"]
    assert stack.pixel_size == {"X": (0.5, "\u00b5m")}
    facts = imagej.parse("ImageJ=1\nimages=8\nslices=4\nframes=2\nunit=um\nspacing=-0.25\nfinterval=1.5")
    stack = stack_of_imagej(facts, contiguous=True, resolution=(4.0, 0.0))
    assert stack.pixel_size == {"X": (0.25, "\u00b5m"), "Z": (0.25, "\u00b5m"), "T": (1.5, "s")}


def test_axes_of_size_1_are_dropped():
    stack = stack_of(ome_xml(sizes("CZT", t=1, c=1, z=1)))
    assert (stack.axes, stack.shape, stack.ifd.tolist()) == ("", (), 0)


# The examples of the OME-TIFF specification: position (Z, T, C) to IFD.


def test_fragment_1():
    stack = stack_of(ome_xml(sizes("ZTC", t=2, c=2, z=3)), pages=12)
    assert stack.ifd.tolist() == [[[0, 1, 2], [6, 7, 8]], [[3, 4, 5], [9, 10, 11]]]


def test_fragment_2():
    stack = stack_of(ome_xml(sizes("CTZ", t=3, c=2, z=4), '<TiffData PlaneCount="10"/>'), pages=10)
    assert stack.ifd[:, :, 0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert stack.ifd[:, :, 1].tolist() == [[6, 7], [8, 9], [-1, -1]]
    assert (stack.ifd[:, :, 2:] == -1).all()
    assert stack.problems == ("14 of 24 planes of OME image 'Image:0' are in no file",)


def test_fragment_3():
    stack = stack_of(ome_xml(sizes("ZTC", t=2, c=3, z=4), '<TiffData IFD="3" PlaneCount="5"/>'), pages=9)
    assert stack.ifd[:, 0].tolist() == [[3, 4, 5, 6], [7, -1, -1, -1]]
    assert (stack.ifd[:, 1:] == -1).all()


def test_fragment_4():
    rows = "".join(f'<TiffData IFD="{n}" FirstT="{5 - n}"/>' for n in range(6))
    stack = stack_of(ome_xml(sizes("ZTC", t=6, c=1, z=1), rows), pages=6)
    assert stack.ifd.tolist() == [5, 4, 3, 2, 1, 0]


def test_fewer_pages_than_planes():
    text = ome_xml(sizes("ZCT", t=1, c=1, z=5))
    assert stack_of(text, pages=3).ifd.tolist() == [0, 1, 2, -1, -1]
    assert "2 of 5 planes" in stack_of(text, pages=3).problems[0]
    assert stack_of(text).ifd.tolist() == [0, 1, 2, 3, 4]  # nobody counted
    far = ome_xml(sizes("ZCT", t=1, c=1, z=2), '<TiffData IFD="1000000000"/>')
    assert stack_of(far, pages=2).ifd.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        ("", [-1, -1, -1]),
        ('<TiffData PlaneCount="0"/>', [-1, -1, -1]),
        ('<TiffData IFD="0"/>', [0, -1, -1]),
        ('<TiffData FirstZ="4"/>', [-1, -1, -1]),  # outside
        ('<TiffData FirstZ="3"/>', [-1, -1, 0]),  # outside by one: some writers count from 1
        ('<TiffData IFD="5"/><TiffData IFD="7"/>', [7, -1, -1]),  # the later one wins
        ('<TiffData IFD="0" FirstZ="1"/><TiffData IFD="1" FirstZ="2"/><TiffData IFD="2" FirstZ="3"/>', [0, 1, 2]),
        ('<TiffData IFD="0" FirstZ="2"/><TiffData IFD="1" FirstZ="3"/>', [-1, 0, 1]),
        ('<TiffData IFD="4" FirstZ="1" PlaneCount="99"/>', [-1, 4, 5]),
    ],
)
def test_rows(rows, table):
    stack = stack_of(ome_xml(sizes("ZCT", t=1, c=1, z=3), rows))
    assert stack.ifd.tolist() == table


def test_overlaps_are_bounded():
    rows = '<TiffData PlaneCount="100000"/>' * 1000
    with pytest.raises(FormatError, match="overlap"):
        stack_of(ome_xml(sizes("ZCT", t=1, c=1, z=100_000), rows))


def test_too_many_planes():
    with pytest.raises(LimitError):
        stack_of(ome_xml(sizes("ZCT", t=MAX_PLANES, c=2, z=1)))
    with pytest.raises(LimitError):
        stack_of(ome_xml(sizes("ZCT", t=2_000_000_000, c=2_000_000_000, z=2_000_000_000)))


CHANNELS = {None: "", 1: '<Channel SamplesPerPixel="1"/>', 3: '<Channel SamplesPerPixel="3"/>'}


@pytest.mark.parametrize(
    ("size_c", "stated", "samples", "pages", "planes"),
    [
        (3, 3, 3, 1, 1),
        (3, None, 3, 1, 1),
        (3, 1, 3, 1, 1),  # the pages are right
        (3, 1, 3, 3, 3),  # three pages of RGB each
        (3, 3, 1, 3, 3),
        (6, 3, 3, 2, 2),
        (1, 1, 3, 1, 1),
        (1, None, 3, 1, 1),
        (3, 3, 4, 1, 1),  # RGB with an alpha that the text doesn't count
        (3, None, None, None, 3),
        (3, 3, None, None, 1),
        (2, 3, None, None, 2),
    ],
)
def test_samples_and_channels(size_c, stated, samples, pages, planes):
    text = ome_xml(sizes("ZCT", t=1, c=size_c, z=1), channels=CHANNELS[stated])
    stack = stack_of(text, samples=samples, pages=pages)
    assert stack.shape == ((planes,) if planes > 1 else ())


def test_channels_of_different_samples():
    with pytest.raises(UnsupportedError, match=r"\[1, 3\] samples"):
        stack_of(ome_xml(sizes("ZCT", t=1, c=4, z=1), channels=CHANNELS[1] + CHANNELS[3]))


def part(z: int, name: str = "", uuid: str = "", more: str = "") -> str:
    attribute = f' FileName="{name}"' if name else ""
    return f'<TiffData FirstZ="{z}"{more}><UUID{attribute}>{uuid}</UUID></TiffData>'


def z_stack(rows: str, planes: int = 4, uuid: str = "", **options) -> Stack:
    return stack_of(ome_xml(sizes("ZCT", t=1, c=1, z=planes), rows), uuid=uuid, **options)


def test_set_of_files(tmp_path):
    pixels = ome_set(tmp_path)
    for z in range(3):
        path = tmp_path / f"z{z}.ome.tif"
        stack = stack_of_file(path)
        assert (stack.axes, stack.shape) == ("TZ", pixels.shape[:2])
        assert stack.ifd[:, z].tolist() == [0, 1]
        assert (stack.ifd[:, [n for n in range(3) if n != z]] == -1).all()
        assert dict(stack.missing) == {t * 3 + n: f"z{n}.ome.tif" for t in range(T) for n in range(3) if n != z}
        assert len(stack.missing) == 4
        assert stack.problems == ("4 of 6 planes of OME image 'Image:0' are in other files",)
        assert 99 not in stack.missing
        assert -1 not in stack.missing


def test_which_file_is_this_one():
    rows = part(0, "a.tif", "u:a", ' IFD="0"') + part(1, "b.tif", "u:b", ' IFD="0"')
    assert z_stack(rows, 2, "U:B").ifd.tolist() == [-1, 0]
    assert z_stack(rows, 2, "u:b", file_name="a.tif").ifd.tolist() == [-1, 0]  # the UUID is surer than the name
    assert z_stack(rows, 2, "", file_name="A.TIF").ifd.tolist() == [0, -1]
    assert z_stack(rows, 2, "u:x", file_name="a.tif").ifd.tolist() == [0, -1]
    assert z_stack(rows, 2, "").ifd.tolist() == [-1, -1]
    assert dict(z_stack(rows, 2, "").missing) == {0: "a.tif", 1: "b.tif"}
    one = part(0, "C:\\data\\a.tif", "u:a", ' IFD="0"')
    assert z_stack(one, 1, "", file_name="renamed.tif").ifd.tolist() == 0
    assert dict(z_stack(one, 1, "u:x", file_name="renamed.tif").missing) == {0: "C:\\data\\a.tif"}
    assert z_stack(one, 1, "u:x", file_name="a.tif").ifd.tolist() == 0
    assert dict(z_stack(part(0, "", "u:a"), 1, "u:x").missing) == {0: "u:a"}
    same = part(0, "a.tif", "u:a", ' IFD="0"') + part(1, "b.tif", "u:a", ' IFD="0"')
    assert z_stack(same, 2, "u:a", file_name="b.tif").ifd.tolist() == [-1, 0]
    assert z_stack(same, 2, "u:a", file_name="c.tif").ifd.tolist() == [0, 0]


def test_elements_without_a_count_of_other_files():
    """How many planes the other file holds isn't known: they last until the next element begins."""
    rows = part(2, "b.tif", "u:b") + '<TiffData FirstZ="1" IFD="7"/>' + part(0, "a.tif", "u:a")
    stack = z_stack(rows, 5, "u:x")
    assert stack.ifd.tolist() == [-1, 7, -1, -1, -1]
    assert dict(stack.missing) == {0: "a.tif", 2: "b.tif", 3: "b.tif", 4: "b.tif"}


@pytest.mark.parametrize(("pages", "table"), [(None, [-1, 0, 1, -1, 0]), (1, [-1, 0, -1, -1, 0])])
def test_elements_without_a_count_of_this_file(pages, table):
    rows = part(4, "", "u:a") + part(0, "b.tif", "u:b") + part(1, "", "u:a") + part(3, "b.tif", "u:b")
    assert z_stack(rows, 5, "u:a", pages=pages).ifd.tolist() == table


def test_many_planes_in_one_element():
    rows = f'<TiffData PlaneCount="{MAX_PLANES}"/><TiffData IFD="1" FirstZ="2"/>'
    found = stack_of(ome_xml(sizes("ZCT", t=1, c=1, z=MAX_PLANES), rows)).ifd
    assert found[:4].tolist() == [0, 1, 1, 3]
    assert (found[3:] == np.arange(3, MAX_PLANES)).all()


def test_is_here():
    rows = part(0, "a.tif", "u:a")
    (image,) = ome.parse(ome_xml(sizes("ZCT", t=1, c=1, z=2), rows)).images
    assert is_here(image, "u:a", None)
    assert is_here(image, "", "renamed.tif")
    assert not is_here(image, "u:b", "b.tif")
    (image,) = ome.parse(ome_xml(sizes("ZCT"), "")).images
    assert not is_here(image, "", None)
    (image,) = ome.parse(ome_xml(sizes("ZCT"))).images
    assert is_here(image, "", None)


def test_first_planes_follow_one_another_in_every_order():
    for order in ORDERS:
        stack = stack_of(ome_xml(sizes(order)), pages=T * C * Z)
        strides = dict(zip("TCZ", np.array(stack.ifd.shape), strict=True))
        want = np.empty((T, C, Z), int)
        for t, c, z in np.ndindex(T, C, Z):
            at, step = 0, 1
            for axis in order:
                at += {"T": t, "C": c, "Z": z}[axis] * step
                step *= strides[axis]
            want[t, c, z] = at
        assert (stack.ifd == want).all(), order


row = st.tuples(
    st.integers(0, 9), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, 0, 1, 2, 5]),
    st.sampled_from(["", "own", "a", "b"]),
)  # fmt: skip


@given(st.sampled_from(ORDERS), st.tuples(*[st.integers(1, 4)] * 3), st.lists(row, max_size=8), st.integers(1, 12))
def test_any_rows(order, extent, rows, pages):
    """Against the rules, applied plane by plane."""
    t, c, z = extent
    text, table = "", np.full(t * c * z, -1)
    files = [""] * (t * c * z)
    shift = []
    for column, size in zip((1, 2, 3), extent, strict=True):
        values = [r[column] for r in rows]
        shift.append(bool(rows) and min(values) >= 1 and max(values) >= size)
    for ifd, *first, count, uuid in rows:
        text += f'<TiffData IFD="{ifd}" FirstT="{first[0]}" FirstC="{first[1]}" FirstZ="{first[2]}"'
        text += f' PlaneCount="{count}">' if count is not None else ">"
        text += f"<UUID>{uuid}</UUID></TiffData>" if uuid else "</TiffData>"
        at = [value - moved for value, moved in zip(first, shift, strict=True)]
        if any(value >= size for value, size in zip(at, extent, strict=True)):
            continue
        position = dict(zip("TCZ", at, strict=True))
        size_of = dict(zip("TCZ", extent, strict=True))
        start = position[order[0]] + size_of[order[0]] * (position[order[1]] + size_of[order[1]] * position[order[2]])
        for n in range(1 if count is None else count):
            if start + n < len(table):
                own = uuid in ("", "own")
                table[start + n] = ifd + n if own and ifd + n < pages else -1
                files[start + n] = "" if own else uuid
    stack = stack_of(ome_xml(sizes(order, t=t, c=c, z=z), text), uuid="own", pages=pages)
    slow = order[::-1]
    places = np.arange(t * c * z).reshape([size_of_axis(axis, extent) for axis in slow])
    places = places.transpose([slow.index(axis) for axis in "TCZ"]).ravel()
    assert stack.ifd.ravel().tolist() == [table[n] for n in places]
    assert dict(stack.missing) == {n: files[place] for n, place in enumerate(places) if files[place]}


def size_of_axis(axis: str, extent: tuple[int, int, int]) -> int:
    return extent["TCZ".index(axis)]


@pytest.mark.parametrize(
    ("shape", "axes", "page", "found"),
    [
        ((5, 3, 8, 9), "TCYX", (8, 9), ("TC", (5, 3))),
        ((3, 5, 8, 9), "CTYX", (8, 9), ("TC", (5, 3))),
        ((5, 8, 9, 3), "ZYXS", (8, 9, 3), ("Z", (5,))),
        ((5, 3, 8, 9), "TCYX", (3, 8, 9), ("T", (5,))),
        ((8, 9), "YX", (8, 9), ("", ())),
        ((1, 8, 9), "TYX", (8, 9), ("", ())),
        ((5, 2, 8, 9), "QQQQ", (8, 9), ("Z", (10,))),
        ((5, 2, 8, 9), "PTYX", (8, 9), ("Z", (10,))),
    ],
)
def test_shaped(shape, axes, page, found):
    stack = stack_of_shaped(shaped.Shaped(shape=shape, axes=axes), page, contiguous=True)
    assert (stack.axes, stack.shape) == found
    assert sorted(stack.ifd.ravel().tolist()) == list(range(stack.ifd.size))
    if axes == "CTYX":
        assert stack.ifd[1, 0] == 1  # T is the faster one


@pytest.mark.parametrize("page", [(7, 9), (0, 9), (800, 900)])
def test_shaped_that_does_not_fit(page):
    with pytest.raises(FormatError):
        stack_of_shaped(shaped.Shaped(shape=(5, 8, 9), axes="ZYX"), page, contiguous=True)


def table_of(series: tifffile.TiffPageSeries, tif: tifffile.TiffFile):
    """tifffile's pages of a series as (T, C, Z) of indices, -1 for pages of other files or none."""
    axes, shape = series.axes, series.shape
    table = [-1 if page is None or page.parent is not tif else page.index for page in series.pages]
    extent = {axis: size for axis, size in zip(axes, shape, strict=True) if axis in "TCZ"}
    order = "".join(extent) + "".join(axis for axis in "TCZ" if axis not in extent)
    found = np.array(table).reshape([extent.get(axis, 1) for axis in order])
    return found.transpose([order.index(axis) for axis in "TCZ"])


def test_corpus_against_tifffile(corpus):
    """Every OME image of the corpus has tifffile's table; what tifffile makes no series of is BinaryOnly."""
    images = alone = 0
    for path in sorted(corpus.glob("**/*.ome.tif*")):
        with tifffile.TiffFile(path) as tif:
            found = ome.parse(tif.pages[0].description)
            series = [each for each in tif.series if each.kind == "ome"]
            assert not found.problems
            assert len(found.images) == len(series)
            alone += found.metadata_file is not None
            for image, each in zip(found.images, series, strict=True):
                samples = tif.pages[0].samplesperpixel
                stack = stack_of_ome(image, found.uuid, path.name, pages=len(tif.pages), samples=samples)
                want = table_of(each, tif)
                assert stack.shape == tuple(size for size in want.shape if size > 1)
                np.testing.assert_array_equal(stack.ifd, want.reshape(stack.shape))
                images += 1
    assert (images, alone) == (15, 32)


def test_renamed_corpus_file(corpus):
    (path,) = corpus.glob("**/renamed_uuids.ome.tif")
    stack = stack_of_file(path)
    assert (stack.axes, stack.shape, len(stack.missing)) == ("TZ", (7, 5), 0)
