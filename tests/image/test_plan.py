import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

import gigapix
from gigapix.errors import RequestError
from gigapix.formats.model import Encoding, LevelSpec
from gigapix.image.plan import plan_read
from gigapix.image.window import Window, window_of


@st.composite
def levels(draw):
    """A level whose pixels are numbered, and a numpy model of how its segments hold them."""
    samples, planar, tiled = draw(st.integers(1, 3)), draw(st.booleans()), draw(st.booleans())
    volume = (draw(st.sampled_from([1, 1, 3])), draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    plane_axes = draw(st.sampled_from(["", "T", "C", "TC"] + (["Z", "TCZ"] if volume[0] == 1 else [])))
    plane_shape = tuple(draw(st.integers(1, 3)) for _ in plane_axes)
    segment = (
        (draw(st.integers(1, 2)) if volume[0] > 1 else 1, draw(st.integers(1, 5)), draw(st.integers(1, 5)))
        if tiled
        else (1, draw(st.integers(1, volume[1])), volume[2])
    )
    sizes = dict(zip(plane_axes, plane_shape, strict=True))
    sizes["C"] = sizes.get("C", 1) * samples
    if volume[0] > 1:
        sizes["Z"] = volume[0]
    sizes |= {"Y": volume[1], "X": volume[2]}
    axes = "".join(axis for axis in "TCZYX" if axis in sizes)
    planar = planar and samples > 1
    return LevelSpec(
        axes=axes, shape=tuple(sizes[a] for a in axes), dtype=np.dtype("u4"), segment=segment, volume=volume,
        samples=samples, planar=planar, tiled=tiled, planes=int(np.prod(plane_shape)), plane_axes=plane_axes,
        plane_shape=plane_shape, locate=lambda plane, segments: iter(()),
        encoding=Encoding(compression=1, dtype=np.dtype("u4")),
    )  # fmt: skip


def segment_of(level, image, plane, index):
    """Segment `index` of a plane as (samples, depth, height, width), padded where tiles are."""
    view = image
    places = dict(
        zip(level.plane_axes, np.unravel_index(plane, level.plane_shape) if level.plane_axes else (), strict=True)
    )
    for axis in "ZT":
        if axis in places:
            view = np.take(view, places[axis], level.axes.index(axis))
    first = places.get("C", 0) * level.samples
    view = view[first : first + level.samples]
    if view.ndim == 3:
        view = view[:, None]
    grid = [-(-size // step) for size, step in zip(level.volume, level.segment, strict=True)]
    sample, place = divmod(index, int(np.prod(grid)))
    corner = np.array(np.unravel_index(place, grid)) * level.segment
    if level.planar:
        view = view[sample : sample + 1]
    box = view[:, *(slice(c, c + s) for c, s in zip(corner, level.segment, strict=True))]
    if level.tiled:
        box = np.pad(box, [(0, 0)] + [(0, s - n) for s, n in zip(level.segment, box.shape[1:], strict=True)])
    return box


def carry_out(plan, image):
    out = np.full(plan.full_shape, 2**32 - 1, "u4")
    number = 0
    for read in plan.reads():
        number += 1
        data = segment_of(plan.level, image, read.piece.plane, read.index)
        assert data.shape[1:] == read.shape
        target = out[read.piece.target]
        target = target if target.ndim == 4 else target[:, None]
        target = target[(read.bands, *read.box)]
        box = tuple(slice(o, o + s) for o, s in zip(read.origin, target.shape[1:], strict=True))
        target[...] = data[(list(read.samples), *box)]
    assert number == plan.segments
    return out.reshape(plan.shape)


@given(levels(), st.data())
def test_a_plan_carried_out_is_numpy_indexing(level, data):
    image = np.arange(np.prod(level.shape), dtype="u4").reshape(level.shape)
    height, width = level.shape[-2:]
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    window = Window(left, top, data.draw(st.integers(1, width - left)), data.draw(st.integers(1, height - top)))
    bands = data.draw(st.none() | st.integers(0, level.shape[level.axes.index("C")] - 1)
                      | st.lists(st.integers(0, level.shape[level.axes.index("C")] - 1), min_size=1, max_size=5))  # fmt: skip
    select = {}
    index = [slice(None)] * len(level.axes)
    index[-2:] = window.slices
    if bands is not None:
        index[level.axes.index("C")] = bands
    for axis in "TZ":
        if axis in level.axes and data.draw(st.booleans()):
            size = level.shape[level.axes.index(axis)]
            start = data.draw(st.integers(0, size - 1))
            select[axis] = data.draw(st.just(start) | st.just(slice(start, start + 2)))
    plan = plan_read(level, window, bands, select)
    expected = image
    for place, axis in reversed(list(enumerate(level.axes))):
        expected = expected[(slice(None),) * place + (select.get(axis, index[place]),)]
    got = carry_out(plan, image)
    assert got.shape == expected.shape == plan.shape
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("kwargs"),
    [{"bands": 5}, {"bands": -1}, {"bands": []}, {"select": {"Q": 0}}, {"select": {"T": 9}}, {"select": {"T": slice(5, 9)}},
     {"bands": 0, "select": {"C": 0}}],
)  # fmt: skip
def test_what_is_not_there_can_not_be_planned(kwargs):
    level = LevelSpec(
        axes="TCYX", shape=(2, 3, 4, 5), dtype=np.dtype("u1"), segment=(1, 4, 5), volume=(1, 4, 5), samples=3,
        planar=False, tiled=False, planes=2, plane_axes="T", plane_shape=(2,), locate=lambda p, s: iter(()),
        encoding=Encoding(compression=1, dtype=np.dtype("u1")),
    )  # fmt: skip
    with pytest.raises(RequestError):
        plan_read(level, Window(0, 0, 5, 4), **kwargs)


@pytest.mark.parametrize(
    "window",
    [(0, 0, 0, 1), (-1, 0, 2, 2), (0, 0, 11, 1), (9, 0, 2, 1), (0.5, 0, 1, 1), (1, 2, 3), "abcd", (0, 0, 1, 2**70)],
)
def test_a_window_lies_within_the_image(window):
    with pytest.raises(RequestError):
        window_of(window, 10, 10)


def test_windows_may_be_tuples_of_whole_numbers():
    assert window_of((1.0, np.int64(2), 3, 4), 10, 10) == Window(1, 2, 3, 4)
    assert window_of(None, 7, 5) == Window(0, 0, 7, 5)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda bands: np.array(bands, np.uint8)])
def test_bands_may_be_any_sequence_of_integers(kind, tmp_path):
    pixels = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", planarconfig="separate")
    with gigapix.open(tmp_path / "x.tif") as image:
        np.testing.assert_array_equal(image.read(bands=kind([2, 0])), pixels[[2, 0]])
        np.testing.assert_array_equal(image.read(bands=kind([1])), pixels[[1]])
        np.testing.assert_array_equal(image.read(bands=np.int16(1)), pixels[1])
