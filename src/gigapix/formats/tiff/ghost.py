"""GDAL's ghost area: what a COG says of its own order, in plain text between the header and the first IFD.

``GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes`` and then ``KEY=VALUE`` lines (GDAL's COG driver, "header ghost area").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

GHOST_BYTES: Final = 43 + 512
"""The first line, and more than its keys have ever taken (140 to 270 bytes)."""

_SIZE: Final = re.compile(rb"GDAL_STRUCTURAL_METADATA_SIZE=(\d{6}) bytes\n")


@dataclass(frozen=True, kw_only=True)
class Ghost:
    """The keys of the ghost area; a missing one is False or ""."""

    layout: str = ""
    """``IFDS_BEFORE_DATA`` in a COG."""
    block_order: str = ""
    """``ROW_MAJOR``: segments lie in the order of their index."""
    block_leader: str = ""
    """``SIZE_AS_UINT4``: the four bytes before a segment are its size, little-endian in any file."""
    block_trailer: str = ""
    """``LAST_4_BYTES_REPEATED``: so that a torn write shows."""
    mask_interleaved: bool = False
    """The mask's segment lies directly behind the image's."""
    incompatible_edition: bool = False
    """A writer that knew nothing of this has changed the file: nothing above holds any more."""

    @property
    def has_leaders(self) -> bool:
        """Whether a segment's size stands before it."""
        return self.block_leader == "SIZE_AS_UINT4" and not self.incompatible_edition

    @property
    def has_gapless_order(self) -> bool:
        """Whether segments follow one another with nothing between them but trailer and leader."""
        order = self.block_order == "ROW_MAJOR" and self.block_trailer == "LAST_4_BYTES_REPEATED"
        return self.has_leaders and order and not self.mask_interleaved


def parse_ghost(data: bytes) -> Ghost | None:
    """The ghost area in the bytes behind the header; None where there is none."""
    found = _SIZE.match(data)
    if found is None:
        return None
    return _parsed(data[found.end() : found.end() + int(found[1])].decode("ascii", "replace"))


@lru_cache(maxsize=16)
def _parsed(text: str) -> Ghost:
    """Its text is the same in most files."""
    pairs = (line.partition("=") for line in text.splitlines())
    keys = {key.strip(): value.strip() for key, _, value in pairs}  # GDAL writes a blank before one of them
    return Ghost(
        layout=keys.get("LAYOUT", ""),
        block_order=keys.get("BLOCK_ORDER", ""),
        block_leader=keys.get("BLOCK_LEADER", ""),
        block_trailer=keys.get("BLOCK_TRAILER", ""),
        mask_interleaved=keys.get("MASK_INTERLEAVED_WITH_IMAGERY") == "YES",
        incompatible_edition=keys.get("KNOWN_INCOMPATIBLE_EDITION") == "YES",
    )
