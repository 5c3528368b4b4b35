"""What a PNG says of its image (`image.facts`): colours, what is transparent, and rasterio's profile.

A PNG has no place on Earth: the transform is the identity. What is transparent is told as GDAL's driver tells it: a
grey that stands for it, or the one palette entry that does, is nodata. A colour of several samples can't be, since
each of them alone stands for other colours: it is ``metadata["transparent"]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from gigapix.errors import UnsupportedError
from gigapix.formats.model import Steps
from gigapix.formats.png import header as kinds
from gigapix.formats.png.behind import chunks_behind
from gigapix.formats.png.chunks import Chunk, read_chunk
from gigapix.formats.png.metadata import read_metadata
from gigapix.formats.png.series import PngImage, count_images
from gigapix.source import drive

if TYPE_CHECKING:
    from affine import Affine

    from gigapix.image.image import Image

WHOLE_SIDE: Final = 512
"""Up to this many pixels a side, GDAL decodes an image of 8 bits as one block."""

_COLORS: Final = {
    kinds.GREY: ("gray",),
    kinds.RGB: ("red", "green", "blue"),
    kinds.PALETTE: ("palette",),
    kinds.GREY_ALPHA: ("gray", "alpha"),
    kinds.RGB_ALPHA: ("red", "green", "blue", "alpha"),
}


def spec_of(image: Image) -> PngImage:
    """The image as the PNG parser describes it. Raises UnsupportedError for other formats."""
    if not isinstance(image.spec, PngImage):
        raise UnsupportedError("it is no PNG", path=image.path)
    return image.spec


def kind(image: Image) -> str:
    """Always ``png``."""
    return "png"


def count(image: Image) -> Steps[int]:
    """The default image and the frames behind it."""
    return count_images(spec_of(image).png)
    yield


class Chunks(Mapping[str | int, Any]):
    """The data of a PNG's chunks by type, fetched when it is asked for: bytes, or a tuple where a type stands several
    times. IDAT, fdAT and IEND are left out."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._chunks: dict[str, list[Chunk]] = {}
        for chunk in chunks_of(image)[0]:
            self._chunks.setdefault(chunk.type, []).append(chunk)

    def __getitem__(self, key: str | int) -> Any:
        chunks = self._chunks[str(key)]
        verify = spec_of(self._image).png.verify
        found = tuple(drive(read_chunk(chunk, verify), self._image.cache) for chunk in chunks)
        return found[0] if len(found) == 1 else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._chunks)

    def __len__(self) -> int:
        return len(self._chunks)


def chunks_of(image: Image) -> tuple[tuple[Chunk, ...], str]:
    """The chunks before and behind the pixels, and a sentence where some may be missing. Costs a request."""
    png = spec_of(image).png
    behind, problem = drive(chunks_behind(png, image.file_size), image.cache)
    return png.chunks + behind, problem


def tags(image: Image) -> Chunks:
    """The chunks by type."""
    return Chunks(image)


def geokeys(image: Image) -> None:
    """None: a PNG has none."""


def crs(image: Image) -> None:
    """None: a PNG has none."""


def epsg(image: Image) -> None:
    """None: a PNG has none."""


def transform(image: Image) -> Affine:
    """The identity."""
    from affine import Affine

    return Affine.identity()


def gcps(image: Image) -> tuple[()]:
    """None: a PNG has none."""
    return ()


def gdal_metadata(image: Image) -> None:
    """None: what GDAL knows beyond a PNG is in a file beside it."""


def nodata(image: Image) -> float | None:
    """The grey, or the only palette entry, that is transparent throughout."""
    png = spec_of(image).png
    if png.header.color_type == kinds.GREY and png.transparency:
        return float(int.from_bytes(png.transparency, "big"))
    if png.header.color_type == kinds.PALETTE and png.transparency.count(0) == 1:
        return float(png.transparency.index(0))
    return None


def colormap(image: Image) -> dict[int, tuple[int, int, int, int]] | None:
    """PLTE with the alpha of tRNS."""
    png = spec_of(image).png
    colors = zip(*(png.palette[n::3] for n in range(3)), strict=True)
    alpha = png.transparency.ljust(256, b"\xff")
    return {n: (*color, alpha[n]) for n, color in enumerate(colors)} or None


def color_interpretation(image: Image) -> tuple[str, ...]:
    """Of the samples of the colour type."""
    return _COLORS[spec_of(image).header.color_type]


def profile(image: Image) -> dict[str, Any]:
    """rasterio's profile; the transparent colour of an RGB image, of which rasterio gives the red, is no nodata."""
    header = spec_of(image).header
    whole = header.depth == 8 and not header.interlaced and max(image.width, image.height) <= WHOLE_SIDE
    found = {
        "driver": "PNG",
        "dtype": str(image.dtype),
        "nodata": image.nodata,
        "width": image.width,
        "height": image.height,
        "count": image.bands,
        "crs": None,
        "transform": image.transform,
        "blockxsize": image.width,
        "blockysize": image.height if whole else 1,
        "tiled": False,
    }
    return found | ({"interleave": "pixel"} if image.bands > 1 else {})


def metadata(image: Image) -> dict[str, Any]:
    """The values of all chunks that hold no pixels, and what is wrong with them.

    Those behind the pixels cost a request of up to 64 KiB, and where IDAT chunks are longer than that up to 64 small
    ones. ``frame`` is this image's place in the animation, ``transparent`` the samples of the transparent colour.
    """
    spec = spec_of(image)
    png = spec.png
    chunks, missing = chunks_of(image)
    found, problems = drive(read_metadata(chunks, png.verify), image.cache)
    found |= {
        "kind": "png",
        "transparent": _transparent(image),
        "animation": asdict(png.animation) if png.animation is not None else None,
        "frame": asdict(spec.frame) if spec.frame is not None else None,
        "problems": (*png.problems, *problems, *filter(None, [missing])),
    }
    return {key: value for key, value in found.items() if value not in (None, ())}


def _transparent(image: Image) -> tuple[int, ...] | None:
    png = spec_of(image).png
    if png.header.color_type not in (kinds.GREY, kinds.RGB) or not png.transparency:
        return None
    pairs = zip(png.transparency[::2], png.transparency[1::2], strict=True)
    return tuple(high << 8 | low for high, low in pairs)
