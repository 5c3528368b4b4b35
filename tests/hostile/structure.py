"""Hostile structure: headers, chains of IFDs, entries, counts, types and SubIFDs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from tests.hostile.build import (
    ASCII,
    BYTE,
    DATA,
    DOUBLE,
    IFD,
    IFD8,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    SLONG,
    SLONG8,
    UNDEFINED,
    At,
    Directory,
    amended,
    baseline,
    build,
    tag,
    without,
)
from tests.hostile.case import GRAY, SOUND, Case, either, fails, reads

DESCRIPTION, SOFTWARE, SUBIFDS, NEW_SUBFILE_TYPE = 270, 305, 330, 254


def cases() -> Iterator[Case]:
    yield from headers()
    yield from chains()
    yield from entries()
    yield from counts()
    yield from types()
    yield from sub_ifds()


def headers() -> Iterator[Case]:
    sound = build(baseline(), data=SOUND)
    big = build(baseline(), data=SOUND, big=True)
    yield reads("sound", sound, count=1)
    yield reads("sound_bigtiff", big, count=1)
    for length in range(16):
        yield fails(f"first_{length}_bytes", sound[:length])
        yield fails(f"first_{length}_bytes_bigtiff", big[:length])
    yield fails("header_only", sound[:8] + bytes(8))
    for version in (0, 41, 44, 0x2A00):
        yield fails(f"version_{version}", build(baseline(), data=SOUND, version=version))
    for size in (0, 4, 16, 65535):
        yield fails(f"bigtiff_offset_size_{size}", build(baseline(), data=SOUND, big=True, offset_size=size))
    yield fails("byte_order_mixed", b"IM" + sound[2:])
    yield fails("byte_order_wrong", b"MM" + sound[2:])
    for first in (0, 1, 7, len(sound) - 1, len(sound), 0xFFFFFFFF):
        yield fails(f"first_ifd_at_{first}", build(baseline(), data=SOUND, first=first))
    for first in (0, len(big) - 1, 1 << 32, 1 << 62, 1 << 63, (1 << 64) - 1):
        yield fails(f"first_ifd_at_{first}_bigtiff", build(baseline(), data=SOUND, first=first, big=True))


def chains() -> Iterator[Case]:
    one, two = baseline(), baseline(t270=tag(DESCRIPTION, ASCII, "second"))
    for big in (False, True):
        kind = "_bigtiff" if big else ""
        yield reads(f"cycle_self{kind}", build(replace(one, next=At(0)), data=SOUND, big=big), count=1)
        yield reads(f"cycle_two{kind}", build(one, replace(two, next=At(0)), data=SOUND, big=big), count=2)
        yield reads(f"cycle_rho{kind}", build(one, two, replace(one, next=At(1)), data=SOUND, big=big), count=3)
        yield reads(f"cycle_second_self{kind}", build(one, replace(two, next=At(1)), data=SOUND, big=big), count=2)
    sound = build(one, data=SOUND)
    for following in (1, 3, len(sound) - 1, len(sound) + 2, 0xFFFFFFFE):
        yield reads(f"next_ifd_at_{following}", build(replace(one, next=following), data=SOUND))
    for following in (1 << 40, 1 << 63, (1 << 64) - 1):
        yield reads(f"next_ifd_at_{following}", build(replace(one, next=following), data=SOUND, big=True))
    yield reads("chain_20000", chain(20_000), count=20_000)


def chain(length: int) -> bytes:
    """`length` IFDs that share their pixels. Put together by hand: `build` would take seconds."""
    plain = build(baseline(), data=SOUND)
    start, size = DATA + len(SOUND), len(plain) - DATA - len(SOUND)
    body = plain[start : start + size - 4]
    links = [struct.pack("<I", start + size * (n + 1) if n + 1 < length else 0) for n in range(length)]
    return plain[:start] + b"".join(body + link for link in links)


def entries() -> Iterator[Case]:
    for count in (0, 4097, 65535):
        yield fails(f"entries_{count}", build(replace(baseline(), entries=count), data=SOUND))
    for count in (0, 1 << 16, 1 << 32, 1 << 60, 1 << 63, (1 << 64) - 1):
        yield fails(f"entries_{count}_bigtiff", build(replace(baseline(), entries=count), data=SOUND, big=True))
    yield either("entries_one_too_few", build(replace(baseline(), entries=8), data=SOUND))
    yield either("entries_one_too_many", build(replace(baseline(), entries=10), data=SOUND))
    unsorted = baseline()
    yield reads("entries_unsorted", build(replace(unsorted, tags=unsorted.tags[::-1]), data=SOUND))
    texts = tuple(tag(DESCRIPTION, ASCII, text) for text in ("first", "second"))
    yield reads("entries_doubled_text", build(_with(baseline(), *texts), data=SOUND))
    yield either("entries_doubled_width", build(_with(baseline(), tag(256, LONG, 1 << 30)), data=SOUND))
    yield either("entries_doubled_offsets", build(_with(baseline(), tag(273, LONG, 1 << 30)), data=SOUND))
    many = tuple(tag(40000 + n, SHORT, n) for n in range(4000))
    yield reads("entries_4009", build(_with(baseline(), *many), data=SOUND))
    for code in (256, 257, 258, 259, 262, 273, 277, 278, 279):
        data = build(without(baseline(), code), data=SOUND)
        if code in (256, 257, 273):
            yield fails(f"missing_{code}", data)
        elif code in (258, 279):
            yield either(f"missing_{code}", data)
        else:
            yield reads(f"missing_{code}", data)
    yield fails("missing_all_but_width", build(Directory(tags=(tag(256, SHORT, 16),)), data=SOUND))


def counts() -> Iterator[Case]:
    """Counts that no file can hold: harmless in a tag that the pixels don't need."""
    for kind in (BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, DOUBLE):
        text = tag(DESCRIPTION, kind, count=0xFFFFFFFF, offset=8)
        yield reads(f"count_max_of_type_{kind}", build(baseline(t270=text), data=SOUND))
        for count in (1 << 32, 1 << 40, 1 << 60, 1 << 61, 1 << 63, (1 << 64) - 1):
            text = tag(DESCRIPTION, kind, count=count, offset=8)
            yield reads(f"count_{count}_of_type_{kind}", build(baseline(t270=text), data=SOUND, big=True))
    text = tag(DESCRIPTION, ASCII, count=1000, offset=1 << 30)
    yield reads("text_past_end", build(baseline(t270=text), data=SOUND))
    text = tag(DESCRIPTION, ASCII, count=1 << 62, offset=(1 << 64) - 8)
    yield reads("text_wraps_around", build(baseline(t270=text), data=SOUND, big=True))
    yield reads("text_count_0", build(baseline(t270=tag(DESCRIPTION, ASCII, count=0)), data=SOUND))
    yield reads("text_without_nul", build(baseline(t270=tag(DESCRIPTION, ASCII, b"abcd")), data=SOUND))
    yield reads("text_of_one_letter", build(baseline(t270=tag(DESCRIPTION, ASCII, b"a")), data=SOUND))
    for code in (256, 257, 258, 259, 262, 273, 277, 278, 279):
        original = next(each for each in baseline().tags if each.code == code)
        for count in (0, 0xFFFFFFFF):
            damaged = amended(baseline(), **{f"t{code}": replace(original, count=count)})
            yield either(f"count_{count}_of_{code}", build(damaged, data=SOUND))
        for count in (1 << 33, 1 << 63):
            damaged = amended(baseline(), **{f"t{code}": replace(original, count=count)})
            yield either(f"count_{count}_of_{code}_bigtiff", build(damaged, data=SOUND, big=True))


def types() -> Iterator[Case]:
    for kind in (0, 14, 15, 19, 99, 65535):
        yield reads(f"type_{kind}_of_text", build(baseline(t270=tag(DESCRIPTION, kind, 1, 2)), data=SOUND))
        yield fails(f"type_{kind}_of_width", build(baseline(t256=tag(256, kind, 16)), data=SOUND))
    for kind in (BYTE, SHORT, LONG, SLONG, LONG8, SLONG8, IFD, IFD8):
        width = baseline(t256=tag(256, kind, 16), t273=tag(273, kind, DATA))
        yield reads(f"type_{kind}_of_width_and_offset", build(width, data=SOUND, big=True))
    for kind in (ASCII, RATIONAL, DOUBLE, UNDEFINED):
        values = (16, 1) if kind == RATIONAL else (16,)
        yield either(f"type_{kind}_of_width", build(baseline(t256=tag(256, kind, *values)), data=SOUND))
    yield reads("resolution_as_long", build(baseline(t282=tag(282, LONG, 72)), data=SOUND))
    yield reads("resolution_over_zero", build(baseline(t282=tag(282, RATIONAL, 72, 0)), data=SOUND))
    for value in (-1, -(1 << 31)):
        yield fails(f"width_{value}", build(baseline(t256=tag(256, SLONG, value)), data=SOUND))
        yield fails(f"offset_{value}", build(baseline(t273=tag(273, SLONG, value)), data=SOUND))
        yield either(f"byte_count_{value}", build(baseline(t279=tag(279, SLONG, value)), data=SOUND))
    yield fails("offset_most_negative", build(baseline(t273=tag(273, SLONG8, -(1 << 63))), data=SOUND, big=True))


def sub_ifds() -> Iterator[Case]:
    def parent(*targets: At | int, kind: int = LONG) -> Directory:
        return replace(baseline(t330=tag(SUBIFDS, kind, *targets)), chained=False)

    level = replace(baseline(t254=tag(NEW_SUBFILE_TYPE, LONG, 1)), chained=False)
    for kind in (LONG, IFD):
        yield reads(f"sub_ifd_is_itself_{kind}", build(parent(At(0), kind=kind), data=SOUND))
    yield reads("sub_ifd_is_itself_8", build(parent(At(0), kind=IFD8), data=SOUND, big=True))
    yield reads("sub_ifd_two_cycle", build(parent(At(1)), parent(At(0)), data=SOUND))
    yield reads("sub_ifd_chain_to_parent", build(parent(At(1)), replace(level, next=At(0)), data=SOUND))
    yield reads("sub_ifd_chain_to_itself", build(parent(At(1)), replace(level, next=At(1)), data=SOUND))
    nested = [parent(At(n + 1)) for n in range(200)]
    yield reads("sub_ifd_nested_200_deep", build(*nested, level, data=SOUND))
    yield either("sub_ifd_100000_times_the_same", build(parent(*[At(1)] * 100_000), level, data=SOUND))
    tree = [parent(*[At(n + 1)] * 1000) for n in range(4)]
    yield either("sub_ifd_tree_of_1000_to_the_4th", build(*tree, level, data=SOUND))
    for target in (0, 1, 5, 1 << 31, 0xFFFFFFFF):
        yield reads(f"sub_ifd_at_{target}", build(parent(target), data=SOUND))
    yield either("sub_ifd_count_max", build(baseline(t330=tag(SUBIFDS, LONG, count=0xFFFFFFFF, offset=8)), data=SOUND))
    yield reads("sub_ifd_of_type_ascii", build(baseline(t330=tag(SUBIFDS, ASCII, "abcdefgh")), data=SOUND))
    empty = replace(level, tags=())
    yield reads("sub_ifd_empty", build(parent(At(1)), empty, data=SOUND))
    wrong = baseline(t254=tag(NEW_SUBFILE_TYPE, LONG, 1), t258=tag(258, SHORT, 77))
    yield reads("sub_ifd_of_nonsense", build(parent(At(1)), wrong, data=SOUND))
    yield reads("second_ifd_of_nonsense", build(baseline(), wrong, data=SOUND))
    yield reads("exif_ifd_is_itself", build(baseline(t34665=tag(34665, LONG, At(0))), data=SOUND))
    assert GRAY.nbytes == len(SOUND)


def _with(directory: Directory, *more: object) -> Directory:
    tags = [*directory.tags, *more]
    return replace(directory, tags=tuple(sorted(tags, key=lambda each: each.code)))  # type: ignore[attr-defined]
