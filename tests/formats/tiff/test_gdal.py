"""GDAL's tags: each function against what rasterio reports of the same file."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.io import DatasetWriter

from gigapix import limits
from gigapix.formats.tiff import gdal, gdal_xml
from tests import geotiff

# --- metadata


def test_metadata_as_rasterio_writes_it() -> None:
    def edit(dataset: DatasetWriter) -> None:
        dataset.update_tags(plain="1", odd="<a> & \"b\" 'c' &amp; &lt;", empty="", umlaut="ü", equals="a=b")
        dataset.update_tags(ns="other", item="x")
        dataset.update_tags(2, name="of a band", STATISTICS_MINIMUM="1.5", STATISTICS_VALID_PERCENT="50")
        dataset.update_tags(2, ns="third", name="of a band")
        dataset.scales, dataset.offsets = (1, 0.5, 1), (0, 0, -7.25)
        dataset.units, dataset.descriptions = ("m", None, None), (None, "höhe", None)

    data = geotiff.written(edit, count=3)
    found = gdal.metadata_of(geotiff.tags_of(data)[42112])
    bands = [found.band(sample) for sample in range(3)]
    with geotiff.gdal(data) as dataset:
        assert found.items[""] == {key: value for key, value in dataset.tags().items() if key != "AREA_OR_POINT"}
        assert found.items["other"] == dataset.tags(ns="other")
        assert tuple(band.scale for band in bands) == dataset.scales
        assert tuple(band.offset for band in bands) == dataset.offsets
        assert tuple(band.unit for band in bands) == dataset.units
        assert tuple(band.description for band in bands) == dataset.descriptions
        assert bands[1].items[""] == dataset.tags(2)
        assert bands[1].items["third"] == dataset.tags(2, ns="third")
    assert bands[1].statistics == {"minimum": 1.5, "valid_percent": 50.0}
    assert bands[0].statistics == {}
    assert found.problems == ()


XML = {
    "text": '<GDALMetadata><Item name="a">1</Item></GDALMetadata>',
    "empty items": '<GDALMetadata><Item name="a"/><Item name="b"></Item><Item>c</Item></GDALMetadata>',
    "escaped twice": '<GDALMetadata><Item name="a">&amp;lt;x&amp;amp;y&lt;&#38;#65;&#38;#x42;</Item></GDALMetadata>',
    "comments": '<!-- a --><GDALMetadata><Item name="a">1</Item><!-- b --><Item name="b">2</Item></GDALMetadata>',
    "cdata": '<GDALMetadata><Item name="a"><![CDATA[x<y]]></Item></GDALMetadata>',
    "other elements": '<GDALMetadata><Other name="a">1</Other><Item name="b">2</Item></GDALMetadata>',
    "case": '<GDALMetadata><item NAME="a">1</item></GDALMetadata>',
    "other root": '<Metadata><Item name="a">1</Item></Metadata>',
    "deeper root": '<X><GDALMetadata><Item name="a">1</Item></GDALMetadata></X>',
    "samples": '<GDALMetadata><Item name="a" sample="1">1</Item><Item name="b" sample="x">2</Item>'
    '<Item name="c" sample="-1">3</Item><Item name="d" sample="-2">4</Item></GDALMetadata>',
    "roles": '<GDALMetadata><Item name="s" sample="0" role="SCALE">1,5</Item>'
    '<Item name="o" sample="0" role="offset">abc</Item><Item name="q" sample="1" role="rank">7</Item></GDALMetadata>',
    "domains": '<GDALMetadata><Item name="a" domain="xml:doc">&lt;a/&gt;</Item>'
    '<Item name="b" domain="own">1</Item></GDALMetadata>',
    "cut": '<GDALMetadata><Item name="s" sample="0" role="unittype">m</Item></GDALMetadata>\0\0',
}


@pytest.mark.parametrize("xml", XML.values(), ids=XML)
def test_metadata_is_read_as_gdal_reads_it(xml: str) -> None:
    data = geotiff.tagged("u1", {42112: xml}, software=False)
    found = gdal.metadata_of(xml)
    with geotiff.gdal(data) as dataset:
        theirs = {key: value for key, value in dataset.tags().items() if not key.startswith("TIFFTAG_")}
        assert found.items.get("", {}) == theirs
        for domain in ("xml:doc", "own"):
            assert found.items.get(domain, {}) == dataset.tags(ns=domain)
        band = found.band(0)
        assert band.items.get("", {}) == dataset.tags(1)
        assert (band.scale, band.offset, band.unit) == (dataset.scales[0], dataset.offsets[0], dataset.units[0])
    assert found.problems == ()


@pytest.mark.parametrize(
    "rest",
    [
        '<Item name="b">2',
        '<Item name="b">2</Other>',
        "&entity;",
        "\x01",
        "</GDALMetadata><more/>",
        '<Item name="b>',
        "<",
    ],
)
def test_of_damaged_xml_the_items_before_the_damage_count(rest: str) -> None:
    found = gdal.metadata_of(f'<GDALMetadata><Item name="a">1</Item>{rest}')
    assert found.items == {"": {"a": "1"}}
    assert len(found.problems) == 1


def test_no_entities_and_no_document_types() -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    xml = f'<!DOCTYPE x [<!ENTITY e0 "ha">{laughs}]><GDALMetadata><Item name="a">&e11;</Item></GDALMetadata>'
    external = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><GDALMetadata><Item name="a">1</Item></GDALMetadata>'
    for text in (xml, external):
        found = gdal.metadata_of(text)
        assert not found.items
        assert "document type" in found.problems[0]


def test_xml_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = gdal.metadata_of("<a>" * 100_000)
    assert "deeper" in deep.problems[0]
    monkeypatch.setattr(limits, "MAX_XML_BYTES", 100)
    assert "more than are read" in gdal.metadata_of(XML["text"] + " " * 100).problems[0]


def test_many_items_of_one_band() -> None:
    # Work that grew with the square of their number would not come to an end.
    items = "".join(f'<Item name="n{n}" sample="0">{n}</Item>' for n in range(200_000))
    found = gdal.metadata_of(f"<GDALMetadata>{items}</GDALMetadata>")
    assert len(found.band(0).items[""]) == 200_000


@given(st.text(alphabet=st.characters(), max_size=60), st.sampled_from(["", "<GDALMetadata>", XML["roles"]]))
def test_no_text_raises(text: str, prefix: str) -> None:
    found = gdal.metadata_of(prefix + text)
    assert isinstance(found.problems, tuple)
    gdal_xml.items_of(text)
    gdal.number_of(text)


# --- nodata

NODATA = """
    0 1 -1 255 256 -9999 -128 127 128 65535 65536 -32768 4294967295 4294967296 2147483648 -2147483649 16777217
    nan NaN -nan +nan inf -inf INF 1.#QNAN -1.#IND 1.#INF -1.#INF 1.#R
    1,5 1.5 1,5e3 1e3 1e e5 .5 5. ,5 0.1 12.9 -12.9 +5 -0 1e400 -1e400 1.7e39 3.5e38 -3.5e38 -1.7976931348623157e+308
    3.4028234663852886e+38 -3.4028234663852886e+38 -3.40282346638529e+38 3.4028235e+38
    abc 3abc 0x10 1_0 5- --3 NULL none 1d3
"""
SPACED = ("", "  7  ", "\t8", "1.5 2", "- 5")
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]

EXACT = {("u8", "-9999"), ("u8", "-32768"), ("u8", "-2147483649")}
"""A negative value of an unsigned type: GDAL wraps it around, here it is none, as for the smaller types."""


@pytest.mark.parametrize("dtype", TYPES)
def test_nodata_is_rasterios(dtype: str) -> None:
    for text in (*NODATA.split(), *SPACED):
        if (dtype, text) in EXACT:
            assert gdal.nodata_of(text, np.dtype(dtype)) is None
            continue
        with geotiff.gdal(geotiff.tagged(dtype, {42113: text})) as dataset:
            if dataset.dtypes[0] == "float16":
                return  # from GDAL 3.11 on
            theirs = dataset.nodata
        ours = gdal.nodata_of(text, np.dtype(dtype))
        assert ours == theirs or (math.isnan(ours or 0) and math.isnan(theirs or 0)), text
        assert (
            theirs is None
            or ours is None
            or math.copysign(1, ours) == math.copysign(1, theirs)
            or dtype in {"i8", "u8"}
        )


@pytest.mark.parametrize(
    ("text", "dtype", "value"),
    [
        ("9223372036854775807", "i8", 9223372036854775807),
        ("-9223372036854775808", "i8", -9223372036854775808),
        ("9223372036854775808", "i8", None),
        ("-9223372036854775809", "i8", None),
        ("18446744073709551615", "u8", 18446744073709551615),
        ("18446744073709551616", "u8", None),
        ("-1", "u8", None),
        ("9007199254740993", "u8", 9007199254740993),
        ("9" * 5000, "u8", None),
    ],
)
def test_nodata_of_64_bit_integers_is_exact(text: str, dtype: str, value: int | None) -> None:
    found = gdal.nodata_of(text, np.dtype(dtype))
    assert found == value
    assert found is None or isinstance(found, int)


# --- the meaning of bands


MEANINGS = [
    (photometric, count, alpha, dtype)
    for photometric, least in (("MINISBLACK", 1), ("MINISWHITE", 1), ("RGB", 3), ("CMYK", 4))
    for count in range(least, 6)
    for alpha in ("no", "yes", "premultiplied")
    for dtype in ("uint8", "uint16", "float32")
    if (photometric, dtype) != ("CMYK", "uint8")  # of which GDAL makes RGBA
]


@pytest.mark.parametrize(("photometric", "count", "alpha", "dtype"), MEANINGS)
def test_color_interpretation_is_rasterios(photometric: str, count: int, alpha: str, dtype: str) -> None:
    data = geotiff.written(photometric=photometric, count=count, alpha=alpha, dtype=dtype)
    tags = geotiff.tags_of(data)
    extra = tags.get(338, ())
    found = gdal.color_interpretation(
        int(tags[262]),
        count,
        tuple(int(kind) for kind in (extra if isinstance(extra, tuple) else (extra,))),
        {n: band.colorinterp for n, band in gdal.metadata_of(tags.get(42112, "")).bands.items() if band.colorinterp},
        bits=8 * np.dtype(dtype).itemsize,
    )
    with geotiff.gdal(data) as dataset:
        assert found == tuple(color.name for color in dataset.colorinterp)


@pytest.mark.parametrize("color", list(ColorInterp))
def test_every_color_that_gdal_names(color: ColorInterp) -> None:
    def edit(dataset: DatasetWriter) -> None:
        dataset.colorinterp = (ColorInterp.undefined, color, ColorInterp.red)

    data = geotiff.written(edit, count=3, photometric="minisblack")
    tags = geotiff.tags_of(data)
    stored = gdal.metadata_of(tags.get(42112, "")).bands
    overrides = {sample: band.colorinterp for sample, band in stored.items() if band.colorinterp}
    found = gdal.color_interpretation(int(tags[262]), 3, [int(kind) for kind in tags[338]], overrides)
    with geotiff.gdal(data) as dataset:
        assert found == tuple(theirs.name for theirs in dataset.colorinterp)


@pytest.mark.parametrize(
    ("compression", "names"), [(1, ("Y", "Cb", "Cr")), (6, ("red", "green", "blue")), (7, ("red", "green", "blue"))]
)
def test_jpeg_is_decoded_to_rgb(compression: int, names: tuple[str, ...]) -> None:
    assert gdal.color_interpretation(6, 3, (), compression=compression) == names


@given(
    photometric=st.integers(0, 10) | st.sampled_from([32844, 65535]),
    samples=st.integers(1, 6),
    extra=st.lists(st.sampled_from([0, 1, 2, 3, 999]), max_size=8),
    overrides=st.dictionaries(st.integers(0, 9), st.sampled_from(["red", "nir"])),
    bits=st.sampled_from([1, 8, 16, 32]),
    colormap=st.booleans(),
)
def test_one_color_a_sample(
    photometric: int, samples: int, extra: list[int], overrides: dict[int, str], bits: int, colormap: bool
) -> None:
    found = gdal.color_interpretation(photometric, samples, extra, overrides, bits=bits, colormap=colormap)
    assert len(found) == samples


# --- palettes

COLORS = {
    "times 257": lambda n: n * 257 % 65536,
    "times 256": lambda n: n * 256 % 65536,
    "of 8 bits": lambda n: n % 256,
    "between": lambda n: n * n * 7 % 65536,
    "almost times 256": lambda n: n * 256 % 65536 or 1,
    "black": lambda _: 0,
}


@pytest.mark.parametrize("color", COLORS.values(), ids=COLORS)
@pytest.mark.parametrize("nodata", ["", "3", "nan"])
def test_colormap_is_rasterios(color: object, nodata: str) -> None:
    table = np.array([[color(n + shift) for n in range(256)] for shift in range(3)], "u2")  # type: ignore[operator]
    data = geotiff.tagged("u1", {42113: nodata} if nodata else {}, photometric="palette", colormap=table)
    found = gdal.colormap_of([int(n) for n in table.ravel()], 8, nodata=gdal.nodata_of(nodata, np.dtype("u1")))
    with geotiff.gdal(data) as dataset:
        assert found == dataset.colormap(1)


@pytest.mark.parametrize(("photometric", "value"), [("minisblack", 1), ("miniswhite", 0)])
@pytest.mark.parametrize("nbits", [1, 2, 8, 16])
def test_greys_without_a_table_are_rasterios(photometric: str, value: int, nbits: int) -> None:
    dtype = "uint16" if nbits == 16 else "uint8"
    data = geotiff.written(photometric=photometric, dtype=dtype, **({"nbits": nbits} if nbits < 8 else {}))
    with geotiff.gdal(data) as dataset:
        try:
            theirs = dataset.colormap(1)
        except ValueError:
            theirs = {}
    assert gdal.colormap_of((), nbits, photometric=value) == theirs


@pytest.mark.parametrize(("size", "bits"), [(0, 8), (767, 8), (769, 8), (3, 8), (3 << 10, 17), (12, 32)])
def test_a_table_of_another_size_is_none(size: int, bits: int) -> None:
    assert gdal.colormap_of([256] * size, bits) == {}
