"""Hostile descriptions: GeoKeys, OME-XML, ImageJ, GDAL's texts. Whatever they say, the pixels stay readable."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.hostile.build import (
    ASCII,
    BYTE,
    DATA,
    DOUBLE,
    LONG,
    SHORT,
    UNDEFINED,
    Tag,
    amended,
    baseline,
    build,
    packed,
    tag,
    tiled,
)
from tests.hostile.case import GRAY, SOUND, Case, either, reads
from tests.hostile.segments import Encoder, encoders

OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'


def cases() -> Iterator[Case]:
    yield from geo()
    yield from xml()
    yield from microscopy()
    yield from gdal()
    yield from ghosts()


def plain(name: str, *more: Tag) -> Case:
    """Sound pixels beside these tags."""
    return reads(name, build(baseline(**{f"t{each.code}": each for each in more}), data=SOUND))


def geo() -> Iterator[Case]:
    sound = (1, 1, 0, 1, 1024, 0, 1, 1)
    directories: dict[str, tuple[int, ...]] = {
        "empty": (),
        "short_header": (1, 1, 0),
        "version_2": (2, 1, 0, 1, 1024, 0, 1, 1),
        "zeros": (0,) * 40,
        "ones": (65535,) * 40,
        "too_many_keys": (1, 1, 0, 65535, 1024, 0, 1, 1),
        "cut": (1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0),
        "ascii_out_of_range": (1, 1, 0, 1, 1026, 34737, 65535, 65535),
        "doubles_out_of_range": (1, 1, 0, 1, 2057, 34736, 65535, 65535),
        "in_other_tag": (1, 1, 0, 1, 1024, 34735, 1, 0),
        "in_no_tag": (1, 1, 0, 1, 1024, 4711, 1, 0),
        "in_pixels": (1, 1, 0, 1, 3072, 273, 1, 0),
        "epsg_unknown": (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 31999),
        "epsg_0": (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 0),
        "projected_without_code": (1, 1, 0, 1, 1024, 0, 1, 1),
        "user_defined_without_keys": (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32767),
        "geographic_user_defined": (1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 32767),
        "doubled": (1, 1, 0, 2, 1024, 0, 1, 1, 1024, 0, 1, 2),
        "unsorted": (1, 1, 0, 2, 3072, 0, 1, 32632, 1024, 0, 1, 1),
        "vertical_only": (1, 1, 0, 1, 4096, 0, 1, 5703),
    }
    for name, keys in directories.items():
        more = [tag(34736, DOUBLE, float("nan"), float("inf"), 1e308), tag(34737, ASCII, "no bars here")]
        yield plain(f"geo_{name}", tag(34735, SHORT, *keys), *more)
        yield plain(f"geo_{name}_alone", tag(34735, SHORT, *keys))
    user = (1, 1, 0, 5, 1024, 0, 1, 1, 3072, 0, 1, 32767, 3075, 0, 1, 1, 3081, 34736, 1, 0, 3080, 34736, 1, 1)
    for label, values in (("nan", (float("nan"),) * 2), ("infinite", (float("inf"),) * 2), ("huge", (1e308, -1e308))):
        yield plain(f"geo_parameters_{label}", tag(34735, SHORT, *user), tag(34736, DOUBLE, *values))
        yield plain(f"geo_tiepoint_{label}", tag(33922, DOUBLE, *values * 3), tag(33550, DOUBLE, *values, 0.0))
        yield plain(f"geo_matrix_{label}", tag(34264, DOUBLE, *values * 8))
    yield plain("geo_keys_as_text", tag(34735, ASCII, "1,1,0,1"))
    yield plain("geo_keys_past_end", tag(34735, SHORT, count=1000, offset=1 << 30))
    yield plain("geo_keys_max", tag(34735, SHORT, count=0xFFFFFFFF, offset=8))
    yield plain("geo_doubles_as_short", tag(34735, SHORT, *user), tag(34736, SHORT, 1, 2, 3))
    yield plain(
        "geo_ascii_not_utf8", tag(34735, SHORT, 1, 1, 0, 1, 1026, 34737, 4, 0), tag(34737, ASCII, b"\xff\xfe\x80|\0")
    )
    yield plain("geo_ascii_megabyte", tag(34735, SHORT, *sound), tag(34737, ASCII, b"PROJCS[" * 150_000))
    for scale in ((), (0.0,), (0.0, 0.0, 0.0), (1.0, 1.0), (-1.0, 1.0, 0.0, 5.0)):
        yield plain(f"geo_scale_{len(scale)}_{scale[:1]}", tag(33550, DOUBLE, *scale), tag(33922, DOUBLE, *[0.0] * 6))
    for length in (0, 1, 5, 7, 12, 6000):
        yield plain(
            f"geo_tiepoints_of_{length}", tag(33922, DOUBLE, *[1.0] * length), tag(33550, DOUBLE, 1.0, 1.0, 0.0)
        )
    for length in (0, 15, 17):
        yield plain(f"geo_matrix_of_{length}", tag(34264, DOUBLE, *[1.0] * length))
    yield plain("geo_matrix_of_zeros", tag(34264, DOUBLE, *[0.0] * 16))


def xml() -> Iterator[Case]:
    lol = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY lol0 "lol">{lol}]>'
    outside = '<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    quadratic = f'<!DOCTYPE OME [<!ENTITY a "{"a" * 50_000}">]>'
    bodies = {
        "billion_laughs": f"{laughs}{OME}&lol9;</OME>",
        "billion_laughs_in_attribute": f'{laughs}{OME}<Image ID="&lol9;"/></OME>',
        "external_entity": f"{outside}{OME}&x;</OME>",
        "quadratic": f"{quadratic}{OME}{'&a;' * 20_000}</OME>",
        "external_dtd": f'<!DOCTYPE OME SYSTEM "http://localhost:1/x.dtd">{OME}</OME>',
        "deep": OME + "<a>" * 100_000,
        "wide": OME + "<a/>" * 200_000 + "</OME>",
        "many_attributes": OME + "<a " + " ".join(f'a{n}="{n}"' for n in range(50_000)) + "/></OME>",
        "long_name": f"{OME}<{'a' * 1_000_000}/></OME>",
        "cut": OME + '<Image ID="Image:0"><Pixels SizeX="16',
        "empty_root": f"{OME}</OME>",
        "not_xml": "<OME this is not xml",
        "wrong_encoding": f'<?xml version="1.0" encoding="UTF-16"?>{OME}</OME>',
        "unknown_encoding": f'<?xml version="1.0" encoding="klingon"?>{OME}</OME>',
        "null_bytes": f"{OME}\0\0\0</OME>",
    }
    for name, body in bodies.items():
        yield plain(f"ome_{name}", tag(270, ASCII, body))
        yield plain(
            f"gdal_metadata_{name}",
            tag(42112, ASCII, body.replace(OME, "<GDALMetadata>").replace("/OME", "/GDALMetadata")),
        )
    for codec in ("utf-16", "utf-16-le", "utf-32"):
        yield plain(f"ome_in_{codec}", tag(270, BYTE, f"{OME}</OME>".encode(codec)))
    yield plain("ome_not_utf8", tag(270, ASCII, OME.encode() + b'<Image Name="\xff\xfe\xb5m"/></OME>\0'))
    yield plain(
        "text_not_utf8",
        tag(270, ASCII, b"\xff\xfe\x80\x81\0"),
        tag(305, ASCII, b"\xc3\x28\0"),
        tag(306, ASCII, b"\xed\xa0\x80\0"),
    )
    yield plain(
        "text_as_noise",
        *[tag(code, BYTE, bytes(range(256))) for code in (269, 270, 271, 305, 306, 315, 700, 42112, 42113)],
    )
    yield plain("text_as_doubles", *[tag(code, DOUBLE, 1.0, 2.0) for code in (270, 305, 306, 33432, 42112, 42113)])


def microscopy() -> Iterator[Case]:
    def ome(pixels: str, inner: str = "<TiffData/>") -> str:
        return f'{OME}<Image ID="Image:0"><Pixels ID="Pixels:0" {pixels}>{inner}</Pixels></Image></OME>'

    sound = 'DimensionOrder="XYZCT" Type="uint8" SizeX="16" SizeY="16" SizeZ="1" SizeC="1" SizeT="1"'
    yield plain("ome_sound", tag(270, ASCII, ome(sound)))
    sizes = {
        "t_10_9": sound.replace('SizeT="1"', 'SizeT="1000000000"'),
        "tcz_10_27": sound.replace('SizeT="1"', 'SizeT="1000000000"').replace('SizeC="1"', 'SizeC="1000000000"')
        .replace('SizeZ="1"', 'SizeZ="1000000000"'),
        "z_0": sound.replace('SizeZ="1"', 'SizeZ="0"'),
        "z_negative": sound.replace('SizeZ="1"', 'SizeZ="-5"'),
        "z_text": sound.replace('SizeZ="1"', 'SizeZ="many"'),
        "z_missing": sound.replace('SizeZ="1"', ""),
        "z_10_100": sound.replace('SizeZ="1"', f'SizeZ="1{"0" * 100}"'),
        "z_10000_digits": sound.replace('SizeZ="1"', f'SizeZ="{"9" * 10_000}"'),
        "x_17": sound.replace('SizeX="16"', 'SizeX="17"'),
        "c_2": sound.replace('SizeC="1"', 'SizeC="2"'),
        "order_bogus": sound.replace("XYZCT", "ABCDE"),
        "order_repeats": sound.replace("XYZCT", "XYZZZ"),
        "type_bogus": sound.replace("uint8", "quaternion"),
        "type_wrong": sound.replace("uint8", "double"),
    }  # fmt: skip
    for name, attributes in sizes.items():
        yield either(f"ome_size_{name}", build(baseline(t270=tag(270, ASCII, ome(attributes))), data=SOUND))
    planes = {
        "ifd_far": '<TiffData IFD="1000000000"/>',
        "ifd_negative": '<TiffData IFD="-1"/>',
        "ifd_text": '<TiffData IFD="one"/>',
        "first_z_far": '<TiffData FirstZ="1000000000"/>',
        "count_far": '<TiffData PlaneCount="1000000000000"/>',
        "count_negative": '<TiffData PlaneCount="-1"/>',
        "count_0": '<TiffData IFD="0" PlaneCount="0"/>',
        "none": "",
        "same_twice": '<TiffData IFD="0" PlaneCount="1"/><TiffData IFD="0" PlaneCount="1"/>',
        "other_file": '<TiffData IFD="0"><UUID FileName="absent.ome.tif">urn:uuid:1</UUID></TiffData>',
        "outside": '<TiffData IFD="0"><UUID FileName="../../../../etc/passwd">urn:uuid:1</UUID></TiffData>',
        "many": '<TiffData IFD="0" PlaneCount="1"/>' * 50_000,
    }
    for name, inner in planes.items():
        yield either(f"ome_planes_{name}", build(baseline(t270=tag(270, ASCII, ome(sound, inner))), data=SOUND))
    binary = f'{OME}<BinaryOnly MetadataFile="absent.companion.ome" UUID="urn:uuid:1"/></OME>'
    yield either("ome_binary_only", build(baseline(t270=tag(270, ASCII, binary)), data=SOUND))
    images = "".join(f'<Image ID="Image:{n}"><Pixels {sound}><TiffData/></Pixels></Image>' for n in range(2000))
    yield either("ome_images_2000", build(baseline(t270=tag(270, ASCII, f"{OME}{images}</OME>")), data=SOUND))
    for name, lines in {
        "images_10_9": "images=1000000000", "images_negative": "images=-5", "images_text": "images=many", "images_0": "images=0",
        "product": "images=4\nchannels=3\nslices=5\nframes=7\nhyperstack=true", "frames_huge": f"images=2\nframes={'9' * 5000}",
        "slices_0": "images=2\nslices=0", "cut": "images",
    }.items():  # fmt: skip
        described = baseline(t270=tag(270, ASCII, f"ImageJ=1.53t\n{lines}\n"))
        yield either(f"imagej_{name}", build(described, data=SOUND))
    yield plain(
        "imagej_metadata_of_nonsense",
        tag(270, ASCII, "ImageJ=1.53t\n"),
        tag(50838, LONG, 12, 1 << 31, 5),
        tag(50839, BYTE, b"IJIJ"),
    )
    yield plain(
        "imagej_metadata_counts_short",
        tag(270, ASCII, "ImageJ=1.53t\n"),
        tag(50838, LONG, 28),
        tag(50839, BYTE, b"IJIJ" + bytes(24)),
    )
    for name, text in {
        "huge": '{"shape": [1000000000000, 16, 16]}', "negative": '{"shape": [-1, 16, 16]}', "text": '{"shape": ["a"]}',
        "cut": '{"shape": [1, 16', "deep": '{"shape": ' + "[" * 100_000, "axes": '{"shape": [16, 16], "axes": "QQQQQQQQ"}',
        "of_number": '{"shape": 5}', "infinite": '{"shape": [1e999, NaN]}',
    }.items():  # fmt: skip
        yield either(f"shaped_{name}", build(baseline(t270=tag(270, ASCII, text)), data=SOUND))
    slide = "Aperio Image Library v1\r\n16x16 |AppMag = {}|MPP = {}|=|||a=b=c"
    yield plain("svs_nan", tag(270, ASCII, slide.format("nan", "inf")))
    yield plain("svs_text", tag(270, ASCII, slide.format("a lot", "")))
    for code in (33628, 33629, 34118, 34361, 65420, 65421, 65426, 65427, 34412, 34680, 50288, 50296, 37706, 33560, 270):
        for label, value in (("zeros", bytes(64)), ("ones", b"\xff" * 64), ("noise", bytes(range(7, 250, 3)))):
            yield plain(f"vendor_tag_{code}_of_{label}", tag(code, UNDEFINED, value))
        yield plain(f"vendor_tag_{code}_of_number", tag(code, LONG, 0xFFFFFFF0))


def gdal() -> Iterator[Case]:
    for name, text in {
        "empty": "", "nan": "nan", "text": "none", "overflow": "1e999", "negative": "-1", "fraction": "0.5", "large": "300",
        "digits": "9" * 100_000, "two": "1 2", "hex": "0x10", "spaces": "   ", "infinite": "-inf", "not_ascii": "０",
    }.items():  # fmt: skip
        yield plain(f"nodata_{name}", tag(42113, ASCII, text))
    items = {
        "no_root": "<Item/>",
        "sample_text": '<GDALMetadata><Item name="SCALE" sample="x" role="scale">y</Item></GDALMetadata>',
        "sample_huge": f'<GDALMetadata><Item name="OFFSET" sample="{"9" * 50}" role="offset">1</Item></GDALMetadata>',
        "sample_negative": '<GDALMetadata><Item name="OFFSET" sample="-3" role="offset">1</Item></GDALMetadata>',
        "scale_nan": '<GDALMetadata><Item name="SCALE" sample="0" role="scale">nan</Item></GDALMetadata>',
        "no_name": "<GDALMetadata><Item>1</Item><Item/></GDALMetadata>",
        "many": "<GDALMetadata>" + '<Item name="a">b</Item>' * 100_000 + "</GDALMetadata>",
        "large": f'<GDALMetadata><Item name="a">{"b" * 3_000_000}</Item></GDALMetadata>',
    }
    for name, text in items.items():
        yield plain(f"gdal_metadata_{name}", tag(42112, ASCII, text))


def ghosts() -> Iterator[Case]:
    """GDAL's structural metadata behind the header, and what a file says there that isn't so."""
    promise = (
        "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
        "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
    )
    sound = f"GDAL_STRUCTURAL_METADATA_SIZE={len(promise):06d} bytes\n{promise}"
    texts = {
        "promise": sound,
        "too_long": "GDAL_STRUCTURAL_METADATA_SIZE=999999 bytes\nLAYOUT=IFDS_BEFORE_DATA\n",
        "negative": "GDAL_STRUCTURAL_METADATA_SIZE=-00001 bytes\nLAYOUT=IFDS_BEFORE_DATA\n",
        "text": "GDAL_STRUCTURAL_METADATA_SIZE=abcdef bytes\nLAYOUT",
        "noise": "GDAL_STRUCTURAL_METADATA_SIZE=000043 bytes\n" + "\xff=\n=\n" * 20,
        "bogus_values": "GDAL_STRUCTURAL_METADATA_SIZE=000060 bytes\nBLOCK_LEADER=SIZE_AS_UINT9\nBLOCK_ORDER=SPIRAL\n\n\n\n",
    }
    for name, text in texts.items():
        for leader in (0, 1, 10, 0x7FFFFFFF, 0xFFFFFFFF):
            data, (at,) = ghostly(text, [packed(LONG, [leader]) + SOUND])
            file = build(tiled(16, 16, offsets=[at + 4], counts=[256]), data=data)
            yield reads(f"ghost_{name}_leader_{leader}", haunted(file, text))
    for name, (compression, encode, lossless) in encoders().items():
        if lossless and name != "webp":
            yield from _promised(name, compression, encode, sound)


def _promised(name: str, compression: int, encode: Encoder, ghost: str) -> Iterator[Case]:
    """More tiles than a reader looks up beforehand, which lie as the ghost area promises, and otherwise."""
    side = 33
    stems = [encode(np.roll(GRAY[0], shift)) for shift in range(5)]
    index = np.arange(side * side) % 5
    shown = np.stack([np.roll(GRAY[0], shift) for shift in range(5)])[index]
    shown = shown.reshape(side, side, 16, 16).transpose(0, 2, 1, 3).reshape(1, side * 16, side * 16)
    noise = np.random.default_rng(1).bytes(200)
    for label, gap in (("kept", b""), ("with_gaps", noise)):
        data, places = ghostly(ghost, [packed(LONG, [len(stems[n])]) + stems[n] + stems[n][-4:] + gap for n in index])
        counts = [len(stems[n]) for n in index]
        layout = tiled(side * 16, side * 16, offsets=[at + 4 for at in places], counts=counts)
        file = build(amended(layout, t259=tag(259, SHORT, compression)), data=data)
        yield reads(f"ghost_{label}_{name}", haunted(file, ghost), shown)
        # The last of each row lies at the end of the file, behind all others.
        order = sorted(range(side * side), key=lambda n: (n % side == side - 1, n))
        data, places = ghostly(
            ghost, [packed(LONG, [counts[n]]) + stems[index[n]] + stems[index[n]][-4:] + gap for n in order]
        )
        offsets = [at + 4 for _, at in sorted(zip(order, places, strict=True))]
        layout = tiled(side * 16, side * 16, offsets=offsets, counts=counts)
        file = build(amended(layout, t259=tag(259, SHORT, compression)), data=data)
        yield reads(f"ghost_{label}_moved_{name}", haunted(file, ghost), shown)


def ghostly(text: str, blocks: list[bytes]) -> tuple[bytes, list[int]]:
    """The data of a file whose ghost area is `text`, with `blocks` behind it, and the offset of each block.

    The ghost area lies at byte 8 of a classic file, where `build` leaves 8 empty bytes before the data: see `haunted`.
    """
    head = text.encode("latin-1")[8:]
    places = list(itertools.accumulate((len(block) for block in blocks), initial=DATA + len(head)))
    return head + b"".join(blocks), places[:-1]


def haunted(file: bytes, text: str) -> bytes:
    """`file` with the first 8 bytes of the ghost area in their place."""
    return file[:8] + text.encode("latin-1")[:8] + file[16:]
