"""gigapix opens images that don't fit in memory and reads only what it must.

    open, open_async      an `Image`, of `Level`s; a `Window` is a part of one; `Settings` and `Cache`: how it is read
    validate              whether a file is a Cloud Optimized GeoTIFF, a Zarr group a sound pyramid: a `Report`
    pyramid               all resolutions of an image in one pass, as a Zarr group
    virtual               an image as it is, as a Zarr store; write_references: as byte ranges for Icechunk or kerchunk
    scan, Catalog         a table of many images, from which they open without a request
    GigapixError          what is wrong with a file, a server, or what was asked; its kinds are public, too

All pixels of an image within the ``memory`` that is named: `Image.blocks` (one after the other), `Image.summary` and
its parts (exact statistics), `Image.map` (a function on every pixel).

The public names are imported when they are first used: `gigapix --help` and an import in a large program cost nothing
of numpy and the codecs.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gigapix.catalog.catalog import Catalog
    from gigapix.catalog.scan import scan, scan_async
    from gigapix.errors import (
        ChangedError,
        DecodeError,
        DeniedError,
        FormatError,
        GigapixError,
        IndexingError,
        LimitError,
        MemoryBudgetError,
        MissingExtraError,
        MissingPartError,
        NotFoundError,
        RangeUnsupportedError,
        RequestError,
        ServerError,
        ShortBodyError,
        SourceError,
        SourceTimeoutError,
        TruncatedError,
        UnsupportedError,
    )
    from gigapix.image.image import Image
    from gigapix.image.level import Level
    from gigapix.image.open import open, open_async  # noqa: A004  # the name that the field uses
    from gigapix.image.validate import Report
    from gigapix.image.window import Window
    from gigapix.pyramids.plan import PyramidPlan, pyramid
    from gigapix.pyramids.validate import validate, validate_async
    from gigapix.source import Cache, Settings
    from gigapix.views.references_write import write_references
    from gigapix.views.virtual import virtual

__all__ = [
    "Cache",
    "Catalog",
    "ChangedError",
    "DecodeError",
    "DeniedError",
    "FormatError",
    "GigapixError",
    "Image",
    "IndexingError",
    "Level",
    "LimitError",
    "MemoryBudgetError",
    "MissingExtraError",
    "MissingPartError",
    "NotFoundError",
    "PyramidPlan",
    "RangeUnsupportedError",
    "Report",
    "RequestError",
    "ServerError",
    "Settings",
    "ShortBodyError",
    "SourceError",
    "SourceTimeoutError",
    "TruncatedError",
    "UnsupportedError",
    "Window",
    "open",
    "open_async",
    "pyramid",
    "scan",
    "scan_async",
    "validate",
    "validate_async",
    "virtual",
    "write_references",
]

_ROOMS = {
    "Cache": "source",
    "Catalog": "catalog.catalog",
    "Image": "image.image",
    "Level": "image.level",
    "PyramidPlan": "pyramids.plan",
    "Report": "image.validate",
    "Settings": "source",
    "Window": "image.window",
    "open": "image.open",
    "open_async": "image.open",
    "pyramid": "pyramids.plan",
    "scan": "catalog.scan",
    "scan_async": "catalog.scan",
    "validate": "pyramids.validate",
    "validate_async": "pyramids.validate",
    "virtual": "views.virtual",
    "write_references": "views.references_write",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'gigapix' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"gigapix.{_ROOMS.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
