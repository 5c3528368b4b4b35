"""The attributes of the group that a plan makes: what `metadata` wants to know, gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gigapix.pyramids.levels import LevelInfo
from gigapix.pyramids.metadata import group_attributes
from gigapix.pyramids.progress import Extents

if TYPE_CHECKING:
    from gigapix.pyramids.plan import PyramidPlan


def attributes_of(plan: PyramidPlan, extents: Extents, levels: Sequence[LevelInfo]) -> Mapping[str, Any]:
    """Of the group of these levels. `extents`: lowest and highest sample of each channel."""
    facts = plan.facts
    return group_attributes(
        levels,
        name=plan.title,
        units=facts.units,
        channels=facts.channels,
        extents=extents or None,
        crs=facts.crs,
        nodata="mask" if plan.samples.masked else plan.samples.nodata,
        version="0.4" if plan.zarr_format == 2 else "0.5",
    )
