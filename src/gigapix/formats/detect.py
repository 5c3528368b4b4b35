"""Which format a file is of, from its first bytes."""

from __future__ import annotations

from gigapix.formats.model import Described, Steps
from gigapix.formats.tiff.series import read_image as read_tiff


def read_image(index: int, file_name: str) -> Steps[Described]:
    """Read the header of image `index`. `file_name` tells a file of several which of them it is."""
    return (yield from read_tiff(index, file_name))
