"""Kinds of files, and tifffile's own description."""

from __future__ import annotations

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from gigapix.formats.tiff import shaped
from gigapix.formats.tiff.descriptions import kind_of
from gigapix.formats.tiff.shaped import Shaped
from tests.fixtures_micro import ome_xml, sizes


@pytest.mark.parametrize(
    ("description", "software", "tags", "kind"),
    [
        ("", "", (), "plain"),
        ("a photograph", "Photoshop", (256, 700), "plain"),
        (ome_xml(sizes("CZT")), "OME Bio-Formats", (33628,), "ome"),
        ('<?xml version="1.0"?>\n<!-- OME: <scn> ' + "x" * 600 + ' --><ome:OME xmlns:ome="a">', "", (), "ome"),
        ("<OME>", "", (), "ome"),
        ("<!--" + "x" * 9000 + "--><OME></OME>\n\0", "", (), "ome"),
        ("<OMERO/>", "", (), "plain"),
        ("ImageJ=1.53t\nimages=2", "", (), "imagej"),
        ("SCIFIO=0.4", "", (), "imagej"),
        ("Aperio Image Library v1", "", (), "svs"),
        ('{"shape": [5, 5]}', "tifffile.py", (), "shaped"),
        ("shape=(5, 5)", "tifffile.py", (), "shaped"),
        ("{1: 2}", "", (), "plain"),
        ("", "", (34412,), "lsm"),
        ("", "", (34362,), "fluoview"),
        ("", "", (33628,), "stk"),
        ("", "", (51123,), "micromanager"),
        ("", "", (65420, 271), "ndpi"),
        ("", "", (65420,), "plain"),
        ('<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">', "", (), "scn"),
        ("<PerkinElmer-QPI-ImageDescription>", "PerkinElmer-QPI", (), "qpi"),
        ('<?xml version="1.0"?><DataObject ObjectType="DPUfsImport">', "Philips DP v1.0", (), "philips"),
        ("", "ScanOutputManager 1.1", (700,), "ventana"),
        ("", "SI.2019", (), "scanimage"),
    ],
)
def test_kind(description, software, tags, kind):
    assert kind_of(description, software, frozenset(tags)) == kind


@given(st.text(alphabet="<>!-OME/?: \0xa", max_size=40), st.text(max_size=10))
def test_any_text(description, software):
    assert kind_of(description, software, ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"shape": [5, 3, 64, 64], "axes": "TCYX", "name": "n"}', Shaped(shape=(5, 3, 64, 64), axes="TCYX", name="n")),
        ('{"shape": [5, 64], "truncated": true}', Shaped(shape=(5, 64), axes="QQ", truncated=True)),
        ('{"shape": [5, 64], "axes": "TCZ", "name": 7}', Shaped(shape=(5, 64), axes="QQ")),
        ("shape=(64, 64)", Shaped(shape=(64, 64), axes="QQ")),
        ("shape=(64,)", Shaped(shape=(64,), axes="Q")),
        ('{"shape": []}', None),
        ('{"shape": [0, 5]}', None),
        ('{"shape": [5.0]}', None),
        ('{"shape": [true]}', None),
        ('{"shape": 5}', None),
        ('{"shape": [1e999, NaN]}', None),
        ('{"shape": [99999999999999, 99999999999999]}', None),
        (f'{{"shape": [{"9" * 5000}]}}', None),
        ('{"shape": ' + "[" * 100_000, None),
        ('{"shape"', None),
        ("[5]", None),
        ("shape=()", None),
        ("shape=(x)", None),
        ("", None),
    ],
)
def test_shaped(text, found):
    assert shaped.parse(text) == found


def test_kinds_of_the_corpus(corpus):
    """As tifffile has them, of every file that tifffile opens."""
    count = 0
    for path in sorted(corpus.rglob("*")):
        try:
            with tifffile.TiffFile(path) as tif:
                page = tif.pages[0]
                kind = kind_of(page.description, page.software, {tag.code for tag in page.tags})
                told = {name for name in ("ome", "imagej", "svs", "shaped") if getattr(page, f"is_{name}")}
        except Exception:  # noqa: BLE001 - whatever tifffile does with broken files
            continue
        count += 1
        assert ({kind} & {"ome", "imagej", "svs", "shaped"}) == told, path
    assert count > 600
