"""Aperio's description, and the order of a slide's pages."""

from __future__ import annotations

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from gigapix.formats.tiff import aperio
from gigapix.formats.tiff.aperio import SlideLayout, SlidePage
from tests.fixtures_micro import svs

HEADER = "Aperio Image Library v11.2.1 \r\n46000x32914 [0,0 1x1] (240x240) JPEG/RGB Q=30"
TEXT = f"{HEADER}|AppMag = 20|MPP = 0.4990|a=b=c|x||="


def pages_of(path):
    with tifffile.TiffFile(path) as tif:
        return tuple(
            SlidePage(width=page.imagewidth, height=page.imagelength, tiled=page.is_tiled, subfile=page.subfiletype)
            for page in tif.pages
        )


def test_fields():
    found = aperio.parse(TEXT)
    assert found is not None
    assert found.header == HEADER
    assert (found.magnification, found.mpp) == (20.0, 0.499)
    assert dict(found.fields) == {"AppMag": "20", "MPP": "0.4990", "a": "b=c", "": ""}


def test_no_slide():
    assert aperio.parse("Aperion") is None
    found = aperio.parse("Aperio |AppMag = a lot|MPP = inf")
    assert found is not None
    assert (found.magnification, found.mpp) == (None, None)


@given(st.text(max_size=100))
def test_any_text(text):
    assert aperio.parse("Aperio " + text) is not None


def test_order_of_pages(tmp_path):
    svs(tmp_path / "a.svs")
    assert aperio.layout_of(pages_of(tmp_path / "a.svs")) == SlideLayout(
        levels=((0,), (2,), (3,)), thumbnail=1, label=4, macro=5
    )


def test_focal_planes(tmp_path):
    svs(tmp_path / "a.svs", 3)
    found = aperio.layout_of(pages_of(tmp_path / "a.svs"))
    assert found is not None
    assert found.levels == ((0, 2, 3), (4, 5, 6), (7, 8, 9))
    assert (found.thumbnail, found.label, found.macro, found.others) == (1, 10, 11, ())


def test_unequal_focal_planes_are_images_of_their_own():
    pages = [SlidePage(width=w, height=w, tiled=True) for w in (64, 64, 32)]
    assert aperio.layout_of(pages) == SlideLayout(levels=((0,), (2,)), others=(1,))


def test_no_layout():
    assert aperio.layout_of([]) is None
    assert aperio.layout_of([SlidePage(width=9, height=9, tiled=False)]) is None
    assert aperio.layout_of([SlidePage(width=9, height=9, tiled=True)]) == SlideLayout(levels=((0,),))


def test_a_corpus_slide(corpus):
    path = corpus / "libvips/test/test-suite/images/CMU-1-Small-Region.svs"
    assert aperio.layout_of(pages_of(path)) == SlideLayout(levels=((0,),), thumbnail=1, label=2, macro=3)
    with tifffile.TiffFile(path) as tif:
        found = aperio.parse(tif.pages[0].description)
    assert found is not None
    assert (found.magnification, found.mpp, found.fields["ScanScope ID"]) == (20.0, 0.499, "CPAPERIOCS")


@pytest.mark.parametrize("subfile", [0, 1, 9])
def test_every_page_has_one_place(subfile):
    beside = SlidePage(width=9, height=9, tiled=False, subfile=subfile)
    pages = [SlidePage(width=64, height=64, tiled=True), *[beside] * 4]
    found = aperio.layout_of(pages)
    assert found is not None
    places = [*found.others, found.thumbnail, found.label, found.macro, *(n for level in found.levels for n in level)]
    assert sorted(n for n in places if n is not None) == [0, 1, 2, 3, 4]
