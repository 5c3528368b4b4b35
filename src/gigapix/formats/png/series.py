"""Images of a PNG: the default image, and behind it the frames of its animation that are not the default image.

Each is one segment, a zlib stream in the data of its IDAT or fdAT chunks. Samples are as stored: a palette's indices,
1, 2 and 4 bits as the numbers 0 to 15, frames uncomposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gigapix.errors import RequestError
from gigapix.formats.model import LevelSpec, Located, Range, Steps
from gigapix.formats.png.animation import Frame, frame_behind
from gigapix.formats.png.chunks import Chunk
from gigapix.formats.png.file import Png, read_png
from gigapix.formats.png.header import Header, encoding_of

SizeOf = Callable[[], int | None]
"""The bytes of the file, None while they are not known."""

WORST: Final = 18
"""Bytes that an honest stream has for each byte of its rows, at most: chunks that hold one byte each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PngImage:
    """One image of a PNG."""

    png: Png
    levels: tuple[LevelSpec, ...]
    frame: Frame | None
    """Its place in the animation; None where it is no part of one."""
    name: str = ""

    @property
    def header(self) -> Header:
        """That of the file; a frame has a size of its own."""
        return self.png.header


def read_image(index: int, *, verify: bool = True, size_of: SizeOf = lambda: None) -> Steps[PngImage]:
    """Read the header of image `index`: 0 is the default image. Frames are found by walking over what is before them.

    verify: check the CRC of each chunk that is read.
    """
    if index < 0:
        raise RequestError(f"no image {index}")
    png = yield from read_png(verify)
    if index >= count_images(png):
        raise RequestError(f"no image {index} in a PNG of {count_images(png)}")
    if index == 0:
        return PngImage(png=png, levels=(_level(png.header, png.pixels, size_of),), frame=png.frame)
    number = 0 if png.frame is None else 1
    frame, pixels = yield from frame_behind(png.header, png.pixels, index, number, verify)
    header = replace(png.header, width=frame.width, height=frame.height)
    return PngImage(png=png, levels=(_level(header, pixels, size_of),), frame=frame)


def count_images(png: Png) -> int:
    """The default image and the frames behind it, as acTL counts them."""
    return 1 if png.animation is None else png.animation.frames + (png.frame is None)


def _level(header: Header, pixels: Chunk, size_of: SizeOf) -> LevelSpec:
    encoding = encoding_of(header, "fdAT" if pixels.type == "fdAT" else "IDAT")
    volume = (1, header.height, header.width)

    def locate(plane: int, segments: Sequence[int]) -> Steps[Located]:
        return Located(encoding=encoding, ranges=(_range(),) * len(segments))
        yield

    def _range() -> Range:
        """To the end of the file, or where an honest stream has ended long before that, so far."""
        longest = header.height * (2 + header.width * header.samples * header.depth // 8) * WORST + (1 << 16)
        size = size_of()
        return pixels.offset, longest if size is None else min(longest, max(size - pixels.offset, 0))

    return LevelSpec(
        axes="CYX",
        shape=(header.samples, header.height, header.width),
        dtype=encoding.dtype,
        segment=volume,
        volume=volume,
        samples=header.samples,
        planar=False,
        tiled=False,
        planes=1,
        plane_axes="",
        plane_shape=(),
        locate=locate,
        encoding=encoding,
    )
