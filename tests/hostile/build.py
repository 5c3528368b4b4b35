"""A TIFF writer that writes whatever it is told, right or wrong.

The layout is always the same: a header of 16 bytes (classic files leave the last 8 unused), the data, then the IFDs in
their order, each followed by its long values. So the offset of the data is known beforehand (`DATA`), and a value that
must name an IFD's place is written as `At(n)`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

DATA = 16
"""Where the data begin."""

BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD = range(1, 14)
LONG8, SLONG8, IFD8 = 16, 17, 18

_CODES = {
    BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", RATIONAL: "II", SBYTE: "b", UNDEFINED: "B", SSHORT: "h", SLONG: "i",
    SRATIONAL: "ii", FLOAT: "f", DOUBLE: "d", IFD: "I", LONG8: "Q", SLONG8: "q", IFD8: "Q",
}  # fmt: skip


@dataclass(frozen=True)
class At:
    """The offset of IFD `index`, in place of a value."""

    index: int


Value = int | float | At


@dataclass(frozen=True, kw_only=True)
class Tag:
    code: int
    type: int
    values: tuple[Value, ...] = ()
    count: int | None = None
    """Overrules the number of values."""
    offset: int | None = None
    """Overrules where the values are said to lie; they are then not written."""


@dataclass(frozen=True, kw_only=True)
class Directory:
    tags: tuple[Tag, ...]
    next: At | int | None = None
    """Overrules the offset of the next IFD: the following one, or 0 where `chained` is False."""
    chained: bool = True
    entries: int | None = None
    """Overrules the number of entries."""


def tag(code: int, kind: int, *values: Value | bytes | str, count: int | None = None, offset: int | None = None) -> Tag:
    """A tag of numbers, or of the bytes of `bytes` and (with the closing NUL) of `str`."""
    flat: list[Value] = []
    for value in values:
        if isinstance(value, str):
            flat.extend(value.encode() + b"\0")
        elif isinstance(value, bytes):
            flat.extend(value)
        else:
            flat.append(value)
    return Tag(code=code, type=kind, values=tuple(flat), count=count, offset=offset)


def baseline(
    width: int = 16, height: int = 16, *, size: int | None = None, at: int = DATA, bits: int = 8, **more: Tag
) -> Directory:
    """The IFD of a sound gray image of one strip. Keyword arguments named ``t259`` replace or add tags."""
    tags = {
        256: tag(256, LONG, width),
        257: tag(257, LONG, height),
        258: tag(258, SHORT, bits),
        259: tag(259, SHORT, 1),
        262: tag(262, SHORT, 1),
        273: tag(273, LONG, at),
        277: tag(277, SHORT, 1),
        278: tag(278, LONG, height),
        279: tag(279, LONG, width * height * bits // 8 if size is None else size),
    }
    return amended(Directory(tags=tuple(tags.values())), **more)


def tiled(
    width: int = 32, height: int = 32, tile: int = 16, *, offsets: Sequence[int], counts: Sequence[int], **more: Tag
) -> Directory:
    """The IFD of a sound gray image of 8-bit tiles."""
    plain = without(baseline(width, height), 273, 278, 279)
    return amended(
        plain,
        t322=tag(322, SHORT, tile),
        t323=tag(323, SHORT, tile),
        t324=tag(324, LONG, *offsets),
        t325=tag(325, LONG, *counts),
        **more,
    )


def amended(directory: Directory, **more: Tag) -> Directory:
    """`directory` with tags replaced or added, in the order of their codes."""
    tags = {each.code: each for each in directory.tags} | {int(name[1:]): each for name, each in more.items()}
    return replace(directory, tags=tuple(tags[code] for code in sorted(tags)))


def without(directory: Directory, *codes: int) -> Directory:
    return replace(directory, tags=tuple(each for each in directory.tags if each.code not in codes))


def build(
    *directories: Directory,
    data: bytes = b"",
    big: bool = False,
    order: str = "<",
    first: At | int = At(0),
    version: int | None = None,
    offset_size: int = 8,
) -> bytes:
    """The bytes of a file."""
    starts = [_even(DATA + len(data))]
    for each in directories:
        starts.append(starts[-1] + len(_directory(each, 0, starts, 0, big=big, order=order)))

    def place(value: At | int) -> int:
        return starts[value.index] if isinstance(value, At) else value

    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43 if version is None else version, offset_size, 0, place(first))
    else:
        head = mark + struct.pack(order + "HI", 42 if version is None else version, place(first))
    parts = [(head.ljust(DATA, b"\0") + data).ljust(starts[0], b"\0")]
    for index, each in enumerate(directories):
        following: At | int = At(index + 1) if each.chained and index + 1 < len(directories) else 0
        following = place(following if each.next is None else each.next)
        parts.append(_directory(each, starts[index], starts, following, big=big, order=order))
    return b"".join(parts)


def packed(kind: int, values: Sequence[int | float], order: str = "<") -> bytes:
    code = _CODES.get(kind, "B")
    return struct.pack(order + code[0] * len(values), *values)


def _directory(
    directory: Directory, start: int, starts: Sequence[int], following: int, *, big: bool, order: str
) -> bytes:
    """An IFD that lies at `start`, and its long values."""
    word, inline = ("Q", 8) if big else ("I", 4)
    count = len(directory.tags) if directory.entries is None else directory.entries
    body = [struct.pack(order + ("Q" if big else "H"), count)]
    here = start + len(body[0]) + len(directory.tags) * (20 if big else 12) + inline
    tail: list[bytes] = []
    for each in directory.tags:
        numbers = [_start(starts, value) if isinstance(value, At) else value for value in each.values]
        raw = packed(each.type, numbers, order)
        items = len(numbers) // len(_CODES.get(each.type, "B")) if each.count is None else each.count
        if each.offset is not None:
            field = struct.pack(order + word, each.offset)
        elif len(raw) <= inline:
            field = raw.ljust(inline, b"\0")
        else:
            field = struct.pack(order + word, here)
            tail.append(raw.ljust(_even(len(raw)), b"\0"))
            here += len(tail[-1])
        body.append(struct.pack(order + "HH" + word, each.code, each.type, items) + field)
    return b"".join([*body, struct.pack(order + word, following), *tail])


def _start(starts: Sequence[int], at: At) -> int:
    return starts[at.index] if at.index < len(starts) else 0  # while the IFDs before it are being measured


def _even(size: int) -> int:
    return size + size % 2
