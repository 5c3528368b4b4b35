from __future__ import annotations

import pytest

from gigapix.errors import FormatError
from gigapix.formats.detect import read_image
from tests import fixtures_png as made
from tests.formats.tiff.steps import answer
from tests.hostile.build import baseline, build


@pytest.mark.parametrize("big", [False, True])
def test_formats(big: bool) -> None:
    tiff, png = build(baseline(), big=big, data=bytes(64)), made.png(made.noise(0, 8))
    assert type(answer(read_image(0, "x.png"), tiff)).__name__ == "ImageSpec"
    assert type(answer(read_image(0, "x.tif"), png)).__name__ == "PngImage"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"GIF89a", b"\0" * 100])
def test_neither(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"neither a TIFF nor a PNG: it (begins with|is empty)"):
        answer(read_image(0, "x.tif"), data)
