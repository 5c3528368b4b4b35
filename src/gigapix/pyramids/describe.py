"""The attributes of the group that a plan makes: what `metadata` wants to know, gathered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gigapix.pyramids.metadata import group_attributes
from gigapix.pyramids.progress import Extents

if TYPE_CHECKING:
    from gigapix.pyramids.plan import PyramidPlan


def attributes_of(plan: PyramidPlan, extents: Extents) -> Mapping[str, Any]:
    """Of the group. `extents`: lowest and highest sample of each channel."""
    facts = plan.facts
    return group_attributes(
        plan.levels(),
        name=plan.title,
        units=facts.units,
        channels=facts.channels,
        extents=extents,
        crs=facts.crs,
        nodata=plan.samples.nodata,
        version="0.4" if plan.zarr_format == 2 else "0.5",
    )
