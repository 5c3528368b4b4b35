"""The walk over a TIFF's directories: what it finds is tifffile's, and nothing that a file says leads it astray."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from gigapix.kernels.directory import NUMBERS, walk
from tests.remote.images import cog, scene

TAGS = bytes(2 if n in (273, 279, 324, 325) else 1 if n in (270, 33922) else 4 if n in range(254, 340) else 0
             for n in range(1 << 16))  # fmt: skip


def walked(data, *, whole=True, room=1 << 14):
    key, numbers, blocks = bytearray(room), np.zeros(NUMBERS, np.int64), bytearray(len(data) // 1024 + 1)
    used = walk(data, whole, TAGS, 1024, key, numbers, blocks)
    return bytes(key[:used]), numbers


def tiff(entries, *, order="<", following=0, tail=b""):
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    body = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    return head + struct.pack(order + "H", len(entries)) + body + struct.pack(order + "I", following) + tail


PLAIN = [(256, 4, 1, 30), (257, 4, 1, 20), (258, 4, 1, 8), (273, 4, 1, 200), (278, 4, 1, 20), (279, 4, 1, 600)]


@pytest.mark.parametrize("options", [{}, {"BIGTIFF": "YES"}, {"ADD_MASK": "YES"}])
def test_a_cog(tmp_path, options):
    pixels = scene(600, bands=3)
    cog(tmp_path / "x.tif", pixels, **options)
    key, numbers = walked((tmp_path / "x.tif").read_bytes()[: 1 << 14], whole=False)
    with tifffile.TiffFile(tmp_path / "x.tif") as tif:
        wanted = [(p.offset, p.imagewidth, p.imagelength, len(p.dataoffsets)) for p in tif.pages]
        bigtiff = tif.is_bigtiff
    count, levels, values, _, big = numbers[:5].tolist()
    assert key and (count, big) == (len(wanted), bigtiff) and values == 1
    at = 6 + 3 * levels
    assert numbers[6:at].reshape(-1, 3).tolist() == [[3, -(-600 >> n), -(-600 >> n)] for n in range(levels)]
    assert list(map(tuple, numbers[at : at + 4 * count].reshape(-1, 4).tolist())) == wanted


def test_sizes_are_not_in_the_key_and_all_else_is():
    key, numbers = walked(tiff(PLAIN))
    assert numbers[:9].tolist() == [1, 1, 0, 0, 0, 96, 1, 20, 30]
    for place in range(len(PLAIN)):
        other = list(PLAIN)
        other[place] = (*PLAIN[place][:3], PLAIN[place][3] + 1)
        assert (walked(tiff(other))[0] == key) == (PLAIN[place][0] not in (258, 278))
        other[place] = (PLAIN[place][0], 3, *PLAIN[place][2:])
        assert walked(tiff(other))[0] != key
    assert walked(tiff(PLAIN, order=">"))[0] not in (b"", key)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"II*\0", tiff([]), tiff(PLAIN, following=8), tiff(PLAIN, following=1 << 31), tiff(PLAIN)[:-3],
        tiff(PLAIN[::-1]), tiff([*PLAIN, PLAIN[-1]]), tiff([*PLAIN, (330, 4, 1, 8)]), tiff([*PLAIN, (400, 99, 1, 0)]),
        tiff([*PLAIN, (400, 2, 0, 0)]), tiff([*PLAIN, (400, 2, 99, 150)]), tiff([*PLAIN, (400, 2, 1 << 31, 8)]),
        tiff([(256, 4, 1, 0), *PLAIN[1:]]), tiff([(256, 4, 1, 1 << 31), *PLAIN[1:]]), tiff(PLAIN[:3]),
        tiff([*PLAIN[:3], (273, 4, 5000, 200), *PLAIN[4:]]), tiff([*PLAIN[:4], (278, 4, 1, 0), PLAIN[5]]),
    ],
)  # fmt: skip
def test_what_is_not_ordinary_is_left_to_the_parser(data):
    assert walked(data)[0] == b""


def test_only_a_whole_file_may_end_early():
    assert walked(tiff(PLAIN))[0] and not walked(tiff(PLAIN), whole=False)[0]


def test_what_does_not_fit_is_refused():
    data = tiff(PLAIN)
    assert walked(data, room=20)[0] == b""
    good = [data, True, TAGS, 1024, bytearray(999), np.zeros(NUMBERS, np.int64), bytearray(1)]
    for place, bad in ((2, b""), (3, 0), (3, 16), (5, np.zeros(NUMBERS - 1, np.int64))):
        with pytest.raises(ValueError, match=r"needed|hold"):
            walk(*(bad if n == place else each for n, each in enumerate(good)))
    with pytest.raises((BufferError, TypeError)):
        walk(*(b"" if n == 4 else each for n, each in enumerate(good)))


@given(data=st.data())
def test_any_bytes_end_well(data):
    entries = data.draw(st.lists(st.tuples(
        st.sampled_from([254, 256, 257, 259, 270, 273, 277, 279, 322, 323, 324, 325, 33922, 40000]), st.integers(0, 19),
        st.integers(0, 2**32 - 1) | st.integers(0, 40), st.integers(0, 2**32 - 1) | st.integers(0, 500)), max_size=12))  # fmt: skip
    order = data.draw(st.sampled_from("<>"))
    built = bytearray(tiff(sorted(entries), order=order, tail=data.draw(st.binary(max_size=300))))
    for _ in range(data.draw(st.integers(0, 3))):
        built[data.draw(st.integers(0, len(built) - 1))] = data.draw(st.integers(0, 255))
    for end in (len(built), data.draw(st.integers(0, len(built)))):
        key, numbers = walked(bytes(built[:end]), whole=data.draw(st.booleans()))
        assert not key or 1 <= numbers[1] <= numbers[0] <= 60
