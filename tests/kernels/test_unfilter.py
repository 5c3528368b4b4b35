"""Undoing PNG's filters against the formulas of the specification, one byte at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigapix.kernels import unfilter

PIXELS = [1, 2, 3, 4, 6, 8]


def reference(rows: np.ndarray, above: bytes, bpp: int) -> np.ndarray:
    """PNG specification, section 9.2; `rows` have their filter bytes, and keep them."""
    done = rows.astype(int)
    previous = list(above)
    for row in done:
        line = row[1:]
        for i in range(line.size):
            a, b, c = (line[i - bpp] if i >= bpp else 0), previous[i], (previous[i - bpp] if i >= bpp else 0)
            distances = [abs(b - c), abs(a - c), abs(a + b - 2 * c)]
            paeth = (a, b, c)[distances.index(min(distances))]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[row[0]]) % 256
        previous = line.tolist()
    return done.astype(np.uint8)


@settings(max_examples=300)
@given(st.data())
def test_any_rows(data: st.DataObject) -> None:
    bpp = data.draw(st.sampled_from(PIXELS))
    row_bytes = data.draw(st.one_of(st.integers(1, 20), st.integers(20, 90)))
    filters = data.draw(st.lists(st.integers(0, 4), max_size=6))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    low, high = data.draw(st.sampled_from([(0, 256), (0, 3), (254, 256), (100, 108)]))  # near ones tie in Paeth
    rows = random.integers(low, high, (len(filters), row_bytes + 1), np.uint8)
    rows[:, 0] = filters
    above = random.integers(low, high, row_bytes, np.uint8).tobytes()
    expected = reference(rows, above, bpp)

    memory = np.full(rows.size + 32, 0xA5, np.uint8)
    target = memory[16:-16]
    target[:] = rows.reshape(-1)
    previous = bytearray(b"\xa5" * 16 + above + b"\xa5" * 16)
    split = data.draw(st.integers(0, len(filters))) * (row_bytes + 1)
    window = memoryview(previous)[16:-16]
    good = sum(unfilter.unfilter(part, window, row_bytes, bpp) for part in (target[:split], target[split:]))

    assert good == len(filters)
    assert (target == expected.reshape(-1)).all()
    assert bytes(window) == (expected[-1, 1:].tobytes() if filters else above)
    assert set(memory[:16].tolist() + memory[-16:].tolist() + list(previous[:16]) + list(previous[-16:])) == {0xA5}


@pytest.mark.parametrize("bpp", PIXELS)
def test_paeth_of_every_neighbourhood(bpp: int) -> None:
    """All left, above and above left: one pixel of each row of two is given, the other is the predictor itself."""
    a, b, c = (axis.reshape(-1) for axis in np.meshgrid(*[np.arange(0, 256, 5)] * 3))
    upper = np.zeros((a.size, 1 + 5 * bpp), np.uint8)
    lower = upper.copy()
    upper[:, 1 : 1 + bpp], upper[:, 1 + bpp : 1 + 2 * bpp] = c[:, None], b[:, None]
    lower[:, 0] = 4
    lower[:, 1 : 1 + bpp] = (a - c)[:, None] % 256  # with nothing to the left, the predictor is the byte above
    rows = np.stack([upper, lower], axis=1)
    assert unfilter.unfilter(rows, bytearray(5 * bpp), 5 * bpp, bpp) == 2 * a.size
    distances = np.stack([abs(b - c), abs(a - c), abs(a + b - 2 * c)])
    expected = np.choose(distances.argmin(axis=0), [a, b, c])
    assert (rows[:, 1, 1 + bpp : 1 + 2 * bpp] == expected[:, None]).all()


def test_an_unknown_filter_ends_the_good_rows() -> None:
    rows = bytearray(b"\0abc\2\1\1\1\5xyz\0abc")
    previous = bytearray(3)
    assert unfilter.unfilter(rows, previous, 3, 3) == 2
    assert rows == b"\0abc\2bcd\5xyz\0abc"
    assert previous == b"bcd"
    assert unfilter.unfilter(rows[8:], previous, 3, 3) == 0
    assert previous == b"bcd"


@pytest.mark.parametrize(
    ("rows", "previous", "row_bytes", "bpp"),
    [
        (8, 3, 3, 5),
        (8, 3, 3, 0),
        (8, 4, 3, 3),
        (8, 2, 3, 3),
        (7, 3, 3, 3),
        (8, 0, 0, 1),
        (8, 3, -1, 1),
        (0, 8, 2**63 - 1, 1),
    ],
)
def test_what_does_not_fit_is_refused(rows: int, previous: int, row_bytes: int, bpp: int) -> None:
    with pytest.raises(ValueError, match="rows of"):
        unfilter.unfilter(bytearray(rows), bytearray(previous), row_bytes, bpp)


def test_read_only_buffers_are_refused() -> None:
    with pytest.raises(BufferError):
        unfilter.unfilter(bytes(4), bytearray(3), 3, 3)
    with pytest.raises(BufferError):
        unfilter.unfilter(bytearray(4), bytes(3), 3, 3)
