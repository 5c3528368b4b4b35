import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gigapix.errors import FormatError, LimitError, TruncatedError
from gigapix.formats.tiff.file import Page, open_tiff
from gigapix.formats.tiff.groups import count_groups, group_at, is_reduction, sub_pages
from tests.formats.tiff.steps import answer
from tests.hostile import build as b


def page(width, height, samples=1):
    return Page(offset=0, subfile=0, width=width, height=height, samples=samples, tiled=True, has_subifds=False)


def reduced(width, height, subfile=1):
    return b.amended(b.baseline(width, height), t254=b.tag(254, b.LONG, subfile))


def groups_of(data):
    tiff = answer(open_tiff(), data)
    number = answer(count_groups(tiff), data)
    found = [answer(group_at(tiff, index), data) for index in range(number)]
    assert answer(group_at(tiff, number), data) is None
    return tiff, found


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        ((50, 40), (100, 80), True), ((50, 41), (100, 81), True), ((1, 1), (266, 276), True), ((9, 9), (266, 276), True),
        ((10980 // 7, 10980 // 7), (10980, 10980), True), ((100, 80), (100, 80), False), ((50, 80), (100, 80), False),
        ((200, 160), (100, 80), False), ((387, 463), (46000, 32914), False), ((0, 0), (100, 80), False),
    ],
)  # fmt: skip
def test_is_reduction(small, large, expected):
    assert is_reduction(page(*small), page(*large)) is expected


def test_a_reduction_has_as_many_samples():
    assert not is_reduction(page(50, 40, 3), page(100, 80, 1))


def test_overviews_and_masks_belong_to_the_image_before_them():
    data = b.build(
        b.baseline(64, 64), reduced(64, 64, 4), reduced(32, 32), reduced(16, 16), reduced(32, 32, 5), b.baseline(8, 8)
    )
    _, (first, second) = groups_of(data)
    assert [p.width for p in first.levels] == [64, 32, 16]
    assert [p.width for p in first.masks] == [64, 32]
    assert [p.width for p in second.levels] == [8]


def test_a_reduced_page_of_another_shape_is_an_image():
    _, groups = groups_of(b.build(b.baseline(64, 64), reduced(32, 60), reduced(64, 64)))
    assert [p.levels[0].height for p in groups] == [64, 60, 64]


def test_full_images_among_the_subifds_come_last():
    thumbnail = b.amended(b.baseline(16, 16), t330=b.tag(330, b.IFD, b.At(2), b.At(3)))
    data = b.build(thumbnail, b.Directory(tags=b.baseline(9, 9).tags, chained=False), b.baseline(64, 64), reduced(8, 8))
    _, groups = groups_of(data)
    assert [g.levels[0].width for g in groups] == [16, 9, 64]


@pytest.mark.parametrize("target", [0, 1])
def test_a_chain_that_turns_back_ends_there(target):
    second = b.Directory(tags=b.baseline(9, 9).tags, next=b.At(target))
    tiff, groups = groups_of(b.build(b.baseline(), second))
    assert len(groups) == 2 and "turns back" in tiff.problems[0]


def test_a_chain_into_nothing_ends_there():
    tiff, groups = groups_of(b.build(b.Directory(tags=b.baseline().tags, next=10**7)))
    assert len(groups) == 1 and "beyond the end" in tiff.problems[0]


def test_the_first_image_costs_no_more_than_two_pages():
    data = b.build(*[b.baseline(9, 9)] * 1000)
    asked = []
    tiff = answer(open_tiff(), data)
    answer(group_at(tiff, 0), data, asked)
    assert tiff.walked == 2


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"II*\0\0\0\0\0", FormatError),
        (b"II*\0\xff\0\0\0", TruncatedError),
        (b"II*\0\x08\0\0\0\0\0", FormatError),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(99), LimitError),
    ],
)
def test_a_file_without_a_first_image_is_an_error(data, error):
    def first_page():
        tiff = yield from open_tiff()
        return (yield from tiff.page(0))

    with pytest.raises(error):
        answer(first_page(), data)


def test_threads_that_walk_one_chain_find_all_of_it():
    data = b.build(*[b.baseline(1, 1) for _ in range(1000)])
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(3):
            tiff = answer(open_tiff(), data)
            with ThreadPoolExecutor(4) as pool:
                counts = [pool.submit(answer, count_groups(tiff), data) for _ in range(4)]
            assert [each.result() for each in counts] == [1000] * 4
            assert not tiff.problems
    finally:
        sys.setswitchinterval(usual)


def test_a_problem_is_told_once_however_often_it_is_met():
    lost = b.amended(b.baseline(), t330=b.tag(330, b.IFD, 1 << 20), t270=b.tag(270, b.ASCII, count=99, offset=1 << 20))
    data = b.build(lost)
    tiff = answer(open_tiff(), data)
    page = answer(tiff.page(0), data)
    for _ in range(3):
        answer(sub_pages(tiff, page), data)
        answer(answer(tiff.ifd_at(page.offset), data).load([270]), data)
    assert len(tiff.problems) == 1
    assert answer(tiff.ifd_at(page.offset), data).problems == ["ImageDescription lies beyond the end of the file"]


def test_tags_that_are_read_unasked_are_small_or_left_out():
    long = b.amended(b.baseline(), t338=b.tag(338, b.SHORT, count=1 << 20, offset=0))
    data = b.build(long, data=bytes(2 << 20))
    asked = []
    tiff = answer(open_tiff(), data)
    ifd = answer(tiff.ifd_at(answer(tiff.page(0), data).offset), data, asked)
    assert sum(length for _, length in asked) < 4096
    with pytest.raises(FormatError, match="ExtraSamples"):
        assert ifd.extra_samples
    assert len(answer(ifd.value(338), data)) == 1 << 20


def test_a_subifd_that_many_pages_name_is_one_image():
    parent = b.amended(b.baseline(16, 16), t330=b.tag(330, b.IFD, b.At(2)))
    data = b.build(parent, b.Directory(tags=parent.tags, chained=False), b.baseline(64, 64))
    _, groups = groups_of(data)
    assert [g.levels[0].width for g in groups] == [16, 16, 64]


def test_subifds_without_end_are_not_all_read(monkeypatch):
    monkeypatch.setattr("gigapix.limits.MAX_IFDS", 5)
    parent = b.amended(b.baseline(16, 16), t330=b.tag(330, b.IFD, b.At(3), b.At(3)))
    data = b.build(parent, parent, b.Directory(tags=parent.tags, chained=False), b.baseline(64, 64))
    tiff, groups = groups_of(data)
    assert [g.levels[0].width for g in groups] == [16, 16, 16, 64] and "more than 5 SubIFDs" in tiff.problems[0]
