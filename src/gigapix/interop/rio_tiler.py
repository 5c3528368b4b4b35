"""Readers for rio-tiler and what is built on it (titiler, its `TilerFactory`): `Reader` blocks, `AsyncReader` does not.

    with Reader("https://example.com/cog.tif") as src:
        image = src.tile(x, y, z)

    TilerFactory(reader=Reader)

Both are short uses of the same plans (`gigapix.interop.tiler_part`). The async one keeps the event loop free: requests
are awaited, and decoding and warping happen in threads.

Every method takes rio-tiler's options: ``indexes``, ``expression``, ``nodata``, ``unscale``, ``resampling_method``,
``reproject_method``, ``buffer``, and those of its own that the method names. Others are passed over, as in rio-tiler's
own readers: titiler hands all of a request's parameters to every method.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Self

from gigapix.errors import MissingExtraError, SourceError
from gigapix.image.image import Image
from gigapix.image.open import open as open_image
from gigapix.image.open import open_async as open_image_async

try:
    import attr
    from morecantile import Tile
    from rio_tiler.constants import WGS84_CRS
    from rio_tiler.errors import TileOutsideBounds
    from rio_tiler.io.base import AsyncBaseReader, BaseReader
    from rio_tiler.models import BandStatistics, ImageData, Info, PointData
except ImportError as error:
    raise MissingExtraError("this needs rio-tiler 9.1 or newer: pip install 'gigapix[rio-tiler]'") from error

from gigapix.interop.tiler_part import plan_feature, plan_part, plan_point, plan_preview
from gigapix.interop.tiler_view import Bounds, Choice, Planned, choice_of, info_of, view_of

EXACT_PIXELS: Final = 1 << 24
"""Of an image of up to so many pixels (4096 x 4096) statistics are exact; of a larger one they are a preview's."""

PREVIEW: Final = 1024
"""Pixels along the longer side of a preview, where nothing else is said."""


class Plans:
    """What the readers have in common: each of rio-tiler's questions as one planned read of an open image."""

    def __init__(self, reader: BaseReader | AsyncBaseReader, image: Image, options: Mapping[str, Any]) -> None:
        self.reader = reader
        self.image = image
        self.view = view_of(image)
        self.options = {name: value for name, value in options.items() if value is not None}
        reader.bounds = image.bounds
        reader.crs = self.view.crs
        reader.transform = image.transform
        reader.height, reader.width = image.height, image.width

    def _given(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.options | {name: value for name, value in options.items() if value is not None}

    def _choice(self, options: Mapping[str, Any]) -> Choice:
        return choice_of(self.view, options.get("indexes"), options.get("expression"), options)

    def info(self, colormap: Mapping[Any, Any] | None) -> Info:
        """From the header alone."""
        nodata = self.options.get("nodata")
        return info_of(self.view, colormap, self.image.nodata if nodata is None else nodata)

    def tile(self, x: int, y: int, z: int, options: Mapping[str, Any]) -> Planned:
        """Of the reader's tile matrix set. Raises rio-tiler's TileOutsideBounds."""
        if not self.reader.tile_exists(x, y, z):
            raise TileOutsideBounds(f"Tile(x={x}, y={y}, z={z}) is outside bounds")
        given, tms = self._given(options), self.reader.tms
        matrix, side = tms.matrix(z), given.get("tilesize")
        size = side or matrix.tileHeight, side or matrix.tileWidth, None
        left, bottom, right, top = tms.xy_bounds(Tile(x=x, y=y, z=z))
        return plan_part(self._choice(given), (left, bottom, right, top), tms.rasterio_crs, size, given)

    def part(self, bbox: Bounds, options: Mapping[str, Any]) -> Planned:
        """Within bounds, in a CRS of theirs or another."""
        from rasterio.warp import transform_bounds  # type: ignore[import-untyped]

        given = self._given(options)
        bounds_crs = given.get("bounds_crs", WGS84_CRS)
        crs = given.get("dst_crs", bounds_crs)
        left, bottom, right, top = (
            bbox if crs == bounds_crs else transform_bounds(bounds_crs, crs, *bbox, densify_pts=21)
        )
        return plan_part(self._choice(given), (left, bottom, right, top), crs, _size(given), given)

    def preview(self, options: Mapping[str, Any]) -> Planned:
        """The whole image, made small."""
        given = self._given(options)
        height, width, most = _size(given)
        size = height, width, None if height or width else most or PREVIEW
        return plan_preview(self._choice(given), given.get("dst_crs", self.view.crs), size, given)

    def statistics(self, options: Mapping[str, Any]) -> Planned:
        """Of the whole image where it is small enough and no size is asked for, else of a preview."""
        given = self._given(options)
        if not any(_size(given)) and self.image.width * self.image.height <= EXACT_PIXELS:
            given |= {"height": self.image.height, "width": self.image.width, "dst_crs": self.view.crs}
        planned = self.preview(given)
        names = {"categorical", "categories", "percentiles", "hist_options"} & given.keys()
        wanted = {name: given[name] for name in names}
        return Planned(arguments=planned.arguments, finish=lambda pixels: planned.finish(pixels).statistics(**wanted))

    def point(self, lon: float, lat: float, options: Mapping[str, Any]) -> Planned:
        """The pixel at a place."""
        given = self._given(options)
        return plan_point(self._choice(given), lon, lat, given.get("coord_crs", WGS84_CRS))

    def feature(self, shape: Mapping[str, Any], options: Mapping[str, Any]) -> Planned:
        """The part that a GeoJSON feature covers."""
        given = self._given(options)
        shape_crs = given.get("shape_crs", WGS84_CRS)
        crs = given.get("dst_crs", shape_crs)
        return plan_feature(self._choice(given), shape, shape_crs, crs, _size(given), given)


def _size(given: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    return given.get("height"), given.get("width"), given.get("max_size")


@attr.s
class Reader(BaseReader):
    """rio-tiler's reader of one image.

    input: a path, a URL, or an open `gigapix.Image`, which then stays open.
    options: rio-tiler's, for all methods. settings: `gigapix.open`'s.
    """

    colormap: dict[Any, Any] | None = attr.ib(default=None)
    options: dict[str, Any] = attr.ib(factory=dict)
    settings: dict[str, Any] = attr.ib(factory=dict)

    _plans: Plans = attr.ib(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        given = isinstance(self.input, Image)
        image = self.input if given else open_image(self.input, **self.settings)
        try:
            self._plans = Plans(self, image, self.options)
            self.colormap = image.colormap if self.colormap is None else self.colormap
        except BaseException:
            if not given:
                image.close()
            raise

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the image, where the reader has opened it."""
        if self._plans.image is not self.input:
            self._plans.image.close()

    @property
    def minzoom(self) -> int:
        """Where the image is as small as one tile."""
        return self._minzoom

    @property
    def maxzoom(self) -> int:
        """Where a pixel is a pixel."""
        return self._maxzoom

    def info(self) -> Info:
        """What the image is, from its header."""
        return self._plans.info(self.colormap)

    def statistics(self, **options: Any) -> dict[str, BandStatistics]:
        """Of each band: exact ones of an image of up to `EXACT_PIXELS`, unless ``max_size`` asks for a preview's."""
        found: dict[str, BandStatistics] = self._run(self._plans.statistics(options))
        return found

    def tile(self, tile_x: int, tile_y: int, tile_z: int, **options: Any) -> ImageData:
        """A tile of the tile matrix set; ``tilesize`` in place of its own."""
        return self._image(self._plans.tile(tile_x, tile_y, tile_z, options))

    def part(self, bbox: Bounds, **options: Any) -> ImageData:
        """What lies in bounds: ``bounds_crs`` (WGS 84), ``dst_crs`` (that), ``max_size`` or ``height``, ``width``."""
        return self._image(self._plans.part(bbox, options))

    def preview(self, **options: Any) -> ImageData:
        """The whole image: ``dst_crs`` (its own), ``max_size`` (1024) or ``height``, ``width``."""
        return self._image(self._plans.preview(options))

    def point(self, lon: float, lat: float, **options: Any) -> PointData:
        """The pixel at a place: ``coord_crs`` (WGS 84)."""
        found: PointData = self._run(self._plans.point(lon, lat, options))
        return found

    def feature(self, shape: dict[str, Any], **options: Any) -> ImageData:
        """What a GeoJSON feature covers: ``shape_crs`` (WGS 84), and as `part`."""
        return self._image(self._plans.feature(shape, options))

    def _image(self, planned: Planned) -> ImageData:
        found: ImageData = self._run(planned)
        return found

    def _run(self, planned: Planned) -> Any:
        pixels = None if planned.arguments is None else self._plans.image.read(**planned.arguments)
        return planned.finish(pixels)


@attr.s
class AsyncReader(AsyncBaseReader):
    """`Reader` without blocking.

    input: an open `gigapix.Image`, which then stays open; or a path or URL, opened by ``async with AsyncReader(url)``.
    """

    colormap: dict[Any, Any] | None = attr.ib(default=None)
    options: dict[str, Any] = attr.ib(factory=dict)
    settings: dict[str, Any] = attr.ib(factory=dict)

    _opened: Plans | None = attr.ib(init=False, repr=False, eq=False, default=None)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.input, Image):
            self._open(self.input)

    def _open(self, image: Image) -> None:
        self._opened = Plans(self, image, self.options)
        self.colormap = image.colormap if self.colormap is None else self.colormap

    async def __aenter__(self) -> Self:
        if self._opened is None:
            image = await open_image_async(self.input, **self.settings)
            try:
                self._open(image)
            except BaseException:
                image.close()
                raise
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the image, where the reader has opened it."""
        if self._opened is not None and self._opened.image is not self.input:
            self._opened.image.close()

    @property
    def _plans(self) -> Plans:
        if self._opened is None:
            raise SourceError("the reader is not open: use `async with`", path=str(self.input))
        return self._opened

    @property
    def minzoom(self) -> int:
        """Where the image is as small as one tile."""
        return self._minzoom

    @property
    def maxzoom(self) -> int:
        """Where a pixel is a pixel."""
        return self._maxzoom

    async def info(self) -> Info:
        """See `Reader.info`."""
        return self._plans.info(self.colormap)

    async def statistics(self, **options: Any) -> dict[str, BandStatistics]:
        """See `Reader.statistics`."""
        found: dict[str, BandStatistics] = await self._run(self._plans.statistics(options))
        return found

    async def tile(self, tile_x: int, tile_y: int, tile_z: int, **options: Any) -> ImageData:
        """See `Reader.tile`."""
        return await self._image(self._plans.tile(tile_x, tile_y, tile_z, options))

    async def part(self, bbox: Bounds, **options: Any) -> ImageData:
        """See `Reader.part`."""
        return await self._image(self._plans.part(bbox, options))

    async def preview(self, **options: Any) -> ImageData:
        """See `Reader.preview`."""
        return await self._image(self._plans.preview(options))

    async def point(self, lon: float, lat: float, **options: Any) -> PointData:
        """See `Reader.point`."""
        found: PointData = await self._run(self._plans.point(lon, lat, options))
        return found

    async def feature(self, shape: dict[str, Any], **options: Any) -> ImageData:
        """See `Reader.feature`."""
        return await self._image(self._plans.feature(shape, options))

    async def _image(self, planned: Planned) -> ImageData:
        found: ImageData = await self._run(planned)
        return found

    async def _run(self, planned: Planned) -> Any:
        pixels = None if planned.arguments is None else await self._plans.image.read_async(**planned.arguments)
        return await asyncio.to_thread(planned.finish, pixels)
