"""OME-XML of an OME-TIFF's first ImageDescription: what the images are, and which IFD holds which plane.

The text may be 100 MB for 100,000 planes, so it is read as a stream of events (expat) and never as a tree, and the
TiffData elements of an image become one array of integers. What the text says of a plane is kept as it stands; which
IFD that is depends on the file's own name and number of IFDs, and is worked out in `stack.stack_of_ome`.

Bad metadata must not cost the pixels, so nothing here raises: a text that is not well-formed, or has a DTD (entities
make a small text large), gives no images and a sentence in `problems`, and the caller reads plain pages.

Rules: the OME schema 2016-06 and the "OME-TIFF specification". NumPlanes is the former name of PlaneCount.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

import numpy as np

from gigapix import limits
from gigapix.formats.tiff.ome_model import ChannelInfo, Modulo, Ome, OmeImage, Part
from gigapix.formats.tiff.ome_values import MAX_TEXT, channel_of, count_of, modulo_of, quantity_of

MAX_DEPTH: Final = 256
"""Elements within elements. The schema nests ten deep; annotations may carry XML of their own."""

MAX_ELEMENTS: Final = 1 << 22
"""Elements in all. A plane has three (TiffData, UUID, Plane), so these are over a million planes: some seconds."""

MAX_TOKEN_BYTES: Final = 8 << 20
"""Bytes of one tag or comment. Expat before 2.6 reads an unfinished one again with every chunk that it is fed."""

MAX_IMAGES: Final = 1 << 16
"""Images of one text. A plate of 1536 wells with 25 fields each has 38,400."""

MAX_MINOR: Final = 1 << 17
"""Channels, and other elements of which an image has a few, of all images together."""

MAX_PARTS: Final = 1 << 18
"""Files of a multi-file set. One for each plane is usual; sets of tens of thousands exist."""

MAX_PROBLEMS: Final = 20
_CHUNK: Final = 1 << 20
_ORDERS: Final = frozenset({"XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"})
_MODULO: Final = "/OME/StructuredAnnotations/XMLAnnotation/Value/Modulo/ModuloAlong"


def parse(xml: str) -> Ome:
    """What the text says. Never raises: see `Ome.problems`."""
    if len(xml) > limits.MAX_XML_BYTES:
        return Ome(problems=(f"the OME-XML of {len(xml)} characters is not read",))
    reader = _Reader()
    try:
        # TIFF ends text with NUL, some writers pad it, and an XML declaration may follow nothing, not even a space.
        reader.read(xml.strip("\0 \t\r\n\ufeff"))
    except (expat.ExpatError, _RefusedError) as error:
        return Ome(problems=(f"the OME-XML can't be read: {error}",))
    return reader.result()


class _RefusedError(Exception):
    """The text is not read further."""


@dataclass
class _Pixels:
    """A Pixels element while its children go by."""

    attributes: dict[str, str]
    channels: list[ChannelInfo] = field(default_factory=list)
    rows: array[int] = field(default_factory=lambda: array("q"))
    fault: str = ""


@dataclass
class _Image:
    """An Image element while its children go by."""

    id: str
    name: str
    pixels: list[_Pixels] = field(default_factory=list)
    references: list[str] = field(default_factory=list)


class _Reader:
    """Receives expat's events and keeps what `_ELEMENTS` names.

    `path` holds the path of each open element, without prefixes, or "" where nothing below it is of interest.
    """

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")  # whatever the declaration says: the text is decoded already
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.path = ["/"]
        self.text: str | None = None
        self.root: dict[str, str] = {}
        self.metadata_file: str | None = None
        self.images: list[_Image] = []
        self.parts: dict[Part, int] = {}
        self.file_name = ""
        self.elements = 0
        self.minor = 0
        self.rows = 0
        self.annotation = ""
        self.modulo: dict[str, list[tuple[str, dict[str, str], list[str]]]] = {}
        self.problems: list[str] = []

    def read(self, xml: str) -> None:
        fed = 0
        for start in range(0, len(xml), _CHUNK):
            # A lone surrogate (how some decode text that is not UTF-8) becomes a question mark in a name, no error.
            data = xml[start : start + _CHUNK].encode("utf-8", "replace")
            self.parser.Parse(data, False)
            fed += len(data)
            if fed - self.parser.CurrentByteIndex > MAX_TOKEN_BYTES:
                raise _RefusedError(f"a tag of more than {MAX_TOKEN_BYTES} bytes")
        self.parser.Parse(b"", True)

    def doctype(self, *_: object) -> None:
        raise _RefusedError("it has a DTD")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        parent = self.path[-1]
        key = ""
        if parent:
            key = parent.removesuffix("/") + "/" + tag.rpartition(":")[2]
            handler = _ELEMENTS.get(key)
            if handler is not None:
                handler(self, attributes)
            elif parent == "/":
                raise _RefusedError(f"the root element is {tag[:40]}")
            else:
                key = ""
        self.path.append(key)
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise _RefusedError(f"more than {MAX_ELEMENTS} elements")
        if len(self.path) > MAX_DEPTH:
            raise _RefusedError(f"elements nest more than {MAX_DEPTH} deep")

    def end(self, _: str) -> None:
        key = self.path.pop()
        if self.text is None or not key.endswith(("/UUID", "/Label")):
            return
        text, self.text = self.text.strip(), None
        self.parser.CharacterDataHandler = None
        if key.endswith("/UUID"):
            self.add_part(text)
        else:
            self.modulo[self.annotation][-1][2].append(text)

    def characters(self, data: str) -> None:
        if self.text is not None:
            self.text += data[: MAX_TEXT - len(self.text)]

    def keep_text(self) -> None:
        self.text = ""
        self.parser.CharacterDataHandler = self.characters

    def ignore(self, _: dict[str, str]) -> None:
        """An element on the way to others."""

    def open_root(self, attributes: dict[str, str]) -> None:
        self.root = attributes

    def open_binary_only(self, attributes: dict[str, str]) -> None:
        self.metadata_file = attributes.get("MetadataFile", "")

    def open_image(self, attributes: dict[str, str]) -> None:
        if len(self.images) == MAX_IMAGES:
            raise _RefusedError(f"more than {MAX_IMAGES} images")
        self.images.append(_Image(attributes.get("ID", ""), attributes.get("Name", "")))

    def open_pixels(self, attributes: dict[str, str]) -> None:
        self.bound()
        self.images[-1].pixels.append(_Pixels(attributes))

    def open_channel(self, attributes: dict[str, str]) -> None:
        self.bound()
        self.images[-1].pixels[-1].channels.append(channel_of(attributes))

    def bound(self) -> None:
        self.minor += 1
        if self.minor > MAX_MINOR:
            raise _RefusedError(f"more than {MAX_MINOR} channels and the like")

    def open_tiff_data(self, attributes: dict[str, str]) -> None:
        self.rows += 1
        if self.rows > limits.MAX_IFDS:
            raise _RefusedError(f"more than {limits.MAX_IFDS} TiffData elements")
        get = attributes.get
        count = get("PlaneCount", get("NumPlanes", "1" if "IFD" in attributes else None))
        row = [count_of(get(key, "0")) for key in ("IFD", "FirstT", "FirstC", "FirstZ")]
        row.append(-1 if count is None else count_of(count))
        pixels = self.images[-1].pixels[-1]
        for value in row:
            if value is None:
                pixels.fault = f"a TiffData element says {attributes!r:.200}"
            pixels.rows.append(value or 0)
        pixels.rows.append(-1)

    def open_uuid(self, attributes: dict[str, str]) -> None:
        self.file_name = attributes.get("FileName", "").strip()
        self.keep_text()

    def add_part(self, uuid: str) -> None:
        rows = self.images[-1].pixels[-1].rows
        if rows[-1] != -1 or not (uuid or self.file_name):
            return  # the first UUID of a TiffData counts
        rows[-1] = self.parts.setdefault(Part(uuid, self.file_name), len(self.parts))
        if len(self.parts) > MAX_PARTS:
            raise _RefusedError(f"more than {MAX_PARTS} files")

    def open_reference(self, attributes: dict[str, str]) -> None:
        self.bound()
        self.images[-1].references.append(attributes.get("ID", ""))

    def open_annotation(self, attributes: dict[str, str]) -> None:
        self.annotation = attributes.get("ID", "") if attributes.get("Namespace", "").endswith("modulo") else ""

    def open_modulo(self, axis: str, attributes: dict[str, str]) -> None:
        if self.annotation:
            self.bound()
            self.modulo.setdefault(self.annotation, []).append((axis, attributes, []))

    def open_label(self, _: dict[str, str]) -> None:
        if self.annotation in self.modulo:
            self.bound()
            self.keep_text()

    def result(self) -> Ome:
        parts = tuple(self.parts)
        modulo = {key: tuple(modulo_of(*entry) for entry in entries) for key, entries in self.modulo.items()}
        images = [self.image(image, pixels, parts, modulo) for image in self.images for pixels in image.pixels]
        return Ome(
            uuid=self.root.get("UUID", "").strip(),
            creator=self.root.get("Creator", ""),
            images=tuple(image for image in images if image is not None),
            metadata_file=self.metadata_file,
            problems=tuple(self.problems),
        )

    def image(
        self, image: _Image, pixels: _Pixels, parts: tuple[Part, ...], modulo: Mapping[str, tuple[Modulo, ...]]
    ) -> OmeImage | None:
        get = pixels.attributes.get
        size = {axis: count_of(get(f"Size{axis}", "")) or 0 for axis in "XYZCT"}
        order, fault = get("DimensionOrder", ""), pixels.fault
        if min(size.values()) < 1:
            fault = f"its sizes are {size}"
        elif order not in _ORDERS:
            fault = f"its DimensionOrder is {order!r:.40}"
        if fault:
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(f"OME image {image.id!r:.80} is left out: {fault}")
            return None
        physical = {axis: quantity_of(pixels.attributes, f"PhysicalSize{axis}", "\u00b5m") for axis in "XYZ"}
        return OmeImage(
            id=image.id,
            name=image.name,
            dimension_order=order,
            size_x=size["X"],
            size_y=size["Y"],
            size_z=size["Z"],
            size_c=size["C"],
            size_t=size["T"],
            type=get("Type", get("PixelType", "")),
            big_endian={"true": True, "1": True, "false": False, "0": False}.get(get("BigEndian", "").lower()),
            significant_bits=count_of(get("SignificantBits", "")),
            channels=tuple(pixels.channels[: size["C"]]),
            physical_size={axis: value for axis, value in physical.items() if value is not None},
            time_increment=quantity_of(pixels.attributes, "TimeIncrement", "s"),
            tiff_data=np.array(pixels.rows, np.int64).reshape(-1, 6),
            parts=parts,
            modulo=tuple(entry for key in image.references for entry in modulo.get(key, ())),
        )


_ELEMENTS: Final[Mapping[str, Callable[[_Reader, dict[str, str]], None]]] = {
    "/OME": _Reader.open_root,
    "/OME/BinaryOnly": _Reader.open_binary_only,
    "/OME/Image": _Reader.open_image,
    "/OME/Image/Pixels": _Reader.open_pixels,
    "/OME/Image/Pixels/Channel": _Reader.open_channel,
    "/OME/Image/Pixels/TiffData": _Reader.open_tiff_data,
    "/OME/Image/Pixels/TiffData/UUID": _Reader.open_uuid,
    "/OME/Image/AnnotationRef": _Reader.open_reference,
    "/OME/StructuredAnnotations": _Reader.ignore,
    "/OME/StructuredAnnotations/XMLAnnotation": _Reader.open_annotation,
    "/OME/StructuredAnnotations/XMLAnnotation/Value": _Reader.ignore,
    "/OME/StructuredAnnotations/XMLAnnotation/Value/Modulo": _Reader.ignore,
    f"{_MODULO}Z": lambda reader, attributes: reader.open_modulo("Z", attributes),
    f"{_MODULO}C": lambda reader, attributes: reader.open_modulo("C", attributes),
    f"{_MODULO}T": lambda reader, attributes: reader.open_modulo("T", attributes),
    **{f"{_MODULO}{axis}/Label": _Reader.open_label for axis in "ZCT"},
}
