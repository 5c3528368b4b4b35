"""LZW against a reference of a few lines, against imagecodecs, and against streams that nobody should write."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st

from gigapix.kernels import lzw

CLEAR, EOI = 256, 257
GUARD = 64


def decode(stream: bytes, size: int, *, lsb: bool = False) -> bytes:
    """What the kernel writes, with proof that it wrote nowhere else and changed nothing behind what it returns."""
    memory = bytearray(b"\xa5" * (size + 2 * GUARD))
    try:
        written = lzw.decode(stream, memoryview(memory)[GUARD : GUARD + size], lsb=lsb)
        assert 0 <= written <= size
    finally:
        assert memory[:GUARD] == memory[GUARD + size :] == b"\xa5" * GUARD
    return bytes(memory[GUARD : GUARD + written])


def pack(codes: Sequence[int], *, lsb: bool = False) -> bytes:
    """Codes to bytes; their width follows from how many codes a decoder knows by then."""
    bits, used, width, known, fresh = 0, 0, 9, 258, True
    parts = []
    for code in codes:
        bits = bits | code << used if lsb else bits << width | code
        used += width
        if lsb:
            parts.append(bits.to_bytes((used + 7) // 8, "little")[: used // 8])
            bits >>= used // 8 * 8
        else:
            parts.append((bits >> used % 8).to_bytes(used // 8, "big"))
            bits &= (1 << used % 8) - 1
        used %= 8
        if code == CLEAR:
            width, known, fresh = 9, 258, True
            continue
        known += not fresh
        fresh = False
        if width < 12 and known >= (1 << width) - (not lsb):
            width += 1
    tail = bits if lsb else bits << (8 - used)
    return b"".join(parts) + (bytes([tail]) if used else b"")


def reference(codes: Sequence[int]) -> bytes:
    """The algorithm of TIFF 6.0, page 61, on codes."""
    table: list[bytes] = []
    last = b""
    out = []
    for code in codes:
        if code == EOI:
            break
        if code == CLEAR or not table:
            table, last = [bytes([i]) for i in range(256)] + [b"", b""], b""
        if code == CLEAR:
            continue
        string = table[code] if code < len(table) else last + last[:1]
        if last and len(table) < 4096:
            table.append(last + string[:1])
        out.append(string)
        last = string
    return b"".join(out)


@st.composite
def valid_codes(draw: st.DrawFn) -> list[int]:
    """Any codes that a decoder must take, also those that no encoder would write."""
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.sampled_from([1, 3, 20, 300, 1000, 5000]))
    kinds = draw(st.sampled_from(["any", "literal", "newest", "short"]))
    clears = draw(st.sampled_from([0.0, 0.0005, 0.05]))
    random = np.random.default_rng(seed)
    codes = [CLEAR] * draw(st.integers(0, 2))
    known = 258
    fresh = True
    for _ in range(count):
        if random.random() < clears:
            codes.append(CLEAR)
            known, fresh = 258, True
            continue
        # A decoder that has read one code knows `known` codes, and takes the next one to come (known itself) as well.
        top = 255 if fresh else min(known, 4095)
        if kinds == "literal" or fresh:
            code = int(random.integers(256))
        elif kinds == "newest":
            code = top if random.random() < 0.9 else int(random.integers(256))
        elif kinds == "short":
            code = int(random.integers(256)) if random.random() < 0.5 else int(random.integers(min(258, top), top + 1))
        else:
            code = int(random.integers(top + 1))
        code = 0 if code in {CLEAR, EOI} else code
        codes.append(code)
        known = min(known + (not fresh), 4096)
        fresh = False
    return codes


@given(codes=valid_codes(), lsb=st.booleans(), data=st.data())
def test_any_valid_stream(codes: list[int], lsb: bool, data: st.DataObject) -> None:
    expected = reference(codes)
    ending = data.draw(st.sampled_from([[], [EOI], [EOI, 7, 7]]))
    stream = pack(codes + ending, lsb=lsb)
    room = data.draw(st.sampled_from([0, 1, 100]))
    if ending:
        assert decode(stream, len(expected) + room, lsb=lsb) == expected
    short = data.draw(st.integers(0, len(expected)))
    assert decode(stream, short, lsb=lsb) == expected[:short]
    cut = data.draw(st.integers(0, len(stream)))
    assert expected.startswith(decode(stream[:cut], len(expected), lsb=lsb))


@given(codes=valid_codes(), lsb=st.booleans())
def test_imagecodecs_agrees(codes: list[int], lsb: bool) -> None:
    stream = pack([CLEAR, *codes, EOI], lsb=lsb)
    try:
        expected = imagecodecs.lzw_decode(stream)
    except imagecodecs.LzwError as error:
        assume("TABLE_TOO_SMALL" not in str(error))  # it gives up some time after a table is full
        raise
    assert decode(stream, len(expected), lsb=lsb) == expected


def smooth(random: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:256, :256]
    return (90 * np.sin(x / 40) * np.cos(y / 30) + 128 + random.normal(0, 2, x.shape)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["smooth", "difference", "random", "zeros", "steps", "one", "none"])
def test_what_imagecodecs_encodes(kind: str) -> None:
    random = np.random.default_rng(1)
    data = {
        "smooth": smooth(random).tobytes(),
        "difference": np.diff(smooth(random), axis=1, prepend=np.uint8(0)).tobytes(),
        "random": random.bytes(200_000),
        "zeros": bytes(1_000_000),
        "steps": (smooth(random) // 32).tobytes(),
        "one": b"x",
        "none": b"",
    }[kind]
    assert decode(imagecodecs.lzw_encode(data), len(data)) == data


def test_old_style_files(corpus: Path) -> None:
    path = corpus / "image-tiff/tests/libtiffpic/quad-lzw.tif"
    encoded = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert isinstance(page, tifffile.TiffPage)
        strips = [encoded[o : o + n] for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    assert strips[0][0] == 0
    assert strips[0][1] & 1
    for strip in strips:
        expected = imagecodecs.lzw_decode(strip)
        assert decode(strip, len(expected), lsb=True) == expected


@pytest.mark.parametrize("lsb", [False, True])
@pytest.mark.parametrize(
    ("codes", "byte"),
    [
        ([CLEAR, 258], 1),  # nothing is defined yet
        ([CLEAR, 65, 259], 2),  # 258 is the next one
        ([CLEAR, 65, 66, 67, 300], 4),
        ([CLEAR, 65, 66, CLEAR, 258], 4),
        ([300], 0),
        ([CLEAR, *[65] * 40, 511], 46),  # from the middle of the fast loop
    ],
)
def test_a_code_that_is_not_in_the_table(codes: list[int], byte: int, lsb: bool) -> None:
    with pytest.raises(ValueError, match=f"at byte {byte} is not in the table"):
        decode(pack(codes, lsb=lsb) + bytes(8), 1000, lsb=lsb)


@given(st.binary(max_size=2000), st.integers(0, 3000), st.booleans())
def test_any_bytes(stream: bytes, size: int, lsb: bool) -> None:
    with suppress(ValueError):
        decode(stream, size, lsb=lsb)


@given(codes=valid_codes(), damage=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_stream(codes: list[int], damage: list[tuple[int, int]]) -> None:
    stream = bytearray(pack([CLEAR, *codes, EOI]))
    for at, byte in damage:
        stream[at % len(stream)] = byte
    with suppress(ValueError):
        decode(bytes(stream), 20_000)


def test_a_stream_without_end_fills_what_there_is() -> None:
    """Growing strings: 3838 codes make seven million bytes, here cut at one."""
    codes = [CLEAR, 0, *range(258, 4096), *[4095] * 2000]
    assert decode(pack(codes), 1_000_000) == bytes(1_000_000)
    assert decode(pack(codes), 20_000_000) == reference(codes)


def test_buffers() -> None:
    stream = imagecodecs.lzw_encode(b"abcabcabc")
    array = np.zeros(9, np.uint8)
    for source in (stream, bytearray(stream), memoryview(stream), np.frombuffer(stream, np.uint8)):
        array[:] = 0
        assert lzw.decode(source, array) == 9
        assert array.tobytes() == b"abcabcabc"
    with pytest.raises((BufferError, ValueError)):
        lzw.decode(stream, np.zeros((9, 2), np.uint8)[:, 0])
    with pytest.raises((BufferError, ValueError)):
        lzw.decode(stream, bytes(9))


def pieces(stream: bytes, size: int, cuts: Sequence[int], rooms: Sequence[int], order: int = lzw.GUESS) -> bytes:
    """What the resumable kernel writes, given input and room for output in portions."""
    state = np.zeros(lzw.STATE_BYTES // 8, np.uint64)
    lzw.start(state, order=order)
    made, at, status = bytearray(), 0, lzw.MORE
    inputs, outputs = iter(cuts), iter(rooms)
    while status == lzw.MORE and len(made) < size:
        piece = stream[at : at + next(inputs, len(stream))]
        room = min(next(outputs, size), size - len(made))
        out = bytearray(b"\xa5" * (room + GUARD))
        used, written, status = lzw.run(state, piece, memoryview(out)[:room])
        assert out[room:] == b"\xa5" * GUARD
        assert status != lzw.MORE or used == len(piece) or written == room
        made += out[:written]
        at += used
        if at == len(stream) and not piece and room and not written:
            break
    return bytes(made)


@given(codes=valid_codes(), lsb=st.booleans(), data=st.data())
def test_any_portions(codes: list[int], lsb: bool, data: st.DataObject) -> None:
    stream = pack([CLEAR, *codes, EOI], lsb=lsb)
    expected = reference(codes)
    cuts = data.draw(st.lists(st.sampled_from([0, 1, 2, 7, 50]), max_size=300))
    rooms = data.draw(st.lists(st.sampled_from([0, 1, 3, 8, 100, 5000]), max_size=300))
    assert pieces(stream, len(expected) + 10, cuts, rooms) == expected


@given(codes=valid_codes(), lsb=st.booleans(), data=st.data())
def test_the_mark_leads_back_to_the_state(codes: list[int], lsb: bool, data: st.DataObject) -> None:
    stream = pack([CLEAR, *codes, EOI], lsb=lsb)
    expected = reference(codes)
    state = np.zeros(lzw.STATE_BYTES // 8, np.uint64)
    lzw.start(state)
    written = 0
    for share in (2, 1):
        room = (len(expected) - written) // share
        _, made, _ = lzw.run(state, stream if not written else b"", bytearray(room))
        written += made
        if share == 2:
            order, bit, since = lzw.mark(state)
            again = np.zeros_like(state)
            lzw.start(again, order=order, shift=bit % 8)
            out = bytearray(since + len(expected))
            _, made, _ = lzw.run(again, stream[bit // 8 :], out)
            assert bytes(out[since:made]) == expected[written:]
            break


@given(st.binary(max_size=2000), st.lists(st.integers(0, 9), max_size=50), st.integers(0, 3000), st.integers(0, 2))
def test_any_bytes_in_portions(stream: bytes, cuts: list[int], size: int, order: int) -> None:
    made = pieces(stream, size, cuts, cuts[::-1], order)
    whole = bytearray(size)
    lsb = order == lzw.LSB or (order == lzw.GUESS and stream[:1] == b"\0" and bool(stream[1:2] and stream[1] & 1))
    with suppress(ValueError):
        assert lzw.decode(stream, whole, lsb=lsb) == len(made)
    assert bytes(whole[: len(made)]) == made


def test_states() -> None:
    with pytest.raises(ValueError, match="aligned"):
        lzw.start(bytearray(lzw.STATE_BYTES - 1))
    with pytest.raises(ValueError, match="shift 8"):
        lzw.start(bytearray(lzw.STATE_BYTES), shift=8)
