"""Compares what gigapix reads of a file with what tifffile reads of it, image by image.

tifffile cuts a file otherwise than gigapix does: it makes series of alike pages, gigapix makes images with levels. So
the truth is taken in tifffile's units (`units`: every top-level page, every level of every series that a description
defines) and each is looked for where gigapix should have it.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import tifffile

import gigapix
from gigapix.errors import GigapixError
from tests.corpus.pixels import Pixels, band_first, difference, gdal, unlike
from tests.guard import EXTRA_BYTES, measured, told

Verdict = Literal["equal", "typed", "more", "differs", "error", "untyped", "harm"]
"""equal | a typed error where tifffile fails too | read where tifffile fails | differs from tifffile | an error where
tifffile reads | an exception that is no GigapixError | crash, hang or flood."""

ROUNDING = 2
"""JPEG decoders of two builds may differ by this much; everything else is compared bit by bit."""

LOSSY = {6, 7, 33007, 34892}
"""Compressions of the JPEG family."""

DESCRIBED = {
    "ome",
    "imagej",
    "svs",
    "shaped",
    "stk",
    "lsm",
    "fluoview",
    "micromanager",
    "scn",
    "ndpi",
    "philips",
    "qpi",
}
"""Kinds of series whose axes come from a description; in the others a series is a heap of alike pages."""

PLACED = {"ome", "imagej", "svs"}
"""Kinds whose series and levels stand in the same order in gigapix; images of other kinds are found by their size."""

MANY_PAGES = 40
"""Of a longer chain the first ones and the last one are compared."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One image of a file, or the file as a whole."""

    what: str
    verdict: Verdict
    reason: str = ""
    difference: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One image as tifffile sees it."""

    what: str
    read: Callable[[], Pixels]
    axes: str
    shape: tuple[int, ...]
    compression: int
    series: tuple[int, int] | None = None
    """(series, level), which is (image, level) in gigapix."""


def compare(task: tuple[str, bool]) -> Generator[str, None, list[Result]]:
    """`tests.guard` work: every image of the file at a path, by tifffile too where the second item says so."""
    path, with_oracle = task
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        found: list[Unit] = []
        oracle_fault = "not asked"
        if with_oracle:
            yield "tifffile: open"
            try:
                file = stack.enter_context(tifffile.TiffFile(path))
                found = list(units(file))
                oracle_fault = "no page" if not found else ""
            except Exception as error:  # noqa: BLE001
                oracle_fault = f"{type(error).__name__}: {error}"
        yield "gigapix: open"
        with measured() as peak:
            shelf = Shelf(path)
        if shelf.untyped:
            return [Result(what="open", verdict="untyped", reason=shelf.untyped)]
        if peak.bytes > EXTRA_BYTES:
            results.append(Result(what="open", verdict="harm", reason=f"held {peak.bytes >> 20} MiB"))
        if not found:
            yield "gigapix: image 0"
            found = [Unit(what="page 0", read=_no_truth(oracle_fault), axes="", shape=(), compression=0)]
        for unit in found:
            yield f"tifffile: {unit.what}"
            truth: Pixels | str
            try:
                truth = unit.read()
            except Exception as error:  # noqa: BLE001
                truth = f"{type(error).__name__}: {error}".split("\n")[0]
            yield f"gigapix: {unit.what}"
            results.append(judged(unit, truth, shelf))
            del truth
    return results


def _no_truth(reason: str) -> Callable[[], Pixels]:
    def read() -> Pixels:
        raise ValueError(reason)

    return read


def units(file: tifffile.TiffFile) -> Iterator[Unit]:
    """Page 0 first, the other pages, and the levels of described series."""
    count = len(file.pages)
    series = [] if count == 0 else list(_series(file))
    described = {number for number, each in enumerate(series) if each.kind in DESCRIBED}
    covered = {page.index for n in described for level in series[n].levels for page in level.pages if page is not None}
    for number in sorted(described):
        for place, level in enumerate(series[number].levels):
            compression = int(series[number].keyframe.compression)
            yield Unit(
                what=f"series {number} level {place}", read=level.asarray, axes=level.axes, shape=level.shape,
                compression=compression, series=(number, place) if series[number].kind in PLACED else None,
            )  # fmt: skip
    pages = [n for n in range(count) if not described or n not in covered]
    for number in pages[:MANY_PAGES] + pages[MANY_PAGES:][-1:]:
        page = file.pages[number].aspage() if number else file.pages.first
        yield Unit(
            what=f"page {number}", read=page.asarray, axes=page.axes, shape=page.shape,
            compression=int(page.compression),
        )  # fmt: skip


def _series(file: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """None where tifffile's own grouping fails: the pages remain."""
    try:
        return list(file.series)
    except Exception:  # noqa: BLE001
        return []


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where gigapix keeps an image: `level` of image `index`, its mask where `mask`."""

    index: int
    level: int
    axes: str
    shape: tuple[int, ...]
    mask: bool = False

    def __str__(self) -> str:
        return f"image {self.index} level {self.level}{' mask' if self.mask else ''}"


class Shelf:
    """What gigapix finds in a file, by place."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.places: list[Place] = []
        self.errors: list[str] = []
        self.untyped = ""
        try:
            index, count = 0, 1
            while index < min(count, MANY_PAGES * 2):
                with gigapix.open(path, index=index) as image:
                    count = image.count
                    for level, each in enumerate(image.levels):
                        place = Place(index=index, level=level, axes=each.axes, shape=each.shape)
                        self.places.append(place)
                        if each.has_mask:
                            self.places.append(replace(place, axes="YX", shape=each.shape[-2:], mask=True))
                index += 1
        except GigapixError as error:
            self.errors.append(f"image {index}: {type(error).__name__}: {error.message}")
        except Exception as error:  # noqa: BLE001
            self.untyped = told(error)

    def read(self, place: Place) -> Pixels:
        with gigapix.open(self.path, index=place.index) as image:
            return image.read_mask(level=place.level) if place.mask else image.read(level=place.level)

    def candidates(self, unit: Unit) -> list[Place]:
        """Where the image of a unit may be: for a described series its place, else wherever the size is right."""
        if unit.series is not None:
            return [place for place in self.places if (place.index, place.level) == unit.series and not place.mask]
        if not unit.shape:
            return self.places[:1]
        size = sorted(n for n in unit.shape if n > 1)
        return [place for place in self.places if sorted(n for n in place.shape if n > 1) == size]


def judged(unit: Unit, truth: Pixels | str, shelf: Shelf) -> Result:
    """The verdict on one image. Candidates are read in turn until one is equal."""
    reasons = list(shelf.errors)
    worst: Verdict = "error"
    least = np.inf
    if isinstance(truth, np.ndarray) and truth.nbytes == 0:
        truth = "an image without pixels"
    places = shelf.candidates(unit)
    if isinstance(truth, str):
        # There is nothing to tell the candidates apart: page 0 is image 0, of a further page each one is asked.
        places = shelf.places[:1] if unit.what == "page 0" else places
    if not places:
        reasons.append(f"no image of {unit.shape}; there are " + ", ".join(f"{p} {p.shape}" for p in shelf.places[:6]))
    for place in places:
        try:
            with measured() as peak:
                found = shelf.read(place)
        except GigapixError as error:
            reasons.append(f"{place}: {type(error).__name__}: {error.message}")
            continue
        except Exception as error:  # noqa: BLE001
            return Result(what=unit.what, verdict="untyped", reason=told(error))
        if peak.bytes - found.nbytes > EXTRA_BYTES:
            held = f"held {(peak.bytes - found.nbytes) >> 20} MiB above its {found.nbytes >> 20} MiB"
            return Result(what=unit.what, verdict="harm", reason=f"{place}: {held}")
        if isinstance(truth, str):
            return Result(what=unit.what, verdict="more", reason=f"{found.shape} {found.dtype}; tifffile: {truth}")
        expected = band_first(truth, unit.axes, place.axes)
        if place.mask:
            expected = np.where(expected > 0, np.uint8(255), np.uint8(0))
        if expected.shape != found.shape or expected.dtype != found.dtype:
            worst = "differs"
            shapes = f"{found.shape} {found.dtype}, tifffile {expected.shape} {expected.dtype}"
            reasons.append(f"{place}: {shapes}")
            continue
        apart = difference(found, expected)
        if apart and unit.what == "page 0" and np.array_equal(found, gdal(shelf.path)):
            # tifffile gives zeros where it gives up, without an error: what GDAL reads too is no mistake.
            return Result(what=unit.what, verdict="equal", reason="as GDAL reads it, and not tifffile")
        if apart <= (ROUNDING if unit.compression in LOSSY else 0):
            return Result(what=unit.what, verdict="equal", difference=apart)
        worst, least = "differs", min(least, apart)
        where = np.argwhere(unlike(found, expected))
        reasons.append(
            f"{place}: differs by up to {apart:g} in {len(where)} of {found.size}, first at {tuple(where[0].tolist())}"
        )
    if isinstance(truth, str):
        return Result(what=unit.what, verdict="typed", reason="; ".join(reasons))
    return Result(
        what=unit.what, verdict=worst, reason="; ".join(reasons), difference=0.0 if least == np.inf else least
    )
