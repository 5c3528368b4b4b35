"""Histograms as a picture, drawn with numpy alone: a drawing library would weigh more than all the rest.

The bands share one pair of axes, each in a colour, mixed where they overlap. Heights are the root of the counts, as in
the terminal, so that rare values still show. Numbers are set in a font of 3 x 5 dots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gigapix.ops.histogram import Histogram

Picture = NDArray[np.float32]
Color = tuple[int, int, int]

WIDTH: Final = 880
HEIGHT: Final = 420
LEFT, RIGHT, TOP, BOTTOM = 100, 40, 24, 44
INK: Final[Color] = (60, 60, 60)
GRID: Final[Color] = (225, 225, 225)
COLORS: Final[tuple[Color, ...]] = (
    (214, 69, 65), (67, 160, 71), (57, 106, 177), (148, 103, 189), (227, 150, 40), (90, 90, 90),
)  # fmt: skip
"""Of the bands in turn; red, green and blue come first, since that is what three bands usually are."""

GLYPHS: Final[Mapping[str, str]] = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", "-": "00700", "+": "02720", ".": "00002", "e": "06746",
}  # fmt: skip
"""Five rows of three dots, the dots of a row as bits of a digit."""

DOT: Final = 2
"""Pixels of a dot."""


def write_plot(path: Path, histograms: Sequence[Histogram | None]) -> None:
    """Draw the histograms of all bands to a PNG. Raises OSError where it can't be written."""
    from imagecodecs import png_encode

    path.write_bytes(png_encode(draw(histograms)))


def draw(histograms: Sequence[Histogram | None]) -> NDArray[np.uint8]:
    """The picture, ``(HEIGHT, WIDTH, 3)``; axes without numbers where no band has a histogram."""
    picture: Picture = np.full((HEIGHT, WIDTH, 3), 255, np.float32)
    plot = picture[TOP : HEIGHT - BOTTOM, LEFT : WIDTH - RIGHT]
    rows, columns = plot.shape[:2]
    found = [(band, each) for band, each in enumerate(histograms) if each is not None]
    low = min((each.min for _, each in found), default=0)
    high = max((each.max for _, each in found), default=1)
    for quarter in range(1, 5):
        plot[rows - rows * quarter // 4] = GRID
        plot[:, columns * quarter // 4 - 1] = GRID
    edges = np.linspace(low, high + (high == low), columns + 1)
    heights = [_heights(each, edges) for _, each in found]
    most = max((float(each.max()) for each in heights), default=0.0)
    for (band, _), counts in zip(found, heights, strict=True):
        color = np.array(COLORS[band % len(COLORS)], np.float32)
        tops = rows - np.rint(np.sqrt(counts / (most or 1)) * (rows - 1)).astype(int)
        below = np.arange(rows)[:, None] >= tops
        plot[below] = 0.65 * plot[below] + 0.35 * color
        plot[np.minimum(tops, rows - 1), np.arange(columns)] = color
    picture[HEIGHT - BOTTOM, LEFT : WIDTH - RIGHT] = picture[TOP : HEIGHT - BOTTOM, LEFT - 1] = INK
    if found:
        for quarter in range(5):
            at = LEFT + columns * quarter // 4
            _text(picture, f"{low + (high - low) * (quarter / 4):.5g}", HEIGHT - BOTTOM + 10, at, 0.5)
            count = most * (quarter / 4) ** 2  # the root of the counts goes up evenly
            _text(
                picture,
                f"{count:.0f}" if count < 1e9 else f"{count:.3g}",
                HEIGHT - BOTTOM - rows * quarter // 4 - 5,
                LEFT - 8,
                1,
            )
    return np.rint(picture).astype(np.uint8)


def _heights(histogram: Histogram, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each column between two edges, the mean count of the bins that it covers."""
    n = len(histogram.counts)
    end = histogram.max + 1 if histogram.kind == "values" or histogram.max == histogram.min else histogram.max
    bins = np.linspace(float(histogram.min), float(end), n + 1)
    places = np.interp(edges, bins, np.arange(n + 1))
    counts = np.interp(places, np.arange(n + 1), np.cumsum([0, *histogram.counts]))
    covered = np.diff(places)
    heights = np.zeros_like(covered)
    np.divide(np.diff(counts), covered, out=heights, where=covered > 0)
    return heights


def _text(picture: Picture, text: str, row: int, column: int, shift: float) -> None:
    """Set a text with its top at `row`; `shift` of its width lies to the left of `column`."""
    dots = np.zeros((5, 4 * len(text)), bool)
    for place, letter in enumerate(text):
        for line, bits in enumerate(GLYPHS.get(letter, "00000")):
            dots[line, 4 * place : 4 * place + 3] = [int(bits) >> bit & 1 for bit in (2, 1, 0)]
    pixels = np.kron(dots, np.ones((DOT, DOT), bool))
    left = min(max(column - round(pixels.shape[1] * shift), 0), WIDTH - pixels.shape[1])
    picture[row : row + pixels.shape[0], left : left + pixels.shape[1]][pixels] = INK
