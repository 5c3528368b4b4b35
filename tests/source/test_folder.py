"""A folder of objects as a store: addresses, what is not there, and what is no file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gigapix.errors import NotFoundError, SourceError, TruncatedError
from gigapix.formats.model import SPAN
from gigapix.source import Settings, open_folder

NAMES = ("a", "deeper/b", "empty", "missing", "deeper", "deeper/", "a/below", "pipe", "nul\0", "missing/")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(bytes(range(100)))
    (tmp_path / "deeper/c").mkdir(parents=True)
    (tmp_path / "deeper/b").write_bytes(b"b")
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_addresses(folder: Path) -> None:
    source = open_folder(f"file://{folder}/", NAMES.__getitem__, Settings())
    assert bytes(source.read(0, 5)) == bytes(range(5))
    assert bytes(source.read(90, 1 << 40)) == bytes(range(90, 100))  # no more is allocated than there is
    assert bytes(source.read(SPAN - 3, 3)) == bytes([97, 98, 99])
    assert bytes(source.read(SPAN - 300, 300)) == bytes(range(100))
    assert bytes(asyncio.run(source.read_async(SPAN, 9))) == b"b"
    assert bytes(source.read(5 * SPAN, 99)) == b'["b", "c/"]'
    for number in (3, 4, 6, 9):
        assert bytes(source.read(number * SPAN, 9)) == b""
    assert source.where(SPAN + 7) == (f"{folder}/deeper/b", 7)
    assert source.where(2 * SPAN - 7) == (f"{folder}/deeper/b", -7)
    assert source.stats.requests == 10


@pytest.mark.parametrize(("address", "words"), [(2 * SPAN, "is empty"), (100, "ends before"), (7 * SPAN, "is no file")])
def test_what_is_there_and_has_nothing(folder: Path, address: int, words: str) -> None:
    source = open_folder(str(folder), NAMES.__getitem__, Settings())
    with pytest.raises(SourceError, match=f"{NAMES[address // SPAN]}: {words}") as caught:
        source.read(address, 9)
    assert isinstance(caught.value, TruncatedError) == (address < 7 * SPAN)
    assert not isinstance(caught.value, NotFoundError)


def test_closed(folder: Path) -> None:
    source = open_folder(str(folder), NAMES.__getitem__, Settings())
    source.close()
    with pytest.raises(SourceError, match="closed"):
        source.read(0, 1)


def test_a_name_that_no_system_has(folder: Path) -> None:
    with pytest.raises(SourceError, match="nul"):
        open_folder(str(folder), NAMES.__getitem__, Settings()).read(8 * SPAN, 1)
