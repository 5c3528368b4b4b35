"""ImageJ's ImageDescription, and the tags IJMetadataByteCounts (50838) and IJMetadata (50839).

ImageJ writes lines ``key=value``, the first of them ``ImageJ=1.53t``. A stack of it is pages in the order C, Z, T
(fastest first) of an array that ImageJ calls TZCYX; those over 4 GB, and most others, have one IFD or one IFD that
counts, behind which the planes follow one another. ImageJ itself is the specification (its TiffDecoder and
TiffEncoder); ``order`` is tifffile's addition.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Final

from gigapix.formats.model import Buffer

MAX_TEXT: Final = 1 << 16
"""Characters of the description that are looked at. ImageJ's own lines come first and stay under 1000."""

MAX_ENTRIES: Final = 1 << 20
"""Values in IJMetadata: a label each for the planes of a stack."""

MAX_HEADER: Final = 4 + 8 * 100
"""Bytes of the header of IJMetadata: eight kinds of values are known."""

_ORDERS: Final = frozenset({"CZT", "CTZ", "ZCT", "ZTC", "TCZ", "TZC"})
_MICRO: Final = frozenset({"um", "micron", "microns", "micrometer", "\u03bcm"})
_TEXTS: Final = (b"info", b"labl", b"prop")
_KINDS: Final = frozenset({*_TEXTS, b"rang", b"luts", b"plot", b"roi ", b"over"})


@dataclass(frozen=True, kw_only=True)
class ImageJ:
    """What the description says. A count that can't be read is 0."""

    version: str
    images: int = 1
    channels: int = 1
    slices: int = 1
    frames: int = 1
    order: str = "CZT"
    """Axes of the planes, fastest first."""
    hyperstack: bool = False
    mode: str = ""
    """``grayscale``, ``color`` or ``composite``."""
    loop: bool = False
    unit: str = ""
    """Of `spacing` and of XResolution; µm however it is spelt, empty for pixels."""
    spacing: float | None = None
    """From one slice to the next."""
    interval: float | None = None
    """From one frame to the next (``finterval``, or from ``fps``)."""
    time_unit: str = "s"
    minimum: float | None = None
    maximum: float | None = None
    """The display range of the plane that was shown."""
    entries: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """All lines, as they stand."""


@dataclass(frozen=True, kw_only=True)
class ImageJMetadata:
    """The value of IJMetadata."""

    info: str = ""
    labels: tuple[str, ...] = ()
    """One a plane, in the order of the file."""
    ranges: tuple[tuple[float, float], ...] = ()
    """Minimum and maximum of each channel's display."""
    luts: tuple[bytes, ...] = ()
    """Of each channel: 256 reds, 256 greens, 256 blues."""
    roi: bytes = b""
    overlays: tuple[bytes, ...] = ()
    plot: bytes = b""
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def colors(self) -> tuple[tuple[int, int, int, int], ...]:
        """Each channel's color at full intensity: red, green, blue, alpha."""
        return tuple((lut[255], lut[511], lut[767], 255) for lut in self.luts)


def parse(description: str) -> ImageJ | None:
    """What the description says, None where it is not ImageJ's."""
    if not description.startswith(("ImageJ=", "SCIFIO=")):
        return None
    entries: dict[str, str] = {}
    for line in description[:MAX_TEXT].splitlines():
        key, equals, value = line.partition("=")
        if equals:
            entries.setdefault(key.strip(), value.strip())
    get = entries.get
    order = get("order", "").upper()
    interval, fps = _number(get("finterval")), _number(get("fps"))
    if interval is None and fps:
        interval = 1 / fps
    return ImageJ(
        version=get("ImageJ", get("SCIFIO", "")),
        images=_count(get("images")),
        channels=_count(get("channels")),
        slices=_count(get("slices")),
        frames=_count(get("frames")),
        order=order if order in _ORDERS else "CZT",
        hyperstack=get("hyperstack") == "true",
        mode=get("mode", ""),
        loop=get("loop") == "true",
        unit=_unit(get("unit", "")),
        spacing=_number(get("spacing")),
        interval=interval if interval is not None and 0 < interval < math.inf else None,
        time_unit={"sec": "s", "": "s"}.get(get("tunit", ""), get("tunit", "")),
        minimum=_number(get("min")),
        maximum=_number(get("max")),
        entries=MappingProxyType(entries),
    )


def extent_of(facts: ImageJ, *, samples: int = 1, planar: bool = False) -> tuple[int, int, int]:
    """Planes along T, C and Z. `samples` and `planar` are those of the first page."""
    t, c, z = facts.frames, facts.channels, facts.slices
    # Some writers count the samples of an RGB page as channels (Bio-Formats, for planar ones).
    if c == samples and samples > 1 and (planar or facts.images == t * z):
        c = 1
    if t * c * z == 1:
        z = facts.images  # a stack without dimensions
    return t, c, z


def is_contiguous(planes: int, *, offset: int, plane_bytes: int, next_ifd: int, file_size: int | None = None) -> bool:
    """Whether planes can follow one another from the first page's data on.

    Ask only of a page that is not compressed and whose strips lie in one run, which begins at `offset`. `next_ifd` is
    the offset of the second IFD, 0 where there is none. It must lie behind the planes, and all must be in the file.
    """
    end = offset + planes * plane_bytes
    return planes > 1 and (not next_ifd or end <= next_ifd) and (file_size is None or end <= file_size)


def parse_metadata(data: Buffer, counts: Sequence[int], byteorder: str) -> ImageJMetadata | None:
    """The value of IJMetadata from its bytes and IJMetadataByteCounts; None where it is damaged.

    It begins with ``IJIJ`` and, for each kind of value, four letters and a number; the values follow in that order. The
    byte counts are those of this header, then of each value. All are in the file's byte order, the letters too.
    """
    raw, sizes = bytes(data), [int(count) for count in counts[:MAX_ENTRIES]]
    if len(sizes) < 2 or min(sizes) < 0 or sum(sizes) > len(raw) or raw[:4] not in (b"IJIJ", b"JIJI"):
        return None
    if not 12 <= sizes[0] <= MAX_HEADER:
        return None
    ends = list(accumulate(sizes))
    values = [raw[start:end] for start, end in pairwise(ends)]
    found: dict[bytes, list[bytes]] = {}
    taken = 0
    for letters, number in struct.iter_unpack(f"{byteorder}4sI", raw[4 : sizes[0] - (sizes[0] - 4) % 8]):
        kind = letters if letters in _KINDS else letters[::-1]
        found.setdefault(kind, []).extend(values[taken : taken + number])
        taken += number
    if taken > len(values):
        return None
    encoding = "utf-16-le" if byteorder == "<" else "utf-16-be"
    texts = {kind: [value.decode(encoding, "replace") for value in found.get(kind, ())] for kind in _TEXTS}
    ranges = b"".join(found.get(b"rang", ())[:1])
    pairs = struct.iter_unpack(f"{byteorder}2d", ranges[: len(ranges) // 16 * 16])
    names = texts[b"prop"]
    return ImageJMetadata(
        info="".join(texts[b"info"][:1]),
        labels=tuple(texts[b"labl"]),
        ranges=tuple((low, high) for low, high in pairs),
        luts=tuple(lut for lut in found.get(b"luts", ()) if len(lut) == 3 * 256),
        roi=b"".join(found.get(b"roi ", ())[:1]),
        overlays=tuple(found.get(b"over", ())),
        plot=b"".join(found.get(b"plot", ())[:1]),
        properties=MappingProxyType(dict(zip(names[::2], names[1::2], strict=False))),
    )


def _count(text: str | None) -> int:
    """A count: 1 where there is none, 0 where it is no whole number."""
    value = 1.0 if text is None else _number(text)
    return int(value) if value is not None and 0 < value < 1 << 31 and value == int(value) else 0


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _unit(text: str) -> str:
    r"""A unit of length: ImageJ writes the micro sign as ``\u00B5``."""
    unit = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    if unit.lower() in _MICRO:
        return "µm"
    return "" if unit in ("pixel", "pixels") else unit
