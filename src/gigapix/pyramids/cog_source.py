"""What a COG is made of: a plane of bands, and what its tags say of them.

Where the image stores a mask, or its alpha band becomes one (JPEG has no fourth band), pixels that do not count get a
value that no sample can have, in the next wider type. So any reducer leaves them out, as it does nodata; and what comes
out with that value is what the overview's mask hides. A codec that loses makes a mask of nodata too: the value would
come out as its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gigapix.errors import RequestError, UnsupportedError
from gigapix.formats.tiff.write import JPEG, MASK, PALETTE, WEBP, Tag, TiffFile
from gigapix.image.facts import validity
from gigapix.image.image import Image
from gigapix.image.window import Window
from gigapix.ops.geotags import geo_tags
from gigapix.pyramids.cog_codecs import CogCodec
from gigapix.pyramids.cog_geo import crs_tags
from gigapix.pyramids.masks import masked
from gigapix.pyramids.pixels import Box, Pixels
from gigapix.pyramids.samples import Samples
from gigapix.pyramids.tree import size_of

BAND_AXES: Final = ("c", "band", "bands", "channel")

_WIDER: Final = {"u1": "u2", "i1": "i2", "u2": "u4", "i2": "i4", "u4": "u8", "i4": "i8"}
_RGB: Final = ("red", "green", "blue")
_COLOURS: Final = {0: 1, 1: 1, 2: 3, PALETTE: 1, 5: 4, 6: 3}
"""Bands that PhotometricInterpretation speaks of; all others are extra samples."""

_COPIED: Final = {
    282: 5, 283: 5, 296: 3, 306: 2, 315: 2, 33432: 2, 34675: 7, 34735: 3, 34736: 12, 34737: 2, 42112: 2, 50844: 12,
}  # fmt: skip
"""Resolution, DateTime, Artist, Copyright, ICC profile, GeoKeys, GDAL_METADATA, RPCs, and their types."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How the pixels are written."""

    dtype: np.dtype[Any]
    bands: int
    photometric: int
    extra_samples: tuple[int, ...]
    samples: Samples
    """As they are reduced."""
    mask: bool
    """Whether what does not count is hidden by a mask."""
    fill: float
    """What is written where it is hidden."""
    tags: Mapping[int, Tag]
    """Of the full image."""
    every: Mapping[int, Tag]
    """Of the overviews too."""

    @property
    def is_palette(self) -> bool:
        """Whether samples are numbers of colours."""
        return self.photometric == PALETTE

    def finished(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The samples ``(band, y, x)`` of a tile, and where they count."""
        if not self.mask:
            return values, None
        valid = self.samples.valid(values)
        return np.where(valid, values, values.dtype.type(self.fill)).astype(self.dtype), np.any(valid, axis=0)

    def files(self, shape: tuple[int, ...], tile: int, codec: CogCodec, overview: bool) -> list[TiffFile]:
        """A level, and its mask where there is one."""
        image = TiffFile(
            width=shape[-1], height=shape[-2], tile=tile, samples=self.bands, dtype=self.dtype,
            compression=codec.compression, level=codec.level, around=codec.around, photometric=self.photometric,
            extra_samples=self.extra_samples, subfile=int(overview),
            tags=self.every if overview else {**self.every, **self.tags},
        )  # fmt: skip
        mask = TiffFile(
            width=shape[-1], height=shape[-2], tile=tile, samples=1, dtype=np.dtype(bool), photometric=MASK,
            subfile=4 + overview,
        )  # fmt: skip
        return [image, mask] if self.mask else [image]


def cog_pixels(
    pixels: Pixels, image: Image | None, codec: CogCodec, select: Mapping[str, int] | None = None
) -> tuple[Pixels, Look]:
    """The plane of a source, and how it is written. Raises UnsupportedError for what the codec or a COG can't hold."""
    own = replace(pixels.samples, masked=False)
    select = {axis.lower(): position for axis, position in (select or {}).items()}
    colors = image.color_interpretation if image is not None else ()
    stored = pixels.samples.masked if image is None else validity(image, image.levels[0].spec).mask
    if "c" in select:
        colors = colors[select["c"] : select["c"] + 1]
    if image is not None and (stored or colors[-1:] == ("alpha",)) and ("c" not in select or stored):
        pixels = masked(pixels, image)
    pixels = plane(pixels, select)
    dtype, bands = own.dtype, pixels.shape[0] if len(pixels.shape) == 3 else 1
    if not colors and bands == 3 and dtype == np.uint8:
        colors = _RGB
    drops = codec.compression == JPEG and bands > 1 and colors[-1:] == ("alpha",)
    bands -= drops
    codec.check(dtype, bands)
    if codec.compression == WEBP and bands == 4 and colors[-1:] != ("alpha",):
        raise UnsupportedError("WebP has red, green, blue and alpha, and the fourth band is none")
    photometric = _photometric(image, colors, dtype)
    if photometric == PALETTE and codec.loses(dtype):
        raise UnsupportedError(f"{codec} would change the numbers of a palette's colours")
    loses = codec.loses(dtype) and own.marker is not None
    if stored or drops:
        pixels = _marked(pixels, own, bands)
    every: dict[int, Tag] = {}
    if photometric == PALETTE and image is not None:
        every[320] = (3, _colormap(image.colormap or {}, 8 * dtype.itemsize))
    if own.nodata is not None and not loses and (own.marker is not None or dtype.kind == "f"):
        every[42113] = (2, str(int(own.nodata)) if dtype.kind in "iu" else repr(float(own.nodata)))
    if codec.compression == JPEG and bands == 3:
        photometric = 6
    return pixels, Look(
        dtype=dtype,
        bands=bands,
        photometric=photometric,
        extra_samples=_extra(image, colors, bands, photometric),
        samples=pixels.samples,
        mask=stored or drops or loses,
        fill=own.nodata if own.nodata is not None and own.marker is not None else math.nan if dtype.kind == "f" else 0,
        tags=_tags(image, pixels.crs) if image is not None else {},
        every=every,
    )


def plane(pixels: Pixels, select: Mapping[str, int]) -> Pixels:
    """Without axes of which one position is selected, or that have no more; bands stay. Raises UnsupportedError where
    more than bands, rows and columns are left, RequestError where there is no such position."""
    last, sizes = len(pixels.dims) - 2, dict(zip(map(str.lower, pixels.dims), pixels.shape, strict=True))
    for axis, position in select.items():
        if not isinstance(position, int) or not 0 <= position < sizes.get(axis, 0):
            raise RequestError(f"there is no position {axis}={position} in {sizes}")
    kept = [
        n for n, (axis, size) in enumerate(sizes.items())
        if n >= last or axis in BAND_AXES or (axis not in select and size > 1)
    ]  # fmt: skip
    dims = tuple(list(sizes)[n] for n in kept)
    if last < 0 or len(kept) > 3 or (len(kept) == 3 and dims[0] not in BAND_AXES) or {*dims[-2:]} & {*BAND_AXES}:
        further = ", ".join(f"{axis} of {size}" for axis, size in sizes.items())
        raise UnsupportedError(
            f"a COG has bands, rows and columns, in this order, and this is {further}: choose one position of the other"
            " axes by select={'z': 0}, or name the bands by axes='cyx'"
        )
    if len(kept) == len(sizes) and not select:
        return pixels
    inner, first = pixels.read, [select.get(axis, 0) for axis in sizes]

    def read(box: Box) -> NDArray[Any]:
        sides = dict(zip(kept, box, strict=True))
        whole = (sides.get(n, slice(0, 1)) for n in range(last + 2))
        moved = (slice(each.start + at, each.stop + at) for each, at in zip(whole, first, strict=True))
        return inner(tuple(moved)).reshape(size_of(box))

    def of(values: tuple[Any, ...], one: Any = None) -> tuple[Any, ...]:
        return tuple(values[n] if one is None or list(sizes)[n] not in select else one for n in kept)

    return replace(
        pixels, dims=dims, shape=of(pixels.shape, 1), chunks=of(pixels.chunks, 1), scale=of(pixels.scale),
        origin=of(pixels.origin), units=of(pixels.units), read=read,
    )  # fmt: skip


def _marked(pixels: Pixels, own: Samples, bands: int) -> Pixels:
    """The first bands, with a value that no sample has where one is masked or nodata."""
    inner, marker, has_bands = pixels.read, math.nan, len(pixels.shape) == 3
    wide = own.dtype
    if own.dtype.kind != "f":
        if own.dtype.str[1:] not in _WIDER:
            raise UnsupportedError(f"a mask beside samples of {own.dtype} can't be reduced")
        wide = np.dtype(_WIDER[own.dtype.str[1:]])
        marker = int(np.iinfo(wide).max)

    def read(box: Box) -> NDArray[Any]:
        values = inner((slice(0, pixels.shape[0]), *box[1:]))[:bands] if has_bands else inner(box)
        data = np.ma.getdata(values)
        valid = own.valid(data) & ~np.ma.getmaskarray(values)
        return np.where(valid, data.astype(wide), wide.type(marker))

    pixels = replace(pixels, samples=Samples(dtype=wide, nodata=marker), read=read)
    if not has_bands:
        return pixels
    chunks = (min(bands, pixels.chunks[0]), *pixels.chunks[1:])
    return replace(pixels, shape=(bands, *pixels.shape[1:]), chunks=chunks)


def _photometric(image: Image | None, colors: tuple[str, ...], dtype: np.dtype[Any]) -> int:
    stored = getattr(getattr(image.levels[0].spec, "encoding", None), "photometric", 1) if image is not None else 1
    if stored == 0 and image is not None and dtype.itemsize * 8 == _bits(image) and 320 not in image.tags:
        return 0
    if colors[:1] == ("palette",) and image is not None and image.colormap and dtype in (np.uint8, np.uint16):
        return PALETTE
    if colors[:1] == ("Y",) or stored in (8, 9, 10):
        raise UnsupportedError("the colours of a source in YCbCr or CIELab would be lost")
    return 2 if colors[:3] == _RGB else 5 if colors[:4] == ("cyan", "magenta", "yellow", "black") else 1


def _bits(image: Image) -> int:
    bits = getattr(getattr(image.levels[0].spec, "encoding", None), "bits", (0,))
    return int(max(bits))


def _extra(image: Image | None, colors: tuple[str, ...], bands: int, photometric: int) -> tuple[int, ...]:
    """ExtraSamples: 2 is alpha; 1 where the colours are multiplied by it; 0 says nothing."""
    stored = getattr(getattr(image.levels[0].spec, "encoding", None), "extra_samples", ()) if image is not None else ()
    alpha = next((each for each in stored if each in (1, 2)), 2)
    first = _COLOURS[photometric]
    return tuple(alpha if colors[n : n + 1] == ("alpha",) else 0 for n in range(first, bands))


def _colormap(colors: Mapping[int, tuple[int, int, int, int]], bits: int) -> NDArray[np.uint16]:
    table = np.zeros((3, 1 << bits), np.uint16)
    for value, color in colors.items():
        table[:, value] = color[:3]
    return (table * 257).ravel()


def _tags(image: Image, crs: Any) -> dict[int, Tag]:
    tags = geo_tags(image, 0, Window(0, 0, image.width, image.height))
    kinds = {**_COPIED, 33922: 12} if image.gcps else _COPIED
    for number, kind in kinds.items():
        value = image.tags.get(number)
        if kind not in (2, 7) and isinstance(value, int | float | tuple | np.ndarray):
            value = np.atleast_1d(np.asarray(value))
            fits = value.dtype.kind in ("iuf" if kind == 12 else "iu") and (kind != 5 or value.size == 2)
        else:  # a damaged tag can be of any type
            fits = isinstance(value, str if kind == 2 else bytes)
        if fits:
            tags[number] = (kind, value)
    if (33550 in tags or 34264 in tags) and 34735 not in tags:
        tags |= crs_tags(crs)
    return tags
