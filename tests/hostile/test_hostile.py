"""Every hostile file ends in its pixels or in a GigapixError that says where: never in a crash, a hang or a flood."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import gigapix
from gigapix.errors import GigapixError, NotFoundError, SourceError, TruncatedError
from tests import guard
from tests.hostile import containers, layout, segments, structure, texts
from tests.hostile.build import baseline, build
from tests.hostile.case import SOUND, Case
from tests.hostile.probe import Seen, probe

MODULES = {module.__name__.rpartition(".")[2]: module for module in (structure, layout, segments, texts, containers)}


@pytest.mark.parametrize("name", MODULES)
def test_cases(name: str, tmp_path: Path) -> None:
    cases = list(MODULES[name].cases())
    paths = [tmp_path / f"{case.name}.tif" for case in cases]
    for case, path in zip(cases, paths, strict=True):
        path.write_bytes(case.data)
    outcomes = guard.run_all(probe, [str(path) for path in paths])
    faults = [
        f"{case.name}: {fault}"
        for case, path, outcome in zip(cases, paths, outcomes, strict=True)
        for fault in _faults(case, path, outcome)
    ]
    assert not faults, f"{len(faults)} faults in {len(cases)} cases:\n" + "\n".join(faults)


def _faults(case: Case, path: Path, outcome: guard.Outcome) -> Iterator[str]:
    if outcome.fault:
        yield f"{outcome.fault} at {outcome.step}: {outcome.detail}"
        return
    seen: Seen = outcome.value
    yield from (f"untyped: {each}" for each in dict.fromkeys(seen.untyped))
    if seen.excess > guard.EXTRA_BYTES:
        yield f"held {seen.excess >> 20} MiB above the pixels"
    if seen.error and str(path) not in seen.error:
        yield f"the message does not name the file: {seen.error}"
    if seen.pixels is not None and seen.pixels.shape != seen.shape:
        yield f"has shape {seen.shape} and was read as {seen.pixels.shape}"
    if case.expect == "error" and seen.pixels is not None:
        yield f"was read, as {seen.shape}"
    if case.expect == "pixels" and seen.error:
        yield f"was not read: {seen.error_kind}: {seen.error}"
    elif case.expect == "pixels" and seen.pixels is not None and not np.array_equal(seen.pixels, case.pixels):
        yield f"was read wrong: {seen.shape}"
    if case.count is not None and seen.count != case.count:
        yield f"holds {case.count} images and is said to hold {seen.count}"


@cache
def sound() -> bytes:
    return build(baseline(), data=SOUND)


@pytest.mark.parametrize("special", ["folder", "fifo", "absent", "nul", "empty", "socket", "dangling"])
def test_path_that_is_no_file(special: str, tmp_path: Path) -> None:
    path = str(tmp_path / special)
    if special == "folder":
        (tmp_path / special).mkdir()
    elif special == "fifo":
        os.mkfifo(path)
    elif special == "nul":
        path += "\0.tif"
    elif special == "empty":
        path = ""
    elif special == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
    elif special == "dangling":
        (tmp_path / special).symlink_to("nowhere")
    kind = NotFoundError if special in ("absent", "dangling") else SourceError
    with pytest.raises(kind) as caught:
        gigapix.open(path)
    assert special == "empty" or special in str(caught.value)


def test_file_that_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "shrinks.tif"
    path.write_bytes(build(baseline(at=70_000), data=bytes(70_000 - 16) + SOUND))
    with gigapix.open(path) as image:
        os.truncate(path, 1000)
        with pytest.raises(TruncatedError, match="shrinks"):
            image.read()


def test_file_that_is_replaced_by_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "moves.tif"
    path.write_bytes(sound())
    with gigapix.open(path) as image:
        path.unlink()
        path.mkdir()
        np.testing.assert_array_equal(image.read().reshape(-1), np.frombuffer(SOUND, np.uint8))


def test_closed_image(tmp_path: Path) -> None:
    path = tmp_path / "closed.tif"
    path.write_bytes(build(baseline(at=70_000), data=bytes(70_000 - 16) + SOUND))
    with gigapix.open(path) as image:
        pass
    with pytest.raises(GigapixError, match="closed"):
        image.read()


def test_errors_name_the_place() -> None:
    data = sound()
    beyond = build(baseline(at=1 << 20), data=SOUND)
    for damaged, offset in ((data[: len(data) - 30], len(SOUND) + 16), (beyond, 1 << 20)):
        with pytest.raises(TruncatedError) as caught, gigapix.open(damaged) as image:
            image.read()
        assert caught.value.offset == offset
        assert caught.value.path == "<bytes>"
