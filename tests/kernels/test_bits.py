"""Unpacking against Python's integers, and against imagecodecs where all samples have one width."""

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigapix.kernels import bits


def pack(values: list[int], widths: tuple[int, ...]) -> bytes:
    """One row."""
    number = total = 0
    for i, value in enumerate(values):
        width = widths[i % len(widths)]
        number = number << width | value
        total += width
    padding = -total % 8
    return (number << padding).to_bytes((total + padding) // 8, "big")


def unpack(source: bytes, dtype: str, widths: tuple[int, ...], rows: int, samples: int) -> list[list[int]]:
    memory = np.full(rows * samples + 2, 0xA5, dtype)
    bits.unpack(source, memory[1:-1], widths, rows, samples)
    assert memory[0] == memory[-1] == 0xA5
    return memory[1:-1].reshape(rows, samples).tolist()


@given(st.data())
def test_any_widths(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from([1, 2, 4, 8]))
    width = st.integers(1, 8 * item)
    widths = data.draw(st.one_of(st.tuples(width), st.lists(width, min_size=1, max_size=5).map(tuple)))
    rows, samples = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 70))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = [
        [int.from_bytes(random.bytes(8)) >> (64 - widths[i % len(widths)]) for i in range(samples)] for _ in range(rows)
    ]
    source = b"".join(pack(row, widths) for row in values)
    assert unpack(source, f"u{item}", widths, rows, samples) == values
    assert unpack(source + b"rest", f"u{item}", widths, rows, samples) == values
    with pytest.raises(ValueError, match=f"needs {len(source)}"):
        unpack(source[:-1], f"u{item}", widths, rows, samples)


@pytest.mark.parametrize("width", sorted({*range(1, 32)} - {8, 16}))
def test_imagecodecs_agrees(width: int) -> None:
    dtype = "u1" if width <= 8 else "u2" if width <= 16 else "u4"
    rows, samples = 5, 203
    source = np.random.default_rng(width).bytes((samples * width + 7) // 8 * rows)
    expected = imagecodecs.packints_decode(source, dtype, width, runlen=samples)
    assert unpack(source, dtype, (width,), rows, samples) == expected.reshape(rows, samples).tolist()


@pytest.mark.parametrize("width", range(1, 65))
def test_each_width(width: int) -> None:
    random = np.random.default_rng(width)
    values = [int.from_bytes(random.bytes(8)) >> (64 - width) for _ in range(50)]
    for item in (1, 2, 4, 8):
        if 8 * item >= width:
            assert unpack(pack(values, (width,)) * 2, f"u{item}", (width,), 2, 50) == [values, values]


def test_nothing() -> None:
    assert unpack(b"", "u1", (1,), 0, 5) == []
    assert unpack(b"", "u1", (1,), 3, 0) == [[], [], []]


@pytest.mark.parametrize(
    ("dtype", "widths", "rows", "samples"),
    [
        ("u1", (), 2, 4),
        ("u1", (0,), 2, 4),
        ("u1", (-1,), 2, 4),
        ("u1", (9,), 2, 4),
        ("u8", (65,), 2, 4),
        ("u1", (8, 300), 2, 4),
        ("u1", (1,), 2, 5),
        ("u1", (1,), 4, 4),
        ("u1", (1,), -2, -4),
        ("u1", (1,), 2**62, 4),
        ("c16", (1,), 2, 4),
    ],
)
def test_what_does_not_fit(dtype: str, widths: tuple[int, ...], rows: int, samples: int) -> None:
    target = np.zeros(8, dtype)
    with pytest.raises(ValueError, match="samples"):
        bits.unpack(bytes(100), target, widths, rows, samples)
    assert not target.any()
