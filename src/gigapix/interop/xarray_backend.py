"""xarray's entry point: ``xarray.open_dataset(path, engine="gigapix")`` and ``xarray.open_datatree``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Final

import xarray as xr
from xarray.backends import BackendEntrypoint

from gigapix.image.open import open as open_image
from gigapix.interop.arrays import level_array
from gigapix.interop.xarray_dataset import dataset_of
from gigapix.views.virtual import ahead

if TYPE_CHECKING:
    from gigapix.formats.model import Buffer
    from gigapix.image.image import Image

OURS: Final = frozenset({".svs", ".ndpi", ".btf", ".tf8"})

SHARED: Final = frozenset({".tif", ".tiff", ".png"})
"""rioxarray claims them, too: who has it and names no engine goes on getting what he got."""


class GigapixBackend(BackendEntrypoint):
    """TIFF, PNG and multiscale Zarr, lazily, from anywhere."""

    description = "Opens images that don't fit in memory: COG, OME-TIFF, SVS, striped and tiled TIFF, PNG"
    open_dataset_parameters: ClassVar[tuple[str, ...] | None] = (
        "filename_or_obj", "drop_variables", "mask_and_scale", "level", "index", "store",
    )  # fmt: skip
    supports_groups = True

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str] | Buffer,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: bool | None = None,
        level: int = 0,
        **options: Any,
    ) -> xr.Dataset:
        """One level as a dataset whose variable ``image`` is read when it is asked for.

        mask_and_scale: what is nodata or masked becomes NaN, and scale and offset are applied; without it, nodata,
            scale and offset are attributes. Raises UnsupportedError where scale or offset differ from band to band.
        options: those of `gigapix.open`: index, store, and the settings. The header of an image on a server is read
            512 KiB at a time, where they don't say otherwise: pixels will be read, so its tables are wanted, too.
        """
        image = _opened(filename_or_obj, options)
        try:
            array = level_array(image, level, masked=bool(mask_and_scale))
            dataset = _without(dataset_of(array, mask_and_scale=bool(mask_and_scale)), drop_variables)
        except BaseException:
            image.close()
            raise
        dataset.set_close(array.close)
        return dataset

    def open_groups_as_dict(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str] | Buffer,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: bool | None = None,
        **options: Any,
    ) -> dict[str, xr.Dataset]:
        """Every level as a dataset: ``/0`` is the full resolution."""
        image = _opened(filename_or_obj, options)
        try:
            arrays = [level_array(image, level, masked=bool(mask_and_scale)) for level in range(len(image.levels))]
            levels = [
                _without(dataset_of(array, mask_and_scale=bool(mask_and_scale)), drop_variables) for array in arrays
            ]
        except BaseException:
            image.close()
            raise
        root = xr.Dataset()
        root.set_close(arrays[0].close)
        return {"/": root} | {f"/{number}": level for number, level in enumerate(levels)}

    def open_datatree(  # type: ignore[override]
        self, filename_or_obj: str | os.PathLike[str] | Buffer, **options: Any
    ) -> xr.DataTree:
        """Every level as a node: ``/0`` is the full resolution. Options are `open_dataset`'s, without `level`."""
        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether xarray, when it is given no engine, takes this one: by the name's ending, after rioxarray."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        ending = PurePath(os.fspath(filename_or_obj)).suffix.lower()
        return ending in OURS or (ending in SHARED and find_spec("rioxarray") is None)


def _opened(source: str | os.PathLike[str] | Buffer, options: dict[str, Any]) -> Image:
    store, index = options.pop("store", None), options.pop("index", 0)
    return open_image(source, store=store, index=index, **ahead(source, store, options))


def _without(dataset: xr.Dataset, names: str | Iterable[str] | None) -> xr.Dataset:
    return dataset.drop_vars([names] if isinstance(names, str) else list(names or ()), errors="ignore")
