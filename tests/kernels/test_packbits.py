"""PackBits in any portions, against imagecodecs and against a reference of a few lines."""

import imagecodecs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix.kernels import packbits


def reference(stream: bytes) -> bytes:
    """TIFF 6.0, page 42."""
    made, at = b"", 0
    while at < len(stream):
        header = stream[at]
        if header < 128:
            made += stream[at + 1 : at + 2 + header]
            at += 2 + header
        elif header > 128:
            made += stream[at + 1 : at + 2] * (257 - header)
            at += 2
        else:
            at += 1
    return made


def decode(stream: bytes, size: int, cuts: list[int], rooms: list[int]) -> bytes:
    """What the kernel writes, given input and room for output in portions, and its state in other hands between."""
    state = bytes(packbits.STATE_BYTES)
    made, at = b"", 0
    while len(made) < size:
        piece = stream[at : at + (cuts.pop() if cuts else len(stream))]
        room = min(rooms.pop() if rooms else size, size - len(made))
        out, copy = bytearray(b"\xa5" * (room + 8)), bytearray(state)
        used, written = packbits.run(copy, piece, memoryview(out)[:room])
        assert out[room:] == b"\xa5" * 8
        assert used == len(piece) or written == room
        state, made, at = bytes(copy), made + out[:written], at + used
        if at == len(stream) and not piece and room and not written:
            break
    return made


PORTIONS = st.lists(st.integers(0, 200), max_size=60)


@given(st.binary(max_size=800), st.integers(0, 5000), PORTIONS, PORTIONS)
def test_any_bytes_in_any_portions(stream: bytes, size: int, cuts: list[int], rooms: list[int]) -> None:
    assert decode(stream, size, cuts, rooms) == reference(stream)[:size]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400)), max_size=20), PORTIONS, PORTIONS)
def test_what_imagecodecs_encodes(runs: list[tuple[int, int]], cuts: list[int], rooms: list[int]) -> None:
    data = b"".join(bytes([value]) * count for value, count in runs)
    assert decode(imagecodecs.packbits_encode(data), len(data), cuts, rooms) == data


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=300), st.integers(0, 600))
def test_any_state_is_harmless(state: bytes, stream: bytes, room: int) -> None:
    assert packbits.STATE_BYTES == 4
    used, written = packbits.run(bytearray(state), stream, bytearray(room))
    assert 0 <= used <= len(stream)
    assert 0 <= written <= room


def test_a_state_of_another_size() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        packbits.run(bytearray(5), b"", bytearray(1))
