"""OME-XML to `Ome`: the fields, and what becomes of a text that is wrong, hostile or long."""

from __future__ import annotations

import re
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix import limits
from gigapix.formats.tiff import ome
from gigapix.formats.tiff.ome_model import ChannelInfo, Modulo, Part
from tests.fixtures_micro import NAMESPACE, ome_xml, sizes

CHANNELS = (
    '<Channel ID="Channel:0:0" Name="DAPI" SamplesPerPixel="1" Color="-16776961" EmissionWavelength="461"'
    ' ExcitationWavelength="0.35" ExcitationWavelengthUnit="&#956;m" Fluor="DAPI"><LightPath/></Channel>'
    '<Channel ID="Channel:0:1" Color="255"/>'
)
PHYSICAL = (
    ' BigEndian="false" SignificantBits="12" PhysicalSizeX="0.5" PhysicalSizeY="500" PhysicalSizeYUnit="nm"'
    ' PhysicalSizeZ="0" TimeIncrement="2.5" TimeIncrementUnit="ms"'
)
MODULO = "openmicroscopy.org/omero/dimension/modulo"
FULL = ome_xml(
    sizes("CZT", c=2) + PHYSICAL,
    '<TiffData/><TiffData IFD="7" FirstT="1" FirstC="2" FirstZ="3" PlaneCount="5">'
    '<UUID FileName=" a.tif"> urn:1 </UUID></TiffData>'
    '<TiffData IFD="8"><UUID>urn:2</UUID><UUID>urn:3</UUID></TiffData><TiffData NumPlanes="2"/>',
    uuid="urn:uuid:0",
    channels=CHANNELS,
    image='<AnnotationRef ID="Annotation:0"/><AnnotationRef ID="Annotation:1"/>',
    after=f'<StructuredAnnotations><XMLAnnotation ID="Annotation:1" Namespace="{MODULO}">'
    '<Value><Modulo><ModuloAlongT Type="lifetime" Unit="ps" Start="0" Step="50" End="150"/>'
    '<ModuloAlongC Type="angle"><Label>0</Label><Label>90</Label></ModuloAlongC></Modulo></Value></XMLAnnotation>'
    '<XMLAnnotation ID="Annotation:0"><Value><Modulo><ModuloAlongZ/></Modulo></Value></XMLAnnotation>'
    "</StructuredAnnotations>",
)


def test_fields():
    found = ome.parse(FULL)
    assert found.uuid == "urn:uuid:0"
    assert found.problems == ()
    assert found.metadata_file is None
    (image,) = found.images
    assert (image.id, image.name, image.dimension_order, image.type) == ("Image:0", "one", "XYCZT", "uint16")
    assert (image.size_x, image.size_y, image.size_z, image.size_c, image.size_t) == (45, 37, 4, 2, 2)
    assert image.big_endian is False
    assert image.significant_bits == 12
    assert image.channels == (
        ChannelInfo(
            id="Channel:0:0", name="DAPI", color=(255, 0, 0, 255), samples=1, fluor="DAPI",
            emission=(461.0, "nm"), excitation=(0.35, "\u00b5m"),
        ),
        ChannelInfo(id="Channel:0:1", color=(0, 0, 0, 255)),
    )  # fmt: skip
    assert image.physical_size == {"X": (0.5, "\u00b5m"), "Y": (500.0, "nm")}  # a size of 0 is none
    assert image.time_increment == (2.5, "ms")
    assert image.parts == (Part("urn:1", "a.tif"), Part("urn:2", ""))
    assert image.tiff_data.tolist() == [
        [0, 0, 0, 0, -1, -1], [7, 1, 2, 3, 5, 0], [8, 0, 0, 0, 1, 1], [0, 0, 0, 0, 2, -1],
    ]  # fmt: skip
    assert image.modulo == (
        Modulo(axis="T", type="lifetime", unit="ps", start=0.0, step=50.0, end=150.0),
        Modulo(axis="C", type="angle", labels=("0", "90")),
    )


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + FULL,
        "\r\n " + FULL + "\0\0\n",
        FULL.replace("UTF-8", "UTF-16"),
        FULL.replace("?><OME", "?><!-- <OME> --><OME"),
        FULL.replace(f'xmlns="{NAMESPACE}"', "xmlns:x='y'").replace("<OME", "<x:OME").replace("</OME", "</x:OME"),
        FULL.replace("<Pixels", "<ome:Pixels").replace("</Pixels", "</ome:Pixels"),
    ],
)
def test_dress_makes_no_difference(text):
    found = ome.parse(text)
    assert not found.problems
    assert found.images[0].tiff_data.shape == (4, 6)


def test_binary_only():
    found = ome.parse(f'<OME xmlns="{NAMESPACE}"><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:1"/></OME>')
    assert found.metadata_file == "a.companion.ome"
    assert found.images == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no element"),
        ("not XML", "syntax error"),
        (FULL[: len(FULL) // 2], "no element|unclosed"),
        (FULL.replace("</Pixels>", "</Pixel>"), "mismatched"),
        ("<svg/>", "root element is svg"),
        (f"<!DOCTYPE OME>{FULL[38:]}", "DTD"),
        (f'<!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>{FULL[38:]}', "DTD"),
        ("<OME>&undefined;</OME>", "undefined entity"),
        (f"<OME>{'<a>' * 300}", "nest"),
        ("<OME>\x01</OME>", "invalid token"),
    ],
)
def test_refused(text, fault):
    found = ome.parse(text)
    assert found.images == ()
    (problem,) = found.problems
    assert re.search(fault, problem), problem


@pytest.mark.parametrize(
    "pixels",
    [
        sizes("CZT").replace('SizeZ="4"', ""),
        sizes("CZT").replace('SizeZ="4"', 'SizeZ="0"'),
        sizes("CZT").replace('SizeZ="4"', 'SizeZ="-4"'),
        sizes("CZT").replace('SizeZ="4"', 'SizeZ="4.0"'),
        sizes("CZT").replace('SizeZ="4"', f'SizeZ="{"9" * 5000}"'),
        sizes("CZZ"),
        sizes("CZT").replace("XY", "YX"),
    ],
)
def test_image_of_bad_sizes_is_left_out(pixels):
    found = ome.parse(ome_xml(pixels))
    assert found.images == ()
    assert "'Image:0' is left out" in found.problems[0]


@pytest.mark.parametrize("data", ['IFD="-1"', 'IFD="x"', 'FirstT="1e3"', 'PlaneCount="99999999999"', 'FirstC=""'])
def test_image_of_bad_tiff_data_is_left_out(data):
    found = ome.parse(ome_xml(sizes("CZT"), f"<TiffData/><TiffData {data}/>"))
    assert found.images == ()
    assert "TiffData" in found.problems[0]


def test_elements_in_the_wrong_place_count_for_nothing():
    stray = (
        "<Pixels/><TiffData/><UUID/><Label/><Channel/><AnnotationRef/><ModuloAlongT/><Image><TiffData/>"
        "<UUID>a</UUID><Channel/></Image><StructuredAnnotations><XMLAnnotation><Value><Modulo><ModuloAlongT><Label>a</Label>"
        "</ModuloAlongT></Modulo></Value></XMLAnnotation></StructuredAnnotations>"
    )
    found = ome.parse(ome_xml(sizes("CZT"), after=stray))
    assert len(found.images) == 1
    assert found.images[0].parts == ()


def test_bounds(monkeypatch):
    monkeypatch.setattr(ome, "MAX_IMAGES", 3)
    monkeypatch.setattr(ome, "MAX_MINOR", 4)
    monkeypatch.setattr(ome, "MAX_PARTS", 3)
    monkeypatch.setattr(limits, "MAX_IFDS", 3)
    parts = "".join(f"<TiffData><UUID>{n}</UUID></TiffData>" for n in range(3))
    assert not ome.parse(ome_xml(sizes("CZT"), parts, channels="<Channel/>" * 3, after="<Image/>" * 2)).problems
    assert "images" in ome.parse(ome_xml(sizes("CZT"), after="<Image/>" * 3)).problems[0]
    assert "channels" in ome.parse(ome_xml(sizes("CZT"), channels="<Channel/>" * 5)).problems[0]
    assert "TiffData" in ome.parse(ome_xml(sizes("CZT"), "<TiffData/>" * 4)).problems[0]
    monkeypatch.setattr(limits, "MAX_IFDS", 9)
    assert "files" in ome.parse(ome_xml(sizes("CZT"), parts + "<TiffData><UUID>3</UUID></TiffData>")).problems[0]
    monkeypatch.setattr(ome, "MAX_ELEMENTS", 6)
    assert "elements" in ome.parse(ome_xml(sizes("CZT"), "<TiffData/>" * 4)).problems[0]
    monkeypatch.setattr(limits, "MAX_XML_BYTES", 100)
    assert "not read" in ome.parse(FULL).problems[0]


def test_long_names_are_cut():
    text = ome_xml(sizes("CZT"), f"<TiffData><UUID>{'long&#9;' * 1000}</UUID></TiffData>")
    ((part,),) = [image.parts for image in ome.parse(text).images]
    assert 1000 < len(part.uuid) <= 1024


def test_one_endless_tag_is_refused():
    found = ome.parse("<OME><Image " + "a" * (40 << 20))
    assert "tag of more than" in found.problems[0]


def test_long_text_takes_little_memory():
    """50,000 planes with a UUID and a Plane element each: 20 MB of XML."""
    rows = "".join(
        f'<TiffData FirstC="0" FirstT="{n}" FirstZ="0" IFD="{n}" PlaneCount="1"><UUID FileName="a.ome.tif">'
        "urn:uuid:bc26e771-02ad-4473-9f75-ae454861b991</UUID></TiffData>"
        f'<Plane DeltaT="{n}" DeltaTUnit="ms" ExposureTime="100.0" ExposureTimeUnit="ms" PositionX="54555.58"'
        f' PositionXUnit="reference frame" PositionY="16478.87" PositionZ="6029.525" TheC="0" TheT="{n}" TheZ="0"/>'
        for n in range(50_000)
    )
    text = ome_xml(sizes("CZT", t=50_000, c=1, z=1), rows)
    assert len(text) > 17 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = ome.parse(text)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert found.images[0].tiff_data[:, 0].tolist() == list(range(50_000))
    assert grown < 2 * len(text)


@given(st.text(max_size=200))
def test_any_text(text):
    assert ome.parse(text).problems


@given(st.data())
def test_any_damage(data):
    """A text with a piece cut out, doubled or overwritten parses to what it says or to a problem, never to an error."""
    start = data.draw(st.integers(0, len(FULL)))
    stop = data.draw(st.integers(start, min(start + 60, len(FULL))))
    pieces = ["", FULL[start:stop] * 2, "<", '"', "&#0;", "\udc80", "9" * 12, "-", "<UUID/>", "<TiffData/>", "<a>"]
    found = ome.parse(FULL[:start] + data.draw(st.sampled_from(pieces)) + FULL[stop:])
    assert len(found.images) <= 2
    for image in found.images:
        assert image.tiff_data.min(initial=0) >= -1
        assert min(image.size_x, image.size_y, image.size_z, image.size_c, image.size_t) >= 1
