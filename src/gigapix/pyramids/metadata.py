"""The attributes of a pyramid's group: OME-Zarr and the Zarr conventions together, as far as each applies.

OME-Zarr 0.5 keeps its own under ``ome``, so that both have room in one group. 0.4 puts a list under ``multiscales``,
where the convention wants an object: there the conventions are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gigapix.pyramids.conventions import convention_attributes
from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.ome import Extents, Version, is_ome, ome_attributes

if TYPE_CHECKING:
    from pyproj import CRS


def group_attributes(
    levels: Sequence[LevelInfo],
    *,
    name: str = "",
    units: Sequence[str | None] = (),
    channels: Sequence[Mapping[str, Any]] = (),
    extents: Extents | None = None,
    crs: CRS | None = None,
    nodata: float | str | None = None,
    version: Version = "0.5",
) -> dict[str, Any]:
    """The attributes of the group that holds these levels.

    name: of the image.
    units: one an axis, as OME-XML or OME-Zarr names them (``µm``, ``micrometer``), None where there is none.
    channels: one a channel, with ``label`` and ``color`` (red, green, blue), either may be missing.
    extents: lowest and highest sample by channel, as far as they are known; where None the image has no ``omero``.
    crs: of `LevelInfo.transform`.
    nodata: left out of the reductions; "mask" where a mask that is not in the group says what was.
    version: of OME-Zarr: 0.5 of a group of Zarr v3, 0.4 of one of Zarr v2.
    """
    found: dict[str, Any] = {}
    if is_ome(levels[0].dims):
        found = ome_attributes(
            levels, name=name, units=units, channels=channels, extents=extents, nodata=nodata, version=version
        )
    if "multiscales" not in found:
        found |= convention_attributes(levels, crs=crs, nodata=nodata)
    return found
