"""What is remembered of one directory must not be taken for another that only looks the same."""

import pytest

from gigapix.errors import FormatError
from gigapix.formats.tiff.file import open_tiff
from gigapix.formats.tiff.levels import layout_at
from tests.formats.tiff.steps import answer
from tests.hostile import build as b


def layout(**tags):
    data = b.build(b.tiled(16, 16, offsets=[8], counts=[8], **tags))

    def plane():
        tiff = yield from open_tiff()
        return (yield from layout_at(tiff, tiff.header.first_ifd))

    return answer(plane(), data)[1]


def test_directories_that_say_the_same_have_one_encoding():
    first, second = (layout(t317=b.tag(317, b.SHORT, 2)).encoding for _ in range(2))
    assert first is second and first.predictor == 2
    assert layout(t317=b.tag(317, b.SHORT, 1)).encoding.predictor == 1


def test_an_equal_value_of_another_type_is_refused_all_the_same():
    assert layout(t317=b.tag(317, b.SHORT, 2)).encoding.predictor == 2
    with pytest.raises(FormatError, match="Predictor must be an integer"):
        layout(t317=b.tag(317, b.FLOAT, 2.0))
