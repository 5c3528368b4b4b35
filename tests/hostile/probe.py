"""Puts a file in front of the reader, as `tests.guard` work, and says what the reader did with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from click.testing import CliRunner

import gigapix
from gigapix.cli import main
from gigapix.errors import GigapixError
from tests.guard import measured, told

FACTS = (
    "axes", "shape", "dtype", "bands", "kind", "geokeys", "crs", "epsg", "transform", "gcps", "bounds", "nodata",
    "gdal_metadata", "colormap", "color_interpretation", "profile", "metadata", "count", "header_bytes",
)  # fmt: skip
"""What an `Image` can be asked beside its pixels: each gives a value or a GigapixError."""


SMALL = 1 << 22
"""Bytes of an image that is asked for whole more than once."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the reader did with a file."""

    pixels: npt.NDArray[Any] | None = None
    shape: tuple[int, ...] = ()
    """That the image declares."""
    error: str = ""
    """The message of the GigapixError on opening or reading."""
    error_kind: str = ""
    offset: int | None = None
    count: int | None = None
    untyped: tuple[str, ...] = field(default=())
    """Exceptions that are no GigapixError."""
    excess: int = 0
    """Bytes held at most, above what was held before and above the pixels themselves."""


def probe(path: str) -> Generator[str, None, Seen]:
    """Open the file, ask every fact, walk the tags, read all pixels, all levels and every other image's first pixel."""
    untyped: list[str] = []
    found: dict[str, Any] = {}
    with measured() as peak:
        yield "open"
        try:
            with gigapix.open(path) as image:
                found["shape"] = image.shape
                yield "read"
                found["pixels"] = image.read()
                found["nbytes"] = found["pixels"].nbytes
                yield "levels"
                for level in range(1, len(image.levels)):
                    _typed(untyped, lambda level=level: image.read((0, 0, 1, 1), level=level))
        except GigapixError as error:
            found |= {"error": str(error), "error_kind": type(error).__name__, "offset": error.offset}
        except Exception as error:  # noqa: BLE001
            untyped.append(told(error))
        yield "facts"
        yield from _facts(path, found, untyped)
        yield from _commands(path, "error" not in found, untyped)
    held = found.pop("nbytes", 0)
    return Seen(**found, untyped=tuple(untyped), excess=max(0, peak.bytes - held))


def _facts(path: str, found: dict[str, Any], untyped: list[str]) -> Generator[str, None, None]:
    try:
        image = gigapix.open(path)
    except GigapixError:
        return
    except Exception:  # noqa: BLE001  (it is in the list already)
        return
    with image:
        for name in FACTS:
            yield f"facts: {name}"
            value = _typed(untyped, lambda name=name: getattr(image, name))
            if name == "count":
                found["count"] = value
        yield "facts: tags"
        for name in _typed(untyped, lambda: list(image.tags)) or ():
            _typed(untyped, lambda name=name: image.tags[name])
        for name, use in _uses(image):
            yield f"uses: {name}"
            _typed(untyped, use)
        for level in image.levels:
            _typed(untyped, lambda level=level: (level.chunks, level.grid, level.nbytes, level.transform, repr(level)))
    yield "other images"
    for index in range(1, min(found.get("count") or 1, 20)):
        _typed(untyped, lambda index=index: _corner(path, index))


def _uses(image: gigapix.Image) -> Iterator[tuple[str, Any]]:
    """Every other way to ask for a few pixels."""
    height, width = image.levels[0].height, image.levels[0].width
    edge = (width - 1, height - 1, 2, 2)
    yield "a tile", lambda: image.tile(0, 0)
    yield "the last tile", lambda: image.tile(*(n - 1 for n in reversed(image.levels[0].grid)))
    yield "a window over the edge", lambda: image.read(edge, boundless=True)
    yield "a masked pixel", lambda: image.read((0, 0, 1, 1), masked=True)
    yield "a stored mask", lambda: image.read_mask((0, 0, 1, 1))
    yield "bounds", lambda: image.read(bounds=image.bounds, shape=(2, 2), resampling="average")
    yield "async", lambda: asyncio.run(image.read_async((0, 0, 1, 1)))
    if image.levels[0].nbytes < SMALL:
        yield "a thumbnail", lambda: image.read(shape=(3, 5), resampling="bilinear")
        yield "blocks", lambda: sum(block.size for _, block in image.blocks(block_bytes=1 << 16))


def _commands(path: str, sound: bool, untyped: list[str]) -> Generator[str, None, None]:
    """The command line, whose faults are one line too, and whose JSON is JSON."""
    yield "validate"
    _typed(untyped, lambda: gigapix.validate(path, full=True))
    for name in ("info", "tags", "stats") if sound else ("info", "tags"):
        yield f"command {name}"
        result = CliRunner().invoke(main, ["--debug", name, path, "--json"])
        if isinstance(result.exception, Exception) and not isinstance(result.exception, GigapixError):
            untyped.append(told(result.exception))
        elif result.exit_code == 0:
            _typed(untyped, lambda result=result: json.loads(result.stdout, parse_constant=_no_constant))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _corner(path: str, index: int) -> None:
    with gigapix.open(path, index=index) as image:
        image.read((0, 0, 1, 1))


def _typed(untyped: list[str], ask: Any) -> Any:
    try:
        return ask()
    except GigapixError:
        return None
    except Exception as error:  # noqa: BLE001
        untyped.append(told(error))
        return None


def mutants(task: tuple[str, int, int]) -> Generator[str, None, tuple[int, list[str]]]:
    """Read `count` damaged copies of the file at `path`, drawn from `seed`; how many were read, and what went wrong.

    Damage is mostly one, sometimes several bits, bytes or runs, overwritten, copied, taken out or put in.
    """
    path, seed, count = task
    sound = np.frombuffer(Path(path).read_bytes(), np.uint8)
    rng = np.random.default_rng(seed)
    faults: list[str] = []
    read = 0
    for number in range(count):
        yield f"{number}"
        damaged = mutant(sound, rng)
        with measured() as peak:
            shown, fault = _survives(damaged)
        read += shown > 0
        if fault:
            faults.append(f"seed {seed} number {number}: {fault}")
        elif peak.bytes - shown > 256 << 20:
            faults.append(f"seed {seed} number {number}: held {peak.bytes >> 20} MiB for {shown >> 20} MiB")
    return read, faults


def mutant(sound: npt.NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    damaged = sound.copy()
    for _ in range(int(rng.geometric(0.4))):
        at = int(rng.integers(len(damaged))) if rng.random() < 0.5 else int(rng.integers(min(len(damaged), 600)))
        size = int(min(rng.choice([1, 2, 4, 8, 64]), len(damaged) - at))
        kind = rng.integers(6)
        if kind == 0:
            damaged[at] ^= 1 << rng.integers(8)
        elif kind == 1:
            damaged[at : at + size] = rng.integers(0, 256, size)
        elif kind == 2:
            damaged[at : at + size] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 3:
            source = int(rng.integers(len(damaged) - size + 1))
            damaged[at : at + size] = damaged[source : source + size].copy()
        elif kind == 4:
            damaged = np.delete(damaged, np.s_[at : at + size])
        else:
            damaged = np.insert(damaged, at, rng.integers(0, 256, size, dtype=np.uint8))
        if not len(damaged):
            break
    return damaged.tobytes()


def _survives(data: bytes) -> tuple[int, str]:
    """Bytes of pixels that were read, and an exception that is no GigapixError."""
    try:
        with gigapix.open(data) as image:
            return image.read().nbytes, ""
    except GigapixError:
        return 0, ""
    except Exception as error:  # noqa: BLE001
        return 0, told(error)
