"""Inflate against zlib: what zlib decodes comes out the same, what it refuses is refused; in any pieces, from any state."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.kernels import inflate

GUARD = b"\xa5" * 16
WINDOW_BITS = {inflate.RAW: -15, inflate.ZLIB: 15, inflate.ZLIB_UNVERIFIED: 15}


@dataclass(kw_only=True)
class Result:
    output: bytes = b""
    consumed: int = 0
    status: int = inflate.MORE
    fault: str = ""
    states: list[tuple[int, int, bytes]] = field(default_factory=list)
    """(consumed, produced, what was saved) after each call."""


def decode(
    stream: bytes,
    wrapper: int,
    *,
    pieces: Callable[[], tuple[int, int]] = lambda: (1 << 30, 1 << 20),
    overlap: Callable[[], int] = lambda: 0,
    keep: bool = False,
    start: tuple[int, int, bytes] | None = None,
) -> Result:
    """In pieces of input and output, each output in a new place, with proof that nothing outside of it is touched."""
    state = bytearray(inflate.STATE_BYTES)
    inflate.start(state, wrapper)
    result = Result()
    if start is not None:
        inflate.resume(state, start[2])
        result.consumed = start[0]
    idle = 0
    while result.status == inflate.MORE and idle < 60:
        given_in, room = pieces()
        source = stream[result.consumed : result.consumed + given_in]
        written = min(len(result.output), overlap())
        before = result.output[len(result.output) - written :]
        memory = bytearray(GUARD + before + bytes(room) + GUARD)
        target = memoryview(memory)[16 : 16 + written + room]
        consumed, produced, result.status = inflate.inflate(state, source, target, written)
        assert consumed <= len(source) and produced <= room
        assert memory[: 16 + written] == GUARD + before and memory[-16:] == GUARD
        assert produced == room or consumed == len(source) or result.status != inflate.MORE
        result.consumed += consumed
        result.output += target[written : written + produced]
        idle = 0 if consumed or produced else idle + 1
        if not consumed and not produced and result.consumed == len(stream) and room:
            break
        if keep and not result.status:
            result.states.append((result.consumed, len(result.output), inflate.save(state)))
    result.fault = inflate.fault(state)
    assert bool(result.fault) == (result.status == inflate.FAULT)
    if result.status:
        assert inflate.inflate(state, b"more", bytearray(9)) == (0, 0, result.status)
    return result


def sample(random: Random, size: int) -> bytes:
    """Data of every texture: noise, runs, short and long matches, near and far."""
    numbers = np.random.default_rng(random.getrandbits(32))
    kind = random.randrange(6)
    if kind == 0:
        return numbers.bytes(size)
    if kind == 1:
        return bytes(numbers.normal(0, random.choice([0.1, 1, 4, 20]), size).astype(np.int8).tobytes())
    if kind == 2:
        return (numbers.bytes(random.randint(1, 40)) * size)[:size]
    if kind == 3:
        return np.cumsum(numbers.integers(-1, 2, size)).astype(np.uint8).tobytes()
    if kind == 4:
        return b"".join(numbers.bytes(random.randint(1, 50)) * random.randint(1, 9) for _ in range(size // 100))
    far = numbers.bytes(random.choice([300, 32_000, 32_768, 33_000]))
    return (far + bytes(random.randint(0, 300)) + far)[-size:]


def compress(random: Random, data: bytes, wrapper: int) -> bytes:
    window = random.choice([15, 15, 9, 12])
    level, memory, strategy = random.randint(0, 9), random.randint(1, 9), random.randint(0, 4)
    compressor = zlib.compressobj(level, 8, -window if wrapper == inflate.RAW else window, memory, strategy)
    out = b""
    step = random.choice([len(data), 1000, 20_000]) or 1
    for start in range(0, len(data), step):
        out += compressor.compress(data[start : start + step])
        out += compressor.flush(
            random.choice([zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH])
        )
    return out + compressor.flush()


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 60, 2000, 60_000]), st.sampled_from([1, 3, 400, 3000, 60_000]))
def test_whatever_zlib_writes(seed: int, most_in: int, most_out: int) -> None:
    random = Random(seed)
    size = (
        random.choice([0, 1, 300, 3000, 80_000]) if min(most_in, most_out) > 100 else random.choice([0, 1, 300, 1500])
    )
    data = sample(random, size)
    wrapper = random.choice([inflate.RAW, inflate.ZLIB, inflate.ZLIB_UNVERIFIED])
    stream = compress(random, data, wrapper)
    result = decode(
        stream + random.randbytes(random.randint(0, 60)),
        wrapper,
        pieces=lambda: (random.randint(0, most_in), random.randint(0, most_out)),
        overlap=lambda: random.choice([0, 1, 500, 40_000]),
    )
    assert (result.status, result.fault) == (inflate.END, "")
    assert result.output == data
    assert result.consumed == len(stream)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 2, 3, 4]))
def test_from_every_state(seed: int, strategy: int) -> None:
    """Stopped at each byte of input and of output, and gone on from there elsewhere."""
    random = Random(seed)
    data = sample(random, 700) + sample(random, 700)
    compressor = zlib.compressobj(6, 8, 15, 8, strategy)
    stream = compressor.compress(data[:500]) + compressor.flush(zlib.Z_FULL_FLUSH)
    stream += compressor.compress(data[500:]) + compressor.flush()
    by_input = decode(stream, inflate.ZLIB, pieces=lambda: (1, 100), keep=True)
    by_output = decode(stream, inflate.ZLIB, pieces=lambda: (1 << 20, 1), keep=True)
    assert by_input.output == by_output.output == data
    assert [done for _, done, _ in by_output.states] == list(range(1, len(data) + 1))[: len(by_output.states)]
    assert len(by_input.states) >= len(stream) - 1
    for state in random.choices(by_input.states, k=40) + random.choices(by_output.states, k=40):
        rest = decode(stream, inflate.RAW, start=state)
        assert rest.status == inflate.END and rest.consumed == len(stream)
        assert rest.output == data[state[1] :]


def test_the_window_is_saved() -> None:
    data = np.random.default_rng(0).bytes(32_768) * 3
    stream = zlib.compress(data)
    result = decode(stream, inflate.ZLIB, pieces=lambda: (1 << 20, 7001), keep=True)
    assert result.output == data
    assert max(len(saved) for _, _, saved in result.states) < 33 * 1024 + 256
    for state in result.states:
        assert decode(stream, inflate.ZLIB, start=state).output == data[state[1] :]


def verdict_of_zlib(stream: bytes, wrapper: int) -> tuple[int, bytes]:
    decompressor = zlib.decompressobj(WINDOW_BITS[wrapper])
    try:
        output = decompressor.decompress(stream)
    except zlib.error:
        return inflate.FAULT, b""
    return (inflate.END if decompressor.eof else inflate.MORE), output


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_streams(seed: int) -> None:
    random = Random(seed)
    data = sample(random, random.choice([30, 300, 5000]))
    wrapper = random.choice([inflate.RAW, inflate.ZLIB])
    stream = bytearray(compress(random, data, wrapper))
    for _ in range(random.randint(1, 3)):
        at = random.randrange(random.choice([min(80, len(stream)), len(stream)]))
        action = random.randrange(3)
        if action == 0:
            stream[at] ^= 1 << random.randrange(8)
        elif action == 1:
            stream[at] = random.getrandbits(8)
        else:
            del stream[max(at, 1) :]
    status, output = verdict_of_zlib(stream, wrapper)
    most = random.choice([3, 100, 10_000]) if len(output) < 6000 else 100_000
    result = decode(bytes(stream), wrapper, pieces=lambda: (random.randint(1, most), random.randint(1, most)))
    if "dictionary" in result.fault:  # zlib reads its four bytes before it says so
        assert status != inflate.END
        return
    assert result.status == status
    if status != inflate.FAULT:
        assert result.output == output
    assert decode(bytes(stream), wrapper).output == result.output


def packed(*fields: tuple[int, int]) -> bytes:
    """Fields of (value, bits), lowest bit first, as deflate packs all but codes."""
    number = used = 0
    for value, bits in fields:
        number |= value << used
        used += bits
    return number.to_bytes((used + 7) // 8, "little")


def dynamic(lengths: dict[int, int], *after: tuple[int, int], literals: int = 257, distances: int = 1) -> bytes:
    """A last block whose code lengths are written one by one, as 4-bit codes (0 to 15, in order)."""
    order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    fields = [(1, 1), (2, 2), (literals - 257, 5), (distances - 1, 5), (15, 4)]
    fields += [(0 if symbol >= 16 else 4, 3) for symbol in order]
    fields += [(int(f"{lengths.get(i, 0):04b}"[::-1], 2), 4) for i in range(literals + distances)]
    return packed(*fields, *after) + bytes(8)


FAULTS = {
    "31": b"\x78\x9d" + b"\x03\0",
    "method": b"\x79\x18",
    "window": b"\x88\x1c",
    "dictionary": zlib.compressobj(9, zdict=b"x").flush()[:6],
    "type 3": b"\x78\x9c\x07",
    "complement": b"\x78\x9c\x01\5\0\5\0",
    "more than 286": b"\x78\x9c" + packed((1, 1), (2, 2), (30, 5), (0, 5), (0, 4)) + bytes(9),
    "or more than 30": b"\x78\x9c" + packed((1, 1), (2, 2), (0, 5), (30, 5), (0, 4)) + bytes(9),
    "code lengths is not complete": b"\x78\x9c" + packed((1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3)) + bytes(9),
    "repeated": b"\x78\x9c" + packed((1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (1, 3), (0, 6), (0, 9)) + bytes(9),
    "no code for its end": b"\x78\x9c" + dynamic({0: 1, 1: 1}),
    "literals and lengths is not complete": b"\x78\x9c" + dynamic({0: 2, 256: 1}),
    "distances is not complete": b"\x78\x9c" + dynamic({0: 1, 256: 1, 257: 2}),
    "literal or length does not exist": b"\x78\x9c" + dynamic({256: 1}, (1, 1)),
    "distance does not exist": b"\x78\x9c" + dynamic({256: 1, 257: 1}, (1, 1), literals=258),
    "reaches back": b"\x78\x9c" + dynamic({256: 1, 257: 1, 258: 1}, (1, 1), (0, 1), literals=258),
    "Adler-32": zlib.compress(b"data")[:-1] + b"\0",
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_by_its_name(name: str) -> None:
    for most in (1, 1 << 20):
        result = decode(FAULTS[name], inflate.ZLIB, pieces=lambda most=most: (most, most))
        assert result.status == inflate.FAULT
        assert name in result.fault


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "dictionary"])
def test_zlib_agrees_on_each_fault(name: str) -> None:
    with pytest.raises(zlib.error):
        zlib.decompress(FAULTS[name])


def test_codes_that_are_incomplete_but_allowed() -> None:
    only_end = dynamic({256: 1}, (0, 1))
    one_distance = dynamic({0: 2, 256: 2, 257: 1, 258: 1}, (1, 2), (0, 1), (0, 1), (3, 2), literals=258)
    for stream in (only_end, one_distance):
        assert verdict_of_zlib(stream, inflate.RAW) == (inflate.END, decode(stream, inflate.RAW).output)
    assert decode(one_distance, inflate.RAW).output == b"\0" * 4


def test_what_comes_before_a_fault_is_right() -> None:
    data = b"\xaa" * 70_000
    stream = bytearray(zlib.compress(data, 0))
    first = int.from_bytes(stream[3:5], "little")  # the length of the first stored block
    second = stream.index((len(data) - first).to_bytes(2, "little"), first)
    stream[second] ^= 1
    result = decode(bytes(stream), inflate.ZLIB)
    assert result.status == inflate.FAULT and "complement" in result.fault
    assert result.output == data[:first]


def test_the_checksum_need_not_be_checked() -> None:
    stream = zlib.compress(b"data" * 10_000)[:-1] + b"\0"
    assert decode(stream, inflate.ZLIB_UNVERIFIED).status == inflate.END
    result = decode(stream, inflate.ZLIB)
    assert result.status == inflate.FAULT and result.output == b"data" * 10_000


def test_adler_of_the_largest_bytes() -> None:
    for size in (1, 15, 16, 17, 5551, 5552, 5553, 65_521, 1_000_000):
        assert decode(zlib.compress(b"\xff" * size), inflate.ZLIB).status == inflate.END


def test_damaged_states_are_refused() -> None:
    random = Random(0)
    data = sample(random, 3000)
    states = decode(zlib.compress(data), inflate.ZLIB, pieces=lambda: (7, 50), keep=True).states
    memory = bytearray(inflate.STATE_BYTES)
    for _ in range(2000):
        saved = bytearray(random.choice(states)[2])
        if random.randrange(4):
            saved[random.randrange(random.choice([40, len(saved)]))] ^= 1 << random.randrange(8)
        else:
            del saved[random.randrange(len(saved)) :]
        with pytest.raises(ValueError, match="damaged"):
            inflate.resume(memory, saved)
    with pytest.raises(ValueError, match="not started"):
        inflate.inflate(memory, b"", bytearray(1))


def test_forged_states_do_no_harm() -> None:
    """With a right checksum, only the validation stands between a forged state and the memory."""
    random = Random(1)
    data = sample(random, 50_000)
    stream = zlib.compress(data)
    states = decode(stream, inflate.ZLIB, pieces=lambda: (random.randint(1, 40), 3000), keep=True).states
    accepted = 0
    for _ in range(3000):
        consumed, _, genuine = random.choice(states)
        saved = bytearray(genuine)
        for _ in range(random.randint(1, 3)):
            saved[random.randrange(random.choice([40, 390]))] = random.choice([0, 1, 255, random.getrandbits(8)])
        saved[-4:] = zlib.adler32(saved[:-4]).to_bytes(4, "little")
        memory = bytearray(inflate.STATE_BYTES)
        try:
            inflate.resume(memory, saved)
        except ValueError:
            continue
        accepted += 1
        target = bytearray(GUARD + bytes(4000) + GUARD)
        inflate.inflate(memory, stream[consumed:], memoryview(target)[16:-16])
        assert target[:16] == target[-16:] == GUARD
    assert 0 < accepted < 3000


def test_misuse_is_refused() -> None:
    state = bytearray(inflate.STATE_BYTES + 8)
    with pytest.raises(ValueError, match="not started"):
        inflate.inflate(state, b"", bytearray(1))
    with pytest.raises(ValueError, match="not started"):
        inflate.save(state)
    with pytest.raises(ValueError, match="wrapper"):
        inflate.start(state, 3)
    with pytest.raises(ValueError, match="aligned"):
        inflate.start(memoryview(state)[1:], inflate.RAW)
    with pytest.raises(ValueError, match="aligned"):
        inflate.start(state[:-9], inflate.RAW)
    inflate.start(state, inflate.ZLIB)
    for written in (-1, 1, 5):
        with pytest.raises(ValueError, match="written"):
            inflate.inflate(state, b"", bytearray(4), written)
    assert inflate.inflate(state, b"", bytearray()) == (0, 0, inflate.MORE)
    assert inflate.inflate(state, b"\x78\x9d", bytearray(4))[2] == inflate.FAULT
    with pytest.raises(ValueError, match="fault"):
        inflate.save(state)


def test_a_copied_state_is_another_stream() -> None:
    stream = zlib.compress(b"abc" * 1000)
    state, out = bytearray(inflate.STATE_BYTES), bytearray(3000)
    inflate.start(state, inflate.ZLIB)
    consumed, produced, _ = inflate.inflate(state, stream, memoryview(out)[:1234])
    copy = bytearray(state)
    for each in (state, copy):
        assert inflate.inflate(each, stream[consumed:], memoryview(out)[produced:])[1] == 3000 - produced
        assert out == b"abc" * 1000
